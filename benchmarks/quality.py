"""The figures of `make quality`: how often inspector is right, and how much its tests notice; all from its own runs.

Parts: `bytes` (each byte changed, each cut), `fuzz`, `faults` (system calls that fail), `damage` (the self-test),
`against` (the original tools on the same files), `coverage` (branches that the suite runs), `mutants` (mistakes in the
code that the tests notice). `--minutes` says how much of the first five; each part can be asked for alone, and the
coverage run is kept until the package or a test is edited.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from msgspec import to_builtins

from benchmarks import against, quality_table
from benchmarks.covered import KEPT, Covered, measured
from benchmarks.mutants import SUITE, Score, in_rounds, others, sample
from benchmarks.quality_parts import damaged, failed, fault_names, fuzzed, mutated, side_by_side
from inspector.formats import all_formats

# how much of the minutes each part takes; the suite under coverage takes as long as it takes
SHARES = {"bytes": 0.2, "fuzz": 0.25, "faults": 0.15, "damage": 0.25, "against": 0.15}
PARTS = (*SHARES, "coverage", "mutants")
ALL_FAULTS = 30_000  # about as many as there are: system calls of all command lines, times the ways to fail
FAULTS_EACH_MINUTE = 600  # of one core


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def measure(asked: argparse.Namespace) -> dict[str, Any]:
    """What each part found, by its name."""
    found: dict[str, Any] = {}
    names = [f.name for f in all_formats() if not asked.format or f.name in asked.format]
    for part in [part for part in PARTS if not asked.part or part in asked.part]:
        begun = time.monotonic()
        seconds = SHARES.get(part, 0) * asked.minutes * 60 * asked.jobs
        each = [(name, max(1.0, seconds / len(names)), asked.seed) for name in names]
        if part in ("bytes", "damage"):
            found[part] = side_by_side(mutated if part == "bytes" else damaged, each, asked.jobs)
        elif part == "fuzz":
            halved = [(name, time_each / 2, seed) for name, time_each, seed in each]  # by seed, and guided
            found[part] = side_by_side(fuzzed, halved, asked.jobs)
        elif part == "faults":
            step = max(1, round(ALL_FAULTS / (seconds / 60 * FAULTS_EACH_MINUTE)))
            parts = [(some, step) for some in fault_names(asked.jobs)]
            found[part] = [one for told in side_by_side(failed, parts, asked.jobs) for one in told]
        elif part == "against":
            rounds = 12 * max(1, round(asked.minutes * SHARES[part]))
            found[part] = against.run(rounds, asked.seed, None, lambda line: say(f"({line})"))
        elif part == "coverage":
            found[part] = measured(asked.coverage, asked.jobs, fresh=True)
        else:
            chosen = sample(asked.mutants, asked.seed)
            found[part] = in_rounds(chosen, asked.seed, asked.jobs, [SUITE, others()], lambda _: None)
        print(f"{part}: {time.monotonic() - begun:.0f} s", file=sys.stderr, flush=True)
    return found


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
    parser.add_argument("--json", type=Path, help="also write all figures to this file")
    asked = parser.parse_args()
    found = measure(asked)
    for line in quality_table.markdown(found):
        say(line)
    if asked.json:
        asked.json.write_text(json.dumps(plain(found), indent=1) + "\n")
    return 3 if quality_table.wrong(found) else 0


if __name__ == "__main__":
    sys.exit(main())
