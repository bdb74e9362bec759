"""Which records of a WAL stand in their order: the most of them whose numbers rise, and what stands between those."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from inspector.formats.rocksdb import batch, log
from inspector.formats.rocksdb.coding import MalformedError
from inspector.formats.rocksdb.database import Database
from inspector.formats.rocksdb.logical import WHOLE, Assembler, Record

MOST: Final = 2_000_000  # records that are put in order; a log of more is judged record by record


class Numbered(Struct, frozen=True):
    """A sound record that takes sequence numbers, [first, first + count)."""

    start: int
    end: int
    first: int
    count: int


class Run(Struct, frozen=True):
    """Records out of order, [start, end): `due` was due before them, and the log goes on with `resumed`, if it does."""

    start: int
    end: int
    records: int
    first: int
    due: int
    resumed: int | None


def is_prepared(record: Record) -> bool:
    """Whether a batch is only prepared: it takes no numbers, and those behind it begin there again."""
    steps = batch.operations(record.data)
    return any(isinstance(step, batch.Mark) and step.tag in batch.BEGIN_PREPARE for step in steps)


def numbered(db: Database, member: str) -> Iterator[Numbered | None]:
    """The records of a WAL that take numbers, in their order; None for one that is not sound."""
    reader = log.LogReader(db.reader(member), db.size(member), db.files[member].number or None)
    for record in Assembler(max_record=db.max_unit).records(reader.pieces()):
        if record.fate != WHOLE or len(record.data) < batch.HEADER:
            yield None
            continue
        first, count = batch.header(record.data)
        try:
            takes = count > 0 and not is_prepared(record)
        except MalformedError:  # it makes no sense and has its numbers all the same
            takes = count > 0
        if takes:
            yield Numbered(record.start, record.end, first, count)


def strays(db: Database, member: str) -> frozenset[int]:
    """Where records begin that are out of order: as few as can be left out so that the others' numbers rise."""
    starts, firsts = array("Q"), array("Q")
    highest, behind = 0, set()
    for one in numbered(db, member):
        if one is None:
            continue
        if one.first <= highest:
            behind.add(one.start)
        highest = max(highest, one.first)
        if len(starts) <= MOST:
            starts.append(one.start)
            firsts.append(one.first)
    if len(starts) > MOST:
        return frozenset(behind)
    kept = _rising(firsts)
    return frozenset(start for start, stays in zip(starts, kept, strict=True) if not stays)


def _rising(numbers: array[int]) -> bytearray:
    """Which of these numbers are in the longest sequence that strictly rises; n log n."""
    tails, ends, before = array("Q"), array("Q"), array("q")
    for i, number in enumerate(numbers):
        at = bisect_left(tails, number)
        before.append(ends[at - 1] if at else -1)
        if at == len(tails):
            tails.append(number)
            ends.append(i)
        else:
            tails[at], ends[at] = number, i
    kept = bytearray(len(numbers))
    at = ends[-1] if ends else -1
    while at >= 0:
        kept[at] = 1
        at = before[at]
    return kept


def runs(db: Database, member: str) -> tuple[list[Run], list[tuple[int, int, int]]]:
    """Stretches of records out of order, and the gaps (offset, due, found) between those in order."""
    out, found, gaps = strays(db, member), list[Run](), list[tuple[int, int, int]]()
    due: int | None = None
    run: list[Numbered] = []

    def close(resumed: int | None) -> None:
        if run:
            found.append(Run(run[0].start, run[-1].end, len(run), run[0].first, due or 0, resumed))
            run.clear()

    for one in numbered(db, member):
        if one is None:
            close(None)
        elif one.start in out:
            run.append(one)
        else:
            if due is not None and one.first > due and not run:
                gaps.append((one.start, due, one.first))
            close(one.first)
            due = max(due or 0, one.first + one.count)
    close(None)
    return found, gaps
