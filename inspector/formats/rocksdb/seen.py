"""A database with corrections laid over it, walked again where they lie."""

from __future__ import annotations

from inspector.formats.rocksdb import identity
from inspector.formats.rocksdb.database import Database, open_database
from inspector.formats.rocksdb.facts import Mark, marks_of
from inspector.formats.rocksdb.walk import walk_members
from inspector.formats.rocksdb.whole import bad_sums
from inspector.overlay import Overlay


def seen_through(db: Database, over: Overlay, touched: set[str]) -> tuple[Database, list[Mark]]:
    """The database as it is with the corrections, and the damage that is left in the members that they touch."""
    made = open_database(over, db.max_unit)
    made.wishes, made.wal_ends = db.wishes, db.wal_ends
    made.facts = dict(db.facts)
    made.bad_tails = dict(db.bad_tails)
    made.bad_sums = (db.bad_sums - touched) | bad_sums(made, db.bad_sums & touched)
    marks: list[Mark] = []
    for stretch in walk_members(made, sorted(touched)):
        marks += marks_of(stretch)
    identity.settle(made)
    identity.settle_blobs(made)
    made.strangers |= {member for member in db.strangers if member not in touched}
    return made, marks
