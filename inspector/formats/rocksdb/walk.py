"""Every byte of every member once: tables block by block, logs record by record, blob files, and the rest."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Generator, Iterable, Iterator
from operator import attrgetter
from typing import TYPE_CHECKING

from inspector.format import FRAME, FREE, GAP, OPAQUE, UNIT, Stretch, tile
from inspector.formats.rocksdb import batch, blob, keys, kinds, log, logical
from inspector.formats.rocksdb import edit as edits
from inspector.formats.rocksdb.coding import MalformedError
from inspector.formats.rocksdb.database import Database
from inspector.formats.rocksdb.facts import MAX_WHY, BlobFacts, LogFacts, Tiles
from inspector.formats.rocksdb.references import note
from inspector.formats.rocksdb.runs import Ahead, jobs_for
from inspector.formats.rocksdb.walk_table import walk_table
from inspector.kernels.rocksdb import LogRun, batch_sums
from inspector.windowed import Windowed

if TYPE_CHECKING:
    from inspector.formats.rocksdb import holding
else:  # of capsules only
    from inspector.postponed import Postponed

    holding = Postponed("inspector.formats.rocksdb.holding")

MAX_JUMPS = 100
_WINDOW = 4 << 20


def walk(db: Database) -> Iterator[Stretch]:
    """All members in the source's order."""
    yield from walk_members(db, [member.name for member in db.source.members if member.size])


def walk_members(db: Database, names: list[str]) -> Iterator[Stretch]:
    """Tiles of members that are not empty; leaves their facts in the database."""
    tables = [name for name in names if name in db.files and db.files[name].kind == "table"]
    ahead = Ahead(db, tables, jobs_for(db))
    try:
        for name in names:
            yield from _member(db, name, ahead)
    finally:
        ahead.close()


def _member(db: Database, name: str, ahead: Ahead) -> Iterator[Stretch]:
    size = db.size(name)
    what = db.files.get(name)
    kind = what.kind if what else "foreign"
    if kind == "table":
        yield from walk_table(db, name, ahead)
    elif kind in ("wal", "manifest"):
        yield from walk_log(db, name, kind == "manifest")
    elif kind == "blob":
        yield from walk_blob(db, name)
    elif kind == "current":
        yield tile(0, size, FRAME, kinds.CURRENT, member=name)
    elif kind in ("options", "identity", "info-log", "temp", "lock"):
        yield tile(0, size, OPAQUE, kinds.TEXT, member=name)
    else:
        yield tile(0, size, OPAQUE, kinds.FOREIGN, member=name)


_START = attrgetter("start")
_UNITS = frozenset({log.GOOD, log.BAD, log.RELENGTH, log.TORN})
_OTHERS = {
    log.PAD: (FRAME, kinds.TRAILER),
    log.SPOILT: (FRAME, kinds.TRAILER, kinds.SPOILT),
    log.EMPTY: (FREE, kinds.PREALLOCATED),
    log.STALE: (FREE, kinds.STALE),
    log.UNREAD: (GAP, kinds.LOST, kinds.GONE),
}
_MARKS = {log.BAD: kinds.CHECKSUM, log.RELENGTH: kinds.RELENGTH, log.TORN: kinds.TORN}


def walk_log(db: Database, member: str, manifest: bool) -> Iterator[Stretch]:
    """A WAL or MANIFEST; a record in fragments is judged when its last one was seen."""
    facts = LogFacts()
    db.facts[member] = facts
    tiles = Tiles(member)
    number = None if manifest else db.files[member].number or None
    begin = 0
    if not manifest:
        begin = yield from _runs(db, member, number, facts, tiles)
    records = _Records(db, member, facts, tiles, manifest)
    reader = log.LogReader(db.reader(member), db.size(member), number, begin)
    for pieces in reader.batches():
        records.take(pieces)
        if tiles.full:
            yield tiles.take()
    facts.gave_up = reader.gave_up
    records.end()
    if tiles.starts:
        yield tiles.take()


