# make demo | make test | make proof | make bench; everything is installed into .venv and nothing else is touched
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test proof bench clean
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

# the whole damage table on a 2 MB store, every byte of a sample damaged, a 33 GB file
proof: .venv/.ready
	$(BIN)/python -m tests.damage_table
	INSPECTOR_PROOF=1 $(BIN)/python -m pytest -n auto tests/contract tests/test_bad_input.py

bench: .venv/.ready
	$(BIN)/python -m benchmarks.bench_gossip
	$(BIN)/python -m benchmarks.bench_rocksdb

# scans a damaged store, looks at the damage, repairs it into a temporary folder and scans the result
SAMPLE := samples/gossip_store/checksum-at-3044.gossip_store
demo: .venv/.ready
	@out=$$(mktemp -d) && trap 'rm -rf "$$out"' EXIT && set -e; \
	step() { printf '\n\033[1m$$ inspector %s\033[0m\n' "$$*"; $(BIN)/inspector "$$@" || test $$? -eq $$expect; }; \
	expect=3; step scan $(SAMPLE); \
	expect=3; step show $(SAMPLE) 3044; \
	expect=4; step repair $(SAMPLE) -o "$$out/gossip_store"; \
	expect=0; step scan "$$out/gossip_store"

clean:
	rm -rf .venv build *.egg-info inspector/kernels/*.so inspector/kernels/*.c
