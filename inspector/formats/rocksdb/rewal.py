"""A damaged log written again: verbatim up to the damage, then every record that verifies, framed anew."""

from __future__ import annotations

from collections.abc import Iterator

from inspector.format import Edit
from inspector.formats.rocksdb import batch, log, logical
from inspector.formats.rocksdb.coding import MalformedError
from inspector.formats.rocksdb.database import Database
from inspector.formats.rocksdb.log_writer import frame
from inspector.span import Span

_STANDS_ALONE = frozenset({10, 11})  # user-defined timestamp sizes: kept; the other special types are not needed


def wal_is_damaged(db: Database, member: str) -> bool:
    """Whether anything but a torn tail is wrong with a WAL."""
    number = db.files[member].number or None
    pieces = log.LogReader(db.reader(member), db.size(member), number).pieces()
    bad = False

    def seen() -> Iterator[log.Piece]:
        nonlocal bad
        for piece in pieces:
            bad = bad or piece.state in (log.BAD, log.UNREAD, log.RELENGTH)
            yield piece

    for record in logical.Assembler(max_record=db.max_unit).records(seen()):
        if bad or not _sound(record):
            return bad or record.fate != logical.CUT
    return bad


def has_wrong_length(db: Database, member: str) -> bool:
    """Whether a record of a MANIFEST could be read only after its length was put right."""
    pieces = log.LogReader(db.reader(member), db.size(member), None).pieces()
    return any(piece.state == log.RELENGTH for piece in pieces)


def _sound(record: logical.Record) -> bool:
    if record.fate != logical.WHOLE:
        return False
    try:
        for _ in batch.operations(record.data):
            pass
    except MalformedError:
        return False
    return True


def _numbers(record: logical.Record) -> tuple[int, int]:
    """The half-open range of sequence numbers of a sound record; empty where it holds no operation."""
    first, count = batch.header(record.data)
    return first, first + count


def rewrite_wal(db: Database, member: str, out: str) -> Iterator[Edit]:
    """Every byte of the source log once. Records with unreadable batches are left out too: recovery stops at them."""
    number = db.files[member].number or None
    reader = log.LogReader(db.reader(member), db.size(member), number)
    assembler = logical.Assembler(max_record=db.max_unit)
    waiting: list[log.Piece] = []
    special: list[log.Piece] = []
    recyclable = False

    def seen() -> Iterator[log.Piece]:
        nonlocal recyclable
        for piece in reader.pieces():
            if piece.start == 0:
                recyclable = log.header_size(piece.type) == log.RECYCLABLE_HEADER
            waiting.append(piece)
            if piece.state == log.GOOD and piece.type in _STANDS_ALONE:
                special.append(piece)
            yield piece

    at, verbatim, done, following = 0, True, 0, 0
    for record in assembler.records(seen()):
        good = _sound(record)
        clean = all(p.state in (log.GOOD, log.PAD) for p in waiting if p.start < record.end)
        verbatim = verbatim and good and clean and not assembler.compressed
        if verbatim:
            yield Edit("kept", Span(done, record.end, member), units=1, out=out)
            at = done = record.end
            following = max(following, _numbers(record)[1])
            special.clear()
            waiting = [p for p in waiting if p.start >= record.end]
            continue
        yield from _before(waiting, done, record, member, out)
        waiting = [p for p in waiting if p.start >= record.end]
        header = b""
        for piece in special:
            header += frame(piece.payload, at + len(header), number if recyclable else None, piece.type)
        special.clear()
        span = Span(record.start, record.end, member)
        if not good:
            yield Edit("lost", span, why=logical.FATES[record.fate], out=out, units=1)
        elif _numbers(record)[0] < min(following, _numbers(record)[1]):
            # a copy of bytes of another place: replay stops at a key that it has got with the same number
            yield Edit("dropped", span, why="its sequence numbers were written before", out=out, units=1)
        else:
            following = max(following, _numbers(record)[1])
            data = header + frame(record.data, at + len(header), number if recyclable else None)
            at += len(data)
            why = "framed anew at its new offset"
            yield Edit("corrected", span, data, "derived", why, 1, out)
        done = record.end
    size = db.size(member)
    if done < size:
        yield from _rest(waiting, done, size, member, out)


def _before(waiting: list[log.Piece], done: int, record: logical.Record, member: str, out: str) -> Iterator[Edit]:
    """The bytes between the last record and this one: trailers, preallocated zeroes, and what did not verify."""
    for piece in waiting:
        start = max(piece.start, done)
        end = min(piece.end, record.start)
        if start < end:
            yield _left_out(piece, Span(start, end, member), out)
            done = end
    if done < record.start:
        yield Edit("dropped", Span(done, record.start, member), why="framing", out=out)


def _rest(waiting: list[log.Piece], done: int, size: int, member: str, out: str) -> Iterator[Edit]:
    for piece in waiting:
        start = max(piece.start, done)
        if start < piece.end:
            yield _left_out(piece, Span(start, piece.end, member), out)
            done = piece.end
    if done < size:
        yield Edit("dropped", Span(done, size, member), why="framing", out=out)


def _left_out(piece: log.Piece, span: Span, out: str) -> Edit:
    if piece.state in (log.PAD, log.EMPTY, log.STALE) or (piece.state == log.GOOD and piece.type not in log.FRAGMENT):
        return Edit("dropped", span, why=log.STATES[piece.state], out=out)
    return Edit("lost", span, why=f"log record: {log.STATES[piece.state]}", out=out, units=1)