class _Records:
    """Pieces of a log on their way to tiles: a fragment waits until its logical record is known."""

    def __init__(self, db: Database, member: str, facts: LogFacts, tiles: Tiles, manifest: bool) -> None:
        self._db, self._assembler = db, logical.Assembler(max_record=db.max_unit)
        self._facts, self._tiles, self._manifest, self._size = facts, tiles, manifest, db.size(member)
        self._waiting: list[log.Piece] = []
        self._marks: dict[int, int] = {}  # of those, by where they begin, what is wrong with their records
        replayed = db.version if manifest and member == db.manifest else None
        told = replayed is not None and replayed.malformed_count == len(replayed.malformed_at)
        # bytes whose edits were read before, and where those begin that were none
        self._read = replayed.replayed if replayed and told else 0
        self._doubted = replayed.malformed_at if replayed and told else {}

    def take(self, batch: log.Sound | tuple[log.Piece]) -> None:
        if not isinstance(batch, log.Sound):
            self._first_bad(batch[0])
            self._waiting += batch
            self._judge(self._assembler.feed(batch))
            return
        if self._known(batch):
            return
        if batch.empty and self._assembler.idle and not self._manifest:
            self._hollow(batch)
            return
        for row in self._assembler.rows(batch):
            if row.astray:
                self._astray(batch, row)
            elif row.first == row.stop:
                self._judge(self._assembler.broken_off())
            else:
                pieces = [*batch.part(row.first, row.stop)]
                self._waiting += pieces
                self._judge(self._assembler.feed(pieces))

    def _astray(self, batch: log.Sound, row: logical.Row) -> None:
        """Tile pieces of which no record is whole, all at once: there may be a hundred thousand of them."""
        self._flush(batch.starts[row.first])
        stored, kind = batch.stored[row.first : row.stop], kinds.MANIFEST_RECORD if self._manifest else kinds.WAL_RECORD
        starts = batch.starts[row.first : row.stop]
        self._tiles.extend(starts, batch.end_of(row.stop), UNIT, kind, stored, stored)
        self._tiles.mark(bytes([kinds.FRAGMENT]) * len(starts))
        self._facts.lost_records += self._assembler.lost_count(batch, row)

    def _hollow(self, batch: log.Sound) -> None:
        """Tile records of a WAL that hold nothing, all at once: what is wrong with one is with each of them."""
        self._flush(batch.starts[0])
        mark = self._mark(logical.Record(logical.WHOLE, b"", ((batch.starts[0], batch.end_of(1)),)))
        facts, why = self._facts, self._facts.why.get(batch.starts[0], "")
        facts.records += len(batch) - 1
        facts.why.update(dict.fromkeys(batch.starts[1 : max(1, MAX_WHY - len(facts.why) + 1)], why))
        self._tiles.extend(batch.starts, batch.end, UNIT, kinds.WAL_RECORD, batch.stored, batch.stored)
        self._tiles.mark(bytes([mark]) * len(batch))

    def end(self) -> None:
        self._judge(self._assembler.end())
        self._flush(self._size)

    def _known(self, batch: log.Sound) -> bool:
        """Tile whole records that were read before, all at once; False where they must be looked at."""
        starts = batch.starts
        known = batch.whole and batch.end <= self._read and self._assembler.idle
        if not known or not self._doubted.keys().isdisjoint(starts):
            return False
        self._flush(starts[0])  # what lies between records
        self._tiles.extend(starts, batch.end, UNIT, kinds.MANIFEST_RECORD, batch.stored, batch.stored)
        self._facts.records += len(batch)
        return True

    def _judge(self, records: Iterable[logical.Record]) -> None:
        marks, end = self._marks, 0
        for record in records:
            end = record.spans[-1][1]
            if end <= self._read and record.fate == logical.WHOLE:
                self._facts.records += 1
                if why := self._doubted.get(record.start):
                    marks.update((start, self._wrong(record.start, why)) for start, _ in record.spans)
            elif mark := self._mark(record):
                for start, _ in record.spans:
                    marks[start] = mark
        self._flush(end)

    def _mark(self, record: logical.Record) -> int:
        values: list[tuple[bytes, bytes]] = []
        mark = _judge(record, self._facts, self._manifest, values)
        if not self._db.single and not mark:
            note(values, self._facts, self._db)
        return mark

    def _wrong(self, start: int, why: str) -> int:
        if len(self._facts.why) < MAX_WHY:
            self._facts.why[start] = why
        return kinds.CONTENT

    def _flush(self, end: int) -> None:
        """Tile the pieces before `end`; those after it wait for their record."""
        waiting, marks, tiles = self._waiting, self._marks, self._tiles
        kind = kinds.MANIFEST_RECORD if self._manifest else kinds.WAL_RECORD
        count = bisect_left(waiting, end, key=_START)
        for piece in waiting[:count]:
            state = piece.state
            if state in _UNITS:
                mark = _MARKS.get(state, 0) or marks.pop(piece.start, 0)
                tiles.add(piece.end, UNIT, kind, mark, piece.stored, piece.computed)
            else:
                if state == log.EMPTY:
                    start, last = self._facts.zeroes
                    self._facts.zeroes = start if last == piece.start and last else piece.start, piece.end
                tiles.add(piece.end, *_OTHERS[state])
        del waiting[:count]

    def _first_bad(self, piece: log.Piece) -> None:
        """What was read before the first record that does not verify."""
        facts = self._facts
        if piece.state in (log.UNREAD, log.BAD, log.TORN) and facts.bad_start is None:
            facts.bad_start = piece.start
            facts.records_before_bad, facts.operations_before_bad = facts.records, facts.operations
        if piece.state == log.TORN:
            facts.torn = piece.start


