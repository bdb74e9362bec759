"""Version edits, the records of a MANIFEST (db/version_edit.h, db/version_edit.cc)."""

from typing import Final

from msgspec import Struct, field

from inspector.formats.rocksdb.coding import MalformedError, prefixed, put_prefixed, put_varint, u64, varint
from inspector.formats.rocksdb.keys import TYPE_NAMES

IGNORABLE: Final = 1 << 13  # a tag with this bit has a length, and may be skipped by who does not know it
COMPARATOR, LOG_NUMBER, NEXT_FILE, LAST_SEQUENCE, COMPACT_CURSOR, DELETED_FILE, NEW_FILE = range(1, 8)
PREV_LOG, MIN_LOG_TO_KEEP = 9, 10
NEW_FILE2, NEW_FILE3, NEW_FILE4 = 100, 102, 103
COLUMN_FAMILY, ADD_FAMILY, DROP_FAMILY, MAX_FAMILY = 200, 201, 202, 203
ATOMIC_GROUP: Final = 300
BLOB_ADD, BLOB_GARBAGE = 400, 401
DB_ID: Final = IGNORABLE + 1
_OLD_WAL_ADD, _OLD_WAL_DELETE = IGNORABLE + 4, IGNORABLE + 5  # not length-prefixed, the exception to the rule
WAL_ADD, WAL_DELETE = IGNORABLE + 7, IGNORABLE + 8

# custom fields of new_file4
CUSTOM_END: Final = 1
CUSTOM_MIN_LOG, CUSTOM_OLDEST_BLOB, CUSTOM_CHECKSUM, CUSTOM_CHECKSUM_NAME = 3, 4, 7, 8
CUSTOM_UNIQUE_ID, CUSTOM_EPOCH, CUSTOM_TAIL_SIZE, CUSTOM_PATH_ID = 12, 13, 15, 65
_MUST_UNDERSTAND: Final = 1 << 6
_KNOWN_CUSTOM: Final = frozenset({*range(2, 18), CUSTOM_PATH_ID})
_NUMBERS: Final = {
    LOG_NUMBER: "log_number",
    NEXT_FILE: "next_file",
    LAST_SEQUENCE: "last_sequence",
    PREV_LOG: "prev_log",
    MIN_LOG_TO_KEEP: "min_log_to_keep",
    MAX_FAMILY: "max_family",
}
# of a table's first and last key; 0x1A only bounds the others and passes all the same (IsExtendedValueType)
_TYPES: Final = frozenset({*TYPE_NAMES, 0x1A})
MAX_LEVELS: Final = 64  # RocksDB allows fewer; a level beyond this is damage


class NewFile(Struct, frozen=True):
    """A table that a version gains; `smallest` and `largest` are internal keys, `custom` raw fields by tag."""

    level: int
    number: int
    size: int
    smallest: bytes
    largest: bytes
    smallest_sequence: int = 0
    largest_sequence: int = 0
    custom: tuple[tuple[int, bytes], ...] = ()
    assumed: bool = False  # told by the table itself: its level is not known
    path_id: int = 0  # number of its folder in db_paths

    def field(self, tag: int) -> bytes | None:
        return next((body for t, body in self.custom if t == tag), None)


class BlobFile(Struct, frozen=True):
    """A blob file that a version gains, or garbage counted in one."""

    number: int
    count: int
    size: int
    method: bytes = b""
    checksum: bytes = b""


class Edit(Struct):
    """One decoded version edit; numbers are None where the edit does not set them."""

    comparator: str | None = None
    log_number: int | None = None
    next_file: int | None = None
    last_sequence: int | None = None
    prev_log: int | None = None
    min_log_to_keep: int | None = None
    max_family: int | None = None
    family: int = 0
    add_family: str | None = None
    drop_family: bool = False
    remaining: int | None = None  # of an atomic group, after this edit
    db_id: str | None = None
    deleted: list[tuple[int, int]] = field(default_factory=list)  # level, number
    added: list[NewFile] = field(default_factory=list)
    blobs: list[BlobFile] = field(default_factory=list)
    garbage: list[BlobFile] = field(default_factory=list)
    wals: list[tuple[int, int | None]] = field(default_factory=list)  # number, synced size
    others: list[tuple[int, bytes]] = field(default_factory=list)  # ignorable fields, raw


