"""From which WAL on each column family is replayed where the MANIFEST that said it is lost or cannot be believed.

A flush of one column family leaves its log where another one still needs it. An engine that replays it once more puts
older values before newer ones: it takes what a memtable holds, or a younger table of level 0, for the newest, and does
not compare sequence numbers then (GetContext, MergingIterator). So a log is passed over for a family where the tables
hold all that the family has in it: each key as new or newer, or with number 0, which a compaction gives to what is
oldest. Where one key is missing a table may be lost, and the log is replayed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from inspector.formats.rocksdb import keys, view
from inspector.formats.rocksdb.database import Database
from inspector.formats.rocksdb.version import Family

MOST: Final = 1 << 19  # keys of one column family that are held; with more its logs are replayed
_CUTS: Final = 1 << 10  # range deletes in WALs, each of which asks all keys that are held

Held = dict[bytes, tuple[int, int]]  # key -> number of its last operation, and the WAL that it is in


def first_replayed(db: Database, families: Mapping[int, Family]) -> dict[int, int]:
    """Column family -> the lowest number of a WAL that is replayed for it; only those where that is above all."""
    if len(db.wals) < 2 and len(families) < 2:
        return {}  # the log of a single family is deleted with its flush
    reach = {family.id: _reach(db, family) for family in families.values()}
    held: dict[int, Held] = {}
    last: dict[int, dict[int, int]] = {}  # family -> WAL -> the highest number of the family's operations in it
    doubts, cuts = view.Doubts(), 0
    for number, (family, entry) in ((n, (op.family, op.entry)) for n, op in view.wal_operations(db, doubts)):
        highest = last.setdefault(family, {})
        highest[number] = max(highest.get(number, 0), entry.sequence)
        if entry.sequence > reach.get(family, 0):
            continue
        mine = held.setdefault(family, {})
        if entry.type == keys.RANGE_DELETE:
            cuts += 1
            for key in [k for k in mine if entry.key <= k < entry.value] if cuts <= _CUTS else ():
                del mine[key]
        elif entry.type in keys.REMOVES:
            mine.pop(entry.key, None)  # a compaction drops deletes, too
        elif len(mine) <= MOST:
            mine[entry.key] = entry.sequence, number
    if doubts.prepared:
        return {}  # its operations come with their commit, from another log
    found = {}
    for family, mine in held.items():
        first = _first(last[family], reach[family], _missing(db, families[family], mine))
        if first and len(mine) <= MOST:
            found[family] = first
    return found


def _reach(db: Database, family: Family) -> int:
    """The highest number in the family's own tables: what was ingested has its number from elsewhere."""
    here = ((f, db.table(db.tables[n])) for n, f in family.files.items() if n in db.tables)
    own = (f.largest_sequence for f, t in here if not (t.properties and t.properties.external) and t.forced is None)
    return max(own, default=0)


def _missing(db: Database, family: Family, held: Held) -> set[int]:
    """The WALs that hold what no table of the family does."""
    left = dict(held)
    for number in family.files.keys() & db.tables.keys() if left else ():
        member = db.tables[number]
        for entry in view.table_entries(db.table(member), member):
            due = left.get(entry.key)
            if due is not None and (entry.sequence >= due[0] or entry.sequence == 0):
                del left[entry.key]
    return {number for _, number in left.values()}


def _first(last: Mapping[int, int], reach: int, missing: set[int]) -> int:
    """The number behind the last WAL up to which tables hold all; 0 where they do of none."""
    first = 0
    for number, highest in sorted(last.items()):
        if highest > reach or number in missing:
            break
        first = number + 1
    return first
