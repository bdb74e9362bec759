"""A damaged log written again: verbatim up to the damage, then every record that verifies, framed anew."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from msgspec.structs import replace

from inspector.counted import counted
from inspector.format import Edit
from inspector.formats.rocksdb import batch, keys, log, logical
from inspector.formats.rocksdb.database import Database
from inspector.formats.rocksdb.facts import LogFacts
from inspector.formats.rocksdb.log_writer import frame
from inspector.formats.rocksdb.order import END, Fate, is_batch, order_of
from inspector.formats.rocksdb.reblob import BlobMender, lost_with
from inspector.formats.rocksdb.wals import gone_on, predecessor
from inspector.span import Span

_NO_BATCH = "its checksum holds, and what it holds is no batch that makes sense"
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


def written_anew(db: Database, mender: BlobMender, strangers: frozenset[str] = frozenset()) -> dict[str, bool]:
    """The live WALs that a repair writes anew; True where one says of the one before what will not be true any more.

    Of `strangers` nothing will be left.
    """
    found: dict[str, bool] = dict.fromkeys(strangers, True)
    torn = {db.wals[number] for number, _ in gone_on(db)}  # the engine must not take it for the log's end
    for _, name in db.live_wals() if db.trusted else sorted(db.wals.items()):
        told = predecessor(db, name)
        before = db.wals.get(told.number) if told else None
        belied = told is not None and told.number >= db.oldest_wal()
        belied = belied and (before is None or before in found or db.size(before) < (told.size if told else 0))
        if name not in strangers and (belied or name in torn or wal_is_damaged(db, name) or mender.refers_badly(name)):
            found[name] = belied
    return found


def has_wrong_length(db: Database, member: str) -> bool:
    """Whether a record of a MANIFEST could be read only after its length was put right."""
    pieces = log.LogReader(db.reader(member), db.size(member), None).pieces()
    return any(piece.state == log.RELENGTH for piece in pieces)


def _sound(record: logical.Record) -> bool:
    return record.fate == logical.WHOLE and is_batch(record.data)


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


def rewrite_wal(
    db: Database, member: str, out: str, belied: bool = False, mender: BlobMender | None = None
) -> Iterator[Edit]:
    """Every byte of the source log once. Records with unreadable batches are left out too: recovery stops at them.

    With `belied` what it says of the WAL before it is left out; `mender` changes operations whose values the engine
    does not read in blob files.
    """
    refers = mender is not None and mender.refers_badly(member)
    return _Rewriting(db, member, out, belied, mender if refers else None).edits()


class _Rewriting:
    """One pass over a WAL: what was said of its bytes ends at `done`, what was written ends at `at`."""

    def __init__(self, db: Database, member: str, out: str, belied: bool, mender: BlobMender | None) -> None:
        self.mender = mender
        self.db, self.member, self.out = db, member, out
        self.number = db.files[member].number or None
        self.assembler = logical.Assembler(max_record=db.max_unit)
        self.order = order_of(db, member)
        self.numbers = _Numbers(self.order.astray)
        self.done = self.at = 0
        self.verbatim = not belied  # nothing was left out or written anew yet
        self.recyclable = False
        self.waiting: list[log.Piece] = []
        self.special: list[log.Piece] = []

    def edits(self) -> Iterator[Edit]:
        for record in self._records():
            if isinstance(record, log.Sound):
                yield from self._hollow(record)
                continue
            good = _sound(record)
            before = self.numbers.last
            fate = self.numbers.fate(record) if good else None
            if good and not fate and (gone := self.numbers.missing(record, before)):
                many = counted(gone, "operation", "operations")
                yield self._overwritten(f"{many} over which records of another place were written")
            yield from self._put_back(self.order.before.get(record.start, ()))
            clean = all(p.state in (log.GOOD, log.PAD, log.SPOILT) for p in self.waiting if p.start < record.end)
            self.verbatim = self.verbatim and good and clean and not fate and not self.assembler.compressed
            if self.mender and good and fate not in ("copy", "lost"):
                data, changes = _mended(record.data, self.mender)
                yield from lost_with(changes, self.member, self.done)
                self.verbatim = self.verbatim and not changes
                record = replace(record, data=data)
            if self.verbatim:
                yield Edit("kept", Span(self.done, record.end, self.member), units=1, out=self.out)
                self.at = record.end
                self.special.clear()
            else:
                yield from _before(self.waiting, self.done, record, self.member, self.out)
                yield from self._judged(record, good, fate)
            self.done = record.end
            self.waiting = [p for p in self.waiting if p.start >= record.end]
        yield from self._put_back(self.order.before.get(END, ()))
        if self.numbers.last not in (None, "moved"):
            why = "what stood here before records of another place were written over it, if anything did"
            yield self._overwritten(why)
        size = self.db.size(self.member)
        if self.done < size:
            yield from _rest(self.waiting, self.done, size, self.member, self.out)

    def _records(self) -> Iterator[logical.Record | log.Sound]:
        """The log's records; those in a row that hold nothing together, for there may be a hundred thousand of them."""
        for found in log.LogReader(self.db.reader(self.member), self.db.size(self.member), self.number).batches():
            if isinstance(found, log.Sound) and found.empty and self.assembler.idle:
                yield found
            else:
                yield from self.assembler.feed(self._noted(found))
        yield from self.assembler.end()

    def _hollow(self, found: log.Sound) -> Iterator[Edit]:
        """Leave out records that hold no batch."""
        first = logical.Record(logical.WHOLE, b"", ((found.starts[0], found.end_of(1)),))
        yield from _before(self.waiting, self.done, first, self.member, self.out)
        span = Span(first.start, found.end, self.member)
        yield Edit("lost", span, why=_NO_BATCH, out=self.out, units=len(found))
        self.verbatim, self.done, self.waiting = False, found.end, []

    def _noted(self, pieces: Iterable[log.Piece]) -> Iterator[log.Piece]:
        for piece in pieces:
            if piece.start == 0:
                self.recyclable = log.header_size(piece.type) == log.RECYCLABLE_HEADER
            self.waiting.append(piece)
            if piece.state == log.GOOD and piece.type in _STANDS_ALONE:
                self.special.append(piece)
            yield piece

    def _framed(self, payload: bytes, alone: int | None = None) -> bytes:
        data = frame(payload, self.at, self.number if self.recyclable else None, alone)
        self.at += len(data)
        return data

    def _overwritten(self, why: str) -> Edit:
        return Edit("lost", Span(self.done, self.done, self.member), why=why, out=self.out, units=-1)

    def _put_back(self, starts: tuple[int, ...]) -> Iterator[Edit]:
        """Records that changed places, where their numbers are due."""
        for record in _records_at(self.db, self.member, starts, self.assembler.compressed):
            span, at = Span(record.start, record.end, self.member), self.at
            why = "put back where its sequence numbers are missing"
            self.verbatim = False
            yield Edit("corrected", span, self._framed(record.data), "derived", why, 1, self.out, at)

    def _judged(self, record: logical.Record, good: bool, fate: Fate | None) -> Iterator[Edit]:
        """A record behind the first change: framed anew where it is sound and in order."""
        span = Span(record.start, record.end, self.member)
        if not good:
            why = _NO_BATCH if record.fate == logical.WHOLE else logical.FATES[record.fate]
            yield Edit("lost", span, why=why, out=self.out, units=1)
        elif fate == "copy":
            # bytes of another place: replay stops at a key that it has got with the same number
            yield Edit("dropped", span, why="its sequence numbers stand in their order as well", out=self.out, units=1)
        elif fate == "lost":
            why = "out of order, and nothing tells where it belongs"
            yield Edit("lost", span, why=why, out=self.out, units=1)
        elif fate is None:
            data = b"".join([self._framed(piece.payload, piece.type) for piece in self.special])
            self.special.clear()
            data += self._framed(record.data)
            yield Edit("corrected", span, data, "derived", "framed anew at its new offset", 1, self.out)


