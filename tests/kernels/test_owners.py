"""Live records that contradict each other: by stories, both kernels alike, in any amount of memory."""

import random
from typing import Any

import pytest

from inspector import kernels as k
from tests.conftest import Kernel, kernels
from tests.kernels.stores import (
    DELETED,
    amount,
    announcement,
    delete,
    node,
    node_id,
    private_channel,
    private_update,
    random_store,
    record,
    update,
)
from tests.kernels.walks import Columns, walk

ANN, BEN, CID = (node_id(n) for n in (1, 2, 3))
DEAD = DELETED | 0x2000
Event = tuple[int, int, int]


def test_offset_0_is_a_place_like_any_other(kernel: Kernel) -> None:
    """As in a store that lost its version byte."""
    bodies = [announcement(7, (ANN, BEN)), amount(9), update(7, 0), announcement(7, (ANN, BEN)), amount(9), delete(7)]
    data = b"".join(record(body) for body in bodies)
    owners = kernel.GossipOwners(10)
    batch = kernel.GossipWalker(len(data), 0).feed(data, True)
    again, closed = batch.starts[3], batch.starts[5]
    assert list(owners.feed(batch)) == [again, k.DUPLICATE_ANNOUNCEMENT, 0, closed, k.CLOSED_CHANNEL_LIVE, 0]
    assert owners.channels == 0
    for bodies, code in (([update(7, 0)] * 2, k.UPDATE_SUPERSEDED), ([node(ANN)] * 2, k.NODE_DUPLICATE)):
        data = b"".join(record(body) for body in bodies)
        batch = kernel.GossipWalker(len(data), 0).feed(data, True)
        found = list(kernel.GossipOwners(10).feed(batch))
        assert found[-3:] == [batch.starts[1], code, 0]


def events_of(kernel: Kernel, data: bytes, limit: int = 1_000_000, window: int = 1 << 20) -> tuple[list[Event], Any]:
    owners = kernel.GossipOwners(limit)
    flat: list[int] = []
    for batch in walk(kernel.GossipWalker, data, window)[1]:
        found = list(owners.feed(batch))
        assert found[0::3] == sorted(found[0::3])
        flat += found
    last = [value for batch in owners.finish() for value in batch]
    assert last[0::3] == sorted(last[0::3])
    flat += last
    return sorted(zip(flat[0::3], flat[1::3], flat[2::3], strict=True)), owners


def store(*bodies: bytes | tuple[bytes, int]) -> tuple[bytes, list[int]]:
    """A store of these bodies (with their flags, if not the usual ones), and where their records begin."""
    data, starts = b"\x10", []
    for body in bodies:
        starts.append(len(data))
        data += record(*((body[0], 0, body[1]) if isinstance(body, tuple) else (body,)))
    return data, starts


PAIR = (announcement(7, (ANN, BEN)), amount(1))


def test_a_consistent_store_has_no_contradictions(kernel: Kernel) -> None:
    data, _ = store(*PAIR, update(7, 0), update(7, 1), node(ANN), node(BEN))
    events, owners = events_of(kernel, data)
    assert events == []
    assert (owners.channels, owners.nodes, owners.spilled) == (1, 2, False)


def test_two_live_announcements_of_one_channel(kernel: Kernel) -> None:
    data, at = store(*PAIR, *PAIR, *PAIR)
    events, owners = events_of(kernel, data)
    assert events == [(at[2], k.DUPLICATE_ANNOUNCEMENT, at[0]), (at[4], k.DUPLICATE_ANNOUNCEMENT, at[0])]
    assert owners.channels == 1


def test_a_deleted_announcement_is_no_duplicate(kernel: Kernel) -> None:
    data, _ = store((PAIR[0], DEAD), (PAIR[1], DEAD), *PAIR)
    assert events_of(kernel, data)[0] == []


def test_an_announcement_without_its_amount(kernel: Kernel) -> None:
    data, at = store(PAIR[0], update(7, 0), announcement(8, (ANN, BEN)))
    expected = [(at[0], k.ANNOUNCEMENT_WITHOUT_AMOUNT, 0), (at[2], k.ANNOUNCEMENT_WITHOUT_AMOUNT, 0)]
    assert events_of(kernel, data)[0] == expected


def test_an_amount_with_a_bad_checksum_is_no_amount(kernel: Kernel) -> None:
    data, at = store(*PAIR, update(7, 0))
    broken = bytearray(data)
    broken[at[1] + 15] ^= 1
    assert events_of(kernel, bytes(broken))[0] == [(at[0], k.ANNOUNCEMENT_WITHOUT_AMOUNT, 0)]


def test_an_amount_alone(kernel: Kernel) -> None:
    data, at = store(*PAIR, amount(2), update(7, 0))
    assert events_of(kernel, data)[0] == [(at[2], k.AMOUNT_WITHOUT_ANNOUNCEMENT, 0)]


@pytest.mark.parametrize("dead", [0, 1])
def test_only_one_of_a_pair_is_deleted(kernel: Kernel, dead: int) -> None:
    pair: list[Any] = list(PAIR)
    pair[dead] = (pair[dead], DEAD)
    data, at = store(*pair)
    assert events_of(kernel, data)[0] == [(at[0], k.PAIR_FLAG_MISMATCH, at[1])]


def test_an_update_before_its_channel(kernel: Kernel) -> None:
    data, at = store(update(7, 0), *PAIR, update(7, 0))
    assert events_of(kernel, data)[0] == [
        (at[0], k.UPDATE_UNKNOWN_CHANNEL, 0),
        (at[3], k.UPDATE_SUPERSEDED, at[0]),
    ]


