"""The healthy stores are healthy by the eyes of the second reader: nothing else here may be trusted without that."""

from __future__ import annotations

import pytest

from tests.builders import gossip
from tests.formats.gossip_store.witness import channel, walk

JUDGED = range(7, 17)


@pytest.mark.parametrize("version", JUDGED)
def test_every_byte_of_a_healthy_store_is_a_record_that_verifies(version: int) -> None:
    data = gossip.healthy(version, 120_000, seed=version)
    at = 1
    for record in walk(data):
        assert record.at == at
        at = record.end
    assert at == len(data)
    assert data[0] == version


@pytest.mark.parametrize("version", JUDGED)
def test_live_records_of_a_healthy_store_agree_with_each_other(version: int) -> None:
    records = list(walk(gossip.healthy(version, 200_000, seed=3)))
    announced: set[int] = set()
    updates: set[tuple[int, int]] = set()
    nodes: set[bytes] = set()
    known: set[bytes] = set()
    for record, follower in zip(records, [*records[1:], None], strict=True):
        body = record.body
        if record.kind == 256:
            assert follower is not None
            assert follower.kind == 4101
            assert follower.live == record.live
        if not record.live:
            continue
        if record.kind == 256:
            assert channel(record) not in announced
            announced.add(channel(record))
            known |= {body[300:333], body[333:366]}
        elif record.kind == 258:
            side = (channel(record), body[111] & 1)
            assert side[0] in announced
            assert side not in updates
            updates.add(side)
        elif record.kind == 257:
            features = int.from_bytes(body[66:68])
            node = body[72 + features : 105 + features]
            assert node in known
            assert node not in nodes
            nodes.add(node)
        elif record.kind == 4103:
            assert channel(record) not in announced
    assert announced
    assert updates
    assert nodes


def test_most_records_are_dead_and_of_realistic_size() -> None:
    records = list(walk(gossip.healthy(16, 2_000_000, seed=1)))
    assert len(records) == pytest.approx(12_250, rel=0.05)
    assert sum(r.live for r in records) / len(records) == pytest.approx(0.28, abs=0.06)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others() -> None:
    assert gossip.healthy(16, 50_000, 5) == gossip.healthy(16, 50_000, 5)
    assert gossip.healthy(16, 50_000, 5) != gossip.healthy(16, 50_000, 6)


@pytest.mark.parametrize("version", range(2, 7))
def test_old_versions_have_their_own_headers(version: int) -> None:
    data = gossip.healthy(version, 20_000, seed=1)
    header, at = (12, 1) if version >= 5 else (8, 1)
    while at < len(data):
        length = int.from_bytes(data[at + 2 : at + 4] if version >= 5 else data[at : at + 4])
        kind = int.from_bytes(data[at + header : at + header + 2])
        assert kind in ({4096, 4097, 4098, 4099} if version <= 3 else {256, 257, 258, 3503, 4101, 4102})
        at += header + length
    assert at == len(data)
