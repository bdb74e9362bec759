"""Properties of records that verify but will trouble a reader: too short, unknown, flagged strangely."""

from __future__ import annotations

from array import array
from typing import Any

from inspector.formats.gossip_store import versions
from inspector.formats.gossip_store.layout import KINDS
from inspector.formats.gossip_store.structure import needs

SHORT, UNKNOWN_TYPE, UNKNOWN_FLAGS, INCOMPLETE, BAD_ALIAS, SPECIAL = 1, 2, 4, 8, 16, 32
_SPECIAL = frozenset({4105, 4107})


def oddities(batch: Any, window: bytes, at: int, version: int) -> array[int]:
    """One byte of bits per tile; only tiles that verify are judged. `at` is the file offset of `window`."""
    found = array("B", bytes(len(batch.starts)))
    mask = versions.unknown_bits(version)
    completed = versions.COMPLETED if versions.has_completed(version) else 0
    starts, end = batch.starts, batch.end
    last = len(starts) - 1
    for i, (mark, kind, flags) in enumerate(zip(batch.marks, batch.kinds, batch.flags, strict=True)):
        if mark not in (0, 4):
            continue
        bits = 0
        if flags & mask:
            bits |= UNKNOWN_FLAGS
        if completed and not flags & completed:
            bits |= INCOMPLETE
        begin = starts[i] - at + 12
        stop = (starts[i + 1] if i < last else end) - at
        if kind not in KINDS:
            bits |= UNKNOWN_TYPE
        elif stop - begin < needs(kind, window[begin : min(stop, begin + 2048)], version):
            bits |= SHORT
        elif kind == 257 and not _alias_ok(window, begin):
            bits |= BAD_ALIAS
        if kind in _SPECIAL:
            bits |= SPECIAL
        found[i] = bits
    return found


def _alias_ok(window: bytes, begin: int) -> bool:
    flen = window[begin + 66] << 8 | window[begin + 67]
    at = begin + 68 + flen + 40
    try:
        window[at : at + 32].rstrip(b"\0").decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
