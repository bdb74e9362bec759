"""Whether a MANIFEST that verifies is another database's: none of the tables that it lists is here, but others are.

Taken at its word it makes each table here a stranger under its number, and each log of this database one that is done
with. Tables have the name of their database since RocksDB 5, a MANIFEST knows them by identity since 7.4. LevelDB's
have neither: there the sizes tell, and the log with which a MANIFEST goes on.
"""

from __future__ import annotations

from typing import Final

from inspector.formats.rocksdb import batch, identity, log
from inspector.formats.rocksdb import edit as edits
from inspector.formats.rocksdb.database import Database, Foreign
from inspector.formats.rocksdb.version import Version

_NAME: Final = 256  # bytes of an IDENTITY file that are read
_HEAD: Final = log.HEADER + batch.HEADER  # of the first record of a log


def told(db: Database) -> Foreign | None:
    """What shows that the MANIFEST that was read is another database's; None where it may be this one's.

    The tables must say so with one voice: all name one database, and none is one that the MANIFEST lists. This is the
    database in IDENTITY; where that file is not here, the MANIFEST must name another one itself.
    """
    version = db.version
    if db.single or version is None or not version.edits:
        return None
    if other := _by_size(db, version):
        return other
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


def _by_size(db: Database, version: Version) -> Foreign | None:
    """Of LevelDB: no table has the size of one that is listed, and none is damaged; nor does the log go on from there.

    An engine keeps tables that it replaced until its next start, so some that are not listed say nothing.
    """
    listed = {file.number: file.size for _, file in version.live_tables()}
    sizes = {*listed.values()}
    if not db.leveldb or not listed or any(db.size(member) in sizes for member in db.tables.values()):
        return None
    for member in db.tables.values():
        table = db.table(member)
        if not table.leveldb or table.size in sizes or not table.whole:
            return None
    if any(_first(db, name) == version.last_sequence + 1 for _, name in db.live_wals()):
        return None
    why = "another database's MANIFEST, as it seems: no table here has the size of one that it lists"
    return Foreign(why, len(listed)) if db.tables else None


def _first(db: Database, name: str) -> int | None:
    """The sequence number with which a log begins; None where it begins with nothing whole."""
    head = db.source.read(0, _HEAD, name)
    return batch.header(head[log.HEADER :])[0] if len(head) == _HEAD and head[6] in (log.FULL, log.FIRST) else None


def _name(db: Database) -> str:
    """What IDENTITY says; empty where it is not here."""
    member = next((name for name, what in db.files.items() if what.kind == "identity"), None)
    return db.source.read(0, _NAME, member).decode("ascii", "replace").strip() if member is not None else ""