def test_each_live_update_supersedes_the_one_before(kernel: Kernel) -> None:
    data, at = store(*PAIR, update(7, 2), update(7, 1), update(7, 0), (update(7, 0), DEAD), update(7, 0))
    assert events_of(kernel, data)[0] == [
        (at[4], k.UPDATE_SUPERSEDED, at[2]),
        (at[6], k.UPDATE_SUPERSEDED, at[4]),
    ]


def test_a_tombstone_closes_a_channel_that_is_still_live(kernel: Kernel) -> None:
    data, at = store(*PAIR, update(7, 0), delete(7), update(7, 0), *PAIR)
    events, owners = events_of(kernel, data)
    assert events == [
        (at[3], k.CLOSED_CHANNEL_LIVE, at[0]),
        (at[4], k.UPDATE_UNKNOWN_CHANNEL, 0),
    ]
    assert owners.channels == 1


def test_a_node_without_a_channel_and_one_announced_twice(kernel: Kernel) -> None:
    data, at = store(node(CID), *PAIR, node(ANN), node(ANN))
    events, owners = events_of(kernel, data)
    assert events == [(at[0], k.NODE_UNKNOWN, 0), (at[4], k.NODE_DUPLICATE, at[3])]
    assert owners.nodes == 2


def test_private_channels_need_no_amount(kernel: Kernel) -> None:
    data, at = store(private_channel(7, (ANN, BEN)), private_update(7, 0), private_update(9, 0), node(BEN))
    assert events_of(kernel, data)[0] == [(at[2], k.UPDATE_UNKNOWN_CHANNEL, 0)]


def naive(columns: Columns) -> list[Event]:
    """The same questions asked of whole columns, slowly."""
    events: list[Event] = []
    channel: dict[int, int] = {}
    newest: dict[tuple[int, int], int] = {}
    named: set[int] = set()
    node_at: dict[int, int] = {}
    rows = list(zip(*(columns[n] for n in columns), strict=True))
    good = [row[2] in (0, 4) for row in rows]
    for i, (at, _, _, kind, flags, _, scid, a, b, aux) in enumerate(rows):
        if not good[i]:
            continue
        live = flags < DELETED
        if kind == 256:
            follows = i + 1 < len(rows) and good[i + 1] and rows[i + 1][3] == 4101
            if live and not follows:
                events.append((at, k.ANNOUNCEMENT_WITHOUT_AMOUNT, 0))
            if follows and (rows[i + 1][4] < DELETED) != live:
                events.append((at, k.PAIR_FLAG_MISMATCH, rows[i + 1][0]))
        if not live:
            continue
        if kind in (256, 4104):
            if scid and scid in channel:
                events.append((at, k.DUPLICATE_ANNOUNCEMENT, channel[scid]))
            channel.setdefault(scid, at)
            named |= {a, b}
        elif kind == 4101 and not (i and good[i - 1] and rows[i - 1][3] == 256):
            events.append((at, k.AMOUNT_WITHOUT_ANNOUNCEMENT, 0))
        elif kind in (258, 4102) and scid:
            if scid not in channel:
                events.append((at, k.UPDATE_UNKNOWN_CHANNEL, 0))
            if (scid, aux & 1) in newest:
                events.append((at, k.UPDATE_SUPERSEDED, newest[scid, aux & 1]))
            newest[scid, aux & 1] = at
        elif kind == 4103 and scid:
            if scid in channel:
                events.append((at, k.CLOSED_CHANNEL_LIVE, channel.pop(scid)))
            newest.pop((scid, 0), None)
            newest.pop((scid, 1), None)
        elif kind == 257 and a:
            if a not in named:
                events.append((at, k.NODE_UNKNOWN, 0))
            if a in node_at:
                events.append((at, k.NODE_DUPLICATE, node_at[a]))
            node_at[a] = at
    return sorted(events)


def test_contradictions_are_those_of_a_slow_reading(kernel: Kernel) -> None:
    for seed in range(150):
        rng = random.Random(seed)
        data = bytearray(random_store(rng, 120)[0])
        for _ in range(rng.randrange(4)):
            data[rng.randrange(1, len(data))] ^= 1 << rng.randrange(8)
        columns = walk(kernel.GossipWalker, bytes(data))[0]
        events, owners = events_of(kernel, bytes(data), window=rng.randrange(600, 9000))
        assert events == naive(columns), seed
        live = (owners.channels, owners.nodes)
        for limit in (1, 7):
            spilled, owners = events_of(kernel, bytes(data), limit)
            assert spilled == events, (seed, limit)
            assert (owners.channels, owners.nodes) == live
            assert owners.spilled


@pytest.mark.skipif("compiled" not in kernels(), reason="the extension was not built here")
def test_both_kernels_tell_the_same_events_in_the_same_order() -> None:
    for seed in range(150):
        data = random_store(random.Random(seed), 150)[0]
        told = []
        for which in ("plain", "compiled"):
            owners = kernels()[which].GossipOwners(20)
            batches = walk(kernels()[which].GossipWalker, data, 3000)[1]
            told.append([list(owners.feed(batch)) for batch in batches] + [list(batch) for batch in owners.finish()])
        assert told[0] == told[1]


def test_a_limit_of_nobody_is_refused(kernel: Kernel) -> None:
    with pytest.raises(ValueError, match="at least one"):
        kernel.GossipOwners(0)


def test_spilled_facts_leave_no_files(kernel: Kernel, tmp_path: Any) -> None:
    data = random_store(random.Random(1), 3000)[0]
    owners = kernel.GossipOwners(1, str(tmp_path))
    for batch in walk(kernel.GossipWalker, data)[1]:
        owners.feed(batch)
    assert len(list(owners.finish())) > 0
    assert owners.spilled
    assert list(tmp_path.iterdir()) == []
