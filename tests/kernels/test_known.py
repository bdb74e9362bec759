"""What a store's sound records say by owner: both kernels alike, also with little room."""

from random import Random

import pytest

from tests.conftest import Kernel, kernels
from tests.kernels.stores import announcement, delete, node, node_id, random_store, record, update
from tests.kernels.walks import walk

ANN, BEN = node_id(1), node_id(2)


def known_of(kernel: Kernel, data: bytes, limit: int = 1 << 17, window: int = 1 << 20) -> tuple[object, ...]:
    """Everything an index can be asked, for every owner it may have seen."""
    index = kernel.GossipKnown(limit)
    marked: list[int] = []
    scids: set[int] = set()
    nodes: set[int] = set()
    for batch in walk(kernel.GossipWalker, data, window)[1]:
        marked += [batch.starts[i] for i in index.feed(batch)]
        scids |= set(batch.owners)
        nodes |= set(batch.nodes_a)
    channels = {s: (index.announcement(s), index.updates(s), index.closed(s)) for s in sorted(scids | {0, 1 << 63})}
    return marked, channels, {n: index.node(n) for n in nodes}, index.first, index.announced(), index.unannounced()


def test_the_last_records_of_each_owner_are_found(kernel: Kernel) -> None:
    bodies = [announcement(7, (ANN, BEN)), *[update(7, i & 1) for i in range(6)], node(ANN), delete(7), update(9, 0)]
    data, starts = b"\x10", []
    for body in bodies:
        starts.append(len(data))
        data += record(body)
    index = kernel.GossipKnown()
    for batch in walk(kernel.GossipWalker, data, 1 << 20)[1]:
        assert index.feed(batch) == []
    assert (index.announcement(7), index.updates(7), index.closed(7)) == (starts[0], starts[3:7], True)
    assert (index.announcement(9), index.updates(9), index.closed(9)) == (-1, [starts[9]], False)
    assert index.node(ANN[0] ^ int.from_bytes(ANN[1:9], "big")) == starts[7]
    assert (index.announced(), index.unannounced()) == ([7], [9])
    assert index.first == [*starts[:8], starts[9]]
    index.announce(9, 5)
    assert (index.announcement(9), index.unannounced()) == (5, [])


def test_offset_0_is_a_place_like_any_other(kernel: Kernel) -> None:
    """As in a store that lost its version byte."""
    for body in (announcement(7, (ANN, BEN)), node(ANN)):
        data, index = record(body), kernel.GossipKnown()
        assert index.feed(kernel.GossipWalker(len(data), 0).feed(data, True)) == []
        at = index.node(ANN[0] ^ int.from_bytes(ANN[1:9], "big")) if body[:2] == b"\x01\x01" else index.announcement(7)
        assert (at, index.first) == (0, [0])
    assert (index.announcement(8), index.node(8)) == (-1, -1)


@pytest.mark.parametrize("limit", [1, 3, 1 << 17])
def test_both_kernels_know_the_same(limit: int) -> None:
    both = list(kernels().values())
    if len(both) < 2:
        pytest.skip("the extension was not built")
    for seed in range(60):
        data = bytearray(random_store(Random(seed), 40)[0])
        for _ in range(seed % 4):
            data[Random(seed * 7).randrange(1, len(data))] ^= 1 << seed % 8
        told = [known_of(kernel, bytes(data), limit, 4096 << seed % 5) for kernel in both]
        assert told[0] == told[1], seed
