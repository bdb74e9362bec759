"""Properties of records that verify but will trouble a reader, in plain Python: the twin of `_gossip_oddities`."""

from __future__ import annotations

from array import array
from collections import Counter
from typing import Final

from inspector.kernels.gossip_tiles import (
    ANCHORED,
    BAD_ALIAS,
    HEADER,
    INCOMPLETE,
    OK,
    SHORT,
    SPECIAL,
    UNKNOWN_FLAGS,
    UNKNOWN_TYPE,
    Batch,
)

# The fewest bytes a body of each type needs, its type included; inner lengths come on top.
_LEAST: Final = {256: 432, 257: 142, 258: 138, 3503: 53, 4096: 12, 4097: 4, 4098: 4, 4099: 10, 4100: 4}
_LEAST.update({4101: 10, 4102: 4, 4103: 10, 4104: 12, 4105: 10, 4106: 14, 4107: 34})
# Where an inner length lies in the body; it is only asked for where it is there.
_INNER: Final = {256: 258, 3503: 51, 4096: 2, 4097: 2, 4098: 2, 4100: 2, 4102: 2, 4104: 10}
_SPECIAL: Final = frozenset((4105, 4107))


def oddities(
    batch: Batch, window: bytes, at: int, unknown_flags: int, completed: int, update_least: int, ended_least: int
) -> array[int]:
    """One byte of bits per tile; only tiles that verify are judged.

    `window` begins at `at`, as it was fed. unknown_flags: bits that the store's version gives no meaning. completed:
    the bit that a whole record carries, 0 where the version has none. The last two are the fewest bytes of an update
    and of an `ended` in that version.
    """
    found = array("B", bytes(len(batch)))
    least = _LEAST | {258: update_least, 4105: ended_least}
    simple = {kind for kind in least if kind not in _INNER and kind != 257 and kind not in _SPECIAL}
    starts = batch.starts
    ends = [*starts[1:], batch.end]
    tiles = zip(batch.marks, batch.kinds, batch.flags, starts, ends, strict=True)
    for i, (mark, kind, flags, start, end) in enumerate(tiles):
        if mark != OK and mark != ANCHORED:
            continue
        bits = 0
        if flags & unknown_flags:
            bits = UNKNOWN_FLAGS
        if flags & completed != completed:
            bits |= INCOMPLETE
        length = end - start - HEADER
        if kind in simple:
            if length < least[kind]:
                bits |= SHORT
        elif kind not in least:
            bits |= UNKNOWN_TYPE
        else:
            bits |= _inside(window, start - at + HEADER, length, kind, least[kind])
        if bits:
            found[i] = bits
    return found


def _inside(window: bytes, body: int, length: int, kind: int, least: int) -> int:
    """The bits of a type that says inside how long it must be."""
    if kind == 257:
        return _node(window, body, length)
    at = _INNER.get(kind)
    if at is not None and length >= at + 2:
        least += window[body + at] << 8 | window[body + at + 1]
    return (SHORT if length < least else 0) | (SPECIAL if kind in _SPECIAL else 0)


def _node(window: bytes, body: int, length: int) -> int:
    if length < 142:
        return SHORT
    flen = window[body + 66] << 8 | window[body + 67]
    at = 140 + flen
    if length < at + 2 or length < at + 2 + (window[body + at] << 8 | window[body + at + 1]):
        return SHORT
    alias = bytes(window[body + at - 32 : body + at])
    try:
        alias.rstrip(b"\0").decode("utf-8")
    except UnicodeDecodeError:
        return BAD_ALIAS
    return 0


def count_kinds(kinds: array[int]) -> dict[int, int]:
    """How many tiles there are of each kind."""
    return dict(Counter(kinds))
