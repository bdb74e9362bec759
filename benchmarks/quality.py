"""The figures of `make quality`: how often inspector is right, and how much its tests notice; all from its own runs.

Parts: `bytes` (each byte changed, each cut), `fuzz`, `faults` (system calls that fail), `damage` (the self-test),
`against` (the original tools on the same files), `coverage` (branches that the suite runs), `mutants` (mistakes in the
code that the tests notice). `--minutes` says how much of the first five; each part can be asked for alone. What a part
found is printed when it ends, the figures of all of them last. What was measured is kept in `build`, piece by piece,
until the package, a test, a benchmark or a sample is edited: a run that was stopped goes on where it was, and `--fresh`
measures again.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from msgspec import to_builtins

from benchmarks import against, quality_table
from benchmarks.covered import KEPT, Covered, measured
from benchmarks.kept import Kept, tree
from benchmarks.mutants import SUITE, Score, in_rounds, others, sample
from benchmarks.quality_parts import (
    Damaged,
    Failed,
    Fuzzed,
    Mutated,
    damaged,
    failed,
    fault_names,
    fuzzed,
    mutated,
)
from inspector.formats import all_formats

# how much of the minutes each part takes; the suite under coverage takes as long as it takes
SHARES = {"bytes": 0.2, "fuzz": 0.25, "faults": 0.15, "damage": 0.25, "against": 0.15}
PARTS = (*SHARES, "coverage", "mutants")
MEASURED = KEPT.parent / "measured"  # where the pieces are kept
ALL_FAULTS = 30_000  # about as many as there are: system calls of all command lines, times the ways to fail
FAULTS_EACH_MINUTE = 600  # of one core


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def measure(asked: argparse.Namespace, kept: Kept) -> Iterator[tuple[str, Any]]:
    """The name of each part and what it found, as soon as it is known."""
    names = [f.name for f in all_formats() if not asked.format or f.name in asked.format]
    for part in [part for part in PARTS if not asked.part or part in asked.part]:
        begun = time.monotonic()
        yield part, _measured(part, asked, kept, names)
        print(f"{part}: {time.monotonic() - begun:.0f} s", file=sys.stderr, flush=True)


def _measured(part: str, asked: argparse.Namespace, kept: Kept, names: list[str]) -> Any:
    seconds = SHARES.get(part, 0) * asked.minutes * 60 * asked.jobs
    each = [(name, max(1.0, seconds / len(names)), asked.seed) for name in names]
    if part == "bytes":
        return kept.side_by_side(part, Mutated, mutated, each, asked.jobs)
    if part == "damage":
        return kept.side_by_side(part, Damaged, damaged, each, asked.jobs)
    if part == "fuzz":
        halved = [(name, time_each / 2, seed) for name, time_each, seed in each]  # by seed, and guided
        return kept.side_by_side(part, Fuzzed, fuzzed, halved, asked.jobs)
    if part == "faults":
        step = max(1, round(ALL_FAULTS / (seconds / 60 * FAULTS_EACH_MINUTE)))
        parts = [(some, step) for some in fault_names(asked.jobs)]
        return [one for told in kept.side_by_side(part, list[Failed], failed, parts, asked.jobs) for one in told]
    if part == "against":
        rounds = 12 * max(1, round(asked.minutes * SHARES[part]))
        wanted = rounds, asked.seed
        return kept.once(part, wanted, list[against.Told], lambda: against.run(*wanted, None, lambda n: say(f"({n})")))
    if part == "coverage":
        return measured(asked.coverage, asked.jobs, fresh=True)
    chosen, rounds_of_tests = sample(asked.mutants, asked.seed), [SUITE, others()]
    return kept.once(
        part, (asked.mutants, asked.seed), Score,
        lambda: in_rounds(chosen, asked.seed, asked.jobs, rounds_of_tests, lambda _: None),
    )  # fmt: skip


def plain(found: dict[str, Any]) -> dict[str, Any]:
    """What `--json` says: the records of each part, and the figures of the summary."""
    told = {part: to_builtins(what) for part, what in found.items() if part not in ("coverage", "mutants")}
    covered: Covered | None = found.get("coverage")
    if covered:
        told["coverage"] = quality_table.coverage_figures(covered) | {"unrun": covered.unrun("inspector/")}
    if isinstance(mutants := found.get("mutants"), Score):
        told["mutants"] = quality_table.mutant_figures(mutants)
    return told | {"figures": dict(quality_table.figures(found))}


def main() -> int:
    parser = argparse.ArgumentParser(description="how often inspector is right, and how much its tests notice")
    parser.add_argument("--part", action="append", choices=PARTS, help="only this part")
    parser.add_argument("--format", action="append", help="only this format, in the parts that go by format")
    parser.add_argument("--minutes", type=float, default=5, help="of all processors, for all but coverage and mutants")
    parser.add_argument("--mutants", type=int, default=60, metavar="N", help="how many mutants")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--coverage", type=Path, default=KEPT, help="the folder that keeps the coverage run")
    parser.add_argument("--kept", type=Path, default=MEASURED, help="the folder that keeps all other parts")
    parser.add_argument(
        "--fresh", action="store_true", help="measure what is kept again, too, but for the coverage run"
    )
    parser.add_argument("--json", type=Path, help="also write all figures to this file, anew after each part")
    asked = parser.parse_args()
    found: dict[str, Any] = {}
    try:
        for part, what in measure(asked, Kept(asked.kept, tree(), fresh=asked.fresh)):
            found[part] = what
            for line in quality_table.details(part, found):
                say(line)
            if asked.json:
                asked.json.write_text(json.dumps(plain(found), indent=1) + "\n")
    except KeyboardInterrupt:
        print("stopped: the same command goes on with what is not measured yet", file=sys.stderr)
    for line in quality_table.summary(found):
        say(line)
    if unmeasured := [part for part in PARTS if part not in found and (not asked.part or part in asked.part)]:
        say(f"not measured: {', '.join(unmeasured)}")
        return 130
    return 3 if quality_table.wrong(found) else 0


if __name__ == "__main__":
    sys.exit(main())
