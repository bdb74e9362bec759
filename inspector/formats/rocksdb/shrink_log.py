"""The smallest log that shows the same: damaged pieces as they are, some records around them, the others gone."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from inspector.composed import Part
from inspector.formats.rocksdb import log, logical
from inspector.formats.rocksdb.batch import HEADER, header
from inspector.formats.rocksdb.database import Database
from inspector.formats.rocksdb.log import BLOCK
from inspector.formats.rocksdb.log_writer import frame
from inspector.formats.rocksdb.shrink_table import Needed
from inspector.span import Span

ROOM = BLOCK - log.RECYCLABLE_HEADER  # a damaged piece is read up to the end of its block: what is kept fits in one
_MOST = (1 << 64) - 1  # that a sequence number takes


def shrunk_log(db: Database, member: str, needed: Needed, context: int) -> list[Part] | None:
    """The parts of a smaller WAL that fits into one block; None where damage and what is beside it does not.

    Sequence numbers of records behind what was left out go down by as much, so that no new gap appears.
    """
    number = db.files[member].number or None
    chosen = _chosen(steps(db, member, number), needed, context)
    parts: list[Part] = []
    at, due, shift = 0, None, 0
    for apart, record, recyclable in chosen:
        if at > ROOM:
            return None
        if isinstance(record, Span):
            parts.append(record)
            at += record.length
            continue
        data = record.data
        if len(data) >= HEADER:
            sequence, count = header(data)
            if apart and due is not None:
                shift = sequence - due
            if not 0 <= sequence - shift <= _MOST:
                return None  # a record of another place, or with a number that no engine gives
            data = (sequence - shift).to_bytes(8, "little") + data[8:]
            due = sequence - shift + count
        if data == record.data and len(record.spans) == 1 and at % BLOCK + record.end - record.start <= BLOCK:
            parts.append(Span(record.start, record.end, member))
            at += record.end - record.start
        else:
            made = frame(data, at, number if recyclable else None)
            parts.append(made)
            at += len(made)
    return parts if 0 < at <= ROOM else None


def shrunk_to_blocks(db: Database, member: str, needed: Needed) -> list[Part] | None:
    """The log from the block with the first damage to that with the last; None where that is all of it."""
    size = db.size(member)
    blocks = -(-size // BLOCK)
    hurt = [number for number in range(blocks) if needed(number * BLOCK, min(size, (number + 1) * BLOCK))]
    if not hurt or (hurt[0] == 0 and hurt[-1] + 2 >= blocks):
        return None
    inside: set[int] = set()  # blocks that begin within a record
    for step, _ in steps(db, member, db.files[member].number or None):
        inside.update(range(step.start // BLOCK + 1, (step.end - 1) // BLOCK + 1))
    first, last = hurt[0], hurt[-1] + 1
    while first > 0 and first in inside:
        first -= 1
    last += 1  # what follows damage tells where it ends
    while last in inside:
        last += 1
    span = Span(first * BLOCK, min(size, last * BLOCK), member)
    return [span] if span.length < size else None


Step = Span | logical.Record


def steps(db: Database, member: str, number: int | None) -> Iterator[tuple[Step, bool]]:
    """Sound logical records, and between them the bytes that are none; whether they repeat the log's number."""
    reader = log.LogReader(db.reader(member), db.size(member), number)
    waiting: deque[log.Piece] = deque()

    def seen() -> Iterator[log.Piece]:
        for piece in reader.pieces():
            waiting.append(piece)
            yield piece

    def raw(end: int) -> Iterator[tuple[Step, bool]]:
        while waiting and waiting[0].start < end:
            piece = waiting.popleft()
            if piece.state not in (log.PAD, log.SPOILT, log.EMPTY):
                yield Span(piece.start, piece.end, member), False

    for record in logical.Assembler(max_record=db.max_unit).records(seen()):
        if record.fate != logical.WHOLE:
            continue
        yield from raw(record.start)
        recyclable = bool(waiting) and log.header_size(waiting[0].type) == log.RECYCLABLE_HEADER
        inside = [piece for piece in waiting if piece.start < record.end]
        spoilt = len(inside) != len(record.spans) + sum(p.state in (log.PAD, log.SPOILT) for p in inside)
        if spoilt or any(piece.state == log.RELENGTH for piece in inside):
            yield from raw(record.end)
            continue
        for _ in inside:
            waiting.popleft()
        yield record, recyclable
    yield from raw(db.size(member))


def _chosen(found: Iterator[tuple[Step, bool]], needed: Needed, context: int) -> Iterator[tuple[bool, Step, bool]]:
    """What is kept, and whether something was left out before it."""
    held: list[tuple[Step, bool]] = []
    behind, apart = 0, False
    for step, recyclable in found:
        start, end = step.start, step.end
        if isinstance(step, Span) or needed(start, end):
            for before, kind in held:
                yield apart, before, kind
                apart = False
            held.clear()
            yield apart, step, recyclable
            behind, apart = max(1, context), False
        elif behind:
            yield apart, step, recyclable
            behind, apart = behind - 1, False
        else:
            held.append((step, recyclable))
            if len(held) > max(1, context):
                held.pop(0)
                apart = True
