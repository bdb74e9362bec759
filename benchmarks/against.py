"""inspector and the original tools on the same damaged files: `python -m benchmarks.against [--rounds N] [--seed N]`.

Healthy stores come from the engines themselves (RocksDB, LevelDB) or the builders; each is damaged from a seed in every
way of `inspector dev inject`. Of each tool: does it tell, by a message or its exit status; does it name the place (a
file and an offset within 32 KiB of the damage: for us, bytes that touch it); and what the original reader
gets: from the damaged file, after the original repair, after our repair. Truth is the healthy store; "older" is what
it held before (a lost deletion shows it again), "never there" what it never held.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

from msgspec import Struct, to_builtins

from inspector import damage
from inspector.errors import InspectorError, RefusedError
from inspector.format import Wishes
from inspector.formats import all_formats
from inspector.inject import inject
from inspector.inspect import inspect
from inspector.repair import repair
from inspector.source import open_source
from inspector.span import Span

NEAR = 32 << 10  # bytes before the damage within which an offset that a tool names is right: a block of a log
_COMPLAINT = re.compile(r"corrupt|mismatch|error|fail|invalid|not a|bad |truncat|unable|cannot|can't", re.IGNORECASE)
_OFFSET = re.compile(r"(?:offset|at)[ =:]*(\d+)", re.IGNORECASE)

Noted = frozenset[tuple[str, Span]]  # what is said of the healthy store: nothing that damage did
Facts = frozenset[object]  # what a reader can tell of a store: pairs, messages, files of a version


class Harmed(Struct, frozen=True):
    """A damaged copy, and where it was damaged."""

    path: Path
    spans: tuple[Span, ...]


class Said(Struct, frozen=True):
    """What one tool made of one damaged copy; `facts` is None for one that only checks."""

    words: str
    code: int
    facts: Facts | None = None


class Tool(Struct, frozen=True):
    name: str
    ask: Callable[[Harmed], Said]


class Subject(Struct, frozen=True):
    """A healthy store, how the original reads it, and the tools to hold against each other."""

    name: str
    path: Path
    tools: tuple[Tool, ...]
    read: Callable[[Path], Facts]  # what the original reader gets of a file
    forced: str | None = None
    ever: Facts = frozenset()  # what it held before some of it was replaced or deleted
    members: tuple[str, ...] = ("",)  # the files that hold data, of which one is damaged


class Told(Struct):
    """One tool on one subject, over all damages."""

    subject: str
    tool: str
    cases: int = 0
    detected: int = 0
    placed: int = 0
    status: int = 0  # of the cases, ended with another exit status than on the healthy store
    kept: int = 0
    older: int = 0  # facts that the healthy store held before, and not any more
    invented: int = 0  # facts that it never held
    there: int = 0  # facts of the healthy store, over all cases; 0 for a tool that reads none


def complaint(words: str) -> bool:
    return bool(_COMPLAINT.search(words))


def placed(said: Said, harmed: Harmed) -> bool:
    """Whether a message names the right file and an offset that is near the damage."""
    for line in said.words.splitlines():
        if not _COMPLAINT.search(line):
            continue
        for span in harmed.spans:
            if span.member and Path(span.member).name not in line:
                continue
            offsets = map(int, _OFFSET.findall(line))
            if any(span.start - NEAR <= at <= span.end for at in offsets):
                return True
    return False


def inspector_on(subject: Subject, harmed: Harmed, healthy: Noted, truth: Facts, out: Path) -> Told:
    told = Told(subject.name, "inspector: scan, repair", 1, there=len(truth))
    out.parent.mkdir()
    with open_source(str(harmed.path)) as source:
        try:
            report = inspect(source, all_formats(), Wishes(), subject.forced)
        except InspectorError:
            told.detected = told.status = 1  # refused, in a sentence: nothing of it is known
            return told
        found = [f for f in report.tally.findings() if (f.rule.code, f.span) not in healthy]
        told.detected, told.status = int(bool(found)), int(int(report.exit_code()) != 0)
        told.placed = int(any(_touches(f.span, span) for f in found for span in harmed.spans))
        try:
            result = repair(source, all_formats(), str(out), Wishes(), forced=subject.forced, force=True, copy=True)
        except InspectorError:
            return told
    kept = subject.read(out) if result.output else frozenset[object]()
    _judge(told, kept, truth, subject.ever)
    return told


def _judge(row: Told, kept: Facts, truth: Facts, ever: Facts) -> None:
    row.kept += len(kept & truth)
    row.older += len((kept & ever) - truth)
    row.invented += len(kept - truth - ever)


def _touches(one: Span, other: Span) -> bool:
    return one.member == other.member and one.start <= other.end and other.start <= one.end


def compare(subject: Subject, rounds: int, seed: int) -> list[Told]:
    """`rounds` damaged copies of one subject."""
    truth = subject.read(subject.path)
    assert truth, subject.name
    kinds = tuple(damage.KINDS)
    with tempfile.TemporaryDirectory() as name:
        whole = _copy(subject.path, Path(name) / "healthy")
        sound = [tool.ask(Harmed(whole, ())) for tool in subject.tools]
        with open_source(str(subject.path)) as source:
            report = inspect(source, all_formats(), Wishes(), subject.forced)
            noted = frozenset((f.rule.code, f.span) for f in report.tally.findings())
        told = [Told(subject.name, tool.name) for tool in subject.tools]
        told.append(Told(subject.name, "inspector: scan, repair"))
        for number in range(rounds):
            harmed = _harmed(subject, kinds[number % len(kinds)], seed + number, Path(name) / f"{number}")
            if harmed is None:
                continue
            for row, tool, healthy in zip(told, subject.tools, sound, strict=False):
                copy = Path(name) / f"{number}" / tool.name / subject.path.name
                copy.parent.mkdir(parents=True)
                said = tool.ask(Harmed(_copy(harmed.path, copy), harmed.spans))
                _add(row, said, healthy, harmed)
                if said.facts is not None:
                    row.there += len(truth)
                    _judge(row, said.facts, truth, subject.ever)
            _sum(
                told[-1],
                inspector_on(subject, harmed, noted, truth, Path(name) / f"{number}" / "out" / subject.path.name),
            )
            shutil.rmtree(Path(name) / f"{number}")
    return told


def _harmed(subject: Subject, kind: str, seed: int, folder: Path) -> Harmed | None:
    folder.mkdir()
    target = folder / subject.path.name
    with open_source(str(subject.path)) as source:
        try:
            truth = inject(source, str(target), [kind], seed, member=Random(seed).choice(subject.members))
        except RefusedError:  # a text translation of a file without line ends
            return None
    return Harmed(target, truth.harms[0].after)


def _copy(path: Path, target: Path) -> Path:
    return Path(shutil.copytree(path, target) if path.is_dir() else shutil.copyfile(path, target))


def _add(row: Told, said: Said, healthy: Said, harmed: Harmed) -> None:
    new = "\n".join(line for line in said.words.splitlines() if line not in healthy.words)
    row.cases += 1
    row.status += said.code != healthy.code
    row.detected += complaint(new) or said.code != healthy.code
    row.placed += placed(Said(new, said.code), harmed)


def _sum(row: Told, more: Told) -> None:
    for name in ("cases", "detected", "placed", "status", "kept", "older", "invented", "there"):
        setattr(row, name, getattr(row, name) + getattr(more, name))


def subjects(folder: Path, seed: int) -> Iterator[Subject | str]:
    """Those whose tools are here; for the others, a line that says what is missing."""
    from benchmarks import against_gossip, against_rocksdb

    yield from against_rocksdb.subjects(folder, seed)
    yield from against_gossip.subjects(folder, seed)


TITLES = (
    "damaged store",
    "tool",
    "cases",
    "tells",
    "names the place",
    "exit status tells",
    "records kept",
    "older",
    "never there",
)


def markdown(rows: list[Told]) -> Iterator[str]:
    yield f"| {' | '.join(TITLES)} |"
    yield "|---" * 2 + "|--:" * 7 + "|"
    for row in rows:
        kept = f"{100 * row.kept / row.there:.1f} %" if row.there else "reads none"
        shares = " | ".join(_share(n, row.cases) for n in (row.detected, row.placed, row.status))
        yield f"| {row.subject} | {row.tool} | {row.cases} | {shares} | {kept} | {row.older:,} | {row.invented:,} |"


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f} %" if whole else ""


def run(rounds: int, seed: int, only: list[str] | None, say: Callable[[str], None]) -> list[Told]:
    rows: list[Told] = []
    with tempfile.TemporaryDirectory() as name:
        for subject in subjects(Path(name), seed):
            if isinstance(subject, str):
                say(subject)
            elif not only or any(subject.name.startswith(word) for word in only):
                rows += compare(subject, rounds, seed)
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description="inspector and the original tools on the same damaged files")
    parser.add_argument("--rounds", type=int, default=60, help="damaged copies of each store")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", action="append", help="subjects whose names begin so")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    rows = run(asked.rounds, asked.seed, asked.only, lambda line: print(line, file=sys.stderr))
    print(json.dumps([to_builtins(row) for row in rows], indent=1) if asked.json else "\n".join(markdown(rows)))
    return 3 if any(row.invented for row in rows if row.tool.startswith("inspector")) else 0


if __name__ == "__main__":
    sys.exit(main())
