"""Blob files: large values outside the tables, each record with its key (db/blob/blob_log_format.h)."""

import re
import struct
from collections.abc import Iterator
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from inspector.crc32c import crc32c
from inspector.formats.rocksdb import codecs
from inspector.formats.rocksdb.checksums import mask, masked_crc
from inspector.formats.rocksdb.coding import MalformedError, put_varint, u32, u64, varint
from inspector.formats.rocksdb.log import Read
from inspector.uniform import only_zeroes

MAGIC: Final = 0x00248F37
MAGIC_BYTES: Final = MAGIC.to_bytes(4, "little")
SEALED: Final = MAGIC_BYTES + (1).to_bytes(4, "little")  # magic and version: how each header begins
HEADER, RECORD_HEADER, FOOTER = 30, 32, 32
_EXPIRES: Final = 14  # where a header has the first and the last expiration of its values
_RECORD: Final = struct.Struct("<QQ8xII")  # key and value size, an expiry, checksums of these and of both
_HEAD: Final = struct.Struct("<QQ8xI")  # the same without the last
_SIZES: Final = 16  # bytes of the lengths
# where the upper bytes of a first length begin: those of both are zero in any blob below 4 GiB, 16 MiB, 64 KiB
_BELOW: Final = {
    4: re.compile(rb"\0(?=\0{3}.{4}\0{4})", re.DOTALL),
    3: re.compile(rb"\0(?=\0{4}.{3}\0{5})", re.DOTALL),
    2: re.compile(rb"\0(?=\0{5}.{2}\0{6})", re.DOTALL),
}
Gaps = dict[tuple[int, int], int]  # bytes in which a header was sought, and where that ended
LONG: Final = 1 << 16  # bytes of such a search that are not looked at again
MOST_GAPS: Final = 1000  # that are known
_SOME: Final = re.compile(rb"[^\0]")
_NOTHING: Final = bytes(RECORD_HEADER)
INLINED_TTL, BLOB, BLOB_TTL = range(3)
VERSION: Final = 2  # blobs frame their compressed bytes as tables of version 2 do (db/blob/blob_file_builder.cc)

GOOD, BAD_BODY, UNREAD, TORN, PADDING = range(5)
STATES: Final = ("ok", "bad checksum", "gap", "torn", "ok")


class TimelessError(MalformedError):
    """An expiry of 0: the engine refuses the entry for what it is, before it looks at the time."""


class Header(Struct, frozen=True):
    version: int
    family: int
    flags: int
    compression: int


class Footer(Struct, frozen=True):
    count: int
    crc_right: bool


class BlobRecord(Struct, frozen=True):
    """One record, [start, end); the value is [end - value_size, end). Bytes between records have state UNREAD."""

    start: int
    end: int
    state: int
    key_size: int = 0
    value_size: int = 0
    stored: int = 0
    computed: int = 0


class BlobIndex(Struct, frozen=True):
    """Where a table says a value lies; `offset` is the value's own, `inline` the value of an inlined one."""

    type: int
    file: int = 0
    offset: int = 0
    size: int = 0
    compression: int = 0
    inline: bytes = b""


def header(data: bytes) -> Header:
    """The first 30 bytes of a blob file; nothing in the file protects them."""
    if len(data) < HEADER or u32(data, 0) != MAGIC:
        raise MalformedError("no blob file header")
    return Header(u32(data, 4), u32(data, 8), data[12], data[13])


def put_header(family: int, compression: int) -> bytes:
    """The header of a blob file whose values do not expire."""
    return SEALED + struct.pack("<IBBQQ", family, 0, compression, 0, 0)


def header_fault(data: bytes) -> str:
    """What no engine writes into the header of a blob file; "" for nothing."""
    try:
        found = header(data)
    except MalformedError as error:
        return str(error)
    expires = any(data[_EXPIRES:HEADER])
    if found.version != 1:
        return f"version {found.version} of blob files is not known"
    if found.flags > 1 or bool(found.flags) != expires:
        return f"its flags are {found.flags}, and it {'tells of' if expires else 'has no'} expirations"
    return ""


def footer(data: bytes) -> Footer:
    """The last 32 bytes of a blob file that was closed."""
    if len(data) < FOOTER or u32(data, 0) != MAGIC:
        raise MalformedError("no blob file footer")
    return Footer(u64(data, 4), u32(data, 28) == masked_crc(data[:28]))


def index(data: bytes) -> BlobIndex:
    """The value of a blob-index entry (db/blob/blob_index.h).

    Of the types with an expiry, which only the stacked BlobDB of old wrote, none expired in 1970: it is a time of the
    clock and a lifetime (utilities/blob_db/blob_db_impl.cc, PutWithTTL).
    """
    if not data:
        raise MalformedError("empty blob index")
    kind, at, end = data[0], 1, len(data)
    if kind in (INLINED_TTL, BLOB_TTL):
        expires, at = varint(data, at, end)
        if not expires:
            raise TimelessError("blob index with an expiry of 0")
    elif kind != BLOB:
        raise MalformedError(f"blob index type {kind}")
    if kind == INLINED_TTL:
        return BlobIndex(kind, inline=data[at:])
    file, at = varint(data, at, end)
    offset, at = varint(data, at, end)
    size, at = varint(data, at, end)
    if at + 1 != end:
        raise MalformedError("blob index without its compression type")
    return BlobIndex(kind, file, offset, size, data[at])


