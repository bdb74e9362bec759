"""How long a gossip message of each type must be, from its own bytes.

Everything here looks at bytes and judges nothing else. Sizes are of the body, which begins with its 2-byte type
(BOLT 7 for 256 to 258; common/gossip_store_wire.csv of Core Lightning for the others).
"""

from collections.abc import Iterator
from struct import Struct
from typing import Final

from inspector.kernels.gossip_tiles import EXTENSIONS

ANNOUNCEMENT: Final = 256
NODE: Final = 257
UPDATE: Final = 258
LOCAL_CHANNEL: Final = 3503
AMOUNT: Final = 4101
PRIVATE_UPDATE: Final = 4102
DELETE: Final = 4103
PRIVATE_CHANNEL: Final = 4104
ENDED: Final = 4105
DYING: Final = 4106
UUID: Final = 4107

FIXED: Final[dict[int, tuple[int, ...]]] = {
    UPDATE: (130, 138),  # without and with htlc_maximum_msat
    AMOUNT: (10,),
    DELETE: (10,),
    ENDED: (10, 42),  # store version 16 adds a uuid
    DYING: (14,),
    UUID: (34,),
}

_u16 = Struct(">H").unpack_from
_u32 = Struct(">I").unpack_from
_u64 = Struct(">Q").unpack_from
_update_tail = Struct(">Q5xB").unpack_from
_node_tail = Struct(">BQ").unpack_from


def plausible(data: bytes, body: int, length: int, end: int) -> bool:
    """Whether a body of this length is what its type asks for, as far as the bytes before `end` tell.

    `end` is body + length, or less where the file ends first: what cannot be read is not held against it.
    """
    known = end - body
    if known < 2 or length < 2:
        return False
    kind = _u16(data, body)[0]
    if kind in FIXED:
        return length in FIXED[kind]
    if kind == ANNOUNCEMENT:
        return length >= 432 and (known < 260 or _u16(data, body + 258)[0] == length - 432)
    if kind == NODE:
        return _node_plausible(data, body, length, known)
    if kind == LOCAL_CHANNEL:
        return length >= 53 and (known < 53 or length == 53 + _u16(data, body + 51)[0])
    if kind == PRIVATE_UPDATE:
        return _wrapped_plausible(data, body, length, known, 4, UPDATE)
    if kind == PRIVATE_CHANNEL:
        return _wrapped_plausible(data, body, length, known, 12, ANNOUNCEMENT)
    return False


def believable(data: bytes, body: int, length: int, size: int) -> int:
    """How much of the length that a damaged record claims its own bytes bear out: what lies there may be its body.

    `size` is where the file ends; `data` has all before it that the longest record could hold. 0 where nothing is
    borne out. A node announcement ends where its TLV stream does, at the first type that a node refuses (BOLT 1: an
    unknown even one, or one that is not above the last): the next record's header is that, as its flags make an even
    type. Nothing else can be longer than its type's structure says.
    """
    told = next(structural_lengths(data, body, min(body + 0xFFFF, size)), 0)
    if 0 < told < length and _u16(data, body)[0] == NODE:
        return _extended(data, body + told, body + length, size) - body
    return length if plausible(data, body, length, min(body + length, size)) else 0


def _extended(data: bytes, at: int, claimed: int, size: int) -> int:
    """Where a TLV stream from `at` on ends, at most at `claimed`, which it has where the file ends first."""
    end, before = min(claimed, size), 0
    for _ in range(EXTENSIONS):
        if at >= end:
            return claimed
        kind, length_at = _big_size(data, at, end)
        if length_at >= 0 and (kind % 2 == 0 or kind <= before):
            return at
        length, value = _big_size(data, length_at, end) if length_at >= 0 else (0, -1)
        if value < 0:
            return claimed
        if length > 0xFFFF:
            return at
        before, at = kind, value + length
    return min(at, claimed)


def _wrapped_plausible(data: bytes, body: int, length: int, known: int, head: int, inner: int) -> bool:
    least = 130 if inner == UPDATE else 432
    if length < head + least:
        return False
    if known >= head and _u16(data, body + head - 2)[0] != length - head:
        return False
    if known >= head + 2 and _u16(data, body + head)[0] != inner:
        return False
    if inner == UPDATE:
        return length - head in FIXED[UPDATE]
    return known < head + 260 or bool(_u16(data, body + head + 258)[0] == length - head - 432)