def _mended(data: bytes, mender: BlobMender) -> tuple[bytes, Counter[str]]:
    """The batch as the engine reads it; how many of its operations were changed, by what is lost with that."""
    changes: Counter[str] = Counter()

    def change(op: batch.Op) -> tuple[int, bytes] | None:
        fate = mender.fate(op.key, op.value) if op.type == keys.BLOB_INDEX else None
        if fate is None:
            return None
        changes[fate.lost] += 1
        return fate.type, fate.value

    return batch.replaced(data, change), changes


def _records_at(db: Database, member: str, starts: tuple[int, ...], compressed: bool) -> Iterator[logical.Record]:
    """The records that begin at `starts`; those that lie one behind the other are read on from the first."""
    found: Iterator[logical.Record] = iter(())
    end = 0
    for start in starts:
        # not further than over a block's trailer: what else lies between may be long, and is read for each of them
        record = next(found, None) if end <= start < end + log.RECYCLABLE_HEADER else None
        if record is None or record.start != start or record.fate != logical.WHOLE:
            found = _records_from(db, member, start, compressed)
            record = next(found)
        end = record.end
        yield record


def _records_from(db: Database, member: str, start: int, compressed: bool) -> Iterator[logical.Record]:
    """The records from `start` on; most lie in one block, and no more than two are read for one then."""
    number = db.files[member].number or None
    reader = log.LogReader(db.reader(member), db.size(member), number, start, reach=log.BLOCK)
    assembler = logical.Assembler(compressed=compressed, max_record=db.max_unit)
    return assembler.records(reader.pieces())


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
    if piece.state in (log.PAD, log.SPOILT, log.EMPTY, log.STALE) or (
        piece.state == log.GOOD and piece.type not in log.FRAGMENT
    ):
        return Edit("dropped", span, why=log.STATES[piece.state], out=out)
    return Edit("lost", span, why=f"log record: {log.STATES[piece.state]}", out=out, units=1)
