"""Gossip stores of any size for the kernels' tests and benchmark, without the version byte's meaning."""

import random
import struct

from crc32c import crc32c

DELETED = 0x8000


def record(body: bytes, time: int = 0, flags: int = 0x2000) -> bytes:
    return struct.pack(">HHII", flags, len(body), crc32c(body, time), time) + body


def announcement(scid: int, nodes: tuple[bytes, bytes], features: bytes = b"", noise: bytes = bytes(256)) -> bytes:
    head = struct.pack(">H", 256) + noise[:256].ljust(256, b"\x55") + struct.pack(">H", len(features)) + features
    return head + bytes(32) + struct.pack(">Q", scid) + nodes[0] + nodes[1] + noise[:66].ljust(66, b"\x02")


def amount(sat: int) -> bytes:
    return struct.pack(">HQ", 4101, sat)


def update(scid: int, direction: int, noise: bytes = bytes(64), long: bool = True) -> bytes:
    head = struct.pack(">H", 258) + noise[:64].ljust(64, b"\x66") + bytes(32) + struct.pack(">Q", scid)
    return (
        head
        + struct.pack(">IBBHQII", 1_600_000_000, 1, direction, 40, 1000, 1, 100)
        + (struct.pack(">Q", 10**9) if long else b"")
    )


def node(
    identity: bytes, addresses: bytes = b"", extensions: bytes = b"", noise: bytes = bytes(64), features: bytes = b""
) -> bytes:
    head = struct.pack(">H", 257) + noise[:64].ljust(64, b"\x77") + struct.pack(">H", len(features)) + features
    head += struct.pack(">I", 1_600_000_000) + identity + b"rgb" + b"alias".ljust(32, b"\0")
    return head + struct.pack(">H", len(addresses)) + addresses + extensions


def delete(scid: int) -> bytes:
    return struct.pack(">HQ", 4103, scid)


def dying(scid: int) -> bytes:
    return struct.pack(">HQI", 4106, scid, 800_000)


def uuid(value: bytes = b"u" * 32) -> bytes:
    return struct.pack(">H", 4107) + value


def private_channel(scid: int, nodes: tuple[bytes, bytes]) -> bytes:
    inner = announcement(scid, nodes)
    return struct.pack(">HQH", 4104, 10_000, len(inner)) + inner


def private_update(scid: int, direction: int) -> bytes:
    inner = update(scid, direction)
    return struct.pack(">HH", 4102, len(inner)) + inner


def local_channel(scid: int, identity: bytes, features: bytes = b"f") -> bytes:
    return struct.pack(">HQ", 3503, scid) + identity + struct.pack(">QH", 10_000, len(features)) + features


def node_id(number: int) -> bytes:
    return bytes([2 + (number & 1)]) + struct.pack(">Q", number * 0x9E3779B97F4A7C15 & (1 << 64) - 1) + bytes(24)


def random_body(rng: random.Random) -> bytes:
    """One body of a random type; few channels and nodes, so that owners meet."""
    scid = rng.randrange(1, 30) << 40
    nodes = (node_id(rng.randrange(20)), node_id(rng.randrange(20)))
    choice = rng.randrange(20)
    if choice < 8:
        return update(scid, rng.randrange(4), rng.randbytes(64), rng.random() < 0.9)
    if choice < 11:
        return announcement(scid, nodes, rng.randbytes(rng.choice((0, 0, 0, 3))), rng.randbytes(256))
    if choice < 14:
        extensions = rng.choice((b"", b"", b"\x01\x03abc", b"\x01\x00\x03\x02ab\xfd\x01\x00\x01z"))
        return node(nodes[0], rng.randbytes(rng.randrange(0, 80)), extensions, rng.randbytes(64), rng.randbytes(2))
    others = (
        amount(5), delete(scid), dying(scid), uuid(), private_channel(scid, nodes), private_update(scid, 1),
        local_channel(scid, nodes[0]), struct.pack(">HQ", 4105, 9), struct.pack(">HQ", 4105, 9) + bytes(32),
        rng.randbytes(rng.randrange(2, 40)),
    )  # fmt: skip
    return rng.choice(others)


def random_store(rng: random.Random, count: int) -> tuple[bytes, list[int]]:
    """Records from offset 1 on, and where each begins."""
    out = bytearray(b"\x10")
    starts = []
    for _ in range(count):
        body = random_body(rng)
        flags = rng.choice((0x2000, 0x2000, 0xA000, 0x6000, rng.randrange(1 << 16)))
        starts.append(len(out))
        out += record(body, rng.choice((0, 1_600_000_000, rng.randrange(1 << 32))), flags)
        if body[:2] == b"\x01\x00" and rng.random() < 0.9:
            starts.append(len(out))
            out += record(amount(7), 0, flags if rng.random() < 0.9 else flags ^ DELETED)
    return bytes(out), starts


def realistic_store(size: int, seed: int = 1) -> bytes:
    """A mainnet-like store: updates most numerous, most records deleted because newer ones replaced them."""
    rng = random.Random(seed)
    out = bytearray(b"\x10")
    out += record(uuid())
    noise = rng.randbytes(1 << 16)
    channels: list[int] = []
    nodes: list[bytes] = []
    live: dict[object, int] = {}  # what a newer record replaces, and where it is

    def append(owner: object, body: bytes) -> None:
        if owner in live:
            out[live[owner]] |= 0x80
        live[owner] = len(out)
        out.extend(record(body, rng.randrange(1_600_000_000, 1_700_000_000)))

    while len(out) < size:
        at = rng.randrange(len(noise) - 256)
        piece = noise[at : at + 256]
        choice = rng.random()
        if choice < 0.065 or not channels:
            scid = len(channels) + 500_000 << 40 | rng.randrange(3000) << 16 | 1
            channels.append(scid)
            ends = (node_id(rng.randrange(15_000)), node_id(rng.randrange(15_000)))
            nodes += ends
            append(scid, announcement(scid, ends, piece[:1] if choice < 0.001 else b"", piece))
            out += record(amount(10**6))
        elif choice < 0.16:
            identity = nodes[rng.randrange(len(nodes))]
            addresses = piece[: rng.choice((7, 25, 44, 81, 100))]
            append(identity, node(identity, addresses, b"", piece, piece[:8]))
        else:
            scid, direction = channels[rng.randrange(len(channels))], rng.randrange(2)
            append((scid, direction), update(scid, direction, piece))
    return bytes(out)