def put_index(where: BlobIndex) -> bytes:
    return (
        bytes([BLOB])
        + put_varint(where.file)
        + put_varint(where.offset)
        + put_varint(where.size)
        + bytes([where.compression])
    )


def stands(read: Read, key: bytes, offset: int, size: int) -> bool:
    """Whether the value at `offset` is said to be of this user key and size, in the record before it."""
    at = offset - len(key) - RECORD_HEADER
    if at < HEADER:
        return False
    head = read(at, RECORD_HEADER + len(key))
    return head[:16] == len(key).to_bytes(8, "little") + size.to_bytes(8, "little") and head[RECORD_HEADER:] == key


def plain(value: bytes, compression: int, limit: int) -> bytes:
    """A blob's value as the application wrote it."""
    return codecs.decompress(compression, value, VERSION, b"", limit)


def record_at(read: Read, at: int, end: int, chunk: int = 1 << 20) -> BlobRecord | None:
    """The record whose header verifies at `at`, its body checked in pieces (or not); None where no header does."""
    head = read(at, RECORD_HEADER)
    if len(head) < RECORD_HEADER:
        return None
    key_size, value_size, sealed, stored = _RECORD.unpack(head)
    if sealed != mask(crc32c(head[:24])) or head == _NOTHING:
        return None
    stop = at + RECORD_HEADER + key_size + value_size
    if stop > end:
        return BlobRecord(at, end, TORN, key_size, value_size)
    if not chunk:
        return BlobRecord(at, stop, UNREAD, key_size, value_size)
    crc, pos = 0, at + RECORD_HEADER
    while pos < stop:
        data = read(pos, min(chunk, stop - pos))
        if not data:
            break
        crc, pos = crc32c(data, crc), pos + len(data)
    computed = mask(crc)
    state = GOOD if stored == computed and pos == stop else BAD_BODY
    return BlobRecord(at, stop, state, key_size, value_size, stored, computed)


def records(read: Read, start: int, end: int, gaps: Gaps | None = None) -> Iterator[BlobRecord]:
    """Records and the gaps between them, tiling [start, end); after a bad header the next that verifies is sought.

    So it is inside a damaged record whose end is no border: bytes were lost from it. `gaps` is kept from walk to walk.
    """
    at, left = start, 4 * (end - start) + (1 << 20)  # bytes that may be looked at again: records may lie in records
    while at < end:
        if found := record_at(read, at, end):
            if found.state != GOOD and left > 0 and not _is_border(read, found, end):
                after = _sought(read, at + 1, end, gaps)
                left -= max(after, found.end) - at
                if after < found.end:
                    found = replace(found, end=after, state=BAD_BODY)
            yield found
            at = found.end
            continue
        after = _sought(read, at + 1, end, gaps)
        # fewer zeroes than a header: no record can have been there, and a repair leaves them where it has no room
        padding = after - at < RECORD_HEADER and not any(read(at, after - at))
        yield BlobRecord(at, after, PADDING if padding else UNREAD)
        at = after


def _is_border(read: Read, found: BlobRecord, end: int) -> bool:
    if found.end == end:
        return found.state != TORN
    return record_at(read, found.end, end, 0) is not None


def _sought(read: Read, at: int, end: int, gaps: Gaps | None) -> int:
    """`_next`, but for what an earlier walk found."""
    if gaps is None:
        return _next(read, at, end)
    after = gaps.get((at, end))
    if after is None:
        after = _next(read, at, end)
        if after - at >= LONG and len(gaps) < MOST_GAPS:
            gaps[at, end] = after
    return after


def _next(read: Read, at: int, end: int, window: int = 1 << 20) -> int:
    """The next offset at which a record header verifies and its record fits, or `end`."""
    half = max(2, min(4, ((end - at).bit_length() + 7) // 8))
    below = _BELOW[half]
    while at < end:
        data = read(at, min(window + RECORD_HEADER, end - at))
        last = len(data) - RECORD_HEADER
        if only_zeroes(data):  # no record is empty, and a file may be one hole for terabytes
            if at + len(data) >= end:
                return end
            at += max(1, last + 1)
            continue
        pos, room, head_at, search = 0, end - at - RECORD_HEADER, _HEAD.unpack_from, below.search
        while (seems := search(data, pos + half)) and (pos := seems.start() - half) <= last:
            key_size, value_size, sealed = head_at(data, pos)
            if not key_size | value_size:  # no record is empty: on to where its lengths would not be zeroes
                some = _SOME.search(data, pos + _SIZES)
                pos = max(pos, some.start() - _SIZES) + 1 if some else last + 1
                continue
            if key_size + value_size <= room - pos and sealed == mask(crc32c(data[pos : pos + 24])):
                return at + pos
            pos += 1
        if at + len(data) >= end:
            return end
        at += max(1, last + 1)
    return end
