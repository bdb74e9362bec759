"""One record as it begins at an offset, for whoever asks whether bytes would make sense if they were other ones."""

from __future__ import annotations

from inspector import crc32c
from inspector.format import Reading, Traits, Unit
from inspector.formats.gossip_store import versions
from inspector.formats.gossip_store.kinds import KINDS, LEAST, SEALED_HEADER
from inspector.formats.gossip_store.walk import Store

_FIXED = {4101: (10,), 4103: (10,), 4106: (14,), 4107: (34,), 4105: (10, 42), 258: (130, 138)}
# the private ones hold a whole message
_LEAST = LEAST | {258: 130, 4102: 134, 4104: 442}


def unit(store: Store, member: str, at: int, read: Reading) -> Unit | None:
    """The record at `at`; None where its type or its length can be none. Old stores' checksums are not judged."""
    if store.version < versions.OLDEST_JUDGED or at < store.start:
        return None
    head = read(at, 14)
    if len(head) < 14:
        return None
    _, length, stored, timestamp = SEALED_HEADER.unpack(head[:12])
    kind = head[12] << 8 | head[13]
    if kind not in KINDS or length < _LEAST[kind] or length not in _FIXED.get(kind, (length,)):
        return Unit(at + 12 + length, False) if kind not in KINDS and _ends(read, at + 12 + length) else None
    body = read(at + 12, length)
    return Unit(at + 12 + length, len(body) == length and crc32c.crc32c(body, timestamp) == stored)


def _ends(read: Reading, at: int) -> bool:
    """Whether a record that holds begins there: then the length before it can be believed, whatever its type."""
    head = read(at, 14)
    if len(head) < 14:
        return not head and len(read(at - 1, 1)) == 1
    _, length, stored, timestamp = SEALED_HEADER.unpack(head[:12])
    if (head[12] << 8 | head[13]) not in KINDS:
        return False
    body = read(at + 12, length)
    return len(body) == length and bool(crc32c.crc32c(body, timestamp) == stored)


TRAITS = Traits(unit, lacking=frozenset({"GSP015", "GSP018", "GSP019"}))
