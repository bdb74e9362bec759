"""Which blob files the new MANIFEST lists: those that are here and hold values of the database.

A MANIFEST that is whole lists all but left-overs, unless tables refer to another; of any other MANIFEST every blob file
on disk may hold some.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from msgspec.structs import replace

from inspector.formats.rocksdb import edit as edits
from inspector.formats.rocksdb.coding import put_varint
from inspector.formats.rocksdb.database import Database
from inspector.formats.rocksdb.facts import TableFacts
from inspector.formats.rocksdb.reblob import BlobMender
from inspector.formats.rocksdb.version import Family
from inspector.formats.rocksdb.whole import unlisted_blobs


def gone(db: Database, families: Mapping[int, Family]) -> list[tuple[Family, int]]:
    """Blob files that families list and that are not here."""
    return [(family, number) for family in families.values() for number in family.blobs if number not in db.blobs]


def take_in(db: Database, families: Mapping[int, Family], mender: BlobMender, known: Collection[int]) -> bool:
    """List what is here and not among the `known`, where it holds values; whether anything was."""
    used, changed = unlisted_blobs(db), False
    for number, member in db.blobs.items():
        removed = db.version is not None and number in db.version.removed
        if number in known or (number not in used if db.trusted else removed):
            continue
        if found := mender.listing(member, number):
            family_id, blob_file = found
            if family_id not in families:
                continue  # no table of its column family is left, and nothing here tells what that was called
            families[family_id].blobs[number] = blob_file
            changed = True
    return changed


def name_oldest(db: Database, families: Mapping[int, Family]) -> None:
    """Tables name the oldest blob file that they need, of those that are listed now.

    Only by this does the engine know which tables need a blob file: it drops those before all that are needed, also
    where a table names one that is gone and needs the next one as well (VersionBuilder::SaveBlobFilesTo).
    """
    for family in families.values():
        for number, file in family.files.items():
            facts = db.facts.get(db.tables.get(number, ""))
            needed = facts.found_blobs.keys() & family.blobs.keys() if isinstance(facts, TableFacts) else set()
            named = put_varint(min(needed)) if needed else None
            if named is not None and file.field(edits.CUSTOM_OLDEST_BLOB) != named:
                custom = tuple((tag, body) for tag, body in file.custom if tag != edits.CUSTOM_OLDEST_BLOB)
                family.files[number] = replace(file, custom=(*custom, (edits.CUSTOM_OLDEST_BLOB, named)))
