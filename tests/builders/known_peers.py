"""`known_addresses.bin` of any generation, with whatever a story needs done to it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from blake3 import blake3

from inspector.formats.known_peers.payload import Address, Generation, Peer, write_payload
from inspector.formats.known_peers.slots import slot_length

WROTE = 1_717_072_496  # 2024-05-30T12:34:56Z
S = slot_length(100)


def peer(number: int, addresses: int = 2) -> Peer:
    """An ed25519 peer with TCP, QUIC, IPv6 and DNS addresses; every other one failed once."""
    key = hashlib.sha256(b"peer %d" % number).digest()
    a, b = number % 200 + 20, number // 200
    forms = [
        bytes([4, a, 9, b, 7, 6]) + (30333).to_bytes(2, "big"),
        bytes([4, a, 9, b, 7]) + bytes.fromhex("9102 7531 cd03"),
        bytes([41]) + bytes.fromhex("2a0104f8a3200000000000000000") + bytes([b, a, 6, 0x75, 0x31]),
        b"\x36\x09node%03d.x" % (number % 1000) + bytes.fromhex("06 01bb de03"),
    ]
    made = tuple(Address(forms[i % 4], WROTE - 3600 * i if (number + i) % 2 else None) for i in range(addresses))
    return Peer(bytes.fromhex("002408011220") + key, made)


def peers(count: int, first: int = 0) -> tuple[Peer, ...]:
    return tuple(peer(first + i, 1 + i % 4) for i in range(count))


def payload(listed: Sequence[Peer], timestamp: int = WROTE, generation: Generation = 3, cache: int = 100) -> bytes:
    return write_payload(generation, cache, timestamp, listed)


def seal(body: bytes) -> bytes:
    return body + blake3(body).digest()


def slot(content: bytes, old: bytes = b"", room: int = S) -> bytes:
    """A slot that holds `content` over whatever `old` left behind."""
    assert max(len(content), len(old)) <= room
    return (content + old[len(content) :]).ljust(room, b"\0")


def store(a: bytes, b: bytes) -> bytes:
    return slot(a) + slot(b)


def small(a: bytes, b: bytes, cache: int = 4) -> bytes:
    """A file for a small cache: 38,530 bytes."""
    return slot(a, room=slot_length(cache)) + slot(b, room=slot_length(cache))


def healthy(generation: Generation = 3) -> bytes:
    """Slot A: 12 peers, newer; slot B: 15 peers, 5 seconds older; old peers in the slack of A."""
    older = seal(payload(peers(15), WROTE - 5, generation))
    oldest = seal(payload(peers(20, 100), WROTE - 60, generation))
    return slot(seal(payload(peers(12), WROTE, generation)), oldest) + slot(older)
