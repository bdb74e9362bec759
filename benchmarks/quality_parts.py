"""The measurements of `make quality`, one function for each part; each ends when its processor seconds
are used up."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random

from msgspec import Struct, field

from inspector.errors import RefusedError
from inspector.formats import all_formats
from inspector.selftest import Round, selftest
from inspector.source import open_source
from tests.contract.corpus import Case, cases
from tests.faults_cases import CASES
from tests.fuzz.target import exercise

ROOT = Path(__file__).parents[1]
Sample = tuple[str, bytes, Case]  # a member of one
AT_ONCE = 12  # rounds of the self-test between two looks at the clock: one of each kind of damage


class Mutated(Struct):
    """Bytes of samples changed three ways, and cuts, through everything that inspector does with a file."""

    format: str
    bytes: int = 0
    truncations: int = 0
    failures: list[str] = field(default_factory=list)
    slowest: float = 0.0


class Damaged(Struct):
    """The self-test on a format's healthy samples."""

    format: str
    copies: int = 0
    sealed: int = 0  # copies whose damage touches bytes that a checksum covers; the next three are of these
    detected: int = 0
    placed: int = 0
    cause: int = 0
    judged: int = 0  # copies of which it is known how many units the damage left alone
    kept: int = 0  # of these, as many units verify as were left alone
    untouched: int = 0  # units that the damage left alone, over all judged copies
    sound: int = 0  # units that verify of these, at most
    right: int = 0
    wrong: int = 0


class Fuzzed(Struct):
    """One format under random or guided damage, in a process of its own."""

    format: str
    runs: int
    minutes: float
    crashes: int
    slowest: str
    peak: str


class Failed(Struct):
    """System calls that were made to fail, one at a time."""

    case: str
    calls: int  # that there are
    outcomes: dict[str, int]
    wrong: list[str]


def _used() -> float:
    """Processor seconds of this process and of those it started: a busy machine does less at a time, not less."""
    taken = os.times()
    return taken.user + taken.system + taken.children_user + taken.children_system


def _samples(name: str) -> list[Case]:
    return [case for case in cases() if case.format.name == name]


def mutated(task: tuple[str, float, int]) -> Mutated:
    """Places of its smallest samples in random order, until the time is over or each was met."""
    name, seconds, seed = task
    found = Mutated(name)
    sized = sorted(
        ((n, data, case) for case in _samples(name) for n, data in case.members().items() if data), key=_weight
    )
    smallest = sized[:3]
    end = _used() + seconds
    for place in _shuffled(sum(len(data) for _, data, _ in smallest), Random(f"{name}/{seed}")):
        if _used() > end:
            break
        at, (n, data, case) = _found(place, smallest)
        for damaged in (*_three_ways(data, at), data[:at]):
            begun = time.process_time()
            try:
                exercise(case.format, {**case.members(), n: damaged})
            except Exception as error:  # noqa: BLE001  every one of them is a failure that is counted and told
                found.failures.append(f"{case.path.name} {n} at {at}: {type(error).__name__}: {str(error)[-200:]}")
            found.slowest = max(found.slowest, time.process_time() - begun)
        found.bytes += 3
        found.truncations += 1
    return found


def _shuffled(count: int, rng: Random) -> Iterator[int]:
    """Each number below `count` once, in an order that costs nothing until it is asked for."""
    moved: dict[int, int] = {}
    for last in range(count - 1, -1, -1):
        at = rng.randrange(last + 1)
        yield moved.get(at, at)
        moved[at] = moved.pop(last, last)


def _found(place: int, samples: list[Sample]) -> tuple[int, Sample]:
    """The sample, and the byte of it, at this place of all of them one behind the other."""
    for sample in samples:
        if place < len(sample[1]):
            return place, sample
        place -= len(sample[1])
    raise IndexError(place)


def _weight(one: Sample) -> tuple[int, str, str]:
    return len(one[1]), one[2].path.name, one[0]


def _three_ways(data: bytes, at: int) -> tuple[bytes, ...]:
    return tuple(data[:at] + bytes([data[at] ^ mask]) + data[at + 1 :] for mask in (0x01, 0x80, 0xFF))


def damaged(task: tuple[str, float, int]) -> Damaged:
    """Rounds of the self-test over the healthy samples of a format in turn, until the time is over."""
    name, seconds, seed = task
    found, formats, end = Damaged(name), all_formats(), _used() + seconds
    able, turn = _samples(name), 0
    while able and _used() < end:
        for number, case in enumerate(list(able)):
            if _used() > end:
                break
            with open_source(str(case.path)) as source:
                try:
                    first = 100_000 * number + turn * AT_ONCE + 10_000_000 * seed
                    rounds = selftest(source, formats, AT_ONCE, first, forced=name).rounds
                except RefusedError:  # not a healthy sample
                    able.remove(case)
                    continue
            for one in rounds:
                _count(found, one)
        turn += 1
    return found


def _count(found: Damaged, one: Round) -> None:
    found.copies += 1
    found.sealed += one.sealed
    found.detected += one.sealed and one.detected
    found.placed += one.sealed and one.localised
    found.cause += one.sealed and one.cause_right
    found.right += one.corrections_right
    found.wrong += one.corrections_wrong
    if one.untouched is not None:
        found.judged += 1
        found.kept += one.sound >= one.untouched
        found.untouched += one.untouched
        found.sound += min(one.sound, one.untouched)


def fuzzed(task: tuple[str, float, int]) -> Fuzzed:
    """`make fuzz` for one format: its own table is read."""
    name, seconds, seed = task
    command = ["-m", "tests.fuzz.run", "--format", name, "--seconds", str(seconds), "--seed", str(seed)]
    done = subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=_here(), capture_output=True, text=True, check=False
    )
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in done.stdout.splitlines() if line[:1] == "|"]
    told = next((dict(zip(rows[0], row, strict=False)) for row in rows[1:] if row[0] == name), None)
    if told is None or done.returncode not in (0, 3):
        raise RuntimeError(f"the fuzzer ended with {done.returncode}: {done.stderr[-500:]}")
    runs, crashes = (int(told[word].replace(",", "")) for word in ("runs", "crashes"))
    guided = re.search(r"guided, (\d+) s: (\d+) runs", done.stdout)  # where atheris is installed
    minutes = float(told["minutes"]) + (int(guided[1]) / 60 if guided else 0)
    return Fuzzed(name, runs + int(guided[2] if guided else 0), minutes, crashes, told["slowest"], told["peak memory"])


def failed(task: tuple[list[str], int]) -> list[Failed]:
    """`make faults` for the command lines whose names begin so, each `step`-th system call, by its own document."""
    names, step = task
    command = [sys.executable, "-m", "tests.faults", "--json", "--step", str(step), *names]
    done = subprocess.run(command, cwd=ROOT, env=_here(), capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        raise RuntimeError(f"the faults ended with {done.returncode}: {done.stderr[-500:]}")
    told = json.loads(done.stdout)["cases"]
    return [Failed(one["name"], one["calls"], one["outcomes"], one["wrong"]) for one in told]


def fault_names(jobs: int) -> list[list[str]]:
    """The command lines in as many parts; a name stands for all that begin with it."""
    names = [case.name for case in CASES]
    first = sorted({name for name in names if not any(name != other and name.startswith(other) for other in names)})
    return [first[number::jobs] for number in range(jobs)]


def _here() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}


def fault_outcomes(found: list[Failed]) -> Counter[str]:
    """How the commands ended, whatever failed."""
    told: Counter[str] = Counter()
    for one in found:
        for words, count in one.outcomes.items():
            told[words.rsplit(": ", 1)[-1]] += count
    return told
