"""Entries of a database by column family: from tables and WALs, in order, and the live view over them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

from msgspec import Struct, field
from msgspec.structs import replace

from inspector.formats.rocksdb import batch, blob, keys
from inspector.formats.rocksdb.coding import MalformedError, put_varint
from inspector.formats.rocksdb.database import Database, good_blocks, pairs_of
from inspector.formats.rocksdb.edit import CUSTOM_OLDEST_BLOB, NewFile
from inspector.formats.rocksdb.facts import TableFacts
from inspector.formats.rocksdb.log import LogReader
from inspector.formats.rocksdb.logical import WHOLE, Assembler
from inspector.formats.rocksdb.merge import (
    TOP,
    Cover,
    Live,
    Row,
    Tombstone,
    Versioned,
    live,
    merged,
    ranked,
    sorted_runs,
)
from inspector.formats.rocksdb.properties import Properties
from inspector.formats.rocksdb.table import Table
from inspector.formats.rocksdb.version import Family
from inspector.formats.rocksdb.wide import default_column
from inspector.span import Span

if TYPE_CHECKING:
    from inspector.formats.rocksdb import flushed
else:
    from inspector.postponed import Postponed

    flushed = Postponed("inspector.formats.rocksdb.flushed")

MAX_TOMBSTONES: Final = 1 << 20
_UNKNOWN_FAMILY: Final = 0x7FFFFFFF  # TablePropertiesCollectorFactory::Context::kUnknownColumnFamily
MAX_PREPARED: Final = 1 << 20  # operations of two-phase transactions that wait for their commit


class Doubts(Struct):
    """What the live view had to leave out or guess; `said` are plain sentences, each once."""

    said: dict[str, int] = field(default_factory=dict)
    prepared: bool = False  # a WAL holds transactions of two phases

    def say(self, what: str) -> None:
        self.said[what] = self.said.get(what, 0) + 1


def families(db: Database, files: bool = True) -> list[Family]:
    """The column families by id; without a MANIFEST those that the tables' properties name.

    With `files` each such table is read whole, for what a MANIFEST would say about it.
    """
    if db.version is not None and db.version.families and (db.trusted or not db.tables):
        return [db.version.families[i] for i in sorted(db.version.families)]
    found: dict[int, Family] = dict(db.version.families) if db.version else {}
    found = {i: replace(f, files=dict(f.files)) for i, f in found.items()}
    for number, name in sorted(db.unlisted().items()):
        if db.version and number in db.version.removed:
            continue  # a surviving edit deleted it: a compaction has replaced it
        file = file_of(db.table(name), number, db.size(name)) if files else None
        props = db.table(name).properties
        family_id = (props.number("column.family.id") if props else 0) or 0
        if is_homeless(props):  # into the first family, as most are
            family_id = 0
        family = found.setdefault(family_id, Family(family_id, "default", assumed=True))
        if props and family.assumed:
            family.name = props.text("column.family.name") or family.name
            family.comparator = props.text("comparator") or family.comparator
        if file is not None:
            family.files[number] = file
    found.setdefault(0, Family(0, "default", assumed=True))  # which every database has, with tables or without
    if files:
        for family_id, number in flushed.first_replayed(db, found).items():
            found[family_id].log_number = max(found[family_id].log_number, number)
    return [found[i] for i in sorted(found)]


def is_homeless(found: Properties | None) -> bool:
    """Whether a table was made outside of any database, to be ingested: only the MANIFEST knows its column family."""
    return found is not None and found.number("column.family.id") == _UNKNOWN_FAMILY


def file_of(table: Table, number: int, size: int) -> NewFile | None:
    """What a MANIFEST would say about a table, from its own blocks; None where no entry can be read."""
    smallest = largest = None
    low, high = keys.MAX_SEQUENCE, 0
    oldest_blob = 0
    forced = table.forced
    for _, _, content in good_blocks(table):
        pairs = pairs_of(content)
        if not pairs:
            continue
        smallest = smallest or pairs[0][0]
        largest = pairs[-1][0]
        for key, value in pairs:
            sequence = int.from_bytes(key[-7:], "little")
            low, high = min(low, sequence), max(high, sequence)
            if key[-8] == keys.BLOB_INDEX and (found := blob_number(value)):
                oldest_blob = min(oldest_blob or found, found)
    for tombstone in tombstones(table, "", None):
        begin = keys.internal(tombstone.begin, tombstone.sequence, keys.RANGE_DELETE)
        end = keys.internal(tombstone.end, keys.MAX_SEQUENCE, keys.RANGE_DELETE)
        smallest = begin if smallest is None or tombstone.begin < smallest[:-8] else smallest
        largest = end if largest is None or tombstone.end > largest[:-8] else largest
        low, high = min(low, tombstone.sequence), max(high, tombstone.sequence)
    if smallest is None or largest is None:
        return None
    if forced is not None:
        low = high = forced
    stated = table.properties.number("key.largest.seqno") if table.bare and table.properties else None
    if stated is not None:  # nothing covers the number of an entry, and by the highest one tables are ranked
        low, high = min(low, stated), min(high, stated)
    # the engine keeps only blob files that a table of the MANIFEST names (db/version_builder.cc)
    custom = ((CUSTOM_OLDEST_BLOB, put_varint(oldest_blob)),) if oldest_blob else ()
    return NewFile(0, number, size, smallest, largest, low, high, custom, assumed=True)


def blob_number(value: bytes) -> int:
    """The blob file that a blob-index entry names, 0 where it names none."""
    try:
        return blob.index(value).file
    except MalformedError:
        return 0


def table_entries(table: Table, member: str) -> Iterator[Versioned]:
    """Every entry of every data block that verifies, in file order."""
    forced = table.forced
    for start, end, content in good_blocks(table):
        place = Span(start, end, member)
        for key, value in pairs_of(content):
            sequence, kind = keys.tag_of(key)
            if forced is not None and sequence == 0:
                sequence = forced
            yield Versioned(key[:-8], sequence, kind, value, place)


def tombstones(table: Table, member: str, file: NewFile | None, bytewise: bool = True) -> Iterator[Tombstone]:
    """Range deletes of a table, cut to the file's own key range: beyond it they are void (db/range_del_aggregator.cc).

    Old releases wrote tombstones uncut into every output of a compaction.
    """
    forced = table.forced
    for role, handle in table.tail:
        if role != "range-deletes":
            continue
        loaded = table.load(handle)
        for key, end in pairs_of(loaded.content) if loaded.ok else []:
            sequence, _ = keys.tag_of(key)
            if forced is not None and sequence == 0:
                sequence = forced
            begin = key[:-8]
            if file is not None and bytewise:
                begin = max(begin, file.smallest[:-8])
                sentinel = keys.tag_of(file.largest) == (keys.MAX_SEQUENCE, keys.RANGE_DELETE)
                end = min(end, file.largest[:-8] + (b"" if sentinel else b"\0"))
            if begin < end or not bytewise:
                yield Tombstone(begin, end, sequence, Span(handle.offset, handle.end, member))


class WalOp(Struct, frozen=True):
    """One operation that a WAL makes effective."""

    family: int
    entry: Versioned


def wal_operations(db: Database, doubts: Doubts) -> Iterator[tuple[int, WalOp]]:
    """WAL number and operation, oldest first; prepared ones come with their commit."""
    prepared: dict[bytes, list[batch.Op]] = {}
    held = 0
    for number, name in db.live_wals():
        reader = LogReader(db.reader(name), db.wal_ends.get(name, db.size(name)), number or None)
        for record in Assembler(max_record=db.max_unit).records(reader.pieces()):
            if record.fate != WHOLE:
                continue
            place = Span(record.start, record.end, name)
            section: list[batch.Op] | None = None
            try:
                sequence = batch.header(record.data)[0]
                for step in list(batch.operations(record.data)):
                    if isinstance(step, batch.Op):
                        if section is None:
                            yield number, WalOp(step.family, _versioned(step, step.sequence, place))
                        elif held < MAX_PREPARED:
                            section.append(step)
                            held += 1
                    elif step.tag in batch.BEGIN_PREPARE:
                        section, doubts.prepared = [], True
                    elif step.tag == batch.END_PREPARE:
                        prepared[step.id], section = section or [], None
                    elif step.tag == batch.ROLLBACK:
                        held -= len(prepared.pop(step.id, []))
                    elif step.tag == batch.COMMIT:
                        ops = prepared.pop(step.id, [])
                        held -= len(ops)
                        for i, op in enumerate(ops):
                            yield number, WalOp(op.family, _versioned(op, sequence + i, place))
            except MalformedError:
                doubts.say("a WAL record holds no sound write batch and was left out")
    for _ in prepared:
        doubts.say("a prepared transaction was never committed; its operations are not part of the live view")


def _versioned(op: batch.Op, sequence: int, place: Span) -> Versioned:
    return Versioned(op.key, sequence, op.type, op.value, place)


def _family_wal(db: Database, family: Family, doubts: Doubts) -> Iterator[Versioned]:
    for number, op in wal_operations(db, doubts):
        if op.family == family.id and number >= family.log_number:
            yield op.entry


def all_entries(db: Database, family: Family, doubts: Doubts) -> Iterator[Versioned]:
    """Every version of every key, file by file and then the WALs, unordered."""
    for file in family.files.values():
        if file.number in db.tables:
            member = db.tables[file.number]
            yield from table_entries(db.table(member), member)
    yield from _family_wal(db, family, doubts)


def live_view(db: Database, family: Family, doubts: Doubts | None = None) -> Iterator[Live]:
    """The keys of one column family as a reader sees them, in comparator order, blobs left as references.

    With a comparator that an application brought itself the order is that of bytes, and range deletes are not applied.
    """
    doubts = doubts or Doubts()
    order = keys.order_of(family.comparator)
    cuts: list[Tombstone] = []
    if order is None:
        doubts.say(f"comparator {family.comparator} is not known: keys come in byte order, range deletes are ignored")
        entries = sorted_runs(all_entries(db, family, doubts), bytes)
        yield from live(ranked(entries, bytes), Cover([], bytes))
        return
    bytewise = family.comparator == keys.BYTEWISE
    sources = [_run(db, files, order) for files in _runs(family, order)]
    for file in family.files.values():
        if file.number in db.tables and len(cuts) < MAX_TOMBSTONES:
            member = db.tables[file.number]
            cuts.extend(tombstones(db.table(member), member, file, bytewise))
    wal_cuts: list[Tombstone] = []
    wal = sorted_runs(_without_cuts(_family_wal(db, family, doubts), wal_cuts), order)
    first = next(wal, None)  # the whole WAL has been read now, so all its range deletes are known
    rest = _chain(first, wal) if first is not None else iter(())
    yield from live(merged([*sources, ranked(rest, order)]), Cover([*cuts, *wal_cuts], order))


def _chain(first: Versioned, rest: Iterator[Versioned]) -> Iterator[Versioned]:
    yield first
    yield from rest


def _without_cuts(entries: Iterable[Versioned], cuts: list[Tombstone]) -> Iterator[Versioned]:
    for entry in entries:
        if entry.type == keys.RANGE_DELETE:
            if len(cuts) < MAX_TOMBSTONES:
                cuts.append(Tombstone(entry.key, entry.value, entry.sequence, entry.place))
        else:
            yield entry


def _runs(family: Family, order: keys.Order) -> list[list[NewFile]]:
    """Files that can be read one after another: a deep level as a whole where its files do not overlap."""
    runs: list[list[NewFile]] = []
    for level, files in family.levels().items():
        if level == 0:
            runs.extend([file] for file in files)
            continue
        chain: list[NewFile] = []
        for file in sorted(files, key=lambda f: order(f.smallest[:-8])):
            if chain and not order(chain[-1].largest[:-8]) < order(file.smallest[:-8]):
                runs.append(chain)
                chain = []
            chain.append(file)
        if chain:
            runs.append(chain)
    return runs


def _run(db: Database, files: list[NewFile], order: keys.Order) -> Iterator[list[Row]]:
    for file in files:
        if file.number in db.tables:
            member = db.tables[file.number]
            facts = db.facts.get(member)
            if isinstance(facts, TableFacts) and facts.order_faults:
                yield from _in_their_order(db, member, order)
            else:
                yield from table_rows(db.table(member), member, order)


def _in_their_order(db: Database, member: str, order: keys.Order) -> Iterator[list[Row]]:
    """The entries that a repair keeps of a table with blocks out of order, which would break the merge."""
    from inspector.formats.rocksdb.strays import strays_of  # a table in order needs none

    strays, entries = strays_of(db, member), table_entries(db.table(member), member)
    if strays.pairs is None:
        yield from ranked((one for one in entries if one.place.start not in strays.blocks), order)
    else:
        yield from ranked(sorted_runs(entries, order), order)


def table_rows(table: Table, member: str, order: keys.Order) -> Iterator[list[Row]]:
    """Every entry of every data block that verifies, in file order."""
    forced = table.forced
    for start, end, content in good_blocks(table):
        place = Span(start, end, member)
        pairs = pairs_of(content)
        if forced is not None:
            entries = (Versioned(key[:-8], *_forced(key, forced), value, place) for key, value in pairs)
            yield from ranked(entries, order)
        elif order is keys.same:
            number = int.from_bytes
            rows: list[Row] = [
                (user := key[:-8], TOP - number(key[-8:], "little"), user, value, place) for key, value in pairs
            ]
            if rows:
                yield rows
        else:
            yield from ranked((Versioned(key[:-8], *keys.tag_of(key), value, place) for key, value in pairs), order)


def _forced(key: bytes, forced: int) -> tuple[int, int]:
    sequence, kind = keys.tag_of(key)
    return sequence or forced, kind


def resolve(db: Database, found: Live, limit: int = 64 << 20) -> tuple[bytes | None, Span | None, str]:
    """The value of a live key, the span of its blob if it has one, and why it cannot be given."""
    if found.type != keys.BLOB_INDEX or found.value is None:
        return found.value, None, ""
    try:
        where = blob.index(found.value)
        if where.type == blob.INLINED_TTL:
            return where.inline, None, ""
        member = db.blobs.get(where.file)
        if member is None:
            return None, None, f"blob file {where.file} is missing"
        start = where.offset - len(found.key) - blob.RECORD_HEADER
        record = blob.record_at(db.reader(member), start, db.size(member)) if start >= 0 else None
        if record is None or record.state != blob.GOOD or record.value_size != where.size:
            return None, None, f"no sound blob record at {start} of {member}"
        if where.size > limit:
            return None, Span(start, record.end, member), f"the value has {where.size} bytes"
        raw = db.source.read(where.offset, where.size, member)
        return db.unpacked(raw, where.compression, where.offset, member, limit), Span(start, record.end, member), ""
    except MalformedError as error:
        return None, None, str(error)


def plain_pairs(db: Database, family: Family, doubts: Doubts) -> Iterator[tuple[bytes, bytes]]:
    """Live keys with the value that a plain read gives: of wide columns that is the column without a name."""
    for found in live_view(db, family, doubts):
        if found.operands:
            doubts.say("merge operands are not applied: only the application's operator can")
            continue
        value, _, why = resolve(db, found)
        if value is None:
            doubts.say(why)
        elif found.type == keys.WIDE_COLUMNS:
            yield found.key, default_column(value)
        else:
            yield found.key, value


__all__ = [
    "Doubts",
    "Live",
    "all_entries",
    "families",
    "file_of",
    "live_view",
    "plain_pairs",
    "resolve",
    "table_entries",
    "tombstones",
    "wal_operations",
]
