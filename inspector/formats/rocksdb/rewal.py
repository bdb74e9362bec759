"""A damaged log written again: verbatim up to the damage, then every record that verifies, framed anew."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from inspector.counted import counted
from inspector.format import Edit
from inspector.formats.rocksdb import batch, log, logical
from inspector.formats.rocksdb.coding import MalformedError
from inspector.formats.rocksdb.database import Database
from inspector.formats.rocksdb.facts import LogFacts
from inspector.formats.rocksdb.log_writer import frame
from inspector.formats.rocksdb.order import END, Fate, order_of
from inspector.formats.rocksdb.wals import predecessor
from inspector.span import Span

_STANDS_ALONE = frozenset({10, 11})  # user-defined timestamp sizes: kept; the other special types are not needed


def wal_is_damaged(db: Database, member: str) -> bool:
    """Whether anything but a torn tail is wrong with a WAL."""
    number = db.files[member].number or None
    facts = db.facts.get(member)
    if isinstance(facts, LogFacts) and any(found < due for _, due, found in facts.jumps):
        return True  # records that were written before: replay ends at the first of them
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


def written_anew(db: Database) -> dict[str, bool]:
    """The live WALs that a repair writes anew; True where one says of the one before what will not be true any more."""
    found: dict[str, bool] = {}
    for _, name in db.live_wals() if db.trusted else sorted(db.wals.items()):
        told = predecessor(db, name)
        before = db.wals.get(told.number) if told else None
        belied = told is not None and told.number >= db.oldest_wal()
        belied = belied and (before is None or before in found or db.size(before) < (told.size if told else 0))
        if belied or wal_is_damaged(db, name):
            found[name] = belied
    return found


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


class _Numbers:
    """The sequence numbers met so far, and which records stand out of their order."""

    def __init__(self, fates: Mapping[int, Fate]) -> None:
        self.fates = fates
        self.due = 0
        self.last: Fate | None = None  # what became of the last record, if it was out of order

    def fate(self, record: logical.Record) -> Fate | None:
        """What becomes of a sound record that is out of order; one without operations never is."""
        self.last = self.fates.get(record.start)
        return self.last

    def missing(self, record: logical.Record, before: Fate | None) -> int:
        """Operations that stood where records of another place stood until this sound one."""
        first, count = batch.header(record.data)
        gone = first - self.due if before not in (None, "moved") and count else 0
        self.due = max(self.due, first + count)
        return max(0, gone)


def rewrite_wal(db: Database, member: str, out: str, belied: bool = False) -> Iterator[Edit]:
    """Every byte of the source log once. Records with unreadable batches are left out too: recovery stops at them.

    With `belied` what it says of the WAL before it is left out.
    """
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

    order = order_of(db, member)
    at, verbatim, done, numbers = 0, not belied, 0, _Numbers(order.astray)

    def returned(starts: tuple[int, ...], at: int) -> Iterator[Edit]:
        """Records that changed places, where their numbers are due."""
        for start in starts:
            record = _record_at(db, member, start, assembler.compressed)
            data = frame(record.data, at, number if recyclable else None)
            why = "put back where its sequence numbers are missing"
            yield Edit("corrected", Span(record.start, record.end, member), data, "derived", why, 1, out, at)
            at += len(data)

    for record in assembler.records(seen()):
        good = _sound(record)
        before = numbers.last
        fate = numbers.fate(record) if good else None
        if good and not fate and (gone := numbers.missing(record, before)):
            why = f"{counted(gone, 'operation', 'operations')} over which records of another place were written"
            yield Edit("lost", Span(done, done, member), why=why, out=out, units=-1)
        for edit in returned(order.before.get(record.start, ()), at):
            at, verbatim = at + len(edit.data or b""), False
            yield edit
        clean = all(p.state in (log.GOOD, log.PAD) for p in waiting if p.start < record.end)
        verbatim = verbatim and good and clean and not fate and not assembler.compressed
        if verbatim:
            yield Edit("kept", Span(done, record.end, member), units=1, out=out)
            at = done = record.end
            special.clear()
            waiting = [p for p in waiting if p.start >= record.end]
            continue
        yield from _before(waiting, done, record, member, out)
        waiting = [p for p in waiting if p.start >= record.end]
        span = Span(record.start, record.end, member)
        done = record.end
        if not good:
            yield Edit("lost", span, why=logical.FATES[record.fate], out=out, units=1)
        elif fate == "copy":
            # bytes of another place: replay stops at a key that it has got with the same number
            yield Edit("dropped", span, why="its sequence numbers stand in their order as well", out=out, units=1)
        elif fate == "lost":
            yield Edit("lost", span, why="out of order, and nothing tells where it belongs", out=out, units=1)
        elif fate is None:
            data = b""
            for piece in special:
                data += frame(piece.payload, at + len(data), number if recyclable else None, piece.type)
            special.clear()
            data += frame(record.data, at + len(data), number if recyclable else None)
            at += len(data)
            yield Edit("corrected", span, data, "derived", "framed anew at its new offset", 1, out)
    for edit in returned(order.before.get(END, ()), at):
        at += len(edit.data or b"")
        yield edit
    if numbers.last not in (None, "moved"):
        why = "what stood here before records of another place were written over it, if anything did"
        yield Edit("lost", Span(done, done, member), why=why, out=out, units=-1)
    size = db.size(member)
    if done < size:
        yield from _rest(waiting, done, size, member, out)


def _record_at(db: Database, member: str, start: int, compressed: bool) -> logical.Record:
    reader = log.LogReader(db.reader(member), db.size(member), db.files[member].number or None, start)
    assembler = logical.Assembler(compressed=compressed, max_record=db.max_unit)
    return next(iter(assembler.records(reader.pieces())))


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