def _numbers(data: bytes, at: int, end: int, count: int) -> tuple[list[int], int]:
    out = []
    for _ in range(count):
        value, at = varint(data, at, end)
        out.append(value)
    return out, at


def _customs(data: bytes, at: int, end: int) -> tuple[tuple[tuple[int, bytes], ...], int]:
    out: list[tuple[int, bytes]] = []
    while True:
        tag, at = varint(data, at, end, 32)
        if tag == CUSTOM_END:
            return tuple(out), at
        body, at = prefixed(data, at, end)
        if tag & _MUST_UNDERSTAND and tag not in _KNOWN_CUSTOM:
            raise MalformedError(f"new file field {tag} must be understood, and is not known")
        out.append((tag, body))


def _internal(key: bytes, typed: bool) -> None:
    """A table's first or last key; `typed` where the engine takes in only types that it knows (InternalKey::Valid)."""
    if len(key) < 8:
        raise MalformedError("an internal key has at least 8 bytes")
    if typed and key[-8] not in _TYPES:
        raise MalformedError(f"a table's first or last key is of type {key[-8]}, which no release knows")


def _new_file(tag: int, data: bytes, at: int, end: int, typed: bool) -> tuple[NewFile, int]:
    level, at = varint(data, at, end, 32)
    number, at = varint(data, at, end)
    path_id = 0
    if tag == NEW_FILE3:
        path_id, at = varint(data, at, end, 32)
    size, at = varint(data, at, end)
    smallest, at = prefixed(data, at, end)
    largest, at = prefixed(data, at, end)
    typed = typed or tag != NEW_FILE
    _internal(smallest, typed)
    _internal(largest, typed)
    first = last = 0  # sequence numbers
    if tag != NEW_FILE:
        first, at = varint(data, at, end)
        last, at = varint(data, at, end)
    custom: tuple[tuple[int, bytes], ...] = ()
    if tag == NEW_FILE4:
        custom, at = _customs(data, at, end)
    if custom:
        path_id = next((body[0] for t, body in custom if t == CUSTOM_PATH_ID and body), 0)
    if level > MAX_LEVELS:
        raise MalformedError(f"level {level}")
    return NewFile(level, number, size, smallest, largest, first, last, custom, False, path_id), at


def _blob(tag: int, data: bytes, at: int, end: int) -> tuple[BlobFile, int]:
    (number, count, size), at = _numbers(data, at, end, 3)
    method = checksum = b""
    if tag == BLOB_ADD:
        method, at = prefixed(data, at, end)
        checksum, at = prefixed(data, at, end)
    while True:  # custom fields until tag 0 (db/blob/blob_file_addition.cc)
        custom, at = varint(data, at, end, 32)
        if custom == 0:
            return BlobFile(number, count, size, method, checksum), at
        _, at = prefixed(data, at, end)


def _wal(data: bytes, at: int, end: int) -> tuple[tuple[int, int | None], int]:
    number, at = varint(data, at, end)
    size = None
    while True:  # db/wal_edit.cc: 2 is the synced size, 1 ends
        tag, at = varint(data, at, end, 32)
        if tag == 1:
            return (number, size), at
        size, at = varint(data, at, end)


def decode(data: bytes, typed: bool = False, reach: int | None = None) -> Edit:
    """The edit that a MANIFEST record spells; MalformedError names what does not fit.

    `typed`: RocksDB wrote it, which refuses keys of types that it does not know; LevelDB takes in any. The tags that
    only RocksDB writes say so themselves. With `reach` only fields that begin in so many bytes are read.
    """
    edit, at, end = Edit(), 0, len(data)
    last = end if reach is None else min(end, reach)
    while at < last:
        tag = data[at]
        tag, at = (tag, at + 1) if tag < 0x80 else varint(data, at, end, 32)
        if tag in _NUMBERS:
            value, at = varint(data, at, end)
            setattr(edit, _NUMBERS[tag], value)
        elif tag in (NEW_FILE, NEW_FILE2, NEW_FILE3, NEW_FILE4):
            new, at = _new_file(tag, data, at, end, typed)
            edit.added.append(new)
            if new.custom and (kept := new.field(CUSTOM_MIN_LOG)) and len(kept) == 8:
                edit.min_log_to_keep = u64(kept, 0)
        elif tag == DELETED_FILE:
            level, at = varint(data, at, end)
            number, at = varint(data, at, end)
            edit.deleted.append((level, number))
        elif tag == COMPACT_CURSOR:
            _, at = varint(data, at, end, 32)
            _, at = prefixed(data, at, end)
        elif tag in (COMPARATOR, ADD_FAMILY):
            name, at = prefixed(data, at, end)
            setattr(edit, "comparator" if tag == COMPARATOR else "add_family", name.decode("utf-8", "backslashreplace"))
        elif tag == COLUMN_FAMILY:
            edit.family, at = varint(data, at, end, 32)
        elif tag == DROP_FAMILY:
            edit.drop_family = True
        elif tag == ATOMIC_GROUP:
            edit.remaining, at = varint(data, at, end, 32)
        else:
            at = _rare(edit, tag, data, at, end)
    return edit