def _runs(
    db: Database, member: str, number: int | None, facts: LogFacts, tiles: Tiles
) -> Generator[Stretch, None, int]:
    """Sound records from the beginning of a WAL on, by the compiled reader; where it leaves them to the other one."""
    run, at, size = LogRun(number), 0, db.size(member)
    if db.source.sparing and (held := holding.held_log(db.source, member, 0)):
        return (yield from _held_runs(db, member, held, facts, tiles))
    while at < size:
        base = at - at % log.BLOCK
        data = db.source.glance(base, _WINDOW, member)
        stop, starts, stored, pads = run.take(data, base, at - base)
        if base + stop == at:
            break
        if db.source.sparing:
            holding.vouch_log(db.source, member, at, base + stop, run, starts, stored, pads)
        at = base + stop
        tiles.extend_log(starts, at, stored, pads)
        yield tiles.take()
    _sum(facts, run)
    return at


def _held_runs(
    db: Database, member: str, held: holding.HeldLog | None, facts: LogFacts, tiles: Tiles
) -> Generator[Stretch, None, int]:
    """The same records where their bytes were not captured."""
    at = 0
    while held is not None:
        at = held.end
        tiles.extend_log(held.starts, at, held.stored, held.sums.pads)
        yield tiles.take()
        last, held = held, holding.held_log(db.source, member, at)
    _sum(facts, last.sums)
    return at


def _sum(facts: LogFacts, run: LogRun | holding.LogSums) -> None:
    facts.records, facts.operations = run.records, run.operations
    facts.families.update(run.families)
    facts.jump_count, facts.jumps = run.jumps
    if run.sequences:
        facts.first_sequence, facts.next_sequence = run.sequences
        facts.highest = run.highest


def _judge(record: logical.Record, facts: LogFacts, manifest: bool, values: list[tuple[bytes, bytes]]) -> int:
    """The mark of a logical record, from what it holds; `values` takes its keys and what they refer to."""
    if record.fate == logical.CUT:
        facts.torn = record.start
        return kinds.TORN
    if record.fate != logical.WHOLE:
        facts.lost_records += 1
        return kinds.UNCHECKED if record.fate == logical.TOO_LARGE else kinds.FRAGMENT
    facts.records += 1
    try:
        if manifest:
            edits.decode(record.data)
        else:
            _count(record, facts, values)
    except MalformedError as error:
        if len(facts.why) < MAX_WHY:
            facts.why[record.start] = str(error)
        return kinds.CONTENT
    return kinds.SOUND


def _count(record: logical.Record, facts: LogFacts, values: list[tuple[bytes, bytes]]) -> None:
    if sums := batch_sums(record.data):
        count, families, prepared = sums
        facts.operations += count
        facts.families.update(families)
        _number(record, facts, prepared)
        if count != (claimed := batch.header(record.data)[1]):
            raise batch.miscounted(claimed, count)
        return
    prepared = False
    try:
        for step in batch.operations(record.data):
            if isinstance(step, batch.Op):
                facts.operations += 1
                facts.families[step.family] += 1
                if step.type == keys.BLOB_INDEX:
                    values.append((step.key, step.value))
            else:
                prepared = prepared or step.tag in batch.BEGIN_PREPARE
    finally:  # a batch that makes no sense has its numbers, too
        _number(record, facts, prepared)


