"""Where a list of peers ends is said without building it, and the same."""

from __future__ import annotations

from random import Random

from inspector.formats.known_peers.payload import NEWEST_FIRST, parse_payload, payload_end
from tests.builders import known_peers


def test_a_damaged_list_ends_where_a_full_reading_ends() -> None:
    rng = Random(5)
    for _ in range(1500):
        generation = rng.choice(NEWEST_FIRST)
        peers = tuple(known_peers.peer(rng.randrange(99), rng.randrange(1, 5)) for _ in range(rng.randrange(6)))
        data = bytearray(known_peers.payload(peers, 1_700_000_000, generation, 100) + rng.randbytes(40))
        for _ in range(rng.randrange(4)):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        buf = bytes(data[: rng.randrange(len(data)) if rng.random() < 0.3 else len(data)])
        for asked in NEWEST_FIRST:
            read = parse_payload(buf, 0, len(buf), asked)
            assert payload_end(buf, asked) == (None if read.error else read.end)
