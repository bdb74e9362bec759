"""Tables of which no database has both: what a compaction replaced and what it made, where no MANIFEST tells which.

Sequence number 0 is given to the last version of a key, in the lowest level, when nothing older is left. So of two
tables with one key under that number at most one was live; the engine shows such a key twice where both are listed.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from itertools import chain, combinations
from typing import Final

from msgspec import Struct

from inspector.counted import counted
from inspector.errors import RefusedError
from inspector.formats.rocksdb import keys
from inspector.formats.rocksdb.check import show_key
from inspector.formats.rocksdb.database import Database, good_blocks, pairs_of
from inspector.formats.rocksdb.edit import NewFile
from inspector.formats.rocksdb.facts import TableFacts
from inspector.formats.rocksdb.names import table_name
from inspector.formats.rocksdb.runs import order_for
from inspector.formats.rocksdb.version import Family
from inspector.formats.rocksdb.view import families, is_homeless
from inspector.formats.rocksdb.whole import end_is_missing

MOST: Final = 2_000_000  # entries that are compared; what is beyond them is left to the check of the output


class Newer(Struct, frozen=True):
    """The table that has the same `key` (of the user) with sequence number 0 under a later file number."""

    number: int
    key: bytes

    @property
    def why(self) -> str:
        """Why the other table is no part of the database."""
        name = table_name(self.number)
        return f"{show_key(self.key)} stands in it and in {name}, both as the last version: no database has both"


def superseded(db: Database, family: Family, homeless: frozenset[int]) -> dict[int, Newer]:
    """Tables that stand behind another one, by number. Their order is that of file numbers: a counter gives those."""
    order = keys.order_of(family.comparator)
    if order is None:
        return {}
    found: dict[int, Newer] = {}
    left = MOST
    known = db.tables.keys() - homeless
    files = [f for f in family.files.values() if f.smallest_sequence == 0 and f.number in known]
    files.sort(key=lambda f: -f.number)
    for i, newer in enumerate(files):
        if newer.number in found:
            continue
        for older in files[i + 1 :]:
            if older.number in found or not _meet(newer, older, order) or left <= 0:
                continue
            if not (newer.assumed or older.assumed):
                continue  # edits that were read list both
            shared, used = _shared(db, newer, older, order, left)
            left -= used
            if shared is not None:
                found[older.number] = Newer(newer.number, shared)
    return found


def left_out(db: Database, member: str, newer: Newer) -> str:
    """What is said of a table that `newer` replaced; also of its keys where blocks of that one are lost.

    Whether such a key was in a lost block, or the compaction deleted it, no byte tells: so it is not brought back.
    """
    said = f"{member}: {newer.why}; by their numbers it is the older one and was replaced: it is left out"
    count, first, last = _only_here(db, member, db.tables[newer.number])
    if not count or first is None or last is None:
        return said
    keys_of = counted(count, "key of it lies", "keys of it lie")
    where = f"{keys_of} ({show_key(first)} to {show_key(last)}) where blocks of {table_name(newer.number)} are lost"
    either = "in those, or deleted by the compaction, which nobody can tell"
    return f"{said}; {where}: {either}; inspector records DB --member {member} lists what they were"


def _only_here(db: Database, older: str, newer: str) -> tuple[int, bytes | None, bytes | None]:
    """How many keys with a value a table has where blocks of the newer one are lost; the first and the last of them."""
    order = order_for(db, db.table(newer))
    if order is None:
        return 0, None, None
    count, first, last, seen = 0, None, None, None
    places = _holes(db, newer)
    hole = next(places, None)
    for key, _ in chain.from_iterable(pairs_of(content) for _, _, content in good_blocks(db.table(older))):
        user, fresh = key[:-8], key[:-8] != seen
        seen = user
        while hole is not None and hole[1] is not None and not order(user) < order(hole[1]):
            hole = next(places, None)
        if hole is None:
            break
        if fresh and key[-8] not in keys.REMOVES and (hole[0] is None or order(hole[0]) < order(user)):
            count, first, last = count + 1, user if first is None else first, user
    return count, first, last


def _holes(db: Database, member: str) -> Iterator[tuple[bytes | None, bytes | None]]:
    """Between which keys of the user blocks of a table are lost, in order; None for no key before or behind them."""
    table, facts = db.table(member), db.facts.get(member)
    stated = table.properties.number("num.entries") if table.properties else None
    if not isinstance(facts, TableFacts) or facts.entries == stated:
        return
    begins = sorted([*table.offsets, *(start for start, _ in table.gaps)])
    due, last = 0, None
    for start, end, content in good_blocks(table):
        pairs = pairs_of(content)
        if not pairs:
            continue
        if bisect_left(begins, due) < bisect_left(begins, start):
            yield last, pairs[0][0][:-8]
        due, last = end, pairs[-1][0][:-8]
    if bisect_left(begins, due) < len(begins) or end_is_missing(db, member, None):
        yield last, None


def undecided(db: Database) -> RefusedError | None:
    """Ingested tables say the same of their place in time, and the engine shows neither of two values as the later."""
    homeless = frozenset(n for n, m in db.tables.items() if is_homeless(db.table(m).properties))
    if len(homeless) < 2:
        return None
    for family in families(db):
        if pair := _rivals(db, family, homeless):
            one, other, key = pair
            name, later = table_name(one), table_name(other)
            return RefusedError(
                f"{name} and {later} were ingested with {show_key(key)} in both: "
                "which is newer stands in the lost MANIFEST alone",
                f"by their file numbers it is {later}: move {name} away (or keep what it alone has) and repair again",
            )
    return None


def _rivals(db: Database, family: Family, homeless: frozenset[int]) -> tuple[int, int, bytes] | None:
    """Two ingested tables with one key, and that key: which came later stands in the lost MANIFEST alone."""
    order = keys.order_of(family.comparator)
    if order is None:
        return None
    files = [f for f in family.files.values() if f.assumed and f.smallest_sequence == 0 and f.number in homeless]
    left = MOST
    for one, other in combinations(sorted(files, key=lambda f: f.number), 2):
        if not _meet(one, other, order) or left <= 0:
            continue
        shared, used = _shared(db, one, other, order, left)
        left -= used
        if shared is not None:
            return one.number, other.number, shared
    return None


def _meet(one: NewFile, other: NewFile, order: keys.Order) -> bool:
    return not (
        order(one.largest[:-8]) < order(other.smallest[:-8]) or order(other.largest[:-8]) < order(one.smallest[:-8])
    )


def _shared(db: Database, one: NewFile, other: NewFile, order: keys.Order, limit: int) -> tuple[bytes | None, int]:
    """The first key that both have with number 0, and how many entries that took."""
    used = 0
    left, right = _lasts(db, one.number), _lasts(db, other.number)
    a, b = next(left, None), next(right, None)
    while a is not None and b is not None and used < limit:
        used += 1
        if a == b:
            return a, used
        if order(a) < order(b):
            a = next(left, None)
        else:
            b = next(right, None)
    return None, used


def _lasts(db: Database, number: int) -> Iterator[bytes]:
    """The keys of the user that a table has with sequence number 0."""
    table = db.table(db.tables[number])
    pairs = chain.from_iterable(pairs_of(content) for _, _, content in good_blocks(table))
    return (key[:-8] for key, _ in pairs if key.endswith(bytes(7)))
