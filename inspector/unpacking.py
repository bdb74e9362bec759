"""Whether a file that begins like an archive is one, or a store that a page of another file was written over."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from inspector.packings import packing_of
from inspector.source import Source

LOOKED: Final = 1 << 20  # packed bytes that have to unpack: more than one block of those that were stored as they are
MOST: Final = 16 << 20  # bytes that they may become
PIECE: Final = 1 << 16
_ZIP_END: Final = b"PK\x05\x06", (1 << 16) + 22  # a comment may stand behind it


def _gzip(head: bytes) -> bool:
    import gzip

    return _read_on(gzip.GzipFile(fileobj=io.BytesIO(head)), len(head))


def _zstd(head: bytes) -> bool:
    import zstandard

    unpacker = zstandard.ZstdDecompressor(max_window_size=1 << 27)
    return _read_on(unpacker.stream_reader(io.BytesIO(head), read_across_frames=True), len(head))


def _lz4(head: bytes) -> bool:
    import lz4.frame

    return _read_on(lz4.frame.LZ4FrameFile(io.BytesIO(head)), len(head))


def _xz(head: bytes) -> bool:
    import lzma

    return _streams(partial(lzma.LZMADecompressor, lzma.FORMAT_XZ), head)


def _bzip2(head: bytes) -> bool:
    import bz2

    return _streams(bz2.BZ2Decompressor, head)


READERS: Final[dict[str, Callable[[bytes], bool]]] = {
    "gzip": _gzip,
    "xz": _xz,
    "bzip2": _bzip2,
    "zstd": _zstd,
    "lz4": _lz4,
}


def unpacks(source: Source) -> bool:
    """Whether what begins like a container goes on like one; those that nothing here unpacks are believed."""
    head = source.read(0, LOOKED)
    packing = packing_of(head)
    if packing is None or not packing.reader:
        return True
    if packing.reader == "zip":
        end, tail = _ZIP_END
        return end in source.read(max(0, source.size - tail), tail)
    return _goes_on(READERS[packing.reader], head)


def _goes_on(opened: Callable[[bytes], bool], head: bytes) -> bool:
    import lzma

    import zstandard

    try:
        return opened(head)
    except (OSError, RuntimeError, zlib.error, lzma.LZMAError, zstandard.ZstdError):  # lz4 raises RuntimeError
        return False


def _read_on(unpacked: Any, size: int) -> bool:
    """Whether all that was packed, or the most that is looked at, comes out; errors of the library say no."""
    left = MOST
    try:
        while left > 0 and (got := len(unpacked.read(min(left, PIECE)))):
            left -= got
    except EOFError:
        return size == LOOKED  # only the start of it was looked at; else it has no end
    return True


def _streams(new: Callable[[], Any], head: bytes) -> bool:
    """The same for what stands in one stream or several, one behind the other: a block of a table may be one, too."""
    data, left = head, MOST
    while left > 0 and data.strip(b"\0"):
        stream = new()
        left -= len(stream.decompress(data, PIECE))
        while left > 0 and not stream.eof and not stream.needs_input:
            left -= len(stream.decompress(b"", PIECE))
        if not stream.eof:
            return left <= 0 or len(head) == LOOKED
        data = stream.unused_data
    return True
