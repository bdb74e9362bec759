"""The branch coverage of the suite: what `make quality` asks.

The suite runs under coverage.py once, processes that tests start included; what it found is kept in a folder and can
be asked again.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct
from msgspec.json import decode, encode

ROOT = Path(__file__).parents[1]
KEPT = ROOT / "build" / "covered"  # where the run is kept
_REPORT = "coverage.json"
_SUITE = "suite.json"
_DONE = "done"
BESIDE = 12  # files of tests in one part
_INTERRUPTED = (
    "coverage.py's tracer takes a lock in Python (Collector.lock_data): an interrupt in there leaves it locked, and "
    "the process waits for it for ever"
)
# tests that see coverage.py itself, each with the reason: they are passed over here, and run by `make test`
LEFT_OUT = {
    "tests/test_surroundings.py::test_what_ends_a_process_from_outside_leaves_nothing_half_done[15]":
        "coverage.py takes SIGTERM for itself, and a command that is told not to die of it does not",
    "tests/cli/test_process.py::test_an_interrupt_is_one_line_and_130": _INTERRUPTED,
    "tests/test_bad_input.py::test_an_interrupted_repair_leaves_nothing_and_touches_nothing": _INTERRUPTED,
}  # fmt: skip
_CONFIG = """[run]
branch = True
source = {root}/inspector
parallel = True
relative_files = True
data_file = {folder}/data
patch = subprocess, _exit
sigterm = True
disable_warnings = no-data-collected
"""


class Share(Struct, frozen=True):
    """Of one file: lines and branches that there are, and that the suite runs."""

    lines: int
    lines_run: int
    branches: int
    branches_run: int


class Suite(Struct):
    """How one part of it ended."""

    passed: int
    failed: list[str]


class Covered(Struct):
    """One run of the suite."""

    passed: int
    failed: list[str]
    files: dict[str, Share]
    missing: dict[str, str]  # lines and branches that nothing runs

    def total(self, under: str = "") -> Share:
        chosen = [share for name, share in self.files.items() if name.startswith(under)]
        return Share(*(sum(getattr(s, key) for s in chosen) for key in Share.__struct_fields__))

    def unrun(self, under: str = "") -> dict[str, str]:
        """Lines and branches of each file that nothing runs, as coverage.py writes them."""
        return {name: told for name, told in sorted(self.missing.items()) if name.startswith(under) and told}


def measured(folder: Path, jobs: int, *, fresh: bool = False) -> Covered:
    """What the run that is kept in this folder covered; where there is none yet, the suite runs now.

    `fresh`: also where the package or its tests were edited since. The suite runs part by part, and a run that was
    stopped goes on with the next part.
    """
    folder.mkdir(parents=True, exist_ok=True)
    folder = folder.resolve()
    digest, now = folder / "digest", _digest()
    if not digest.exists() or (digest.read_text() != now and (fresh or not (folder / _REPORT).exists())):
        for old in folder.glob("part-*"):
            shutil.rmtree(old)
        (folder / _REPORT).unlink(missing_ok=True)
        digest.write_text(now)
    if not (folder / _REPORT).exists():
        for number, tests in enumerate(parts()):
            part = folder / f"part-{number}"
            if not (part / _DONE).exists():
                shutil.rmtree(part, ignore_errors=True)
                part.mkdir()
                _run(part, jobs, tests)
                (part / _DONE).touch()
        _report(folder)
    return _read(folder)


def parts() -> list[list[str]]:
    """The suite in parts of some minutes each: the tests of each format, each other folder, the files beside them."""
    tests = ROOT / "tests"
    folders = [
        path for path in (*tests.glob("formats/*"), *tests.iterdir()) if path.is_dir() and path.name != "formats"
    ]
    able = [[str(path.relative_to(ROOT))] for path in sorted(folders) if any(path.rglob("test_*.py"))]
    files = sorted(str(path.relative_to(ROOT)) for path in (*tests.glob("test_*.py"), *tests.glob("formats/test_*.py")))
    return [*able, *(files[at : at + BESIDE] for at in range(0, len(files), BESIDE))]


def _digest() -> str:
    """Of all that a run depends on."""
    return digest_of(path for name in ("inspector", "tests") for path in (ROOT / name).rglob("*.py"))


def digest_of(paths: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in sorted(paths):
        digest.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes())
    return digest.hexdigest()


def _run(folder: Path, jobs: int, tests: list[str]) -> None:
    (folder / "rc").write_text(_CONFIG.format(root=ROOT, folder=folder))
    workers = str(jobs if jobs > 1 else 0)
    command = [sys.executable, "-m", "coverage", "run", f"--rcfile={folder / 'rc'}", "-m", "pytest",
               "-n", workers, "--tb=no", "-rfE", *(f"--deselect={name}" for name in LEFT_OUT), *tests]  # fmt: skip
    done = subprocess.run(command, cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1, 5):  # 1: a test failed, which is told in the table; 5: there is none here
        raise RuntimeError(f"the suite could not be run: {done.stdout[-500:]}{done.stderr[-500:]}")
    passed = re.search(r"(\d+) passed", done.stdout)
    failed = re.findall(r"^(?:FAILED|ERROR) (\S+)", done.stdout, re.MULTILINE)
    (folder / _SUITE).write_bytes(encode(Suite(int(passed[1]) if passed else 0, failed)))


def _report(folder: Path) -> None:
    data = [str(path) for path in folder.glob("part-*/data*")]
    (folder / "rc").write_text(_CONFIG.format(root=ROOT, folder=folder))
    for step in (["combine", "-q", "--keep", *data], ["json", "-q", "-o", str(folder / _REPORT)]):
        command = [sys.executable, "-m", "coverage", step[0], f"--rcfile={folder / 'rc'}", *step[1:]]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)}: {done.stdout[-500:]}{done.stderr[-500:]}")


def _read(folder: Path) -> Covered:
    files, missing = {}, {}
    for name, told in json.loads((folder / _REPORT).read_text())["files"].items():
        s = told["summary"]
        files[name] = Share(s["num_statements"], s["covered_lines"], s["num_branches"], s["covered_branches"])
        branches = [f"{a}->{b}" for a, b in told["missing_branches"]]
        missing[name] = ", ".join([*map(str, told["missing_lines"]), *branches])
    suites = [decode(path.read_bytes(), type=Suite) for path in sorted(folder.glob(f"part-*/{_SUITE}"))]
    return Covered(sum(s.passed for s in suites), [test for s in suites for test in s.failed], files, missing)
