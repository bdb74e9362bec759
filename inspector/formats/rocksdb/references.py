"""Entries that refer to values in blob files, as the walk of tables and WALs meets them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from inspector.formats.rocksdb import blob
from inspector.formats.rocksdb.coding import MalformedError
from inspector.formats.rocksdb.database import Database
from inspector.formats.rocksdb.facts import Astray, Refers

# what the engine says when it reads such an entry
EXPIRES: Final = "Corruption: Unexpected TTL/inlined blob index"
NUMBER: Final = "Corruption: Invalid blob file number"
DECODES: Final = "Corruption: Error while decoding blob index"
_SAMPLES: Final = 3  # references by which the file they belong to is known


def note(entries: Iterable[tuple[bytes, bytes]], facts: Refers, db: Database) -> None:
    """Take in entries of this kind: the key of the user, and the bytes that say where its value is."""
    for key, value in entries:
        try:
            where = blob.index(value)
        except MalformedError as error:
            facts.unread_blobs += 1
            facts.refused = facts.refused or (EXPIRES if isinstance(error, blob.TimelessError) else DECODES)
            continue
        inner = db.stacked.get(where.file)
        if where.type == blob.INLINED_TTL and not db.stacked:
            facts.expiring += 1
            facts.refused = facts.refused or EXPIRES
            continue
        if where.type == blob.INLINED_TTL or (inner and blob.stands(db.glances(inner), key, where.offset, where.size)):
            facts.stacked += 1
            facts.refused = facts.refused or (NUMBER if where.type == blob.BLOB else EXPIRES)
            continue
        facts.blob_codecs.setdefault(where.file, where.compression)
        member = db.blobs.get(where.file)
        outside = member is None or where.offset + where.size > db.size(member)
        if outside or member is None:
            facts.missing_blobs[where.file] += 1
        elif db.source.sparing or blob.stands(db.glances(member), key, where.offset, where.size):
            facts.found_blobs[where.file] += 1
            if where.type == blob.BLOB_TTL:
                facts.expiring += 1
                facts.refused = facts.refused or EXPIRES
            continue
        astray = facts.astray.setdefault(where.file, Astray())
        astray.count += 1
        astray.outside += outside
        if len(astray.samples) < _SAMPLES:
            astray.samples.append((key, where.offset, where.size))
