"""How many small mistakes in the code the tests notice: `python -m benchmarks.mutants [--count N] [--seed N]`.

A sample of the mutations of `inspector/formats` and `correct.py`, as many of each package. Each meets the tests that
come by its place (known from one run with probes), the quickest first, in a fork of a process that has collected them.
It is killed when a test fails that passes without it, or takes several times its processor seconds. What survives the
tests of the formats meets those of the rest of the suite in the same way; `--rounds 1` leaves them out. What survives
both is told with its place: a mutant that changes nothing, or an assertion that is missing.
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
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from random import Random

import msgspec
from msgspec import Struct

from benchmarks.mutating import Met, Task
from benchmarks.mutations import Mutant, left_out, mutants
from benchmarks.probing import Reached

ROOT = Path(__file__).parents[1]
TESTS = 30.0  # processor seconds of tests that one mutant meets in a round: the quickest of those that come by it
# the tests of the formats and of what is said of damage
SUITE = ("tests/golden", "tests/formats", "tests/test_correct.py")
# those that start processes, wait, or fail system calls (what a mutant does there is seen in another process), and the
# two promises of all formats that take as long as all others together
APART = frozenset({"test_inspection", "test_repair", "test_quality", "test_bench", "test_faults", "test_surroundings",
                   "test_repair_faults", "test_startup", "test_process", "test_watch", "test_watch_others",
                   "test_live"})  # fmt: skip


class Judged(Struct, frozen=True):
    """What became of a mutant: killed, timeout, survived, or unrun (no test comes by in its own process)."""

    mutant: Mutant
    outcome: str
    by: str
    tests: int
    left: int = 0  # tests that come by and were too slow to be met
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


def reached(chosen: list[Mutant], tests: Sequence[str] = SUITE) -> Reached:
    """The tests that come by each of them: one run with a probe in each place."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        places = list(enumerate(chosen))
        (folder / "places").write_bytes(msgspec.msgpack.encode(places, enc_hook=str))
        command = [sys.executable, "-m", "benchmarks.probing", name, *tests]
        surroundings = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, cwd=ROOT, env=surroundings, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"the tests could not be run: {done.stdout[-500:]}{done.stderr[-500:]}")
        return msgspec.json.decode((folder / "reached").read_bytes(), type=Reached)


def chosen_tests(number: int, mutant: Mutant, found: Reached) -> tuple[list[tuple[str, float]], int]:
    """The tests that come by it, the quickest first, with their seconds, and how many are left out.

    Where it runs while modules are loaded, or could not be given a probe: those of its format.
    """
    own = mutant.path.parent.name
    tests = found.tests.get(number, [])
    if not tests and number not in found.probed:
        words = f"tests/formats/{own}/", f"[{own.replace('_', '-')}/", f"[{own}/", f"test_{mutant.path.stem}.py"
        tests = [test for test in found.seconds if any(word in test for word in words)]
    failed = set(found.failed)
    order = sorted(set(tests) - failed, key=lambda t: (round(found.seconds[t], 1), f"/{own}/" not in t, t))
    chosen: list[tuple[str, float]] = []
    seconds = 0.0
    for test in order:
        if chosen and seconds + found.seconds[test] > TESTS:
            break
        chosen.append((test, found.seconds[test]))
        seconds += found.seconds[test]
    return chosen, len(order) - len(chosen)


def score(
    chosen: list[Mutant], seed: int, jobs: int, met: Reached, say: Callable[[Judged], None] | None = None
) -> Score:
    """Each mutant judged, in as many processes as jobs."""
    found: dict[int, Judged] = {}
    tasks, left = [], {}
    for number, mutant in enumerate(chosen):
        tests, left[number] = chosen_tests(number, mutant, met)
        loading = number not in met.tests
        if tests:
            tasks.append(Task(number, str(mutant.path), mutant.source, loading, tests))
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
            for one in [one for folder in folders for one in _met(folder)]:
                if one.number not in found:
                    judged = _judged(chosen[one.number], one, left[one.number], one.number in met.tests)
                    found[one.number] = judged
                    if say:
                        say(judged)
            if all(over):
                break
            time.sleep(0.5)
        if len(found) < len(chosen):
            said = "".join((folder / "said").read_text()[-500:] for folder in folders)
            raise RuntimeError(f"{len(chosen) - len(found)} mutants were not judged: {said}")
    return Score(seed, [found[number] for number in range(len(chosen))])


def others() -> list[str]:
    """The files of tests that only survivors are asked of."""
    first = [ROOT / name for name in SUITE]
    found = [path for path in (ROOT / "tests").rglob("test_*.py") if not any(map(path.is_relative_to, first))]
    return sorted(str(path.relative_to(ROOT)) for path in found if path.stem not in APART)


def in_rounds(
    chosen: list[Mutant], seed: int, jobs: int, rounds: Sequence[Sequence[str]], say: Callable[[str], None]
) -> Score:
    """Each judged by the tests of the first round, what survives by those of the next."""
    done = Score(seed, [Judged(mutant, "unrun", "", 0) for mutant in chosen])
    alive = list(range(len(chosen)))
    for tests in rounds:
        if not alive:
            break
        begun = time.monotonic()
        asked = [chosen[number] for number in alive]
        met = reached(asked, tests)
        say(f"{len(asked)} mutants, {len(met.seconds)} tests of {sum(met.seconds.values()):.0f} processor seconds, "
            f"run in {time.monotonic() - begun:.0f} s; failed: {met.failed}")  # fmt: skip
        found = score(asked, seed, jobs, met, lambda one: say(_told(one)))
        for number, one in zip(alive, found.judged, strict=True):
            done.judged[number] = _more(done.judged[number], one)
        alive = [number for number in alive if done.judged[number].outcome in ("survived", "unrun")]
    return done


def _more(before: Judged, now: Judged) -> Judged:
    """What became of it in both rounds: what no test came by in the second may have survived the first."""
    outcome = before.outcome if now.outcome == "unrun" else now.outcome
    return Judged(now.mutant, outcome, now.by, before.tests + now.tests, before.left + now.left,
                  before.seconds + now.seconds, before.unsound + now.unsound)  # fmt: skip


def _judged(mutant: Mutant, met: Met, left: int, run: bool) -> Judged:
    """In words of the whole score: what no test came by, and none noticed either, is unrun."""
    outcome = "unrun" if met.outcome == "survived" and not run and not mutant.loading else met.outcome
    return Judged(mutant, outcome, met.by, met.tests, left, met.seconds, tuple(met.unsound))


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


def _told(one: Judged) -> str:
    less = f", {one.left} slow ones not" if one.left else ""
    words = f"{one.tests} tests{less}, {one.seconds:.1f} s {one.by}"
    words += "".join(f"; fails without it: {name}" for name in one.unsound)
    return f"{one.outcome:<9} {place(one.mutant)}: {one.mutant.what}; {words}"


def main() -> int:
    parser = argparse.ArgumentParser(description="how many small mistakes in the code the tests notice")
    parser.add_argument("--count", type=int, default=54)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", action="append", choices=sorted(packages()), help="only this format")
    parser.add_argument("--tests", action="append", help="only these files of tests, in place of the usual ones")
    parser.add_argument("--rounds", type=int, choices=(1, 2), default=2, help="1: without the rest of the suite")
    asked = parser.parse_args()
    chosen = sample(asked.count, asked.seed, asked.only)
    rounds = [asked.tests] if asked.tests else [SUITE, others()][: asked.rounds]
    found = in_rounds(chosen, asked.seed, asked.jobs, rounds, partial(print, flush=True))
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
