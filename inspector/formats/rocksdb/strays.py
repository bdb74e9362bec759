"""Data blocks that verify, with keys out of order: which they are, and whether their entries are the table's own.

A key that changed in memory before its block was sealed makes one, and so does a block that stands in another's place.
The table's properties count its entries and their bytes: where all blocks together give these sums, and no key stands
twice, nothing here is of another table or time, and the entries go back where their keys belong. Else such blocks are
lost, the fewest of which the others are in order: an engine finds their keys by chance, and what they hold may be what
a later write replaced.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import Any, Final

from msgspec import Struct, field

from inspector.formats.rocksdb import keys
from inspector.formats.rocksdb.block import Pair
from inspector.formats.rocksdb.database import Database, good_blocks, pairs_of
from inspector.formats.rocksdb.facts import TableFacts
from inspector.formats.rocksdb.footer import TRAILER, Handle
from inspector.formats.rocksdb.runs import order_for
from inspector.formats.rocksdb.table import Table
from inspector.formats.rocksdb.walk_table import in_order

MOST: Final = 16 << 20  # bytes of keys and of entries out of place that are held; with more the blocks are lost
_EACH: Final = 200  # what an entry takes beside its bytes
RANGES: Final = 64  # of keys that are told apart


class Strays(Struct, frozen=True):
    """Blocks out of order of one table, by offset; `pairs` are their entries in order where they are its own."""

    blocks: frozenset[int] = frozenset()
    pairs: list[Pair] | None = None
    copies: frozenset[int] = frozenset()  # of the blocks those that repeat the one in order before them
    entries: int = 0  # in the others, where they are lost
    ranges: tuple[tuple[int, int, bytes, bytes], ...] = ()  # the others' starts and ends, least and greatest user key


NONE: Final = Strays()


def rank_of(order: keys.Order) -> Any:
    """How entries sort in a table: by user key, then from new to old."""
    return lambda pair: (order(pair[0][:-8]), -int.from_bytes(pair[0][-8:], "little"))


def strays_of(db: Database, member: str) -> Strays:
    """Those of a table that was walked; found out once."""
    facts, table = db.facts.get(member), db.table(member)
    if not isinstance(facts, TableFacts) or not facts.order_faults or (order := order_for(db, table)) is None:
        return NONE
    if facts.strays is None:
        own = _own(table, facts, order) if _may_be_own(table, facts) else None
        facts.strays = own or facts.disorder or _behind(table, order)
    found: Strays = facts.strays
    return found


def _may_be_own(table: Table, facts: TableFacts) -> bool:
    """Whether every block of the table is here and sealed, and its properties count them all."""
    whole = not (facts.bad_blocks or facts.folded or table.gaps or table.vanished or table.by or table.bare)
    if not whole or table.properties is None or table.forced:
        return False
    number = table.properties.number
    return number("num.data.blocks") == table.data_blocks and not number("num.range-deletions")


def _sums(table: Table) -> tuple[int | None, ...]:
    """Entries, and bytes of their internal keys and values, as the engine counted them."""
    assert table.properties
    return tuple(table.properties.number(name) for name in ("num.entries", "raw.key.size", "raw.value.size"))


def _own(table: Table, facts: TableFacts, order: keys.Order) -> Strays | None:
    """The fewest blocks whose entries must go elsewhere; None where something here may not be the table's own."""
    if facts.entries != _sums(table)[0]:
        return None
    offsets: list[int] = []
    bounds: list[tuple[bytes, bytes]] = []
    held = entries = key_bytes = value_bytes = 0
    inward: set[int] = set()
    for start, _, content in good_blocks(table):
        pairs = pairs_of(content)
        if not pairs:
            return None
        entries += len(pairs)
        key_bytes += sum(len(key) for key, _ in pairs)
        value_bytes += sum(len(value) for _, value in pairs)
        if not in_order([key for key, _ in pairs], None, order):
            inward.add(start)
        offsets.append(start)
        bounds.append((pairs[0][0], pairs[-1][0]))
        held += len(pairs[0][0]) + len(pairs[-1][0]) + _EACH
        if held > MOST:
            return None
    if (entries, key_bytes, value_bytes) != _sums(table):
        return None
    kept = _chain([i for i, at in enumerate(offsets) if at not in inward], bounds, order)
    blocks = frozenset(at for i, at in enumerate(offsets) if i not in kept)
    taken = _entries_of(table, blocks)
    if taken is None:
        return None
    taken.sort(key=rank_of(order))
    own = {key for key, _ in taken}
    if len(own) < len(taken) or any(not own.isdisjoint(found) for found in _keys_beside(table, blocks)):
        return None
    return Strays(blocks, taken)


def _chain(sound: list[int], bounds: list[tuple[bytes, bytes]], order: keys.Order) -> set[int]:
    """Of blocks that are in order inside the most that are so among each other, too; n log n."""
    by = rank_of(order)
    ends: list[Any] = []  # the smallest last key of a chain of each length
    tails: list[int] = []
    before: dict[int, int] = {}
    for i in sound:
        first, last = (by((key, b"")) for key in bounds[i])
        at = bisect_left(ends, first)
        before[i] = tails[at - 1] if at else -1
        if at == len(ends):
            ends.append(last)
            tails.append(i)
        elif last < ends[at]:
            ends[at], tails[at] = last, i
    kept: set[int] = set()
    i = tails[-1] if tails else -1
    while i >= 0:
        kept.add(i)
        i = before[i]
    return kept


