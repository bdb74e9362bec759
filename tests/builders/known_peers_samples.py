"""The known_addresses.bin files of samples/known_peers: caches of 4 peers, so that they are small."""

from __future__ import annotations

from inspector.formats.known_peers.payload import Address, Generation, Peer
from inspector.formats.known_peers.slots import slot_length
from tests.builders import known_peers as build
from tests.builders.known_peers import WROTE
from tests.builders.samples import Sample

S = slot_length(4)


def _sealed(count: int, timestamp: int = WROTE, generation: Generation = 3, first: int = 0) -> bytes:
    return build.seal(build.payload(build.peers(count, first), timestamp, generation, 4))


def healthy(generation: Generation = 3) -> bytes:
    old = _sealed(4, WROTE - 60, generation, 40)
    a = build.slot(_sealed(2, WROTE, generation), old, S)
    return a + build.slot(_sealed(3, WROTE - 5, generation), room=S)


def _torn() -> bytes:
    old, new = _sealed(4, WROTE - 90, 3, 41), _sealed(4)
    return build.slot(new[:150], old, S) + build.slot(_sealed(3, WROTE - 5), room=S)


def _flipped(*bits: tuple[int, int]) -> bytes:
    data = bytearray(healthy())
    for at, mask in bits:
        data[at] ^= mask
    return bytes(data)


def _odd_list() -> bytes:
    """Six peers where four fit, one twice, one that no node takes."""
    refused = Peer(build.peer(9).raw, (Address(b"\xff\x7f\x01"),))
    peers = [*build.peers(4), build.peer(1, 3), refused]
    return build.small(build.seal(build.payload(peers, WROTE, 3, 4)), b"")


def _sample(name: str, story: str, rules: tuple[str, ...], data: bytes, repairs: bool = True) -> Sample:
    return Sample("known_peers", f"known_addresses-{name}.bin", story, rules, lambda: data, repairs)


BODY = build.payload(build.peers(3), WROTE, 3, 4)
SAMPLES = (
    _sample(
        "v3", "nothing: two good slots of the newest generation, old peers in the slack of A", ("KNP015",), healthy()
    ),
    _sample("v2", "nothing: the generation of 2023-11 to 2024-05", ("KNP015",), healthy(2)),
    _sample("v1", "nothing: the generation of 2023-08 to 2023-11", ("KNP015",), healthy(1)),
    _sample("fresh", "nothing: a file of which no slot was ever written", (), bytes(2 * slot_length(100))),
    _sample("flipped", "one bit of a key in slot A is flipped", ("KNP001",), _flipped((40, 0x10))),
    _sample(
        "both-bad",
        "several bits of both slots are flipped: no digest holds",
        ("KNP001",),
        _flipped((40, 0x55), (41, 0x55), (S + 40, 0x33), (S + 41, 0x33)),
        repairs=False,
    ),
    _sample("torn", "a crash while slot A was written: its tail is that of an older list", ("KNP002",), _torn()),
    _sample(
        "never-sealed",
        "a crash behind a resize: both slots hold the list and no digest",
        ("KNP003",),
        build.small(BODY, BODY),
        repairs=False,
    ),
    _sample("cut", "the file was cut inside slot B", ("KNP004", "KNP006"), healthy()[: S + 120]),
    _sample(
        "appended",
        "500 bytes were appended, and slot B is no longer at the half",
        ("KNP005", "KNP006"),
        healthy() + b"x" * 500,
    ),
    _sample("one-byte", "a file of one byte, at which the node panics", ("KNP007",), b"\0"),
    _sample("odd-list", "a sealed list that no node writes", ("KNP008", "KNP009", "KNP010"), _odd_list()),
    _sample("erased", "slot A is all zero, although slot B was written", ("KNP016",), build.small(b"", _sealed(3))),
    _sample(
        "upgraded",
        "nothing: slot A was written by the upgraded node, slot B by the one before",
        ("KNP011",),
        build.small(_sealed(2), _sealed(3, WROTE - 5, 2)),
    ),
    _sample("tie", "nothing: both slots carry the same second", ("KNP012",), build.small(_sealed(2), _sealed(3))),
)
