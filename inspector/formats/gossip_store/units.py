"""One record as it begins at an offset, for whoever asks whether bytes would make sense if they were other ones."""

from __future__ import annotations

import crc32c

from inspector.format import Reading, Traits, Unit
from inspector.formats.gossip_store import versions
from inspector.formats.gossip_store.layout import KINDS, SEALED_HEADER
from inspector.formats.gossip_store.walk import Store

_FIXED = {4101: (10,), 4103: (10,), 4106: (14,), 4107: (34,), 4105: (10, 42), 258: (130, 138)}
_LEAST = {256: 432, 257: 142, 4102: 134, 4104: 442, 3503: 51}


def unit(store: Store, member: str, at: int, read: Reading) -> Unit | None:
    """The record at `at`; None where its type or its length can be none. Old stores' checksums are not judged."""
    if store.version < versions.OLDEST_JUDGED:
        return None
    head = read(at, 14)
    if len(head) < 14:
        return None
    _, length, stored, timestamp = SEALED_HEADER.unpack(head[:12])
    kind = head[12] << 8 | head[13]
    if kind not in KINDS or length < _LEAST.get(kind, 2) or length not in _FIXED.get(kind, (length,)):
        return None
    body = read(at + 12, length)
    return Unit(at + 12 + length, len(body) == length and crc32c.crc32c(body, timestamp) == stored)


TRAITS = Traits(unit)
