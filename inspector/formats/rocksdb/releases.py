"""Which release of the engine wrote a database last, and whether that is one whose entries are all known here."""

from __future__ import annotations

import re
from typing import Final

from inspector.errors import RefusedError
from inspector.formats.rocksdb.database import Database
from inspector.formats.rocksdb.facts import TableFacts
from inspector.formats.rocksdb.whole import counts

KNOWN: Final = (11, 9)  # of RocksDB, the newest whose types of entries were looked up (db/dbformat.h)
LEFT_OUT: Final = f"entries of types that RocksDB {KNOWN[0]}.{KNOWN[1]} does not know are left out"
_HEAD: Final = 1 << 16  # bytes of a file that say so


def release_of(db: Database) -> str:
    """The release that the newest OPTIONS file names, or nothing."""
    found = sorted((what.number, name) for name, what in db.files.items() if what.kind == "options")
    return _named(db, found[-1][1], rb"rocksdb_version=(\d[\d.]{0,20})") if found else ""


def newer(db: Database) -> str:
    """The release that wrote a database, by its OPTIONS or info log, where it is newer than all that are known."""
    log = _named(db, "LOG", rb"RocksDB version: (\d[\d.]{0,20})") if "LOG" in db.files else ""
    return max((said for said in (release_of(db), log) if _parts(said) > KNOWN), key=_parts, default="")


def refusal(db: Database) -> RefusedError | None:
    """A newer release may give a type of entries a meaning: then they are whole, and must not be left out."""
    strange = [m for m, f in db.facts.items() if isinstance(f, TableFacts) and f.unknown and counts(db, m)]
    release = newer(db) if strange else ""
    if not release:
        return None
    return RefusedError(
        f"{strange[0]} holds entries of a type that is not known here, and RocksDB {release} wrote this database: "
        "it may have such, and a repair would leave them out",
        "look for a newer inspector, or use the tools of that release",
    )


def _named(db: Database, name: str, pattern: bytes) -> str:
    found = re.search(pattern, db.source.read(0, _HEAD, name))
    return found[1].decode() if found else ""


def _parts(release: str) -> tuple[int, ...]:
    return tuple(int(part) for part in release.split(".")[:2] if part)
