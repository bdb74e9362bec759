"""Whether a MANIFEST that verifies is another database's: none of the tables that it lists is here, but others are.

Taken at its word it makes each table here a stranger under its number, and each log of this database one that is done
with. Tables have the name of their database since RocksDB 5, a MANIFEST knows them by identity since 7.4.
"""

from __future__ import annotations

from typing import Final

from inspector.formats.rocksdb import edit as edits
from inspector.formats.rocksdb import identity
from inspector.formats.rocksdb.database import Database, Foreign

_NAME: Final = 256  # bytes of an IDENTITY file that are read


def told(db: Database) -> Foreign | None:
    """What shows that the MANIFEST that was read is another database's; None where it may be this one's.

    The tables must say so with one voice: all name one database, and none is one that the MANIFEST lists. This is the
    database in IDENTITY; where that file is not here, the MANIFEST must name another one itself.
    """
    version = db.version
    if db.single or version is None or not version.edits:
        return None
    listed = {file.number: file.field(edits.CUSTOM_UNIQUE_ID) for _, file in version.live_tables()}
    known = {one for one in listed.values() if one}
    owners = set[str]()
    for number, member in sorted(db.tables.items()) if known or version.db_id else ():
        found = db.table(member).properties if version.db_id or listed.get(number) else None
        owner = found.text("creating.db.identity") if found is not None and not found.external else None
        if found is None or not owner:
            continue
        if owner == version.db_id or identity.unique_id(found) in known:
            return None
        owners.add(owner)
    name = _name(db)
    if len(owners) != 1 or not (name in owners or (version.db_id and not name)):
        return None
    (owner,) = owners
    own = f"the MANIFEST of database {version.db_id}" if version.db_id else "another database's MANIFEST"
    return Foreign(f"{own}: the tables here are of database {owner}, and it lists none of them", len(listed))


def _name(db: Database) -> str:
    """What IDENTITY says; empty where it is not here."""
    member = next((name for name, what in db.files.items() if what.kind == "identity"), None)
    return db.source.read(0, _NAME, member).decode("ascii", "replace").strip() if member is not None else ""
