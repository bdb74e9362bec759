"""Stretches of bytes that are all 00 or all FF, as lost writes and erased flash leave them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from inspector.holes import is_blank
from inspector.source import Source
from inspector.span import Span

Found = tuple[int, int]  # [start, end) in the bytes that were searched
_OTHER: Final = {0x00: re.compile(rb"[^\x00]"), 0xFF: re.compile(rb"[^\xff]")}


def uniform(data: bytes, least: int) -> list[Found]:
    """Every such stretch of `least` bytes or more, in order.

    A search for a literal skips most bytes, where one expression for both values looks at each: a hundred times faster.
    """
    found: list[Found] = []
    for value, other in _OTHER.items():
        sought = bytes([value]) * least
        at = data.find(sought)
        while at >= 0:
            behind = other.search(data, at + least)
            end = behind.start() if behind else len(data)
            found.append((at, end))
            at = data.find(sought, end)
    return sorted(found)


def only_zeroes(data: bytes) -> bool:
    """Whether nothing else is in it: of what was read of a hole without a look, else as fast as memory is compared."""
    return is_blank(data) or data == bytes(len(data))


def past_holes(source: Source, span: Span, size: int, overlap: int = 0) -> Iterator[tuple[int, bytes]]:
    """A stretch in pieces of `size` bytes, each with its offset and `overlap` more; what lies in holes is left out."""
    at = span.start
    while at < span.end:
        if (end := min(source.hole_end(at, span.member), span.end)) - overlap > at:
            at = end - overlap if end < span.end else end
            continue
        if not (data := source.read(at, min(size + overlap, span.end - at), span.member)):
            return
        yield at, data
        at += size
