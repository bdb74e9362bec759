"""The branch coverage of the suite, and which test runs which line: what `make quality` and the mutants ask.

As a pytest plugin (`-p benchmarks.covered`) it makes each test a context of coverage.py and keeps how long it took.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import coverage
import pytest
from msgspec import Struct, field

ROOT = Path(__file__).parents[1]
SECONDS = "INSPECTOR_TEST_SECONDS"  # the variable that names the file for the seconds of each test
_CONFIG = """[run]
branch = True
source = inspector
parallel = True
relative_files = True
data_file = {data}
patch = subprocess, _exit
sigterm = True
"""
_PROPERTY = "processor seconds"
_taken: dict[str, float] = {}


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    running = coverage.Coverage.current()
    if running is not None:
        running.switch_context(item.nodeid)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    begun = time.process_time()
    try:
        yield
    finally:
        item.user_properties.append((_PROPERTY, time.process_time() - begun))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """With xdist this is also called where the reports of all workers come together."""
    for name, seconds in report.user_properties:
        if name == _PROPERTY and isinstance(seconds, float):
            _taken[report.nodeid] = seconds


def pytest_sessionfinish(session: pytest.Session) -> None:
    name = os.environ.get(SECONDS)
    if name and not hasattr(session.config, "workerinput"):  # with xdist: the one that hands the tests out
        Path(name).write_text(json.dumps(_taken))


class Share(Struct, frozen=True):
    """Of one file: lines and branches that there are, and that the suite runs."""

    lines: int
    lines_run: int
    branches: int
    branches_run: int


class Covered(Struct):
    """One run of the suite."""

    data: coverage.CoverageData
    seconds: dict[str, float]
    failed: int
    passed: int
    files: dict[str, Share]
    missing: dict[str, str]  # lines and branches that nothing runs
    _lines: dict[str, dict[int, list[str]]] = field(default_factory=dict)

    def tests(self, name: str, line: int, loading: bool) -> list[str]:
        """The tests that run this line, the quickest first; of one that runs at loading, those of the whole file."""
        if name not in self._lines:
            self._lines[name] = self.data.contexts_by_lineno(name)
        by_line = self._lines[name]
        found = {test for test in by_line.get(line, ()) if test}
        if loading or (not found and line in by_line):  # a process of its own ran it, for a test that is not known
            found = {test for tests in by_line.values() for test in tests if test}
        return sorted(found, key=lambda test: (self.seconds.get(test, 1.0), test))

    def total(self, under: str = "") -> Share:
        chosen = [share for name, share in self.files.items() if name.startswith(under)]
        return Share(*(sum(getattr(s, key) for s in chosen) for key in Share.__struct_fields__))

    def unrun(self, under: str = "") -> dict[str, str]:
        """Lines and branches of each file that nothing runs, as coverage.py writes them."""
        return {name: told for name, told in sorted(self.missing.items()) if name.startswith(under) and told}


def measured(folder: Path, jobs: int, tests: tuple[str, ...] = ("tests",)) -> Covered:
    """What the run that is kept in this folder covered; where there is none yet, the suite runs now."""
    folder.mkdir(parents=True, exist_ok=True)
    folder = folder.resolve()
    (folder / "rc").write_text(_CONFIG.format(data=folder / "data"))
    if not (folder / "coverage.json").exists():
        _run(folder, jobs, tests)
    return _read(folder)


def _run(folder: Path, jobs: int, tests: tuple[str, ...]) -> None:
    surroundings = {**os.environ, SECONDS: str(folder / "seconds.json")}
    suite = ["-m", "pytest", "-n", str(jobs), "--tb=no", "-p", "benchmarks.covered", *tests]
    steps = (
        ["-m", "coverage", "run", f"--rcfile={folder / 'rc'}", *suite],
        ["-m", "coverage", "combine", f"--rcfile={folder / 'rc'}"],
        ["-m", "coverage", "json", f"--rcfile={folder / 'rc'}", "-q", "-o", str(folder / "coverage.json")],
    )
    for number, step in enumerate(steps):
        done = subprocess.run(
            [sys.executable, *step], cwd=ROOT, env=surroundings, capture_output=True, text=True, check=False
        )
        if number == 0:
            (folder / "said").write_text(done.stdout)
            if done.returncode not in (0, 1):  # 1: a test failed, which is told in the table
                raise RuntimeError(f"the suite could not be run: {done.stdout[-500:]}{done.stderr[-500:]}")
        elif done.returncode:
            raise RuntimeError(f"{' '.join(step)}: {done.stdout[-500:]}{done.stderr[-500:]}")


def _read(folder: Path) -> Covered:
    report = json.loads((folder / "coverage.json").read_text())
    data = coverage.CoverageData(str(folder / "data"))
    data.read()
    last = (folder / "said").read_text().splitlines()[-1:]
    counts = {word: int(number) for number, word in re.findall(r"(\d+) (passed|failed|error)", "".join(last))}
    files, missing = {}, {}
    for name, told in report["files"].items():
        s = told["summary"]
        files[name] = Share(s["num_statements"], s["covered_lines"], s["num_branches"], s["covered_branches"])
        branches = [f"{a}->{b}" for a, b in told["missing_branches"]]
        missing[name] = ", ".join([*map(str, told["missing_lines"]), *branches])
    seconds = json.loads((folder / "seconds.json").read_text())
    failed = counts.get("failed", 0) + counts.get("error", 0)
    return Covered(data, seconds, failed, counts.get("passed", 0), files, missing)