def _number(record: logical.Record, facts: LogFacts, prepared: bool) -> None:
    """Hold a batch's number against those before it."""
    sequence, count = batch.header(record.data)
    if facts.first_sequence is None:
        facts.first_sequence = sequence
    due = facts.next_sequence
    # what is only prepared takes no numbers: those behind it begin there again; and where a batch has one number and
    # not one for each operation (WritePrepared), the next is due before
    if due is not None and count and not prepared and (sequence > due or sequence <= facts.highest):
        facts.jump_count += 1
        if len(facts.jumps) < MAX_JUMPS:
            facts.jumps.append((record.start, due, sequence))
    if count and not prepared:
        facts.highest = max(facts.highest, sequence)
    facts.next_sequence = max(facts.next_sequence or 0, sequence + count)


def walk_blob(db: Database, member: str) -> Iterator[Stretch]:
    """A blob file: header, records, footer if it was closed."""
    facts = BlobFacts()
    db.facts[member] = facts
    size, tiles = db.size(member), Tiles(member)
    start = end = 0
    facts.header_why = blob.header_fault(db.source.read(0, blob.HEADER, member))
    start = min(blob.HEADER, size)
    tiles.add(start, UNIT, kinds.BLOB_HEADER, kinds.SHAPE if facts.header_why else 0)
    end = size
    foot = db.source.read(max(start, size - blob.FOOTER), blob.FOOTER, member)
    closed = False
    try:
        found = blob.footer(foot)
        closed, end = True, size - blob.FOOTER
        facts.footer_count = found.count
        facts.footer_why = "" if found.crc_right else "its checksum does not match"
    except MalformedError as error:
        facts.footer_why = str(error)
    yield from _blobs(db, member, start, end, facts, tiles)
    if closed:
        tiles.add(size, UNIT, kinds.BLOB_FOOTER, kinds.CHECKSUM if facts.footer_why else 0)
    if tiles.starts:
        yield tiles.take()


def _blobs(db: Database, member: str, start: int, end: int, facts: BlobFacts, tiles: Tiles) -> Iterator[Stretch]:
    """The records of [start, end), and runs of them whose bytes were not captured."""
    source, at = db.source, start
    read = Windowed(lambda at, n: source.glance(at, n, member))
    while at < end:
        if source.sparing and (held := holding.held_blobs(source, member, at)):
            at, starts, stored = held
            tiles.extend(starts, at, UNIT, kinds.BLOB_RECORD, stored, stored)
            facts.records += len(starts)
            continue
        stop = source.next_vouched(holding.BLOBS, at, member) or end
        if source.sparing:
            read = Windowed(lambda at, n, stop=stop: source.glance(at, min(n, stop - at), member))  # type: ignore[misc]
        sound, sums = array("Q"), array("I")
        for record in blob.records(read, at, stop, db.gaps(member)):
            if record.state == blob.UNREAD:
                facts.gaps += 1
                tiles.add(record.end, GAP, kinds.LOST, kinds.GONE)
            elif record.state == blob.PADDING:
                tiles.add(record.end, FREE, kinds.PADDING)
            else:
                mark = {blob.GOOD: kinds.SOUND, blob.TORN: kinds.TORN}.get(record.state, kinds.CHECKSUM)
                facts.records += mark == kinds.SOUND
                facts.bad += mark != kinds.SOUND
                tiles.add(record.end, UNIT, kinds.BLOB_RECORD, mark, record.stored, record.computed)
            if source.sparing:
                if record.state == blob.GOOD:
                    sound.append(record.start)
                    sums.append(record.stored)
                if record.state != blob.GOOD or tiles.full or record.end == stop:
                    run_end = record.end if record.state == blob.GOOD else record.start
                    holding.vouch_blobs(source, member, sound, run_end, sums)
                    sound, sums = array("Q"), array("I")
            if tiles.full:
                yield tiles.take()
        at = stop
