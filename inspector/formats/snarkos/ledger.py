"""A ledger inside a RocksDB folder: recognising it, its rows as a node would see them, and what may be lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Final

from msgspec import Struct, field

from inspector.format import Claim, State, Wishes
from inspector.formats.rocksdb import keys, log, order, view
from inspector.formats.rocksdb.database import Database, good_blocks, pairs_of
from inspector.formats.rocksdb.facts import TableFacts, lost_range
from inspector.formats.rocksdb.logical import TOO_LARGE, WHOLE, Assembler
from inspector.formats.rocksdb.strays import strays_of
from inspector.formats.rocksdb.version import Family
from inspector.formats.rocksdb.walk import walk
from inspector.formats.snarkos import maps
from inspector.formats.snarkos.judge import LostRange, LostRanges
from inspector.formats.snarkos.names import NETWORKS
from inspector.formats.snarkos.reader import Entry
from inspector.formats.snarkos.reading import MalformedError
from inspector.source import Source
from inspector.span import Span

if TYPE_CHECKING:
    from inspector.formats.snarkos.verdict import Verdict

SAMPLED_TABLES: Final = 8
SAMPLED_KEYS: Final = 400
MOST_SEEN: Final = 64  # damaged places whose corrections a scan looks through
ARCHIVE_LABEL: Final = "ARCHIVE-NOT-A-LEDGER.txt"


class Cut(Struct, frozen=True):
    """Where the engine stops replaying: the first damaged WAL record, and what stands behind it."""

    member: str
    start: int
    end: int  # where the next record begins that can be read, or the WAL ends: the damage, however much is appended
    behind: int  # records behind it that can be read, in this WAL and in later ones
    torn: bool  # nothing can be read behind it: the end of a log that power loss cut
    number: int | None = None  # that is given again behind it: the log verifies, and the engine shows no later one


class Ledger(Struct):
    """The lower format's database, and the verdict once it was asked for."""

    db: Database
    wishes: Wishes
    cut: Cut | None = None
    verdict: Verdict | None = None
    doubts: view.Doubts = field(default_factory=view.Doubts)
    unseen: int = 0  # damaged places, where they are too many for a scan to look through their corrections

    @property
    def source(self) -> Source:
        return self.db.source

    @property
    def archive(self) -> bool:
        return ARCHIVE_LABEL in self.db.files


def claim(lower: Database) -> Claim:
    """By keys that begin with a network and a map and go on as that map's keys do."""
    networks: Counter[int] = Counter()
    found: Counter[int] = Counter()
    other = 0
    for key in islice(sample_keys(lower), SAMPLED_KEYS):
        try:
            network, number, own = maps.split(key)
            if network not in NETWORKS or number not in maps.MAPS:
                raise MalformedError("not a prefix of a ledger")
            maps.decode_key(number, own)
        except MalformedError:
            other += 1
            continue
        networks[network] += 1
        found[number] += 1
    if len(found) < 2 or found.total() <= other:
        return Claim(0, f"{found.total()} of {found.total() + other} sampled keys look like a ledger's")
    network = networks.most_common(1)[0][0]
    return Claim(90, f"keys of {len(found)} of snarkVM's maps, network {NETWORKS[network]}")


