"""The footer of a block-based table, in all its versions (table/format.cc, Footer)."""

from typing import Final

from msgspec import Struct

from inspector.formats.rocksdb import checksums
from inspector.formats.rocksdb.coding import MalformedError, put_varint, u32, u64, varint

TRAILER: Final = 5  # after every block: type u8, checksum u32
LEGACY_SIZE, SIZE = 48, 53
LEGACY_MAGIC: Final = 0xDB4775248B80FB57  # also LevelDB
MAGIC: Final = 0x88E241B785F4CFF7
MAX_VERSION: Final = 7
OTHER_TABLES: Final = {
    0x8242229663BF9564: "plain table",
    0x4F3418EB7A8F13B8: "plain table",
    0x926789D0C5F17873: "cuckoo table",
}
_EXTENDED: Final = b"\x3e\x00\x7a\x00"  # what stands where versions 1-5 have the metaindex handle


class OtherKindError(MalformedError):
    """The footer of a table of a kind that is not read; the text names the kind."""


class Handle(Struct, frozen=True):
    """A block's place: its payload is [offset, offset + size), a trailer of five bytes follows."""

    offset: int
    size: int

    @property
    def end(self) -> int:
        """The offset after the trailer."""
        return self.offset + self.size + TRAILER


class Footer(Struct, frozen=True):
    """What the last bytes of a table say; `index` is None from version 6 on, `base` 0 before it."""

    version: int
    checksum: int
    metaindex: Handle
    index: Handle | None
    base: int
    start: int  # offset of the footer in the file
    legacy: bool
    problems: tuple[str, ...] = ()


def read_handle(data: bytes, at: int, end: int) -> tuple[Handle, int]:
    """Offset and size as two varints."""
    offset, at = varint(data, at, end)
    size, at = varint(data, at, end)
    return Handle(offset, size), at


def put_handle(handle: Handle) -> bytes:
    return put_varint(handle.offset) + put_varint(handle.size)


def decode(tail: bytes, size: int) -> Footer:
    """The footer at the end of a file of `size` bytes; `tail` is its last 53 bytes or all of it.

    Raises MalformedError where there is none, OtherKindError where a plain or cuckoo table ends. A checksum that does
    not hold is a problem, not a refusal.
    """
    if len(tail) < LEGACY_SIZE:
        raise MalformedError(f"{size} bytes are too few for a table")
    magic = u64(tail, len(tail) - 8)
    if magic in OTHER_TABLES:
        raise OtherKindError(f"a {OTHER_TABLES[magic]}, which has no checksums and is not read")
    if magic == LEGACY_MAGIC:
        at = len(tail) - LEGACY_SIZE
        metaindex, at = read_handle(tail, at, len(tail) - 8)
        index, _ = read_handle(tail, at, len(tail) - 8)
        start = size - LEGACY_SIZE
        return Footer(0, checksums.CRC32C, metaindex, index, 0, start, True, _outside(start, metaindex, index))
    if magic != MAGIC:
        raise MalformedError(f"table magic is {magic:#018x}")
    if len(tail) < SIZE:
        raise MalformedError(f"{size} bytes are too few for a table")
    data = tail[-SIZE:]
    start = size - SIZE
    version, kind = u32(data, 41), data[0]
    if version > MAX_VERSION or version == 0:
        raise MalformedError(f"format version {version} is unknown")
    if kind > checksums.XXH3:
        raise MalformedError(f"checksum type {kind} is unknown")
    if version < 6:
        metaindex, at = read_handle(data, 1, 41)
        index, _ = read_handle(data, at, 41)
        return Footer(version, kind, metaindex, index, 0, start, False, _outside(start, metaindex, index))
    return _contextual(data, version, kind, start)


def _contextual(data: bytes, version: int, kind: int, start: int) -> Footer:
    problems = []
    stored, base, meta_size = u32(data, 5), u32(data, 9), u32(data, 13)
    if data[1:5] != _EXTENDED:
        problems.append("extended magic")
    if any(data[33:41]):
        problems.append("reserved bytes")
    if stored != footer_checksum(data, kind, base, start):
        problems.append("checksum")
    if meta_size + TRAILER > start:
        raise MalformedError(f"metaindex of {meta_size} bytes does not fit before {start}")
    metaindex = Handle(start - TRAILER - meta_size, meta_size)
    return Footer(version, kind, metaindex, None, base, start, False, tuple(problems))


def footer_checksum(data: bytes, kind: int, base: int, start: int) -> int:
    """The checksum that a version 6 or 7 footer at `start` must carry."""
    blank = data[:5] + bytes(4) + data[9:]
    return (checksums.block_checksum(kind, blank) + checksums.modifier(base, start)) & 0xFFFFFFFF


def _outside(start: int, *handles: Handle) -> tuple[str, ...]:
    return tuple(f"handle [{h.offset}, {h.end}) beyond {start}" for h in handles if h.end > start)


def encode(version: int, kind: int, base: int, metaindex: Handle, index: Handle, start: int, legacy: bool) -> bytes:
    """The footer bytes of a table whose footer begins at `start`."""
    handles = put_handle(metaindex) + put_handle(index)
    if legacy:
        return handles.ljust(40, b"\0") + LEGACY_MAGIC.to_bytes(8, "little")
    tail = version.to_bytes(4, "little") + MAGIC.to_bytes(8, "little")
    if version < 6:
        return bytes([kind]) + handles.ljust(40, b"\0") + tail
    fixed = base.to_bytes(4, "little") + metaindex.size.to_bytes(4, "little") + bytes(24)
    blank = bytes([kind]) + _EXTENDED + bytes(4) + fixed + tail
    stored = footer_checksum(blank, kind, base, start)
    return blank[:5] + stored.to_bytes(4, "little") + blank[9:]
