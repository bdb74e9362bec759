"""Databases of the stacked BlobDB (utilities/blob_db): large values in blob files of a folder inside, blob_dir.

It is a layer over RocksDB, which knows nothing of that folder: its MANIFEST lists none of those files, and entries of
its tables refer to them by number, with times of expiry where it was told one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from inspector.errors import RefusedError

if TYPE_CHECKING:
    from inspector.formats.rocksdb.database import Database

_INSIDE: Final = r"([^/]+)/(\d{1,19})\.blob"


def blobs_inside(names: Iterable[str], listed: set[int]) -> dict[int, str]:
    """Blob files by number in a folder inside that is no database of its own, but for those that a MANIFEST lists."""
    found: dict[int, str] = {}
    here = set(names)
    for name in sorted(name for name in here if name.endswith(".blob") and "/" in name):
        told = re.fullmatch(_INSIDE, name)
        if told and f"{told[1]}/CURRENT" not in here and int(told[2]) not in listed:
            found.setdefault(int(told[2]), name)
    return found


def folder(db: Database) -> str:
    """Where values of this database lie as only a BlobDB finds them; "" where none does."""
    held = any(getattr(facts, "stacked", 0) for facts in db.facts.values())
    return next(iter(db.stacked.values())).partition("/")[0] if held else ""


def words(db: Database) -> Iterable[str]:
    """What a database of this kind is."""
    if inside := folder(db):
        yield (
            f"Values lie in {inside}/: a BlobDB (utilities/blob_db) wrote this, and only that reads them. Its blob "
            "files are not checked here; each can be scanned, and repaired, as a file."
        )


def refusal(db: Database) -> RefusedError | None:
    """A repair writes databases for RocksDB itself, in which no entry may refer to what that does not find."""
    inside = folder(db)
    if not inside:
        return None
    return RefusedError(
        f"values of this database lie in {inside}/, where only a BlobDB (utilities/blob_db) finds them: "
        "a repair would make deletes of the entries that refer to them",
        "repair the damaged files one by one, as files, and put them into a copy of the folder",
    )
