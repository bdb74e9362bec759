"""Structure as a witness: bits of a record that spell something which other bytes of the store confirm.

A bit that nothing confirms is not vouched for, and one such bit leaves the whole correction without a witness.
"""

from __future__ import annotations

from inspector.correct import Patch
from inspector.formats.gossip_store.amounts import AMOUNT, notices, spoken_for
from inspector.formats.gossip_store.kinds import kind_name
from inspector.formats.gossip_store.known import TOMBSTONE, Known, chain_of
from inspector.formats.gossip_store.signed import ANNOUNCEMENT, NODE, SIGNED, UPDATE, kind_of, own_time

HEADER = 12
_ENDING = (4103, 4106)  # delete_chan and chan_dying name a channel that was announced


def vouch(body: bytes, patch: Patch, known: Known, scid: int = 0) -> str:
    """What confirms every changed byte, in words; "" where one of them is confirmed by nothing.

    The body is corrected, plausible for its type, and agrees with the header's time where it has one. `scid` is the
    channel that the record right before announces.
    """
    reasons: dict[str, None] = {}
    for at, mask in patch:
        if 4 <= at < 8:
            because = _whole(body, known, scid)
        elif at >= HEADER + 2 and kind_of(body) == AMOUNT:
            because = notices(body, at - HEADER, mask, scid, known)
        else:
            because = _header(at, body) if at < HEADER + 2 else _byte(body, at - HEADER, known)
        if not because:
            return ""
        reasons[because] = None
    return "; ".join(reasons)


def _header(at: int, body: bytes) -> str:
    if 2 <= at < 4:
        return "the length is the one that the message's structure gives"
    if 8 <= at < HEADER:
        if kind_of(body) not in SIGNED:
            return "the time is 0, as of all of CLN's own records"
        return "the time is the message's own" if own_time(body) is not None else ""
    return f"the type is {kind_name(kind_of(body))} and fits the length" if at >= HEADER else ""


def _whole(body: bytes, known: Known, scid: int) -> str:
    """What confirms all bytes of a body, so that its checksum follows from them."""
    kind = kind_of(body)
    if kind == TOMBSTONE and len(body) == 10:
        because = _channel(int.from_bytes(body[2:10], "big"), known)
    else:
        because = spoken_for(body, scid, known) if kind == AMOUNT else ""
    return because and f"{because}, and the checksum is that of the message"


def _byte(body: bytes, at: int, known: Known) -> str:
    kind = kind_of(body)
    if kind in _ENDING and 2 <= at < 10:
        return _channel(int.from_bytes(body[2:10], "big"), known)
    if kind == UPDATE and 98 <= at < 106:
        return _channel(int.from_bytes(body[98:106], "big"), known)
    if kind in (UPDATE, NODE) and at in _own_time_bytes(body):
        return "the time is the one in the header"
    if kind in (ANNOUNCEMENT, UPDATE) and at in _chain_bytes(body) and known.chain() == chain_of(body):
        return "the chain is that of all other messages"
    if kind == ANNOUNCEMENT and 258 <= at < 260:
        return "the length of the features fits the length of the message"
    return _unsigned(body, at)


def _channel(scid: int, known: Known) -> str:
    return "the channel is one that the store announces" if known.announced(scid) else ""


def _own_time_bytes(body: bytes) -> range:
    at = 106 if kind_of(body) == UPDATE else 68 + (body[66] << 8 | body[67])
    return range(at, at + 4)


def _chain_bytes(body: bytes) -> range:
    at = 66 if kind_of(body) == UPDATE else 260 + (body[258] << 8 | body[259])
    return range(at, at + 32)


def _unsigned(body: bytes, at: int) -> str:
    """A signature that is all zero, as in stores that were made without any."""
    count = {ANNOUNCEMENT: 4, NODE: 1, UPDATE: 1}.get(kind_of(body), 0)
    if not 2 <= at < 2 + 64 * count:
        return ""
    start = at - (at - 2) % 64
    return "" if any(body[start : start + 64]) else "the signature is all zero, as where a store has none"
