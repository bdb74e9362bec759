"""What the length of each type must be: the cheap test that comes before any checksum."""

from __future__ import annotations

from inspector.formats.gossip_store.kinds import LEAST

MAX_TLVS = 64
NODE_ID = 33  # bytes of a node's public key


def needs(kind: int, body: bytes, version: int) -> int:
    """The fewest bytes a body of this type needs, judged by its own inner lengths; 2 for an unknown type."""
    least = LEAST.get(kind, 2)
    if kind == 258 and version <= 10:
        return 130
    if kind == 256 and len(body) >= 260:
        return 432 + _u16(body, 258)
    if kind == 257 and len(body) >= 68:
        flen = _u16(body, 66)
        at = 140 + flen
        return 142 + flen + (_u16(body, at) if len(body) >= at + 2 else 0)
    if kind == 4104 and len(body) >= 12:
        return 12 + _u16(body, 10)
    if kind == 4102 and len(body) >= 4:
        return 4 + _u16(body, 2)
    if kind == 3503 and len(body) >= 53:
        return 53 + _u16(body, 51)
    if kind in (4096, 4097, 4098, 4100) and len(body) >= 4:
        return least + _u16(body, 2)
    if kind == 4105 and version >= 16:
        return 42
    return least


def plausible(kind: int, body: bytes, length: int, version: int) -> bool:
    """Whether a body of this known type may be `length` bytes long; `body` may be cut short at the front part."""
    if kind not in LEAST:
        return False
    if kind == 258:
        return length in (138, 130)
    if kind in (4101, 4103, 4099):
        return length == 10
    if kind == 4105:
        return length in (10, 42)
    if kind == 4106:
        return length == 14
    if kind == 4107:
        return length == 34
    need = needs(kind, body, version)
    if kind == 257:
        return length >= need and (length == need or well_formed_tlvs(body[need:length]))
    return length == need


def well_formed_tlvs(raw: bytes) -> bool:
    """Whether these bytes are TLVs (BigSize type, BigSize length) up to their very end."""
    at = count = 0
    while at < len(raw):
        kind = _bigsize(raw, at)
        size = _bigsize(raw, at + kind[1]) if kind else None
        if not kind or not size or count >= MAX_TLVS:
            return False
        at += kind[1] + size[1] + size[0]
        count += 1
    return at == len(raw)


def _bigsize(raw: bytes, at: int) -> tuple[int, int] | None:
    if at >= len(raw):
        return None
    first = raw[at]
    width = {0xFD: 2, 0xFE: 4, 0xFF: 8}.get(first, 0)
    if not width:
        return first, 1
    if at + 1 + width > len(raw):
        return None
    return int.from_bytes(raw[at + 1 : at + 1 + width], "big"), 1 + width


def node_at(data: bytes, at: int) -> bytes:
    """The id in the node announcement whose record begins at `at`; zeroes where it is too short to have one."""
    body = data[at + 12 : at + 84]
    start = at + 84 + (_u16(body, 66) if len(body) >= 68 else 0)
    return data[start : start + NODE_ID].ljust(NODE_ID, b"\0")


def _u16(body: bytes, at: int) -> int:
    return body[at] << 8 | body[at + 1]
