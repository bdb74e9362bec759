"""One table, block by block: checksum, decompression, entries, key order, and the sums of all that."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from itertools import compress, islice
from operator import eq
from typing import Final

from inspector.crc32c import crc32c
from inspector.format import FRAME, FREE, GAP, OPAQUE, UNIT, Stretch, tile
from inspector.formats.rocksdb import block, codecs, keys, kinds
from inspector.formats.rocksdb.coding import MalformedError
from inspector.formats.rocksdb.database import Database, pairs_of
from inspector.formats.rocksdb.facts import MAX_LOST, TableFacts, Tiles
from inspector.formats.rocksdb.footer import TRAILER, Handle
from inspector.formats.rocksdb.identity import unique_id
from inspector.formats.rocksdb.references import note
from inspector.formats.rocksdb.runs import WINDOW, Ahead, Manner, Taken, manner_for, steps
from inspector.formats.rocksdb.table import BEYOND, OK, Loaded, Role, Table
from inspector.windowed import Windowed


def walk_table(db: Database, member: str, ahead: Ahead) -> Iterator[Stretch]:
    """Tiles of one table, and its facts."""
    table, size = db.table(member), db.size(member)
    facts = TableFacts()
    db.facts[member] = facts
    db.bad_tails.pop(member, None)
    if table.declined and not table.data_blocks:
        if table.foreign:
            yield tile(0, size, OPAQUE, kinds.FOREIGN, member=member)
        else:
            yield tile(0, size, GAP, kinds.LOST, kinds.GONE, member)
        return
    facts.size, facts.identity = table.size, unique_id(table.properties) if table.properties else b""
    walk = TableWalk(db, member, table, facts, manner_for(db, table))
    tiles = walk.tiles
    for first, last, other in steps(table):
        if other is not None:
            walk.one(*other)
        elif walk.manner.fast and walk.astray is None:
            walk.window(ahead, first, last)
        else:
            for i in range(first, last):
                walk.one("data", table.data_handle(i))
        if walk.over:
            break
        if tiles.full:
            yield tiles.take()
    if table.footer and tiles.at <= table.footer.start:
        walk.between(table.footer.start)
        wrong = any(t.role == "footer" for t in table.troubles)
        tiles.add(table.size, FRAME, kinds.FOOTER, kinds.SHAPE if wrong else 0)
    if table.spare:
        zeroes = table.spare_is == "zeroes"
        tiles.add(size, FREE if zeroes else OPAQUE, kinds.PADDING if zeroes else kinds.FOREIGN)
    walk.between(size)
    facts.endless = table.footer is None and not (tiles.marks and tiles.marks[-1])
    if tiles.starts:
        yield tiles.take()


_WRONG: Final = bytes((0, kinds.CHECKSUM)).ljust(256, b"\0")


class TableWalk:
    """The walk over one table: what was seen so far, and the next block or window of blocks."""

    def __init__(self, db: Database, member: str, table: Table, facts: TableFacts, manner: Manner) -> None:
        self.db, self.member, self.table, self.facts, self.manner = db, member, table, facts, manner
        self.tiles = Tiles(member)
        self.over = False  # a block runs past the end of the file
        self.astray: frozenset[int] | None = None  # where blocks out of order begin, once one was met
        self._met = False
        self._read = Windowed(table.read, table.sparing)

    def between(self, end: int) -> None:
        if _between(self.tiles, self.table, end, self.table.gaps):
            self._count_bad()

    def window(self, ahead: Ahead, first: int, last: int) -> None:
        """Data blocks [first, last): those that were taken in at once, and the others one by one."""
        taken = ahead.window(self.member, self.table, self.manner, first, last, self._through)
        alone = taken.strange  # then each of the window's blocks is looked at
        at, part = first if alone else self._absorb(taken), taken
        while at < last and not self.over:
            known, part.unpacked = part.unpacked, None
            self.one("data", self.table.data_handle(at), known)
            del known
            at += 1
            if at < last and not self.over and not alone and self.astray is None:
                part = ahead.more(self.member, self.table, self.manner, taken, at, last, self._through)
                alone = part.strange
                at = at if alone else self._absorb(part)

    @property
    def _through(self) -> bool:
        """Whether bad checksums are no more than counted: of the first ones the keys before them are kept, too."""
        return len(self.facts.lost) >= MAX_LOST and not self.db.source.sparing

    def _absorb(self, taken: Taken) -> int:
        """Add a run to what was seen; the first block that is left, which is its first where the seam is wrong."""
        first, done, run, facts = taken.first, taken.done, taken.run, self.facts
        if done == first or self.table.offsets[first] < self.tiles.at:
            return first
        sound = run.first_key is not None
        if run.first_key is not None and not in_order([run.first_key], facts.last_key, self.manner.order):
            return first
        self.between(self.table.offsets[first])
        end = self.table.offsets[done - 1] + self.table.sizes[done - 1] + TRAILER
        self.tiles.extend(self.table.offsets[first:done], end, UNIT, kinds.DATA, taken.stored, taken.computed)
        if bad := taken.wrong.count(1):
            self.tiles.mark(taken.wrong.translate(_WRONG))
            facts.bad_blocks += bad
        for kind, count in run.types.items():
            facts.types[kind] += count
        facts.entries += run.entries
        facts.good_blocks += done - first - bad
        facts.first_key = facts.first_key or run.first_key
        facts.max_tag = max(facts.max_tag, run.max_tag)
        facts.last_key = run.last_key if sound else facts.last_key
        return done

    def one(self, role: Role, handle: Handle, known: Loaded | None = None) -> None:
        """One block, looked at closely; `known` may be it, unpacked already."""
        tiles, table = self.tiles, self.table
        if handle.offset < tiles.at:
            return  # an overlapping handle: said as a trouble of the index
        self.between(handle.offset)
        if handle.end > table.size:
            self.over = True
            return
        loaded = known if known and known.handle == handle else _judge(table, handle, self._read, role)
        mark = kinds.STATE_MARKS[loaded.state]
        if role == "data":
            if mark == kinds.SOUND:
                mark = _data(loaded, self.facts, self.manner.order, self.db, table, self.astray)
                if mark == kinds.ORDER and not self._met:
                    mark = self._arrange(handle)
            elif mark == kinds.UNCHECKED:
                self.facts.folded += 1
            else:
                mark = _lost(handle, self.facts, mark)
        elif any(t.start == handle.offset and t.role == role for t in table.troubles):
            mark = mark or kinds.SHAPE
        elif not mark and not table.holds(role, loaded.content):
            mark = kinds.SHAPE
        if role != "data" and mark:
            self._count_bad()
        tiles.add(handle.end, UNIT, kinds.ROLE_KINDS[role], mark, loaded.stored, loaded.computed)

    def _count_bad(self) -> None:
        self.db.bad_tails[self.member] = self.db.bad_tails.get(self.member, 0) + 1

    def _arrange(self, handle: Handle) -> int:
        """The mark of the first block behind one with later keys: that one may be out of order, and not this one.

        Of all blocks of the table the fewest are marked. Where tiles of such ones were given away already, every block
        is that stands behind one with later keys.
        """
        from inspector.formats.rocksdb import strays  # a table in order needs none

        self._met = True
        tiles, facts, order = self.tiles, self.facts, self.manner.order
        chain = strays.chain_of(self.table, order) if order is not None else None
        if chain is None or any(at < tiles.start for at in chain.blocks):
            return kinds.ORDER
        self.astray, facts.disorder = chain.blocks, strays.lost(self.table, chain)
        for at in self.astray:
            if at < handle.offset:
                tiles.marks[bisect_left(tiles.starts, at)] = kinds.ORDER
                facts.order_faults += 1
        kept = [chain.bounds[i] for i in sorted(chain.kept) if chain.offsets[i] <= handle.offset]
        facts.first_key, facts.last_key = (kept[0][0], kept[-1][1]) if kept else (facts.first_key, None)
        self._no_entries(set(chain.offsets), handle.offset)
        if handle.offset in self.astray:
            return kinds.ORDER
        facts.order_faults -= 1
        return kinds.SOUND

    def _no_entries(self, told: set[int], end: int) -> None:
        """Mark blocks before `end` that were taken in for data and are none: they are not among those `told`."""
        tiles, facts = self.tiles, self.facts
        for i in range(bisect_left(self.table.offsets, tiles.start), bisect_left(self.table.offsets, end)):
            handle = self.table.data_handle(i)
            n = bisect_left(tiles.starts, handle.offset)
            if handle.offset in told or tiles.starts[n] != handle.offset or tiles.marks[n]:
                continue
            tiles.marks[n] = _lost(handle, facts, kinds.SHAPE)
            types = Counter(key[-8] for key, _ in pairs_of(self.table.load(handle).content))
            facts.types -= types
            facts.entries -= types.total()
            facts.good_blocks -= 1


def _between(tiles: Tiles, table: Table, end: int, gaps: list[tuple[int, int]]) -> bool:
    """Bytes that no block claims: padding where they are zeroes and the index is whole, else a gap, which is told."""
    if end <= tiles.at:
        return False
    length = end - tiles.at
    padding = not gaps and not table.by and length < 1 << 16 and not any(table.read(tiles.at, length))
    if padding:
        tiles.add(end, FREE, kinds.PADDING)
    else:
        tiles.add(end, GAP, kinds.LOST, kinds.GONE)
    return not padding


def _judge(table: Table, handle: Handle, read: Windowed, role: Role) -> Loaded:
    if handle.size > codecs.MAX_BLOCK:
        return Loaded(handle, BEYOND, why="the block is too large to decode")
    raw = read(handle.offset, handle.end - handle.offset)
    if role == "properties" and any(t.role == "properties" for t in table.troubles) is False:
        judged = table.judge(handle, raw)  # an ingested file's properties may differ in its global sequence number
        return judged if judged.ok or table.properties is None else Loaded(handle, OK, raw[: handle.size])
    return table.judge(handle, raw, compressed=role != "filter")


def _lost(handle: Handle, facts: TableFacts, mark: int) -> int:
    facts.bad_blocks += 1
    if len(facts.lost) < MAX_LOST:
        facts.lost[handle.offset] = facts.last_key
    return mark


def _data(
    loaded: Loaded,
    facts: TableFacts,
    order: keys.Order | None,
    db: Database,
    table: Table,
    astray: frozenset[int] | None = None,
) -> int:
    """Take a data block's entries into the facts; the mark of the block. `astray` are those out of order, if known."""
    try:
        pairs = block.entries(loaded.content)
    except MalformedError:
        return _lost(loaded.handle, facts, kinds.SHAPE)
    found = [key for key, _ in pairs]
    if not found or min(map(len, found)) < 8 or not table.holds("data", loaded.content):
        return _lost(loaded.handle, facts, kinds.SHAPE)
    right = in_order(found, facts.last_key, order) if astray is None else loaded.handle.offset not in astray
    types = Counter(key[-8] for key in found)
    facts.types += types
    facts.entries += len(found)
    facts.good_blocks += 1
    facts.first_key = facts.first_key or found[0]
    facts.max_tag = max(facts.max_tag, int.from_bytes(max(key[:-9:-1] for key in found), "big"))
    if types[keys.BLOB_INDEX] and not db.single:
        note(((key[:-8], value) for key, value in pairs if key[-8] == keys.BLOB_INDEX), facts, db)
    if not right:
        facts.order_faults += 1
        return kinds.ORDER
    facts.last_key = found[-1]
    return kinds.SOUND