def _rare(edit: Edit, tag: int, data: bytes, at: int, end: int) -> int:
    """Blob files, WAL tracking and fields of the future; the offset after the field."""
    if tag in (BLOB_ADD, BLOB_GARBAGE):
        blob, at = _blob(tag, data, at, end)
        (edit.blobs if tag == BLOB_ADD else edit.garbage).append(blob)
        return at
    if tag == _OLD_WAL_ADD:
        wal, at = _wal(data, at, end)
        edit.wals.append(wal)
        return at
    if tag == _OLD_WAL_DELETE:
        _, at = varint(data, at, end)
        return at
    if not tag & IGNORABLE:
        raise MalformedError(f"version edit tag {tag} is unknown and must be understood")
    if at < end and data[at] == 0:  # there may be a hundred thousand of them
        body, at = b"", at + 1
    else:
        body, at = prefixed(data, at, end)
    if tag == DB_ID:
        edit.db_id = body.decode("utf-8", "backslashreplace")
    elif tag == WAL_ADD:
        edit.wals.append(_wal(body, 0, len(body))[0])
    else:
        edit.others.append((tag, body))
    return at


def _put_new_file(new: NewFile) -> bytes:
    out = put_varint(NEW_FILE4) + put_varint(new.level) + put_varint(new.number) + put_varint(new.size)
    out += put_prefixed(new.smallest) + put_prefixed(new.largest)
    out += put_varint(new.smallest_sequence) + put_varint(new.largest_sequence)
    for tag, body in new.custom:
        out += put_varint(tag) + put_prefixed(body)
    return out + put_varint(CUSTOM_END)


def encode(edit: Edit) -> bytes:
    """The edit as a MANIFEST record; every table is written as new_file4, which readers since 2016 know."""
    out = bytearray()
    if edit.db_id is not None:
        out += put_varint(DB_ID) + put_prefixed(edit.db_id.encode())
    if edit.comparator is not None:
        out += put_varint(COMPARATOR) + put_prefixed(edit.comparator.encode())
    for tag, name in _NUMBERS.items():
        if (value := getattr(edit, name)) is not None:
            out += put_varint(tag) + put_varint(value)
    for level, number in edit.deleted:
        out += put_varint(DELETED_FILE) + put_varint(level) + put_varint(number)
    for new in edit.added:
        out += _put_new_file(new)
    for tag, blobs in ((BLOB_ADD, edit.blobs), (BLOB_GARBAGE, edit.garbage)):
        for blob in blobs:
            out += put_varint(tag) + put_varint(blob.number) + put_varint(blob.count) + put_varint(blob.size)
            if tag == BLOB_ADD:
                out += put_prefixed(blob.method) + put_prefixed(blob.checksum)
            out += put_varint(0)
    if edit.family:
        out += put_varint(COLUMN_FAMILY) + put_varint(edit.family)
    if edit.add_family is not None:
        out += put_varint(ADD_FAMILY) + put_prefixed(edit.add_family.encode())
    if edit.drop_family:
        out += put_varint(DROP_FAMILY)
    if edit.remaining is not None:
        out += put_varint(ATOMIC_GROUP) + put_varint(edit.remaining)
    for tag, body in edit.others:
        out += put_varint(tag) + put_prefixed(body)
    return bytes(out)
