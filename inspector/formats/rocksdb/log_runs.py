"""How far the records of a write-ahead log go on from one that was found among other bytes.

A log begins anywhere in the source, so its 32 KiB blocks do, too: after the first record that verifies each next one
is taken where the last one ends, past the zeroes that may end a block.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from inspector.formats.rocksdb.log import BLOCK, GOOD, HEADER, RECYCLABLE_HEADER, Piece, _verifies, header_size

Read = Callable[[int, int], bytes]
OVERLAP: Final = BLOCK  # no record is longer
_TYPE_AT: Final = 6  # checksum u32, length u16, type u8


def pieces(read: Read, at: int) -> Iterator[Piece]:
    """The records from `at` on, as long as they verify and belong to one log."""
    number: bytes | None = None
    while found := _next(read, at):
        begin, record = found
        kind = record[_TYPE_AT]
        size = header_size(kind)
        if size == RECYCLABLE_HEADER:
            own = record[7:RECYCLABLE_HEADER]
            if number is not None and own != number:
                return  # the rest of an older log whose file was used again
            number = own
        at = begin + len(record)
        yield Piece(begin, at, GOOD, kind, record[size:])


def _next(read: Read, at: int) -> tuple[int, bytes] | None:
    """The next record and where it begins: here, or behind the zeroes of a block's end; None where none verifies."""
    head = read(at, 2 * RECYCLABLE_HEADER)
    for skip in range(RECYCLABLE_HEADER):
        if skip + HEADER > len(head):
            return None
        size = header_size(head[skip + _TYPE_AT]) + (head[skip + 4] | head[skip + 5] << 8)
        if head[skip + _TYPE_AT] and size <= BLOCK:
            record = read(at + skip, size)
            if _verifies(record, 0) == size:
                return at + skip, record
        if head[skip]:
            return None
    return None
