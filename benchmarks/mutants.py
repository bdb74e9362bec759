"""How many small mistakes in the code the tests notice: `python -m benchmarks.mutants [--count N] [--seed N]`.

A sample of the mutations of `inspector/formats` and `correct.py`, as many of each package. Each meets the tests that
run its line (known from a coverage run), the quickest first, in a fork of a process that has collected them. It is
killed when a test fails that passes without it, or takes several times its processor seconds. What survives is told
with its place: a mutant that changes nothing, or an assertion that is missing.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random

import msgspec
from msgspec import Struct

from benchmarks.covered import Covered, measured
from benchmarks.mutating import Met, Task
from benchmarks.mutations import Mutant, left_out, mutants

ROOT = Path(__file__).parents[1]
TESTS = 20.0  # processor seconds (traced) of tests that one mutant meets: the quickest of those that run its line
KEPT = ROOT / "build" / "covered"  # where the coverage run is kept


class Judged(Struct, frozen=True):
    """What became of a mutant: killed, timeout, survived, or unrun (no test runs its line)."""

    mutant: Mutant
    outcome: str
    by: str
    tests: int
    left: int = 0  # tests that run its line and were too slow to be met
    seconds: float = 0.0
    unsound: tuple[str, ...] = ()  # tests that fail without it, too


class Score(Struct):
    """All that were tried."""

    seed: int
    judged: list[Judged]

    def outcomes(self) -> Counter[str]:
        return Counter(one.outcome for one in self.judged)

    @property
    def dead(self) -> int:
        return sum(one.outcome in ("killed", "timeout") for one in self.judged)

    @property
    def unmet(self) -> int:
        """Survivors that some slow tests might have killed."""
        return sum(one.outcome == "survived" and one.left > 0 for one in self.judged)

    def interval(self) -> tuple[float, float]:
        """Wilson's, 95 %."""
        n, z = len(self.judged) or 1, 1.96
        share = self.dead / n
        middle, half = share + z * z / 2 / n, z * math.sqrt(share * (1 - share) / n + z * z / 4 / n / n)
        return (middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)


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


def chosen_tests(mutant: Mutant, covered: Covered) -> tuple[list[tuple[str, float]], int, bool]:
    """The tests that run its line with their seconds, how many are left out, and whether it also runs at loading.

    The quickest come first, and among those that take about as long those of the same format.
    """
    name = str(mutant.path.relative_to(ROOT))
    found, early = covered.tests(name, mutant.line, mutant.loading)
    own = f"tests/formats/{mutant.path.parent.name}/"
    taken = {test: covered.seconds.get(test, 1.0) for test in found}
    order = sorted(found, key=lambda t: (math.ceil(math.log10(max(taken[t], 0.1))), not t.startswith(own), t))
    chosen: list[tuple[str, float]] = []
    seconds = 0.0
    for test in order:
        if chosen and seconds + taken[test] > TESTS:
            break
        chosen.append((test, taken[test]))
        seconds += taken[test]
    return chosen, len(order) - len(chosen), early


def score(
    chosen: list[Mutant], seed: int, jobs: int, covered: Covered, say: Callable[[Judged], None] | None = None
) -> Score:
    """Each mutant judged, in as many processes as jobs."""
    found: dict[int, Judged] = {}
    tasks, left = [], {}
    for number, mutant in enumerate(chosen):
        tests, left[number], early = chosen_tests(mutant, covered)
        if tests:
            tasks.append(Task(number, str(mutant.path), mutant.source, mutant.loading, early, tests))
        else:
            found[number] = Judged(mutant, "unrun", "", 0)
    with tempfile.TemporaryDirectory() as name:
        folders = [Path(name) / str(job) for job in range(min(jobs, len(tasks)))]
        running = []
        for job, folder in enumerate(folders):
            folder.mkdir()
            (folder / "tasks").write_bytes(msgspec.msgpack.encode(tasks[job :: len(folders)]))
            running.append(_started(folder))
        while True:
            over = [process.poll() is not None for process in running]
            for met in [met for folder in folders for met in _met(folder)]:
                if met.number not in found:
                    one = Judged(
                        chosen[met.number],
                        met.outcome,
                        met.by,
                        met.tests,
                        left[met.number],
                        met.seconds,
                        tuple(met.unsound),
                    )
                    found[met.number] = one
                    if say:
                        say(one)
            if all(over):
                break
            time.sleep(0.5)
        if len(found) < len(chosen):
            said = "".join((folder / "said").read_text()[-500:] for folder in folders)
            raise RuntimeError(f"{len(chosen) - len(found)} mutants were not judged: {said}")
    return Score(seed, [found[number] for number in range(len(chosen))])


def _started(folder: Path) -> subprocess.Popen[bytes]:
    surroundings = {**os.environ, "PYTHONPATH": str(ROOT)}
    with (folder / "said").open("wb") as said:
        command = [sys.executable, "-m", "benchmarks.mutating", str(folder)]
        return subprocess.Popen(command, cwd=ROOT, env=surroundings, stdin=subprocess.DEVNULL, stdout=said, stderr=said)


def _met(folder: Path) -> list[Met]:
    path = folder / "found"
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    return [msgspec.json.decode(line, type=Met) for line in lines]


def by_package(found: Score) -> dict[str, Counter[str]]:
    told: dict[str, Counter[str]] = {}
    for one in found.judged:
        parts = one.mutant.path.relative_to(ROOT / "inspector").parts
        told.setdefault(parts[1] if len(parts) > 1 else parts[0], Counter())[one.outcome] += 1
    return told


def place(mutant: Mutant) -> str:
    return f"{mutant.path.relative_to(ROOT)}:{mutant.line}"


def _say(one: Judged) -> None:
    less = f", {one.left} slow ones not" if one.left else ""
    words = f"{one.tests} tests{less}, {one.seconds:.1f} s {one.by}"
    words += "".join(f"; fails without it: {name}" for name in one.unsound)
    print(f"{one.outcome:<9} {place(one.mutant)}: {one.mutant.what}; {words}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description="how many small mistakes in the code the tests notice")
    parser.add_argument("--count", type=int, default=54)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", action="append", choices=sorted(packages()), help="only this format")
    parser.add_argument(
        "--coverage", type=Path, default=KEPT, help="where the coverage run is kept, or made if it is not"
    )
    asked = parser.parse_args()
    covered = measured(asked.coverage, asked.jobs)
    found = score(sample(asked.count, asked.seed, asked.only), asked.seed, asked.jobs, covered, _say)
    for name, outcomes in by_package(found).items():
        print(f"{name:<16} {json.dumps(outcomes)}")
    low, high = found.interval()
    print(f"{found.dead} of {len(found.judged)} mutants killed: {100 * found.dead / len(found.judged):.1f} % "
          f"(95 %: {100 * low:.0f} to {100 * high:.0f}); {json.dumps(found.outcomes())}; "
          f"{found.unmet} of the survivors were not met with all of their tests, for time; "
        f"{sum(left_out(path) for paths in packages().values() for path in paths):,} places are never changed: "
        "annotations, decorators, texts")  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
