"""The confusion matrix of causes: `python -m benchmarks.bench_causes [--seeds N] [--format NAME] [--kind NAME]`.

Damage of a known kind is done to stores of every format; the cause that the main finding names is held against it.
The main finding is the gravest of those that touch the damage, the first of these. "unseen" is damage that no
finding touches (it hit bytes that nothing verifies), "unknown" is the honest answer.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from benchmarks.cause_cases import KINDS, Case, Kind, NotHereError, case
from benchmarks.cause_stores import STORES
from inspector import formats
from inspector.errors import UnknownFormatError
from inspector.finding import Finding, Severity
from inspector.inspect import Report, inspect
from inspector.source import MemorySource

_GRAVITY = list(Severity)
Key = tuple[str, str]


def inspected(made: Case) -> Report:
    single = set(made.members) == {""}
    source = MemorySource(made.members[""] if single else made.members, made.label)
    source.path = Path(made.label)  # as a file of that name: some formats go by it where damage leaves little else
    return inspect(source, formats.all_formats())


def main_finding(made: Case, report: Report) -> Finding | None:
    """The gravest finding that touches the damage, the first of these."""
    touching = [
        f
        for f in report.tally.findings()
        if f.bytes_known
        and f.span.member == made.member
        and any(f.span.start <= end and start <= f.span.end and _really(f, start, end) for start, end in made.spans)
    ]
    return min(touching, key=lambda f: (_GRAVITY.index(f.level), f.span.start, f.span.end), default=None)


def _really(found: Finding, start: int, end: int) -> bool:
    """Bytes in common; where bytes are gone, or a finding has none, touching is enough."""
    if start == end or found.span.start == found.span.end:
        return True
    return found.span.start < end and start < found.span.end


def named(made: Case) -> str:
    try:
        report = inspected(made)
    except UnknownFormatError:
        return "unseen"
    if any(code == "INS001" for code, _ in report.tally.counts):
        return "BUG"
    found = main_finding(made, report)
    if found is None:
        return "unseen"
    return found.cause.name


def run(seeds: range, names: list[str], kinds: list[Kind]) -> Iterator[tuple[Key, int, str, bool]]:
    """(format and kind, seed, cause named, whether it is right)."""
    for name in names:
        for kind in kinds:
            if name not in kind.formats:
                continue
            for seed in seeds:
                try:
                    made = case(name, kind, seed)
                except NotHereError:
                    continue
                told = named(made)
                yield (name, kind.name), seed, told, told in made.right


def _row(key: Key, row: Counter[str], right: int) -> None:
    seen = sum(row.values()) - row["unseen"]
    rate = f"{right / seen:5.0%}" if seen else "    -"
    print(f"{key[0]:8} {key[1]:20} {rate}  " + ", ".join(f"{n} {c}" for n, c in row.most_common()), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--format", action="append", choices=list(STORES))
    parser.add_argument("--kind", action="append", choices=[k.name for k in KINDS])
    parser.add_argument("--wrong", action="store_true", help="list the seeds that were named wrong")
    asked = parser.parse_args()
    names = asked.format or list(STORES)
    kinds = [k for k in KINDS if not asked.kind or k.name in asked.kind]
    table: dict[Key, Counter[str]] = {}
    good: Counter[Key] = Counter()
    began = time.perf_counter()
    last: Key | None = None
    for key, seed, told, right in run(range(asked.first, asked.first + asked.seeds), names, kinds):
        if last is not None and key != last:
            _row(last, table[last], good[last])
        last = key
        table.setdefault(key, Counter())[told] += 1
        good[key] += right
        if asked.wrong and not right:
            print(f"    {key[0]}, {key[1]}, seed {seed}: {told}")
    if last is not None:
        _row(last, table[last], good[last])
    took = time.perf_counter() - began
    seen = {key: sum(row.values()) - row["unseen"] for key, row in table.items()}
    for name in names:
        mine = [key for key in table if key[0] == name]
        total = sum(seen[key] for key in mine)
        unknown = sum(table[key]["unknown"] for key in mine)
        unseen = sum(table[key]["unseen"] for key in mine)
        named_right = sum(good[key] for key in mine)
        if total:
            print(f"{name}: {named_right / total:.1%} of {total} right, {unknown} unknown, {unseen} unseen")
    every, hits = sum(seen.values()), sum(good.values())
    print(f"all: {hits / every:.1%} of {every} right, {took:.1f} s")


if __name__ == "__main__":
    main()