def sample_keys(db: Database) -> Iterator[bytes]:
    """Keys from all over the store at little cost: the ends of listed tables, first blocks, first WAL records."""
    if db.version is not None:
        for _, file in islice(db.version.live_tables(), SAMPLED_KEYS // 4):
            yield file.smallest[:-8]
            yield file.largest[:-8]
    for name in list(db.tables.values())[:SAMPLED_TABLES]:
        for _, _, content in islice(good_blocks(db.table(name)), 1):
            yield from (key[:-8] for key, _ in islice(pairs_of(content), 50))
    for _, op in islice(view.wal_operations(db, view.Doubts()), SAMPLED_KEYS):
        yield op.entry.key


def open_ledger(source: Source, lower: State | None, wishes: Wishes) -> Ledger:
    assert isinstance(lower, Database)
    return Ledger(lower, wishes)


def corrected(ledger: Ledger, wishes: Wishes, repair: bool) -> Ledger:
    """The ledger as a repair reads it: with every correction of the lower format's that these wishes allow.

    Rows of a block that is undone are not lost: what is judged without them would be deleted, or given up. A scan
    looks for no more corrections than it tells, and only of few damaged places: to walk a table again may cost as much
    as the scan. With more it may call rows lost that a repair writes, and says so.
    """
    if not repair and ledger.db.damage_count > MOST_SEEN:
        ledger.unseen = ledger.db.damage_count
    if not ledger.db.damage or (ledger.unseen and not repair):
        return ledger
    from inspector.formats.rocksdb.mending import REPAIR_WORK, mend  # a whole ledger needs none

    mended = mend(ledger.db, wishes, REPAIR_WORK if repair else 0)
    return Ledger(mended.db, ledger.wishes) if mended.pieces else ledger


def walked(ledger: Ledger) -> None:
    """Make sure that the members' facts are there: on-demand commands have not walked the store."""
    if not ledger.db.facts:
        for _ in walk(ledger.db):
            pass


def find_cut(db: Database) -> Cut | None:
    """The first record of the live WALs that the engine does not show; it counts from its first fragment on."""
    found: tuple[str, int] | None = None
    behind, resumed, number = 0, None, None
    for own, name in db.live_wals():
        bad: int | None = None
        end = 0  # of the last record that is whole
        back = order.again(db, name) if found is None else None

        def seen(pieces: Iterable[log.Piece]) -> Iterator[log.Piece]:
            nonlocal bad
            for piece in pieces:
                if piece.state in (log.BAD, log.UNREAD, log.TORN, log.RELENGTH) and bad is None:
                    bad = piece.start
                yield piece

        reader = log.LogReader(db.reader(name), db.size(name), own or None)
        for record in Assembler(max_record=db.max_unit).records(seen(reader.pieces())):
            whole = record.fate in (WHOLE, TOO_LARGE)
            if found is None and (not whole or (bad is not None and bad < record.end)):
                found = name, min(record.start, record.start if bad is None else max(bad, end))
            elif found is None and back is not None and record.start >= back.at:
                found, number = (name, back.since), back.number
                break
            if found is not None and whole and (name != found[0] or record.start > found[1]):
                behind += 1
                resumed = record.start if resumed is None and name == found[0] else resumed
            if found is None:
                end = record.end
        if found is None and bad is not None:
            found = name, max(bad, end)
    if found is None:
        return None
    if number is not None:
        behind = _behind(db, *found)
    return Cut(*found, db.size(found[0]) if resumed is None else resumed, behind, behind == 0, number)


def _behind(db: Database, member: str, start: int) -> int:
    """Records of the live WALs that can be read from a place on."""
    count, passed = 0, False
    for number, name in db.live_wals():
        passed = passed or name == member
        begin = start if name == member else 0
        reader = log.LogReader(db.reader(name), db.size(name) if passed else 0, number or None, begin)
        count += sum(r.fate in (WHOLE, TOO_LARGE) for r in Assembler(max_record=db.max_unit).records(reader.pieces()))
    return count


def default_family(db: Database) -> Family | None:
    """snarkVM uses the default column family only."""
    return next((f for f in view.families(db) if f.id == 0), None)


def entries(ledger: Ledger) -> Iterator[Entry]:
    """Live rows in key order, as the engine shows them: nothing behind a damaged WAL record."""
    db = ledger.db
    ends = db.wal_ends
    if ledger.cut is not None:
        passed = False
        for _, name in db.live_wals():
            if passed:
                ends[name] = 0
            elif name == ledger.cut.member:
                ends[name], passed = ledger.cut.start, True
    family = default_family(db)
    if family is None:
        return
    for found in view.live_view(db, family, ledger.doubts):
        key, plain, _, kind, place, operands = found
        if kind == keys.PUT and plain is not None and not operands:
            yield key, plain, place
            continue
        value, _, why = view.resolve(db, found)
        if value is None or found.operands:
            ledger.doubts.say(why or "a merge operand was found: snarkVM writes none")
            continue
        yield found.key, value, found.place


def lost_ranges(ledger: Ledger) -> LostRanges:
    """Key ranges of damaged blocks of live tables, of tables that are gone, and of tables that cannot be read."""
    db, found = ledger.db, []
    family = default_family(db)
    for number, file in family.files.items() if family else ():
        member = db.tables.get(number)
        low, high = file.smallest[:-8], file.largest[:-8]
        if member is None:
            found.append(LostRange(_before(low), high, Span(0, 0, db.manifest or "")))
            continue
        facts = db.facts.get(member)
        if not isinstance(facts, TableFacts):
            continue
        if not facts.good_blocks:
            found.append(LostRange(_before(low), high, Span(0, db.size(member), member)))
            continue
        for start, end in db.table(member).gaps:  # no index: what lay there may have been any of the table's keys
            found.append(LostRange(_before(low), high, Span(start, end, member)))
        for start, end, first, last in strays_of(db, member).ranges if facts.order_faults else ():
            found.append(LostRange(_before(first), last, Span(start, end, member), True))
        for at in facts.lost:
            after, up_to = lost_range(db.table(member), facts, Span(at, at + 1, member))
            end = _block_end(db, member, at)
            found.append(LostRange(after if after is not None else _before(low), up_to or high, Span(at, end, member)))
    return LostRanges(found)


def _before(key: bytes) -> bytes:
    """A key right before this one: ranges are open at their lower end."""
    return key[:-1] + bytes([key[-1] - 1]) + b"\xff" if key and key[-1] else key[:-1]


def _block_end(db: Database, member: str, at: int) -> int:
    table = db.table(member)
    for i in range(table.data_blocks):
        handle = table.data_handle(i)
        if handle.offset == at:
            return min(handle.end, db.size(member))
    return db.size(member)
