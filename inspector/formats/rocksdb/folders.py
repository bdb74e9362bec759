"""Databases in several folders (wal_dir, db_paths): what is not in this one is neither followed nor struck off.

db_paths is in no file; a MANIFEST gives each table the number of its folder in that list where it is not the first
(version_edit.cc, kPathId and kNewFile3).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from msgspec.structs import replace

from inspector.errors import RefusedError
from inspector.formats.rocksdb import edit as edits
from inspector.formats.rocksdb import names
from inspector.formats.rocksdb.database import Database
from inspector.formats.rocksdb.edit import NewFile
from inspector.formats.rocksdb.wals import elsewhere

FLATTENED: Final = "its tables are listed as in one folder now: it opens without db_paths, or as the first of them"


def listed(db: Database) -> Iterator[NewFile]:
    """The tables that the MANIFEST puts into another folder of db_paths than the first."""
    families = db.version.families.values() if db.version else ()
    yield from (file for family in families for file in family.files.values() if file.path_id)


def missing(db: Database) -> list[str]:
    """Those of them that are not here either."""
    return sorted(names.table_name(file.number) for file in listed(db) if file.number not in db.tables)


def refusal(db: Database) -> RefusedError | None:
    """A repair would strike off what is whole in another folder, and the engine would then delete it there."""
    gone = missing(db) if db.trusted else []
    if not gone:
        return None
    more = f" and {len(gone) - 1} more lie" if gone[1:] else " lies"
    return RefusedError(
        f"{gone[0]}{more} in another folder (db_paths), and a repair of this one alone would strike it off",
        "copy the files of all its folders into one and repair that; for a table that is gone put an empty file there",
    )


def flattened(file: NewFile) -> NewFile:
    """The entry of a table that stands in the folder of the MANIFEST."""
    custom = tuple((tag, body) for tag, body in file.custom if tag != edits.CUSTOM_PATH_ID)
    return replace(file, path_id=0, custom=custom) if file.path_id else file


def words(db: Database, none_here: bool) -> Iterator[str]:
    """Where else the files of this database may lie."""
    if options := elsewhere(db):
        yield f"Its WALs lie in another folder (wal_dir in {options}): what they hold is not looked at here."
    if gone := missing(db):
        lie = "1 of its tables lies" if len(gone) == 1 else f"{len(gone)} of its tables lie"
        yield f"{lie} in other folders (db_paths): copy the files of all of them into one, and scan that."
    elif none_here:
        yield (
            "No table is here at all: if the program spreads them over other folders (db_paths), copy those files and "
            "this folder into one, and scan that."
        )
