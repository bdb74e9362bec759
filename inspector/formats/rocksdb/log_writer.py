"""Framing of logical records in the log format (db/log_writer.cc), beginning at any offset of a log."""

from __future__ import annotations

from typing import Final

from inspector.crc32c import crc32c
from inspector.formats.rocksdb.checksums import mask
from inspector.formats.rocksdb.log import BLOCK, FIRST, FULL, HEADER, LAST, MIDDLE, RECYCLABLE_HEADER

_RECYCLABLE_SHIFT: Final = 4  # types 5..8 are 1..4 with the log's number in the header


def frame(data: bytes, at: int, number: int | None = None, alone: int | None = None) -> bytes:
    """One logical record as it stands at offset `at` of a log, with the zeroes that end a block before it.

    With `number` the recyclable types are written. `alone` is the type of a record that is never split.
    """
    size = HEADER if number is None else RECYCLABLE_HEADER
    out = bytearray()
    left, first = data, True
    while True:
        room = BLOCK - (at + len(out)) % BLOCK
        if room < size:
            out += bytes(room)
            room = BLOCK
        piece, left = left[: room - size], left[room - size :]
        kind = (FULL if first else LAST) if not left else (FIRST if first else MIDDLE)
        if number is not None:
            kind += _RECYCLABLE_SHIFT
        body = bytes([alone or kind])
        if number is not None:
            body += (number & 0xFFFFFFFF).to_bytes(4, "little")
        body += piece
        out += mask(crc32c(body)).to_bytes(4, "little") + len(piece).to_bytes(2, "little") + body
        first = False
        if not left:
            return bytes(out)
