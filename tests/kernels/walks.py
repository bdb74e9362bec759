"""A walk to its end, and the damage that tests do to stores."""

import random
from typing import Any

from inspector.kernels.gossip_tiles import Batch

NAMES = ("starts", "roles", "marks", "kinds", "flags", "times", "owners", "nodes_a", "nodes_b", "aux")
Columns = dict[str, list[int]]


def walk(walker_type: Any, data: bytes, window: int = 1 << 20, buckets: int = 7) -> tuple[Columns, list[Batch], Any]:
    """All tiles of a store that begins at 1; a window that settles nothing is doubled, as its caller must."""
    walker = walker_type(len(data), 1, buckets)
    batches = []
    size = window
    expected = 1
    alone = False
    while not walker.done:
        before = walker.want
        piece = memoryview(data)[before : before + size]
        batch = walker.feed(piece, before + size >= len(data))
        if len(batch):
            assert batch.starts[0] == expected
            assert not (batch.kinds[0] == 4101 and alone), "an announcement and its amount come in one batch"
            alone = batch.kinds[-1] == 256 and batch.roles[-1] == 1
        expected = batch.end
        batches.append(batch)
        moved = walker.want != before
        assert moved or walker.done or size < 1 << 20, "a window of 1 MiB settles something"
        size = window if moved else 2 * size
    assert expected == max(1, len(data))
    columns = {name: [value for batch in batches for value in getattr(batch, name)] for name in NAMES}
    assert columns["starts"] == sorted(set(columns["starts"]))
    assert sum(walker.ribbon) == max(0, len(data) - 1) * (buckets > 0)
    return columns, batches, walker


def flip(rng: random.Random, data: bytearray) -> None:
    data[rng.randrange(1, len(data))] ^= 1 << rng.randrange(8)


def zero(rng: random.Random, data: bytearray) -> None:
    at = rng.randrange(1, len(data))
    length = min(rng.choice((1, 8, 12, 40, 512, 4096)), len(data) - at)
    data[at : at + length] = bytes(length)


def truncate(rng: random.Random, data: bytearray) -> None:
    del data[rng.randrange(1, len(data)) :]


def splice(rng: random.Random, data: bytearray) -> None:
    at = rng.randrange(1, len(data))
    source = rng.randrange(1, len(data))
    data[at:at] = data[source : source + rng.randrange(1, 600)]


def shift(rng: random.Random, data: bytearray) -> None:
    at = rng.randrange(1, len(data))
    if rng.random() < 0.5:
        data[at:at] = rng.randbytes(rng.randrange(1, 20))
    else:
        del data[at : at + rng.randrange(1, 200)]


def swap(rng: random.Random, data: bytearray) -> None:
    length = rng.choice((2, 16, 64, 512))
    a, b = rng.randrange(1, len(data)), rng.randrange(1, len(data))
    a, b = min(a, b), max(a, b)
    if b + length <= len(data) and a + length <= b:
        data[a : a + length], data[b : b + length] = data[b : b + length], data[a : a + length]


def overwrite(rng: random.Random, data: bytearray) -> None:
    at = rng.randrange(1, len(data))
    noise = rng.randbytes(rng.randrange(1, 700))[: len(data) - at]
    data[at : at + len(noise)] = noise


DAMAGE = (flip, zero, truncate, splice, shift, swap, overwrite)
