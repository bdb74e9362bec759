# make demo | make test | make proof | make faults | make healthy | make live | make bench; everything is installed into .venv and nothing else is touched
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test proof bombs bench fuzz faults healthy live quality clean
.DELETE_ON_ERROR:

.venv/.ready: pyproject.toml setup.py $(wildcard inspector/kernels/*.pyx inspector/kernels/*.pxd inspector/kernels/*.h)
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	$(BIN)/python -m compileall -q inspector  # where PYTHONDONTWRITEBYTECODE is set, start-up would pay for it each time
	@touch $@

test: .venv/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -n auto

# the whole damage table on a 2 MB store, every byte of small stores damaged three ways and every truncation (what is told
# of each held to what was done, each 50th repaired), hostile text in every place through every renderer, a 33 GB file
proof: .venv/.ready
	$(BIN)/python -m tests.damage_table
	$(BIN)/python -m tests.proof --jobs $$(nproc)
	INSPECTOR_PROOF=1 $(BIN)/python -m pytest -n auto tests/test_bad_input.py tests/test_hostile_text.py tests/cli/test_next.py

# hostile bytes for every format under every command, FUZZ_SECONDS each, two of three with right checksums; guided by
# coverage where `pip install atheris` works
FUZZ_SECONDS ?= 60
fuzz: .venv/.ready
	$(BIN)/python -m tests.fuzz.run --seconds $(FUZZ_SECONDS)

# small files that would cost much (expansion, counts, cycles, fake headers, nesting, crowds), under every command
bombs: .venv/.ready
	$(BIN)/python -m tests.bombs --jobs $$(nproc)

# no false alarm on HEALTHY stores of random size and shape per format, and repair changes none of them
HEALTHY ?= 200
healthy: .venv/.ready
	$(BIN)/python -m benchmarks.healthy --stores $(HEALTHY)

# every system call of every command fails once, in every way
faults: .venv/.ready
	$(BIN)/python -m tests.faults
	$(BIN)/python -m tests.surroundings

# two minutes of a writer against inspector watch; three stores in a storm; weeks of a watch with a clock that runs fast;
# 500 scans against each of three writers; a month of hourly scans of healthy stores of six kinds
live: .venv/.ready
	$(BIN)/python -m benchmarks.watch_writer 120
	$(BIN)/python -m benchmarks.watch_storm
	$(BIN)/python -m benchmarks.watch_days
	$(BIN)/python -m benchmarks.live_scans 500
	$(BIN)/python -m benchmarks.month_of_scans 720

# how many times the floor each kind of work takes; ends with an error where one got slower than in the last release
bench: .venv/.ready
	$(BIN)/python -m benchmarks.bench_all --against benchmarks/ratios.json
	$(BIN)/python -m benchmarks.bench_scaling
	$(BIN)/python -m benchmarks.bench_gossip
	$(BIN)/python -m benchmarks.bench_rocksdb
	$(BIN)/python -m benchmarks.bench_carve

# how often inspector is right and how much its tests notice, on two cores: 5 minutes of damage, the suite under coverage,
# 60 mutants; each part is told when it ends and kept in build, so that a run that was stopped goes on;
# QUALITY="--minutes 12 --mutants 300" for more of each, QUALITY="--part mutants --seed 7" for one part
QUALITY ?=
quality: .venv/.ready
	$(BIN)/python -m benchmarks.quality $(QUALITY)

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
