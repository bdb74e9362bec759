"""Branch coverage and which test runs which line, in one run of the suite: a pytest plugin.

coverage.py can keep a context for each test, but writes the branches of each into a database, which takes longer than
the tests: here each test's arcs are taken from it when the test ends and kept as two-byte numbers. A process that a
test starts is measured with coverage.py's own support, and counts for that test. A test is traced for its first `LIMIT`
processor seconds: what runs only later in it is told as not run, so the shares are lower bounds.
"""

from __future__ import annotations

import os
import signal
from array import array
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from types import FrameType

import coverage
import msgspec
import pytest

ROOT = Path(__file__).parents[1]
FOLDER = "INSPECTOR_TRACE"  # the variable that names where the run keeps its data; nothing is traced without it
LIMIT = 4.0
OFTEN = 500  # tests between two savings of what is known so far
LOADING = 0  # the number of no test: what runs while modules are loaded and tests collected
_CONFIG = """[run]
branch = True
include = {root}/inspector/*
parallel = True
data_file = {data}
patch = _exit
sigterm = True
disable_warnings = no-data-collected
"""


class Kept(msgspec.Struct):
    """Of one process that runs tests: which tests, how long each took, and which of them run each line."""

    tests: list[str]
    seconds: list[float]
    lines: dict[str, dict[int, bytes]]  # file, line, numbers of tests as array("H")
    passed: int
    failed: list[str]


def read(path: Path) -> Kept:
    return msgspec.msgpack.decode(path.read_bytes(), type=Kept)


class Tracer:
    """Coverage of this process, cut at the end of each test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / f"process-{os.getpid()}"  # with xdist several processes run tests at once
        self.folder.mkdir()
        config = self.folder / "rc"
        config.write_text(_CONFIG.format(root=ROOT, data=self.folder / "data"))
        self.tests, self.seconds = ["loading"], [0.0]
        self.failed, self.passed = list[str](), 0
        self.now = LOADING
        self.arcs = defaultdict[str, set[tuple[int, int]]](set)
        self.by_line: dict[str, defaultdict[int, array[int]]] = defaultdict(lambda: defaultdict(lambda: array("H")))
        self.coverage = coverage.Coverage(config_file=str(config))
        self.tracing = True
        signal.signal(signal.SIGPROF, self._enough)
        self.coverage.start()
        self.store = self.coverage.get_data()
        self.add, self.name = self.store.add_arcs, self.store.set_context
        self.store.add_arcs, self.store.set_context = self._take, _nothing  # type: ignore[method-assign, assignment]
        os.environ["COVERAGE_PROCESS_START"] = str(config)

    def _take(self, found: Mapping[str, Collection[tuple[int, int]]]) -> None:
        for name, arcs in found.items():
            self.arcs[name].update(arcs)
            by_line = self.by_line[name.removeprefix(f"{ROOT}/")]
            for line in {line for _, line in arcs if line > 0}:
                by_line[line].append(self.now)

    def begin(self, test: str) -> None:
        self.end()
        self.now = len(self.tests)
        self.tests.append(test)
        self.seconds.append(_used())
        signal.setitimer(signal.ITIMER_PROF, LIMIT)

    def end(self) -> None:
        """What ran since the last cut belongs to the test that ran, and so do the processes that it started."""
        signal.setitimer(signal.ITIMER_PROF, 0)
        if self.now != LOADING:
            self.seconds[self.now] = _used() - self.seconds[self.now]
        if not self.tracing:
            self.coverage.start()
            self.tracing = True
        self.coverage.switch_context("")
        for path in self.folder.glob("data.*"):
            if f".pid{os.getpid()}." not in path.name:
                self._take(_arcs(path))
                path.unlink()
        self.now = LOADING
        if not len(self.tests) % OFTEN:
            self._write()

    def _enough(self, _number: int, _frame: FrameType | None) -> None:
        if self.tracing:
            self.coverage.stop()
            self.tracing = False

    def close(self) -> None:
        self.end()
        self.coverage.stop()
        self.store.add_arcs, self.store.set_context = self.add, self.name  # type: ignore[method-assign]
        self.store.set_context("")
        self.store.add_arcs(self.arcs)
        self.store.touch_files([str(path) for path in (ROOT / "inspector").rglob("*.py")])
        self.coverage.save()
        self._write()

    def _write(self) -> None:
        lines = {
            name: {n: tests.tobytes() for n, tests in sorted(found.items())} for name, found in self.by_line.items()
        }
        kept = Kept(self.tests, self.seconds, lines, self.passed, self.failed)
        (self.folder / "kept").write_bytes(msgspec.msgpack.encode(kept))


def _arcs(path: Path) -> dict[str, Collection[tuple[int, int]]]:
    """What another process ran; nothing where it was killed while it wrote that down."""
    data = coverage.CoverageData(str(path))
    try:
        data.read()
        return {name: data.arcs(name) or () for name in data.measured_files()}
    except coverage.exceptions.DataError:
        return {}


def _nothing(_context: str | None) -> None:
    pass


def _used() -> float:
    taken = os.times()
    return taken.user + taken.system + taken.children_user + taken.children_system


_running: list[Tracer] = []  # one, in a process that runs tests


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Before the first conftest loads the package; with xdist in the workers only."""
    folder = os.environ.get(FOLDER)
    alone = not getattr(early_config.known_args_namespace, "numprocesses", None)
    if folder and (alone or "PYTEST_XDIST_WORKER" in os.environ):
        _running.append(Tracer(Path(folder)))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    for tracer in _running:
        tracer.begin(item.nodeid)
    try:
        return (yield)
    finally:
        for tracer in _running:
            tracer.end()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    for tracer in _running:
        if report.failed:
            tracer.failed.append(report.nodeid)
        tracer.passed += report.passed and report.when == "call"


def pytest_unconfigure() -> None:
    for tracer in _running:
        tracer.close()
