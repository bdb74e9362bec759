"""Tables of which no database has both: what a compaction replaced and what it made, where no MANIFEST tells which.

Sequence number 0 is given to the last version of a key, in the lowest level, when nothing older is left. So of two
tables with one key under that number at most one was live; the engine shows such a key twice where both are listed.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, combinations
from typing import Final

from msgspec import Struct

from inspector.errors import RefusedError
from inspector.formats.rocksdb import keys
from inspector.formats.rocksdb.check import show_key
from inspector.formats.rocksdb.database import Database, good_blocks, pairs_of
from inspector.formats.rocksdb.edit import NewFile
from inspector.formats.rocksdb.names import table_name
from inspector.formats.rocksdb.version import Family
from inspector.formats.rocksdb.view import families, is_homeless

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
    files = [f for f in family.files.values() if f.assumed and f.smallest_sequence == 0 and f.number in known]
    files.sort(key=lambda f: -f.number)
    for i, newer in enumerate(files):
        if newer.number in found:
            continue
        for older in files[i + 1 :]:
            if older.number in found or not _meet(newer, older, order) or left <= 0:
                continue
            shared, used = _shared(db, newer, older, order, left)
            left -= used
            if shared is not None:
                found[older.number] = Newer(newer.number, shared)
    return found


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
