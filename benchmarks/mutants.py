"""How many small mistakes in the code the tests notice: `python -m benchmarks.mutants [--count N] [--seed N]`.

A sample of the mutations of `inspector/formats` and `correct.py`, as many of each format. Each is made in a copy of the
tree and met with the tests that run its line, the quickest first (which ones those are is known from the coverage run;
without it, the tests of its format). It is killed when a test fails that passes without it; one that takes several
times the processor seconds of its tests is killed, too, and counted apart.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

from msgspec import Struct

from benchmarks.covered import Covered, measured
from benchmarks.mutations import Mutant, mutants

ROOT = Path(__file__).parents[1]
TESTS = 300.0  # processor seconds of tests that one mutant is met with: the quickest of those that run its line
SLOWER = 5  # times what its tests take without it: then it hangs
START = 20  # seconds of processor time more: the start of Python, on a busy machine
MEMORY = 8 << 30
WALL = 1800  # seconds, of one that waits for nothing
FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+(?: [^-\n]*)?)", re.MULTILINE)


class Judged(Struct, frozen=True):
    """What became of a mutant: killed, timeout, survived, or unrun (no test runs its line)."""

    mutant: Mutant
    outcome: str
    by: str
    tests: int


class Score(Struct):
    """All that were tried."""

    seed: int
    judged: list[Judged]

    def outcomes(self) -> Counter[str]:
        return Counter(one.outcome for one in self.judged)

    @property
    def dead(self) -> int:
        return sum(one.outcome in ("killed", "timeout") for one in self.judged)


def packages() -> dict[str, list[Path]]:
    """The files of each format, and those of the correction."""
    formats = ROOT / "inspector" / "formats"
    found = {"correct": [ROOT / "inspector" / "correct.py"]}
    for path in sorted(formats.rglob("*.py")):
        if path.parent != formats:
            found.setdefault(path.relative_to(formats).parts[0], []).append(path)
    return found


def sample(count: int, seed: int, only: list[str] | None = None) -> list[Mutant]:
    """As many of each format; within one, each mutation as likely as any other."""
    chosen: list[Mutant] = []
    names = {name: paths for name, paths in packages().items() if not only or name in only}
    for number, (name, paths) in enumerate(sorted(names.items())):
        share = count // len(names) + (number < count % len(names))
        if share:
            able = [mutant for path in paths for mutant in mutants(path)]
            chosen += Random(f"{seed}/{name}").sample(able, share)
    return chosen


def chosen_tests(mutant: Mutant, covered: Covered | None) -> tuple[list[str], float]:
    """The tests that run its line, the quickest first, and the seconds that they take; ([], 0) where none does."""
    name = str(mutant.path.relative_to(ROOT))
    if covered is None:
        parts = mutant.path.relative_to(ROOT / "inspector").parts
        return ([f"tests/formats/{parts[1]}"] if len(parts) > 1 else ["tests/test_correct.py"]), WALL / SLOWER
    chosen: list[str] = []
    seconds = 0.0
    for test in covered.tests(name, mutant.line, mutant.loading):
        taken = covered.seconds.get(test, 1.0)
        if chosen and seconds + taken > TESTS:
            break
        chosen.append(test)
        seconds += taken
    return chosen, seconds


class Bench:
    """Copies of the tree, one for each job, and what is known about the tests without a mutant."""

    def __init__(self, folder: Path, jobs: int, covered: Covered | None) -> None:
        self.covered, self.free = covered, [folder / f"tree{number}" for number in range(jobs)]
        self.lock, self.sound = threading.Lock(), dict[str, bool]()
        for tree in self.free:
            ignored = shutil.ignore_patterns(".git", ".venv", "build", ".*_cache", "out", ".hypothesis")
            shutil.copytree(ROOT, tree, ignore=ignored)

    def judge(self, mutant: Mutant) -> Judged:
        tests, seconds = chosen_tests(mutant, self.covered)
        if not tests:
            return Judged(mutant, "unrun", "", 0)
        with self.lock:
            tree = self.free.pop()
        try:
            return self._judged(mutant, tests, seconds, tree)
        finally:
            with self.lock:
                self.free.append(tree)

    def _judged(self, mutant: Mutant, tests: list[str], seconds: float, tree: Path) -> Judged:
        place = tree / mutant.path.relative_to(ROOT)
        while True:
            place.write_text(mutant.source)
            code, said = run(tree, tests, SLOWER * seconds + START)
            shutil.copyfile(mutant.path, place)
            if code == 0:
                return Judged(mutant, "survived", "", len(tests))
            if code == "timeout":
                return Judged(mutant, "timeout", "", len(tests))
            by = next(iter(FAILED.findall(said)), "").strip()
            if "::" not in by:  # it did not even load, or the whole process died of it
                return Judged(mutant, "killed", f"exit {code}", len(tests))
            if self._passes(by, tree):
                return Judged(mutant, "killed", by, len(tests))
            tests = [test for test in tests if test != by]  # it fails without a mutant, too: it says nothing
            if not tests:
                return Judged(mutant, "survived", "", 0)

    def _passes(self, test: str, tree: Path) -> bool:
        if test not in self.sound:
            self.sound[test] = run(tree, [test], WALL)[0] == 0
        return self.sound[test]


def run(tree: Path, tests: list[str], seconds: float) -> tuple[int | str, str]:
    """The exit code of these tests in that tree, or "timeout"; and what pytest said."""

    def limits() -> None:
        resource.setrlimit(resource.RLIMIT_CPU, (int(seconds) + 1, int(seconds) + 2))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))

    surroundings = {**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    listed = tree / "chosen-tests"
    listed.write_text("\n".join(tests))
    plain = ["-n", "0", "-q", "-x", "--tb=no", "-rfE", "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "pytest", *plain, f"@{listed}"]
    try:
        done = subprocess.run(command, cwd=tree, env=surroundings, capture_output=True, text=True, timeout=WALL,
                              check=False, preexec_fn=limits)  # fmt: skip
    except subprocess.TimeoutExpired:
        return "timeout", ""
    if done.returncode in (-24, -9):  # SIGXCPU
        return "timeout", done.stdout
    if done.returncode in (4, 5):  # wrong arguments, nothing collected
        raise RuntimeError(f"the tests could not be run: {done.stdout[-500:]}{done.stderr[-500:]}")
    return done.returncode, done.stdout


def score(
    chosen: list[Mutant], seed: int, jobs: int, covered: Covered | None, say: Callable[[Judged], None] | None = None
) -> Score:
    found = Score(seed, [])
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(jobs) as pool:
        for one in pool.map(Bench(Path(folder), jobs, covered).judge, chosen):
            found.judged.append(one)
            if say:
                say(one)
    return found


def by_package(found: Score) -> dict[str, Counter[str]]:
    told: dict[str, Counter[str]] = {}
    for one in found.judged:
        parts = one.mutant.path.relative_to(ROOT / "inspector").parts
        told.setdefault(parts[1] if len(parts) > 1 else parts[0], Counter())[one.outcome] += 1
    return told


def _say(one: Judged) -> None:
    place = f"{one.mutant.path.relative_to(ROOT)}:{one.mutant.line}"
    print(f"{one.outcome:<9} {place}: {one.mutant.what}; {one.tests} tests {one.by}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description="how many small mistakes in the code the tests notice")
    parser.add_argument("--count", type=int, default=54)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", action="append", choices=sorted(packages()), help="only this format")
    parser.add_argument("--coverage", type=Path, help="folder of an earlier coverage run (made there where it is not)")
    asked = parser.parse_args()
    covered = measured(asked.coverage, asked.jobs) if asked.coverage else None
    found = score(sample(asked.count, asked.seed, asked.only), asked.seed, asked.jobs, covered, _say)
    for name, outcomes in by_package(found).items():
        print(f"{name:<16} {json.dumps(outcomes)}")
    print(f"{found.dead} of {len(found.judged)} mutants killed: {json.dumps(found.outcomes())}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
