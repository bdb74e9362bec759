"""Bodies of gossip_store records as gossipd writes them (BOLT 7 and common/gossip_store_wire.csv).

Signatures are random bytes: no reader of a store checks them. Integers are big-endian.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from random import Random

CHANNEL_ANNOUNCEMENT, NODE_ANNOUNCEMENT, CHANNEL_UPDATE = 256, 257, 258
LOCAL_ADD_CHANNEL = 3503
OLD_ANNOUNCEMENT, OLD_UPDATE, OLD_NODE, OLD_DELETE = 4096, 4097, 4098, 4099  # versions 1-3
AMOUNT, PRIVATE_UPDATE, DELETE_CHAN, PRIVATE_CHANNEL, ENDED, DYING, UUID = range(4101, 4108)

MAINNET = bytes.fromhex("6fe28c0ab6f1b372c1a6a246ae63f74f931e8365e15a089c68d6190000000000")
FEATURES = (b"", bytes.fromhex("88a0802a59a1"), bytes.fromhex("800000000000000000000000000008a0882a0a69a2"))


class Noise:
    """Random bytes at the price of a slice: one pool, read from a rolling place."""

    def __init__(self, rng: Random, size: int = 1 << 20) -> None:
        self._pool = rng.randbytes(size)
        self._at = 0

    def take(self, count: int) -> bytes:
        if self._at + count > len(self._pool):
            self._at = (self._at * 31 + count) % 4093  # never the same alignment twice in a row
        self._at += count
        return self._pool[self._at - count : self._at]


def scid(block: int, tx: int, output: int) -> int:
    return block << 40 | tx << 16 | output


def node_id(rng: Random) -> bytes:
    return bytes([rng.choice((2, 3))]) + rng.randbytes(32)


def channel_announcement(noise: Noise, channel: int, node_1: bytes, node_2: bytes, features: bytes = b"") -> bytes:
    head = struct.pack(">H", CHANNEL_ANNOUNCEMENT) + noise.take(256) + struct.pack(">H", len(features)) + features
    keys = b"\x02" + noise.take(32) + b"\x03" + noise.take(32)
    return head + MAINNET + struct.pack(">Q", channel) + node_1 + node_2 + keys


def private_announcement(channel: int, node_1: bytes, node_2: bytes) -> bytes:
    """gossipd fills the signatures and keys of a channel that was never announced with zeroes."""
    head = struct.pack(">H", CHANNEL_ANNOUNCEMENT) + bytes(256) + bytes(2)
    return head + MAINNET + struct.pack(">Q", channel) + node_1 + node_2 + bytes(66)


_UPDATE_TAIL = struct.Struct(">QIBBHQIIQ")
_UPDATE_OLD_TAIL = struct.Struct(">QIBBHQII")
_UPDATE_HEAD = struct.pack(">H", CHANNEL_UPDATE)


def channel_update(
    noise: Noise,
    channel: int,
    direction: int,
    timestamp: int,
    *,
    disabled: bool = False,
    htlc_max: int | None = 99_000_000,
    base: int = 1000,
    ppm: int = 1,
) -> bytes:
    """138 bytes, or the 130-byte form of before 2022 without htlc_maximum_msat."""
    flags = direction | (2 if disabled else 0)
    head = _UPDATE_HEAD + noise.take(64) + MAINNET
    if htlc_max is None:
        return head + _UPDATE_OLD_TAIL.pack(channel, timestamp, 0, flags, 40, 1000, base, ppm)
    return head + _UPDATE_TAIL.pack(channel, timestamp, 1, flags, 40, 1000, base, ppm, htlc_max)


@dataclass(frozen=True, slots=True)
class NodeWords:
    """What a node says about itself; `tlv` is a well-formed stream of BigSize type, BigSize length, value."""

    alias: bytes
    rgb: bytes = b"\x03\xac\xed"
    features: bytes = b""
    addresses: bytes = b""
    tlv: bytes = b""


def node_announcement(noise: Noise, node: bytes, timestamp: int, words: NodeWords) -> bytes:
    head = struct.pack(">H", NODE_ANNOUNCEMENT) + noise.take(64) + struct.pack(">H", len(words.features))
    body = head + words.features + struct.pack(">I", timestamp) + node + words.rgb + words.alias[:32].ljust(32, b"\0")
    return body + struct.pack(">H", len(words.addresses)) + words.addresses + words.tlv


def address_ipv4(rng: Random) -> bytes:
    return b"\x01" + rng.randbytes(4) + struct.pack(">H", 9735)


def address_ipv6(rng: Random) -> bytes:
    return b"\x02\x20\x01" + rng.randbytes(14) + struct.pack(">H", 9735)


def address_tor3(rng: Random) -> bytes:
    return b"\x04" + rng.randbytes(32) + b"\x00\x00\x03" + struct.pack(">H", 9735)


def address_dns(name: bytes) -> bytes:
    return b"\x05" + bytes([len(name)]) + name + struct.pack(">H", 9735)


_ALIASES = ("LightningTime", "ACINQ", "röstigraben ⚡", "node", "日本ノード", "SILENTROUTE-v24.11", "BLUEIRON-v0.9.2-1")


def node_words(rng: Random) -> NodeWords:
    alias = f"{rng.choice(_ALIASES)}-{rng.randrange(10**6)}".encode()[:32].decode(errors="ignore").encode()
    addresses = address_ipv4(rng)
    if rng.random() < 0.5:
        addresses += address_tor3(rng)
    elif rng.random() < 0.3:
        addresses += address_ipv6(rng) + address_dns(b"node.example.org")
    tlv = b"\x01\x0a" + rng.randbytes(10) if rng.random() < 0.2 else b""  # option_will_fund, as c-lightning sends it
    return NodeWords(alias, rng.randbytes(3), rng.choice(FEATURES), addresses, tlv)


def amount(sat: int) -> bytes:
    return struct.pack(">HQ", AMOUNT, sat)


def delete_chan(channel: int) -> bytes:
    return struct.pack(">HQ", DELETE_CHAN, channel)


def chan_dying(channel: int, height: int) -> bytes:
    return struct.pack(">HQI", DYING, channel, height)


def uuid(value: bytes) -> bytes:
    return struct.pack(">H", UUID) + value


def ended(offset: int, other: bytes = b"") -> bytes:
    """`other` is the uuid of the store that continues this one (version 16), else nothing."""
    return struct.pack(">HQ", ENDED, offset) + other


def private_update(inner: bytes) -> bytes:
    return struct.pack(">HH", PRIVATE_UPDATE, len(inner)) + inner


def private_channel(sat: int, inner: bytes) -> bytes:
    return struct.pack(">HQH", PRIVATE_CHANNEL, sat, len(inner)) + inner


def local_add_channel(channel: int, node: bytes, sat: int, features: bytes = b"") -> bytes:
    return struct.pack(">HQ33sQH", LOCAL_ADD_CHANNEL, channel, node, sat, len(features)) + features


def wrapped(kind: int, inner: bytes, sat: int | None = None) -> bytes:
    """The wrappers of versions 1-3: a length, the message, for an announcement its amount."""
    return struct.pack(">HH", kind, len(inner)) + inner + (struct.pack(">Q", sat) if sat is not None else b"")


def old_delete(channel: int) -> bytes:
    return struct.pack(">HQ", OLD_DELETE, channel)
