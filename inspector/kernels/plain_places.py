"""Where records of logs and fixed bytes lie among any bytes, in plain Python: the twin of `_carve`.

A log may be read from a FULL or FIRST record with a write batch in it, or from the record that says that the log is
compressed with ZSTD (type 9); other fragments say nothing about themselves. What could begin a record is rare, and
no record is longer than 32 KiB, so that the time is linear also on bytes made of fake headers.
"""

import re
from typing import Final

from inspector.crc32c import crc32c

_BLOCK: Final = 32768
_TYPE_AT: Final = 6  # checksum u32, length u16, type u8
_SHORTEST: Final = 13  # bytes of a batch with one operation
# after the type (and the log's number) the sequence number, below 2^48, and the count of operations, below 2^24, and
# a tag; one pattern for each type: those that begin with a literal run ten times as fast as those with a choice
_BATCHES: Final = tuple(
    (re.compile(rb"%c(?=.{%d}\0\0.{3}\0[\0-\x19])" % (kind, 6 + number), re.DOTALL), number)
    for kind, number in ((1, 0), (2, 0), (5, 4), (6, 4))
)
_ANY: Final = re.compile(rb"[\x01-\x0b\x82\x83]")  # every type of a record
_NUMBERED: Final = frozenset({5, 6, 7, 8, 11, 131})  # types behind which the log's number stands
_PACKED: Final = re.compile(rb"\x09(?=\x07\0\0\0)")


def log_places(window: bytes, stop: int) -> list[int]:
    """Offsets in [0, stop) at which a record verifies that a log may be read from, in order."""
    found = []
    for pattern, number in _BATCHES:
        for match in pattern.finditer(window, _TYPE_AT):
            at = match.start() - _TYPE_AT
            if at >= stop:
                break
            length, counted = window[at + 4] | window[at + 5] << 8, at + _TYPE_AT + 9 + number
            if length >= _SHORTEST and any(window[counted : counted + 3]) and _verifies(window, at, number + length):
                found.append(at)
    for match in _PACKED.finditer(window, _TYPE_AT):
        at = match.start() - _TYPE_AT
        if at < stop and window[at + 4 : at + 6] == b"\x04\0" and _verifies(window, at, 4):
            found.append(at)
    return sorted(found)


def log_anchor(window: bytes, at: int) -> int:
    """The next offset of a log's block from `at` on at which a record of any type verifies; else the block's end."""
    for match in _ANY.finditer(window, at + _TYPE_AT):
        found = match.start() - _TYPE_AT
        number = 4 if window[match.start()] in _NUMBERED else 0
        if _verifies(window, found, number + (window[found + 4] | window[found + 5] << 8)):
            return found
    return len(window)


def _verifies(window: bytes, at: int, length: int) -> bool:
    end = at + _TYPE_AT + 1 + length
    if end > len(window) or end - at > _BLOCK:
        return False
    crc = crc32c(memoryview(window)[at + _TYPE_AT : end])
    masked = ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF  # util/crc32c.h
    return masked == int.from_bytes(window[at : at + 4], "little")


def eight_places(window: bytes, stop: int, one: bytes, two: bytes) -> list[int]:
    """Offsets in [0, stop) of either eight bytes, in order."""
    found = []
    for needle in (one, two):
        at = window.find(needle)
        while 0 <= at < stop:
            found.append(at)
            at = window.find(needle, at + 1)
    return sorted(found)
