"""A MANIFEST made anew: a snapshot of column families, files and numbers, as the engine writes one at every start."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from inspector.formats.rocksdb.coding import put_prefixed, put_varint
from inspector.formats.rocksdb.edit import (
    COMPARATOR,
    LAST_SEQUENCE,
    LOG_NUMBER,
    NEW_FILE,
    NEXT_FILE,
    PREV_LOG,
    BlobFile,
    Edit,
    NewFile,
    encode,
)
from inspector.formats.rocksdb.log_writer import frame
from inspector.formats.rocksdb.version import Family, Version

_FILES_PER_EDIT: Final = 1000


def snapshot(families: Iterable[Family], version: Version) -> bytes:
    """The bytes of a MANIFEST that gives exactly these families and numbers."""
    out = bytearray()
    for record in _leveldb(families, version) if version.leveldb else _rocksdb(families, version):
        out += frame(record, len(out))
    return bytes(out)


def _rocksdb(families: Iterable[Family], version: Version) -> Iterator[bytes]:
    if version.db_id is not None:
        yield encode(Edit(db_id=version.db_id))
    found = sorted(families, key=lambda f: f.id)
    top = max((f.id for f in found), default=0)
    for family in found:
        name = family.name if family.id else None
        yield encode(Edit(family=family.id, add_family=name, comparator=family.comparator))
        files = [file for _, level in family.levels().items() for file in level]
        for i in range(0, max(1, len(files)), _FILES_PER_EDIT):
            chunk = files[i : i + _FILES_PER_EDIT]
            edit = Edit(family=family.id, added=chunk, log_number=family.log_number)
            if i == 0:
                edit.blobs = list(family.blobs.values())
                edit.garbage = _garbage(family)
                edit.others = family.others
            yield encode(edit)
    yield encode(
        Edit(
            next_file=version.next_file,
            last_sequence=version.last_sequence,
            prev_log=version.prev_log,
            min_log_to_keep=version.min_log_to_keep or None,
            max_family=max(version.max_family, top),
        )
    )


def _garbage(family: Family) -> list[BlobFile]:
    return [BlobFile(n, count, size) for n, (count, size) in family.garbage.items() if n in family.blobs and count]


def _leveldb(families: Iterable[Family], version: Version) -> Iterator[bytes]:
    """LevelDB knows none of RocksDB's tags, and has one family."""
    for family in families:
        out = put_varint(COMPARATOR) + put_prefixed(family.comparator.encode())
        out += put_varint(LOG_NUMBER) + put_varint(family.log_number) + put_varint(PREV_LOG) + put_varint(0)
        out += put_varint(NEXT_FILE) + put_varint(version.next_file)
        out += put_varint(LAST_SEQUENCE) + put_varint(version.last_sequence)
        yield out + b"".join(_old_file(file) for level in family.levels().values() for file in level)


def _old_file(file: NewFile) -> bytes:
    out = put_varint(NEW_FILE) + put_varint(file.level) + put_varint(file.number) + put_varint(file.size)
    return out + put_prefixed(file.smallest) + put_prefixed(file.largest)