def in_order(found: list[bytes], before: bytes | None, order: keys.Order | None) -> bool:
    """Whether internal keys ascend, from the last key of the block before; True where the order is not known.

    A key that stands twice, with its number and type, is a copy: no engine writes it (BlockBasedTableBuilder::Add).
    """
    if order is None:
        return True
    if before is not None:
        found = [before, *found]
    users = [key[:-8] for key in found]
    ranks = users if order is keys.order_of(keys.BYTEWISE) else [order(user) for user in users]
    if ranks != sorted(ranks):
        return False
    if len(set(users)) == len(users):
        return True
    if len(set(found)) != len(found):
        return False
    newest = [key[:-9:-1] for key in found]  # number and type, big-endian: of one user key those that are newer first
    alike = compress(range(len(ranks)), map(eq, ranks, islice(ranks, 1, None)))
    return all(newest[i] >= newest[i + 1] for i in alike)


def file_crc(db: Database, member: str) -> int:
    """The CRC-32C of a whole member."""
    from inspector.formats.rocksdb.holding import WHOLE

    size, crc = db.size(member), 0
    if told := db.source.vouched(WHOLE, 0, member):
        return int.from_bytes(told.told[:4], "little")
    for at in range(0, size, WINDOW):
        crc = crc32c(db.source.glance(at, WINDOW, member), crc)
    found = crc
    db.source.vouch(WHOLE, 0, 0, lambda: found.to_bytes(4, "little"), member)  # of no byte: it may be wrong
    return crc
