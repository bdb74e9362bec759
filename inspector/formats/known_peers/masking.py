"""A list of known peers with other peers and addresses, whose digests hold or fail as before.

A slot that one flipped bit explains is sealed anew as it was without it, and the bit is flipped again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from blake3 import blake3

from inspector.disguise import made_from, noise, words
from inspector.format import Hide, Name
from inspector.formats.known_peers.multiaddr import Refused, address_text, components
from inspector.formats.known_peers.payload import DIGEST, Peer
from inspector.formats.known_peers.slots import Slot
from inspector.formats.known_peers.state import State, last_byte

KEY: Final = 32  # bytes of a key or hash at the end of a peer's id
_FILLED: Final = frozenset({"ip4", "ip6", "onion", "onion3", "hash", "base64"})


def mask(state: State, name: Name, hide: Hide) -> Iterator[tuple[int, bytes]]:
    """Offsets and the bytes to stand there; `hide` tells which unclaimed or damaged stretches are to be noise."""
    done = 0
    for slot in sorted(state.slots, key=lambda one: one.offset):
        end = _end(state, slot)
        yield from _rest(state, done, slot.offset, name, hide)
        if end > slot.offset:
            yield slot.offset, _slot(state, slot, end, name, hide)
        done = max(done, end)
    yield from _rest(state, done, state.geometry.size, name, hide)


def _end(state: State, slot: Slot) -> int:
    flip = state.flips.get(slot.index)
    if slot.verdict in ("zero", "absent"):
        return slot.offset
    return min(slot.limit, flip.payload.end + DIGEST if flip else slot.end)


def _slot(state: State, slot: Slot, end: int, name: Name, hide: Hide) -> bytes:
    flip = state.flips.get(slot.index)
    payload = flip.payload if flip else slot.payload
    whole = min(end, max([payload.end, *(peer.end for peer in payload.peers)]) + DIGEST)
    raw = state.source.read(slot.offset, max(whole, last_byte(state.source, slot.offset, end)) - slot.offset)
    if flip:
        raw = flip.data + raw[len(flip.data) :]
    new = _with_others(raw, slot.offset, payload.peers, name)
    size = payload.end - slot.offset
    if slot.sealed or flip:
        new = new[:size] + blake3(new[:size]).digest() + new[size + DIGEST :]
    else:
        bad = max(size if payload.error is None else 0, payload.peers[-1].end - slot.offset if payload.peers else 0)
        new = new[:bad] + (noise(new[bad:], slot.offset + bad) if hide(slot.offset + bad, end) else new[bad:])
    if flip:
        new = new[: flip.at] + bytes([new[flip.at] ^ 1 << flip.bit]) + new[flip.at + 1 :]
    return new


def _rest(state: State, start: int, end: int, name: Name, hide: Hide) -> Iterator[tuple[int, bytes]]:
    """Between and behind the slots: entries of older lists, and whatever else lies there."""
    old = [peer for peer in state.carved if start <= peer.start and peer.end <= end]
    last = max([last_byte(state.source, start, end), *(peer.end for peer in old)])  # zeroes behind it stay
    raw = state.source.read(start, max(0, last - start))
    if not any(raw):
        return
    at = start
    for peer in old:
        if hide(at, peer.start) and any(raw[at - start : peer.start - start]):
            yield at, noise(raw[at - start : peer.start - start], at)
        yield peer.start, _with_others(raw[peer.start - start : peer.end - start], peer.start, (peer,), name)
        at = peer.end
    if hide(at, end) and any(raw[at - start :]):
        yield at, noise(raw[at - start :], at)


def _with_others(raw: bytes, base: int, peers: Sequence[Peer], name: Name) -> bytes:
    """The bytes from `base` on with other peers of the same lengths."""
    out, known = bytearray(raw), dict[bytes, bytes]()
    find = raw.find
    for peer in peers:
        at, end = peer.start - base, peer.end - base
        masked = _peer(peer.raw, name)
        found = find(peer.raw, at, end) if peer.raw else -1
        if found >= 0:
            at = found + len(peer.raw)
            out[found:at] = masked
        for address in peer.addresses:  # there may be hundreds of thousands
            old = address.raw
            new = known.get(old)
            if new is None:
                new = known[old] = _address(old, name)
            found = find(old, at, end) if old else -1
            if found >= 0:
                at = found + len(old)
                if new != old:  # what has no value stays
                    out[found:at] = new
    return bytes(out)


def _peer(raw: bytes, name: Name) -> bytes:
    keep = max(0, len(raw) - KEY)
    return raw[:keep] + made_from(name("peer", raw.hex()), len(raw) - keep)


def _address(raw: bytes, name: Name) -> bytes:
    parts = components(raw)
    if isinstance(parts, Refused):
        return noise(raw, 0)
    name("address", address_text(raw) or raw.hex())
    out, at = bytearray(raw), 0
    for part in parts:
        if not part.value:
            continue
        found = raw.find(part.value, at)
        if part.form == "peer":
            out[found : found + len(part.value)] = _peer(part.value, name)
        elif part.form == "text":
            out[found : found + len(part.value)] = words(part.value, "address", name)
        elif part.form in _FILLED:
            out[found : found + len(part.value)] = made_from(name("address", part.value.hex()), len(part.value))
        at = found + len(part.value)
    return bytes(out)