def _node_plausible(data: bytes, body: int, length: int, known: int) -> bool:
    if length < 142:
        return False
    if known < 68:
        return True
    fixed: int = 142 + _u16(data, body + 66)[0]
    if fixed > length:
        return False
    if known < fixed:
        return True
    fixed += _u16(data, body + fixed - 2)[0]
    if fixed >= length or known < length:
        return fixed <= length
    at = body + fixed
    for _ in range(EXTENSIONS):
        at = _after_extension(data, at, body + length)
        if at < 0 or at == body + length:
            return at > 0
    return False


def _big_size(data: bytes, at: int, end: int) -> tuple[int, int]:
    """BOLT 1 BigSize: the value and where it ends, or -1 as the end where it does not fit before `end`."""
    if at >= end:
        return 0, -1
    first = data[at]
    if first < 0xFD:
        return first, at + 1
    width = 2 << (first - 0xFD)
    if at + 1 + width > end:
        return 0, -1
    return int.from_bytes(data[at + 1 : at + 1 + width], "big"), at + 1 + width


def _after_extension(data: bytes, at: int, end: int) -> int:
    """Where the TLV record at `at` ends, -1 if not at or before `end`."""
    _, at = _big_size(data, at, end)
    if at < 0:
        return -1
    length, at = _big_size(data, at, end)
    if at < 0 or length > end - at:
        return -1
    return at + length


def structural_lengths(data: bytes, body: int, end: int) -> Iterator[int]:
    """The lengths this body may have by its type, shortest first, none past `end`; the length field is not used."""
    known = min(end - body, 0xFFFF)
    if known < 2:
        return
    kind = _u16(data, body)[0]
    if kind == NODE:
        yield from _node_lengths(data, body, known)
        return
    lengths: tuple[int, ...] = FIXED.get(kind, ())
    if kind == ANNOUNCEMENT and known >= 260:
        lengths = (432 + _u16(data, body + 258)[0],)
    elif kind == LOCAL_CHANNEL and known >= 53:
        lengths = (53 + _u16(data, body + 51)[0],)
    elif kind == PRIVATE_UPDATE and known >= 6 and _u16(data, body + 4)[0] == UPDATE:
        lengths = (134, 142)
    elif kind == PRIVATE_CHANNEL and known >= 272 and _u16(data, body + 12)[0] == ANNOUNCEMENT:
        lengths = (444 + _u16(data, body + 270)[0],)
    yield from (length for length in lengths if length <= known)


def _node_lengths(data: bytes, body: int, known: int) -> Iterator[int]:
    if known < 68:
        return
    length = 142 + _u16(data, body + 66)[0]
    if length > known:
        return
    length += _u16(data, body + length - 2)[0]
    if length > known:
        return
    yield length
    at = body + length
    for _ in range(EXTENSIONS - 1):
        at = _after_extension(data, at, body + known)
        if at < 0:
            return
        yield at - body


def owner_of(data: bytes, body: int, length: int, kind: int) -> tuple[int, int, int, int]:
    """(scid, node a, node b, channel_flags) that a body names; 0 for what it is too short to hold."""
    if kind in (UPDATE, PRIVATE_UPDATE):
        inner = 2 if kind == UPDATE else 6  # past the type that counts
        if length >= inner + 110:
            scid, aux = _update_tail(data, body + inner + 96)
            return scid, 0, 0, aux
        return (_u64(data, body + inner + 96)[0] if length >= inner + 104 else 0), 0, 0, 0
    if kind == ANNOUNCEMENT:
        return _announced(data, body, length)
    if kind == PRIVATE_CHANNEL:
        return _announced(data, body + 12, length - 12)
    if kind == NODE:
        if length < 68:
            return 0, 0, 0, 0
        at = 72 + _u16(data, body + 66)[0]
        return 0, (_fingerprint(data, body + at) if at + 33 <= length else 0), 0, 0
    if kind in (DELETE, DYING, LOCAL_CHANNEL) and length >= 10:
        return _u64(data, body + 2)[0], 0, 0, 0
    return 0, 0, 0, 0


def _announced(data: bytes, body: int, length: int) -> tuple[int, int, int, int]:
    if length < 260:
        return 0, 0, 0, 0
    at = 292 + _u16(data, body + 258)[0]
    scid = _u64(data, body + at)[0] if at + 8 <= length else 0
    first = _fingerprint(data, body + at + 8) if at + 41 <= length else 0
    second = _fingerprint(data, body + at + 41) if at + 74 <= length else 0
    return scid, first, second, 0


def _fingerprint(data: bytes, at: int) -> int:
    # a node id is a compressed point: 02 or 03, then 32 bytes
    first, rest = _node_tail(data, at)
    return int(rest ^ first)
