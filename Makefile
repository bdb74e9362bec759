# make demo | make test | make bench; everything is installed into .venv and nothing else is touched
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test bench clean
.DELETE_ON_ERROR:

.venv/.ready: pyproject.toml setup.py $(wildcard inspector/kernels/*.pyx inspector/kernels/*.h)
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

test: .venv/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -n auto

clean:
	rm -rf .venv build *.egg-info inspector/kernels/*.so inspector/kernels/*.c
