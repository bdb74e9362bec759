"""The branch coverage of the suite, and which test runs which line: what `make quality` and the mutants ask.

The suite runs under `benchmarks.tracing` once; what it found is kept in a folder and can be asked again. Where a file
of the package was edited since, its lines are followed to where they stand now.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import os
import shutil
import subprocess
import sys
from array import array
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct, field

from benchmarks import tracing

ROOT = Path(__file__).parents[1]
_REPORT = "coverage.json"
_SOURCES = "sources.json"
_DONE = "done"
BESIDE = 12  # files of tests in one part


class Share(Struct, frozen=True):
    """Of one file: lines and branches that there are, and that the suite runs."""

    lines: int
    lines_run: int
    branches: int
    branches_run: int


class Covered(Struct):
    """One run of the suite."""

    kept: list[tracing.Kept]
    sources: dict[str, str]  # the files of the package as they were then
    files: dict[str, Share]
    missing: dict[str, str]  # lines and branches that nothing runs
    _by_line: dict[str, dict[int, set[str]]] = field(default_factory=dict)
    _seconds: dict[str, float] = field(default_factory=dict)

    @property
    def passed(self) -> int:
        return sum(kept.passed for kept in self.kept)

    @property
    def failed(self) -> list[str]:
        return [test for kept in self.kept for test in kept.failed]

    @property
    def seconds(self) -> dict[str, float]:
        """Processor seconds of each test, traced."""
        if not self._seconds:
            for kept in self.kept:
                self._seconds.update(zip(kept.tests, kept.seconds, strict=True))
        return self._seconds

    def tests(self, name: str, line: int, loading: bool) -> tuple[set[str], bool]:
        """The tests that run this line, and whether it runs with no test, while modules are loaded.

        Of a line that runs only then: the tests of the whole file.
        """
        if name not in self._by_line:
            self._by_line[name] = self._lines(name)
        by_line = self._by_line[name]
        found = by_line.get(line, set())
        early = _LOADING in found
        if loading or found == {_LOADING}:
            found = set[str]().union(*by_line.values())
        return found - {_LOADING}, loading or early

    def _lines(self, name: str) -> dict[int, set[str]]:
        now = _moved(self.sources.get(name, ""), (ROOT / name).read_text())
        found: dict[int, set[str]] = {}
        for kept in self.kept:
            for line, numbers in kept.lines.get(name, {}).items():
                if line in now:
                    found.setdefault(now[line], set()).update(kept.tests[n] for n in array("H", numbers))
        return found

    def total(self, under: str = "") -> Share:
        chosen = [share for name, share in self.files.items() if name.startswith(under)]
        return Share(*(sum(getattr(s, key) for s in chosen) for key in Share.__struct_fields__))

    def unrun(self, under: str = "") -> dict[str, str]:
        """Lines and branches of each file that nothing runs, as coverage.py writes them."""
        return {name: told for name, told in sorted(self.missing.items()) if name.startswith(under) and told}


_LOADING = "loading"


def _moved(old: str, new: str) -> dict[int, int]:
    """Where each line of the old text stands in the new one; a changed line is where it was replaced."""
    before, after = old.splitlines(), new.splitlines()
    if before == after:
        return {n: n for n in range(1, len(after) + 1)}
    found = {}
    for _, start, end, there, last in difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        for n in range(end - start):
            if there + n < last:
                found[start + n + 1] = there + n + 1
    return found


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
        (folder / _SOURCES).write_text(json.dumps(dict(_sources())))
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
    digest = hashlib.sha256()
    for name in ("inspector", "tests"):
        for path in sorted((ROOT / name).rglob("*.py")):
            digest.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes())
    return digest.hexdigest()


def _run(folder: Path, jobs: int, tests: list[str]) -> None:
    surroundings = {**os.environ, tracing.FOLDER: str(folder)}
    suite = ["-m", "pytest", "-n", str(jobs if jobs > 1 else 0), "--tb=no", "-p", "benchmarks.tracing", *tests]
    command = [sys.executable, *suite]
    done = subprocess.run(command, cwd=ROOT, env=surroundings, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1, 5):  # 1: a test failed, which is told in the table; 5: there is none here
        raise RuntimeError(f"the suite could not be run: {done.stdout[-500:]}{done.stderr[-500:]}")


def _sources() -> Iterator[tuple[str, str]]:
    for path in sorted((ROOT / "inspector").rglob("*.py")):
        yield str(path.relative_to(ROOT)), path.read_text()


def _report(folder: Path) -> None:
    data = [str(path) for path in folder.glob("part-*/process-*/data.*")]
    (folder / "rc").write_text(f"[run]\nbranch = True\nrelative_files = True\ndata_file = {folder / 'data'}\n")
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
    kept = [tracing.read(path) for path in sorted(folder.glob("part-*/process-*/kept"))]
    return Covered(kept, json.loads((folder / _SOURCES).read_text()), files, missing)
