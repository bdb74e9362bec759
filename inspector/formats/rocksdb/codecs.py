"""Block decompression with a hard output limit, for every codec that a table can name.

Source: util/compression.h and .cc; from format version 2 every codec but snappy is preceded by a varint32 size.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

from msgspec import Struct, field

from inspector.formats.rocksdb.coding import MalformedError, u64, varint

if TYPE_CHECKING:
    import bz2
    import zlib
    from threading import local

    import cramjam
    import zstandard
    from lz4 import block as lz4_block
else:  # most tables use one codec, and the kernel has lz4 and snappy of its own
    from inspector.postponed import Postponed

    bz2, zlib, cramjam, zstandard = map(Postponed, ("bz2", "zlib", "cramjam", "zstandard"))
    lz4_block = Postponed("lz4.block")

NO_COMPRESSION, SNAPPY, ZLIB, BZIP2, LZ4, LZ4HC, XPRESS, ZSTD = range(8)
ZSTD_NOT_FINAL = 0x40
NAMES: Final = {
    NO_COMPRESSION: "none",
    SNAPPY: "snappy",
    ZLIB: "zlib",
    BZIP2: "bzip2",
    LZ4: "lz4",
    LZ4HC: "lz4hc",
    XPRESS: "xpress",
    ZSTD: "zstd",
    ZSTD_NOT_FINAL: "zstd (not final)",
}
MAX_BLOCK: Final = 64 << 20  # an uncompressed block larger than this is not decoded
# what real content unpacks to at most, by experience; lz4 can do 255, deflate 1,032, zstd and bzip2 tens of thousands
RATIO: Final = 100
SPARE: Final = 32 << 20  # bytes beyond it that all blocks and values of a database may take together,
SPARE_RATIO: Final = 16  # and as many times its own size
FOLDED_WHY: Final = (
    f"it would unpack to far more than {RATIO} times its size, and all such together to more than is taken for real; "
    "--max-unit gives them more room"
)


class Room(Struct):
    """What may be unpacked beyond what real content unpacks to; what one place takes, it takes once."""

    left: int = SPARE
    taken: set[tuple[str, int]] = field(default_factory=set)
    refused: bool = False  # whether anything was left packed

    def fits(self, more: int, at: int, member: str = "") -> bool:
        """Whether the block or value at `at` may unpack to `more` bytes beyond `RATIO` times its size."""
        if more == 0 or (member, at) in self.taken:
            return True
        if more > self.left:
            self.refused = True
            return False
        self.left -= more
        self.taken.add((member, at))
        return True


_ZLIB_RAW_BITS = -14  # util/compression.h: raw deflate, 16 KiB window


def _snappy(data: bytes, limit: int) -> bytes:
    try:
        size = cramjam.snappy.decompress_raw_len(data)
        if size > limit:
            raise MalformedError(f"snappy block claims {size} bytes uncompressed")
        return bytes(cramjam.snappy.decompress_raw(data, output_len=size))
    except cramjam.DecompressionError as error:
        raise MalformedError("snappy stream does not decode") from error


@cache
def _kept() -> local:
    from threading import local  # postponed: most stores hold no zstd

    return local()


def _unpacker(dictionary: bytes) -> zstandard.ZstdDecompressor:
    """One with that dictionary, kept for the next block: to make one takes as long as to unpack ten small blocks.

    None may work in two threads at once, so each has its own: the last one with a dictionary, and one without.
    """
    kept: dict[bool, tuple[bytes, zstandard.ZstdDecompressor]] = _kept().__dict__.setdefault("zstd", {})
    known, unpacker = kept.get(bool(dictionary), (None, None))
    if unpacker is None or known != dictionary:
        trained = zstandard.ZstdCompressionDict(dictionary) if dictionary else None
        unpacker = zstandard.ZstdDecompressor(dict_data=trained)
    if known is not dictionary:  # equal bytes that are another object would be compared for each block
        kept[bool(dictionary)] = dictionary, unpacker
    return unpacker


def _framed(data: bytes) -> int:
    """How many bytes a zstd frame says that it holds, -1 where it does not say; MalformedError where there is none."""
    try:
        return zstandard.frame_content_size(data)
    except zstandard.ZstdError as error:
        raise MalformedError("zstd frame does not decode") from error


def _zstd(data: bytes, size: int, dictionary: bytes) -> bytes:
    # the frame header is as untrusted as the prefix: its size is looked at before anything is allocated
    framed = _framed(data)
    if framed > size:
        raise MalformedError(f"zstd frame claims {framed} bytes, the block {size}")
    try:
        out = _unpacker(dictionary).decompress(data, max_output_size=max(size, 1))
    except zstandard.ZstdError as error:
        raise MalformedError("zstd frame does not decode") from error
    return out


def _lz4(data: bytes, size: int, dictionary: bytes) -> bytes:
    try:
        return bytes(lz4_block.decompress(data, uncompressed_size=size, dict=dictionary))
    except lz4_block.LZ4BlockError as error:
        raise MalformedError("lz4 block does not decode") from error


def _zlib(data: bytes, limit: int, dictionary: bytes) -> bytes:
    try:
        stream = zlib.decompressobj(_ZLIB_RAW_BITS, zdict=dictionary)
        return stream.decompress(data, limit + 1)
    except zlib.error as error:
        raise MalformedError("zlib stream does not decode") from error


def _bzip2(data: bytes, limit: int) -> bytes:
    try:
        return bz2.BZ2Decompressor().decompress(data, limit + 1)
    except (OSError, ValueError) as error:
        raise MalformedError("bzip2 stream does not decode") from error


def _sized(kind: int, data: bytes, version: int, limit: int) -> tuple[int | None, bytes]:
    """The claimed size and the bare stream; versions below 2 carry a size for lz4 only, of eight bytes."""
    if version >= 2:
        size, at = varint(data, 0, min(len(data), 5), 32)
        data = data[at:]
    elif kind in (LZ4, LZ4HC):
        if len(data) < 8:
            raise MalformedError("lz4 block without its size")
        size, data = u64(data, 0), data[8:]
    else:
        return None, data
    if size > limit:
        raise MalformedError(f"block claims {size} bytes uncompressed")
    return size, data


def beyond(kind: int, data: bytes, version: int) -> int:
    """By how many bytes a block says that it unpacks to more than `RATIO` times its size; 0 where it does not.

    A block of a format without sizes is unpacked up to there; what goes on is taken for what its codec can do at most.
    """
    if kind in (NO_COMPRESSION, SNAPPY):
        return 0  # they cannot do so much
    if version < 0:
        try:
            claimed = _framed(data)
        except MalformedError:
            return 0
        claimed = MAX_BLOCK if claimed < 0 else claimed
    elif version >= 2:
        try:
            claimed, _ = varint(data, 0, min(len(data), 5), 32)
        except MalformedError:
            return 0
    elif kind in (LZ4, LZ4HC):
        claimed = u64(data, 0) if len(data) >= 8 else 0
    elif _ends(kind, data, RATIO * len(data)):
        return 0
    else:
        claimed = 1032 * len(data) if kind == ZLIB else MAX_BLOCK
    return max(0, min(claimed, MAX_BLOCK) - RATIO * len(data))


def _ends(kind: int, data: bytes, room: int) -> bool:
    """Whether a stream without a size unpacks to so many bytes at most; one that does not decode may do anything."""
    read = {ZLIB: lambda: _zlib(data, room, b""), BZIP2: lambda: _bzip2(data, room)}
    try:
        return len(read.get(kind, lambda: _zstd_open(data, room))()) <= room
    except MalformedError:
        return False


def decompress(kind: int, data: bytes, version: int, dictionary: bytes = b"", limit: int = MAX_BLOCK) -> bytes:
    """A block's content, at most `limit` bytes; MalformedError where the stream is damaged, longer, or unknown.

    `version` is the table's format version; for LevelDB, which writes zstd as type 2 and no sizes, it is -1.
    """
    if kind == NO_COMPRESSION:
        return data
    if kind == SNAPPY:
        return _snappy(data, limit)
    if version < 0:
        if kind != ZLIB:  # LevelDB's only other number means zstd (include/leveldb/options.h)
            raise MalformedError(f"compression type {kind} is unknown to LevelDB")
        return _zstd(data, limit, dictionary) if _framed(data) >= 0 else _zstd_open(data, limit)
    size, stream = _sized(kind, data, version, limit)
    bound = limit if size is None else size
    if kind in (LZ4, LZ4HC):
        out = _lz4(stream, bound, dictionary)
    elif kind in (ZSTD, ZSTD_NOT_FINAL):
        out = _zstd(stream, bound, dictionary)
    elif kind == ZLIB:
        out = _zlib(stream, bound, dictionary)
    elif kind == BZIP2:
        out = _bzip2(stream, bound)
    else:
        raise MalformedError(f"compression type {kind:#x} is not supported")
    if len(out) > bound or (size is not None and len(out) != size):
        raise MalformedError(f"stream gave {len(out)} bytes, the block claims {bound}")
    return out


def _zstd_open(data: bytes, limit: int) -> bytes:
    """A frame without a content size, read in a stream so that the limit holds."""
    try:
        out = zstandard.ZstdDecompressor().stream_reader(data).read(limit + 1)
    except zstandard.ZstdError as error:
        raise MalformedError("zstd frame does not decode") from error
    if len(out) > limit:
        raise MalformedError(f"zstd frame gives more than {limit} bytes")
    return out