def _entries_of(table: Table, blocks: frozenset[int]) -> list[Pair] | None:
    """All entries of these blocks; None where they are too large to be held."""
    found: list[Pair] = []
    held = 0
    for start, _, content in good_blocks(table):
        if start in blocks:
            pairs = pairs_of(content)
            held += sum(len(key) + len(value) + _EACH for key, value in pairs)
            if held > MOST:
                return None
            found += pairs
    return found


def _keys_beside(table: Table, blocks: frozenset[int]) -> Iterator[list[bytes]]:
    for start, _, content in good_blocks(table):
        if start not in blocks:
            yield [key for key, _ in pairs_of(content)]


class Chain(Struct, frozen=True):
    """All data blocks of a table that verify, in file order, and which of them are out of order: the fewest."""

    offsets: list[int]
    ends: list[int]
    bounds: list[tuple[bytes, bytes]]  # first and last internal key of each
    kept: set[int]  # indices of those in order

    @property
    def blocks(self) -> frozenset[int]:
        return frozenset(at for i, at in enumerate(self.offsets) if i not in self.kept)


def chain_of(table: Table, order: keys.Order) -> Chain | None:
    """Which blocks stand in order among each other; None where there are too many to tell."""
    found = Chain([], [], [], set())
    sound: list[int] = []
    held = 0
    for start, end, content in good_blocks(table):
        if not (pairs := pairs_of(content)):
            continue
        if in_order([key for key, _ in pairs], None, order):
            sound.append(len(found.offsets))
        found.offsets.append(start)
        found.ends.append(end)
        found.bounds.append((pairs[0][0], pairs[-1][0]))
        held += len(pairs[0][0]) + len(pairs[-1][0]) + _EACH
        if held > MOST:
            return None
    found.kept.update(_chain(sound, found.bounds, order))
    return found


def lost(table: Table, chain: Chain) -> Strays:
    """Those that are not in the chain: nothing proves that they are the table's own.

    A copy stands beside the block that it repeats; elsewhere it has the place of a block that is not here any more.
    """
    told = _Told()
    for i, start in enumerate(chain.offsets):
        if i in chain.kept:
            continue
        pairs = _pairs_at(table, start, chain.ends[i])
        beside = (k for k in (i - 1, i + 1) if k in chain.kept and chain.bounds[k] == chain.bounds[i])
        copied = any(pairs == _pairs_at(table, chain.offsets[k], chain.ends[k]) for k in beside)
        told.take(start, chain.ends[i], pairs, copied)
    return told.strays()


def _pairs_at(table: Table, start: int, end: int) -> list[Pair]:
    return pairs_of(table.load(Handle(start, end - start - TRAILER)).content)


class _Told(Struct):
    """Collects what is said of blocks that are lost."""

    blocks: set[int] = field(default_factory=set)
    copies: set[int] = field(default_factory=set)
    ranges: list[tuple[int, int, bytes, bytes]] = field(default_factory=list)
    entries: int = 0

    def take(self, start: int, end: int, pairs: list[Pair], copied: bool) -> None:
        self.blocks.add(start)
        if copied:
            self.copies.add(start)
            return
        self.entries += len(pairs)
        users = sorted(key[:-8] for key, _ in pairs)
        self.ranges.append((start, end, users[0], users[-1]))
        if len(self.ranges) > RANGES:
            (first, _, low, high), (_, _, lower, higher) = self.ranges[-2:]
            self.ranges[-2:] = [(first, end, min(low, lower), max(high, higher))]

    def strays(self) -> Strays:
        return Strays(frozenset(self.blocks), None, frozenset(self.copies), self.entries, tuple(self.ranges))


def _behind(table: Table, order: keys.Order) -> Strays:
    """Of a table that is too large for a chain: out of order inside, or behind a block with later keys."""
    told = _Told()
    last: list[Pair] = []
    for start, end, content in good_blocks(table):
        pairs = pairs_of(content)
        found = [key for key, _ in pairs]
        if not found:
            continue
        if in_order(found, last[-1][0] if last else None, order):
            last = pairs
        else:
            told.take(start, end, pairs, pairs == last)
    return told.strays()


def merged(pairs: list[Pair], more: list[Pair], order: keys.Order) -> list[Pair]:
    """Entries of a block and those that belong between them, in order."""
    return sorted([*pairs, *more], key=rank_of(order))


def apart(pairs: Iterable[Pair], size: int) -> Iterator[list[Pair]]:
    """Entries as blocks of about `size` bytes."""
    held: list[Pair] = []
    filled = 0
    for pair in pairs:
        held.append(pair)
        filled += len(pair[0]) + len(pair[1])
        if filled >= size:
            yield held
            held, filled = [], 0
    if held:
        yield held


__all__ = ["NONE", "Chain", "Strays", "apart", "chain_of", "lost", "merged", "rank_of", "strays_of"]
