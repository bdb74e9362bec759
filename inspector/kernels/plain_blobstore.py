"""Metadata pages of a blobstore: zero, damaged or sealed, and what the heads of sealed ones say."""

from __future__ import annotations

import struct
from array import array

from inspector.crc32c import crc32c

PAGE = 4096
BODY = 4092  # bytes covered by the CRC-32C behind them
ZERO, ROOT, CONT, EXTENT, STRAY, BAD = range(6)
_HEAD = struct.Struct("<QII4072xII")  # id, sequence, reserved, next page, checksum
_EXTENTS = 6  # the descriptor that makes a page one of extents
_ZERO = bytes(PAGE)

Columns = tuple["array[int]", "array[int]", "array[int]", "array[int]", "array[int]"]


def page_states(data: bytes, size: int, first: int) -> tuple[array[int], Columns]:
    """States of the pages of `size` bytes, the first of which has the number `first`; of the sealed ones, in order,

    their numbers, states, blob ids, sequence numbers and next pages. Raises ValueError where not all are whole.
    """
    if size < PAGE or len(data) % size:
        raise ValueError("whole pages are needed")
    states = array("B")
    columns = array("I"), array("B"), array("Q"), array("I"), array("I")
    for number, at in enumerate(range(0, len(data), size), first):
        page = data[at : at + PAGE]
        if page == _ZERO:
            states.append(ZERO)
            continue
        blob, sequence, _, following, stored = _HEAD.unpack(page)
        if crc32c(page[:BODY]) != stored:
            states.append(BAD)
            continue
        root = ROOT if blob == 1 << 32 | number else STRAY
        states.append(CONT if sequence else EXTENT if page[16] == _EXTENTS else root)
        for column, value in zip(columns, (number, states[-1], blob, sequence, following), strict=True):
            column.append(value)
    return states, columns
