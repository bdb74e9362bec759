"""The figures of `make quality`: how often inspector is right, on every format, from seeds.

Detection, place, cause and salvage come from `inspector dev selftest` on the healthy samples; mutated bytes and
truncations go through everything that inspector does with a file.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.mutants import score
from inspector.catalogue import Formats
from inspector.errors import RefusedError
from inspector.formats import all_formats
from inspector.selftest import Round, selftest
from inspector.source import open_source
from tests.contract.corpus import Case, cases
from tests.fuzz.target import exercise

MIB = 1 << 20
ROOT = Path(__file__).parents[1]
JUDGED = ("detected", "at the place", "cause", "untouched kept", "corrections right", "wrong")


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def mutated(of: list[Case], most: int) -> tuple[int, int, int, float]:
    """(bytes changed three ways, truncations, failures, slowest) over the smallest samples of a format."""
    changed = cut = failures = 0
    slowest = 0.0
    sized = sorted(((name, data, case) for case in of for name, data in case.members().items() if data), key=_weight)
    for name, data, case in sized[:3]:
        stride = max(1, 3 * len(data) // most)
        for at in range(0, len(data), stride):
            for damaged in (*_three_ways(data, at), data[:at]):
                begun = time.process_time()
                try:
                    exercise(case.format, {**case.members(), name: damaged})
                except Exception as error:  # noqa: BLE001  every one of them is a failure that is counted and told
                    failures += 1
                    say(f"  {case.path.name} {name} at {at}: {type(error).__name__}: {str(error)[-200:]}")
                slowest = max(slowest, time.process_time() - begun)
            changed += 1
            cut += 1
    return changed, cut, failures, slowest


def _weight(one: tuple[str, bytes, Case]) -> tuple[int, str, str]:
    return len(one[1]), one[2].path.name, one[0]


def _three_ways(data: bytes, at: int) -> tuple[bytes, ...]:
    return tuple(data[:at] + bytes([data[at] ^ mask]) + data[at + 1 :] for mask in (0x01, 0x80, 0xFF))


def right(of: list[Case], formats: Formats, rounds: int) -> list[Round]:
    """Rounds of the self-test over the healthy samples of a format."""
    found: list[Round] = []
    for number, case in enumerate(of):
        with open_source(str(case.path)) as source:
            try:
                found += selftest(source, formats, rounds, 1000 * number, forced=case.format.name).rounds
            except RefusedError:  # not a healthy sample
                continue
    return found


def row(name: str, rounds: list[Round], touched: tuple[int, int, int, float]) -> str:
    count = len(rounds)
    judged = [r for r in rounds if r.untouched is not None]
    kept = sum(r.sound >= (r.untouched or 0) for r in judged)
    wrong = sum(r.corrections_wrong for r in rounds)
    put = sum(r.corrections_right for r in rounds)
    changed, cut, failures, slowest = touched
    shares = (sum(r.detected for r in rounds), sum(r.localised for r in rounds), sum(r.cause_right for r in rounds))
    told = " | ".join(f"{share}/{count}" for share in shares)
    first = f"| {name} | {3 * changed:,} | {cut:,} | {failures} | {slowest:.2f} s "
    return first + f"| {told} | {kept}/{len(judged)} | {put} | {wrong} |"


def coverage() -> str:
    """Branch coverage of the whole suite."""
    run = [sys.executable, "-m", "coverage", "run", "--branch", "--source=inspector", "-m", "pytest", "-n", "0", "-q"]
    subprocess.run(run, cwd=ROOT, capture_output=True, check=False)
    told = subprocess.run(
        [sys.executable, "-m", "coverage", "report", "--format=total"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return told.stdout.strip() or told.stderr.strip()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bytes", type=int, default=900, help="changed in each of three samples of a format")
    parser.add_argument("--rounds", type=int, default=48, help="of the self-test on each healthy sample")
    parser.add_argument("--mutants", type=int, default=0, help="mutants of the code that the tests must notice")
    parser.add_argument("--coverage", action="store_true", help="also measure the suite's branch coverage")
    parser.add_argument("--format", action="append", help="only this format")
    asked = parser.parse_args()
    formats = all_formats()
    titles = ("format", "bytes mutated", "truncations", "failures", "slowest", *JUDGED)
    say(f"| {' | '.join(titles)} |")
    say("|---" * len(titles) + "|")
    failures = 0
    for form in formats:
        if asked.format and form.name not in asked.format:
            continue
        of = [case for case in cases() if case.format.name == form.name]
        touched = mutated(of, asked.bytes)
        rounds = right(of, formats, asked.rounds)
        failures += touched[2] + sum(r.corrections_wrong for r in rounds)
        say(row(form.name, rounds, touched))
    say(f"\npeak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 // MIB} MiB")
    if asked.mutants:
        dead, tried, lived = score(asked.mutants, 0)
        say(f"mutation score: {dead} of {tried} sampled mutants killed")
        for one in lived:
            say(f"  lived: {one.path.relative_to(ROOT)}:{one.line}: {one.what}")
    if asked.coverage:
        say(f"branch coverage: {coverage()} %")
    return 3 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
