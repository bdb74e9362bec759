"""Headers of blob files against what MANIFEST and tables say of them: nothing in a blob file protects its header.

The engine reads no value of a file whose header names another column family, another compression than the entries
that refer to it, or expirations (db/blob/blob_file_reader.cc).
"""

from __future__ import annotations

from contextlib import suppress
from itertools import islice
from typing import Final

from inspector.formats.rocksdb import blob, codecs
from inspector.formats.rocksdb.coding import MalformedError
from inspector.formats.rocksdb.database import Database
from inspector.formats.rocksdb.facts import TableFacts

_LOOK: Final = 32  # records at the beginning of a file, and values of them that are asked how they are compressed
_SAMPLES: Final = 3
_LONGEST: Final = 64 << 10  # bytes of such a value


def listing(db: Database, member: str) -> int | None:
    """The column family in whose list of blob files this one is; None where the MANIFEST does not list it."""
    number = db.files[member].number
    families = db.version.families.values() if db.version is not None and not db.single else ()
    return next((family.id for family in families if number in family.blobs), None)


def owner(db: Database, number: int) -> int | None:
    """The column family of a table that refers to this blob file, by its properties; None where no table tells."""
    for member, facts in db.facts.items():
        if isinstance(facts, TableFacts) and number in facts.found_blobs:
            props = db.table(member).properties
            if props is not None and (found := props.number("column.family.id")) is not None:
                return found
    return None


def codec(db: Database, member: str) -> int | None:
    """The compression that entries of tables name for the values of this blob file; None where none refers to it."""
    number = db.files[member].number
    facts = db.facts.values() if not db.single else ()
    return next((f.blob_codecs[number] for f in facts if isinstance(f, TableFacts) and number in f.blob_codecs), None)


def compression(db: Database, member: str) -> int:
    """How the values of this blob file are compressed: nothing covers its header, so it is held to what else tells.

    What entries say goes first. Before a table was walked, and of a file alone, the first values that verify are asked.
    """
    if (used := codec(db, member)) is not None:
        return used
    named = codecs.NO_COMPRESSION
    with suppress(MalformedError):
        named = blob.header(db.source.read(0, blob.HEADER, member)).compression
    values = _values(db, member)
    trials = (named, *sorted(codecs.NAMES.keys() - {named, codecs.NO_COMPRESSION}))
    return next((one for one in trials if _undoes(db, one, values)), codecs.NO_COMPRESSION)


def _values(db: Database, member: str) -> list[bytes]:
    found = islice(blob.records(db.reader(member), blob.HEADER, db.size(member)), _LOOK)
    good = islice(
        (record for record in found if record.state == blob.GOOD and 0 < record.value_size <= _LONGEST), _SAMPLES
    )
    return [db.source.read(record.end - record.value_size, record.value_size, member) for record in good]


def _undoes(db: Database, compression: int, values: list[bytes]) -> bool:
    try:
        for value in values if compression else ():
            blob.plain(value, compression, db.max_unit)
    except MalformedError:
        return False
    return True


def fault(db: Database, member: str) -> str:
    """What of a header that could be read differs from what MANIFEST and tables say of the file; "" for nothing."""
    try:
        found = blob.header(db.source.read(0, blob.HEADER, member))
    except MalformedError:
        return ""  # which the walk has told
    family, used = listing(db, member), codec(db, member)
    if family is not None and found.family != family:
        return f"it names column family {found.family}, the MANIFEST lists the file in {family}"
    if family is not None and found.flags:
        return "it tells of expirations, which no blob file has that the MANIFEST lists"
    if used is not None and found.compression != used:
        return f"it names compression {found.compression}, the entries of tables {used}"
    return ""


def made(db: Database, member: str) -> bytes:
    """The header as MANIFEST and tables say that it must be; what they do not tell of as it was read."""
    found, read = blob.Header(1, 0, 0, 0), db.source.read(0, blob.HEADER, member)
    sealed = read[: len(blob.SEALED)] == blob.SEALED
    if sealed:
        found = blob.header(read.ljust(blob.HEADER, b"\0"))
    family, used = listing(db, member), codec(db, member)
    if family is None and not sealed:
        family = owner(db, db.files[member].number)
    family = found.family if family is None else family
    return blob.put_header(family, found.compression if used is None else used)
