"""The confusion matrix of causes: `python -m benchmarks.bench_causes --seeds 200 --jobs 2 --results FILE > matrix.md`.

Damage of a known kind is done to stores of every format, and two answers are held against it: the cause that the
main finding names, and the verdict of the first sentence ("is it this program's bug or the disk?"). The main finding
is the gravest of those that touch the damage, the first of these; where none touches it, what the diagnosis says
first. Every case whose damage changes bytes that the format verifies counts (`cause_cases.Case.evident`: a comparison
of bytes with the healthy store, made without inspector); one that inspector says nothing about is "missed".

`--results FILE` keeps each case as a line of JSON: a run that was stopped goes on where it was, and runs with
different `--format` add up. A file that other code made is refused.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.cause_cases import BY_NAME, KINDS, Case, NotHereError, case
from benchmarks.cause_stores import STORES
from benchmarks.cause_table import markdown
from inspector import formats
from inspector.errors import UnknownFormatError
from inspector.finding import Cause, Finding, Severity
from inspector.inspect import Report, inspect
from inspector.source import MemorySource

_GRAVITY = list(Severity)
_MISSED = Cause("unknown", "possible", "nothing is said")
CHUNK = 10  # seeds that one worker takes at a time
Task = tuple[str, str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Told:
    """What became of one case. `named` is a cause, "missed", or "BUG"."""

    format: str
    kind: str
    seed: int
    named: str
    confidence: str
    right: bool
    verdict: str
    sureness: str
    verdict_right: bool
    evident: bool
    because: str


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


def _named(made: Case, report: Report) -> tuple[str, Cause]:
    found = main_finding(made, report)
    if found is not None:
        return found.cause.name, found.cause
    events = report.diagnosis.events if report.diagnosis else ()
    return (events[0].cause.name, events[0].cause) if events else ("missed", _MISSED)


def _wrong(report: Report) -> bool:
    return any(f.level is not Severity.NOTE for f in report.tally.findings())


def told(name: str, kind: str, seed: int) -> Told | None:
    """What is said of one case; None where this store has no place for such damage."""
    try:
        made = case(name, BY_NAME[kind], seed)
    except NotHereError:
        return None
    try:
        report = inspected(made)
    except UnknownFormatError:
        return Told(name, kind, seed, "missed", "", False, "unknown", "", False, made.evident, "no known format")
    if any(code == "INS001" for code, _ in report.tally.counts):
        return Told(name, kind, seed, "BUG", "", False, "unknown", "", False, made.evident, "INS001")
    named, cause = _named(made, report)
    said = report.diagnosis
    quiet: tuple[str, str] = ("unknown" if _wrong(report) else "clean", "")
    verdict, sureness = (said.verdict, said.confidence) if said else quiet
    right = named in made.right
    return Told(name, kind, seed, named, cause.confidence, right, verdict, sureness, verdict in made.blame,
                made.evident, cause.because)  # fmt: skip


def _work(task: Task) -> list[Told]:
    name, kind, seeds = task
    return [found for seed in seeds if (found := told(name, kind, seed))]


def _tasks(names: list[str], kinds: list[str], seeds: range, done: set[tuple[str, str, int]]) -> Iterator[Task]:
    for name in names:
        for kind in kinds:
            if name not in BY_NAME[kind].formats:
                continue
            for first in range(seeds.start, seeds.stop, CHUNK):
                left = tuple(s for s in range(first, min(first + CHUNK, seeds.stop)) if (name, kind, s) not in done)
                if left:
                    yield name, kind, left


def _code() -> str:
    """A fingerprint of what the results depend on."""
    root = Path(__file__).resolve().parent.parent
    digest = hashlib.sha256()
    for folder in ("inspector", "benchmarks", "tests"):
        for path in sorted((root / folder).rglob("*.py")):
            if folder == "inspector" or path.name.startswith("cause_") or "builders" in path.parts:
                digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _kept(path: Path | None) -> list[Told]:
    """Results of an earlier run of the same code; the last line may have been cut."""
    if path is None or not path.exists():
        return []
    lines = path.read_text().splitlines()
    if lines and json.loads(lines[0]).get("code") != _code():
        sys.exit(f"{path}: made by other code; give another file")
    found = []
    for line in lines[1:]:
        try:
            found.append(Told(**json.loads(line)))
        except json.JSONDecodeError:
            break
    path.write_text("\n".join([lines[0], *(json.dumps(asdict(t)) for t in found), ""]) if lines else "")
    return found


def run(tasks: Iterable[Task], jobs: int) -> Iterator[list[Told]]:
    if jobs == 1:
        yield from map(_work, tasks)
        return
    with multiprocessing.Pool(jobs) as pool:
        yield from pool.imap_unordered(_work, tasks)


def main() -> None:
    parser = argparse.ArgumentParser(description="the confusion matrix of causes, as Markdown")
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--format", action="append", choices=list(STORES))
    parser.add_argument("--kind", action="append", choices=[k.name for k in KINDS])
    parser.add_argument("--results", type=Path, help="keep each case here, and go on from what is there")
    parser.add_argument("--wrong", action="store_true", help="list the cases that were named wrong")
    asked = parser.parse_args()
    names = asked.format or list(STORES)
    kinds = asked.kind or [k.name for k in KINDS]
    found = _kept(asked.results)
    seeds = range(asked.first, asked.first + asked.seeds)
    tasks = list(_tasks(names, kinds, seeds, {(t.format, t.kind, t.seed) for t in found}))
    began = time.perf_counter()
    out = asked.results.open("a") if asked.results else None
    if out and out.tell() == 0:
        out.write(json.dumps({"code": _code()}) + "\n")
    for number, more in enumerate(run(tasks, asked.jobs), 1):
        found += more
        if out:
            out.write("".join(json.dumps(asdict(t)) + "\n" for t in more))
            out.flush()
        if sys.stderr.isatty():
            print(f"\r{number} of {len(tasks)} parts, {time.perf_counter() - began:.0f} s", end="", file=sys.stderr)
    order = {name: at for at, name in enumerate([*STORES, *(k.name for k in KINDS)])}
    found.sort(key=lambda t: (order[t.format], order[t.kind], t.seed))
    print(markdown(found))
    if asked.wrong:
        for t in found:
            if t.evident and not t.right:
                print(f"- {t.format}, {t.kind}, seed {t.seed}: {t.named} ({t.confidence}): {t.because}")
            if t.evident and not t.verdict_right and t.verdict not in ("unknown", "clean"):
                print(f"- {t.format}, {t.kind}, seed {t.seed}: verdict {t.verdict} ({t.sureness}): {t.because}")
    print(f"\n{len(found):,} cases, {time.perf_counter() - began:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
