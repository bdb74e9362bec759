"""Records as JSON lines: the compiled ones are, byte for byte, those that are written one by one."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from crc32c import crc32c

from inspector import kernels
from inspector.format import Query, Wishes
from inspector.formats.gossip_store.lines import lines
from inspector.formats.gossip_store.records import records
from inspector.formats.gossip_store.walk import Store, open_store
from inspector.render.encoding import encode
from inspector.render.record_lines import as_json
from inspector.source import MemorySource, open_source

SAMPLES = sorted(Path("samples/gossip_store").glob("*.gossip_store"))

pytestmark = pytest.mark.skipif(kernels.GossipLines is None, reason="the extension was not built, or is not used")


def _json(value: Any) -> bytes:
    return encode(value, pretty=False)


def both(store: Store) -> tuple[bytes, bytes]:
    fast = lines(store, Query(), _json)
    assert fast is not None
    slow = b"".join(as_json(entry) + b"\n" for entry in records(store, Query()))
    return b"".join(one if isinstance(one, bytes) else as_json(one) + b"\n" for one in fast), slow


def record(body: bytes, flags: int = 0x2000, time: int = 0) -> bytes:
    return struct.pack(">HHII", flags, len(body), crc32c(body, time), time) + body


def node(rng: Random, name: bytes, places: bytes, features: bytes = b"") -> bytes:
    fixed = rng.randbytes(4 + 33 + 3) + name.ljust(32, b"\0") + struct.pack(">H", len(places)) + places
    return struct.pack(">H", 257) + rng.randbytes(64) + struct.pack(">H", len(features)) + features + fixed


def addresses(rng: Random) -> Iterator[bytes]:
    for _ in range(rng.randrange(5)):
        kind = rng.choice((1, 2, 2, 3, 4, 5))
        if kind == 2:  # zeroes in every place, because they are what is written short
            groups = [rng.choice((0, 0, 0, 1, 0xFFFF, rng.randrange(1 << 16))) for _ in range(8)]
            yield struct.pack(">B8HH", 2, *groups, rng.randrange(1 << 16))
        elif kind == 5:
            host = rng.choice((b"node.example.org", b'a"b\\c', b"\x1b[31m", "knoten-ä".encode()))
            yield bytes([5, len(host)]) + host + rng.randbytes(2)
        else:
            yield bytes([kind]) + rng.randbytes({1: 6, 3: 12, 4: 37}[kind])


def strangers(seed: int, version: int) -> bytes:
    """A store of records whose every byte strangers chose, some of them too short for their type."""
    rng = Random(seed)
    names = (
        b"plain",
        b"",
        b'quote"back\\slash',
        "日本ノード".encode(),
        b"\xff\xfe",
        b"\x1b]52;c;x\x07",
        b"x" * 32,
        b"a\0b",
    )
    out = bytes([version])
    for _ in range(30):
        features = rng.randbytes(rng.choice((0, 0, 3, 21, 128, 200)))
        kind = rng.choice((256, 257, 257, 257, 258, 4101, 4103, 4106, 4107, 3503, 9999))
        if kind == 257:
            body = node(
                rng,
                rng.choice(names),
                b"".join(addresses(rng)) + rng.choice((b"", b"", b"\x02\0", b"\x09zz")),
                features,
            )
            body += rng.randbytes(rng.choice((0, 0, 9)))
        elif kind == 256:
            body = struct.pack(">H", 256) + rng.randbytes(256) + struct.pack(">H", len(features)) + features
            body += rng.randbytes(172 + rng.choice((0, 0, 5)))
        else:
            body = struct.pack(">H", kind) + rng.randbytes(rng.choice((8, 12, 32, 60, 128, 133, 136, 140)))
        out += record(body, rng.choice((0x2000, 0xA000, 0x6000, rng.randrange(1 << 16))), rng.randrange(1 << 32))
    return out


def test_every_sample_gives_the_same_lines() -> None:
    assert SAMPLES
    for path in SAMPLES:
        with open_source(str(path)) as source:
            store = open_store(source, None, Wishes())
            if store.version >= 5 and store.size:
                fast, slow = both(store)
                assert fast == slow, path.name


@pytest.mark.parametrize("version", [5, 9, 12, 13, 16])
def test_what_strangers_wrote_gives_the_same_lines(version: int) -> None:
    for seed in range(25):
        data = bytearray(strangers(seed, version))
        rng = Random(seed)
        for _ in range(seed % 5):
            data[rng.randrange(1, len(data))] ^= 1 << rng.randrange(8)
        fast, slow = both(open_store(MemorySource(bytes(data)), None, Wishes()))
        assert slow
        assert fast == slow, seed


def test_a_filter_is_left_to_the_records_themselves() -> None:
    store = open_store(MemorySource(strangers(1, 16)), None, Wishes())
    assert lines(store, Query(damaged=True), _json) is None
