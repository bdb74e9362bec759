"""What is known of a store, asked by itself: who signs, which channel stood before, what a merge has instead."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest

from inspector.comparing import compare
from inspector.format import Query, Wishes
from inspector.formats.gossip_store import FORMAT, merging
from inspector.formats.gossip_store import merge_owners as own
from inspector.formats.gossip_store.causes import run_cause, zero_cause
from inspector.formats.gossip_store.healing import Healing
from inspector.formats.gossip_store.identities import identities
from inspector.formats.gossip_store.known import Known
from inspector.formats.gossip_store.merge_owners import Channel
from inspector.formats.gossip_store.records import records
from inspector.formats.gossip_store.walk import Store as Opened
from inspector.source import MemorySource
from inspector.span import Span
from tests.builders import gossip_messages as m
from tests.builders.gossip import DELETED, Network, Store
from tests.formats.gossip_store.merge_truth import merged, told
from tests.formats.gossip_store.witness import walk


def opened(data: bytes | bytearray, **wishes: Any) -> Opened:
    store: Opened = FORMAT.open(MemorySource(bytes(data), "gossip_store"), None, Wishes(**wishes))
    return store


def network(version: int = 16) -> Network:
    """Three nodes, a channel between each two, an update from each side, and one node that says who it is."""
    net = Network(Store(version), seed=5)
    one, two, three = net.node(), net.node(), net.node()
    for pair in ((one, two), (two, three), (one, three)):
        channel = net.open(*pair)
        net.update(channel, 0)
        net.update(channel, 1)
    net.announce(two)
    return net


def test_what_sound_records_tell_of_a_store() -> None:
    net = network()
    known = Known.of(opened(net.store.bytes()))
    assert set(known.node_ids()) == {node.id for node in net.nodes}
    assert len(known.node_ids()) == 3
    assert sorted(known.channels()) == sorted(channel.scid for channel in net.channels)
    for channel in net.channels:
        assert (known.node(channel.scid, 0), known.node(channel.scid, 1)) == channel.nodes
        assert (known.announced(channel.scid), known.announced(channel.scid + 1)) == (True, False)
        assert (known.channel_at(channel.announcement), known.lives(channel.scid)) == (channel.scid, True)
        assert known.channel_before(channel.amount) == channel.scid
        assert known.channel_before(channel.announcement) == 0
        assert known.channel_before(channel.amount + 1) == 0
    assert (known.chain(), known.unannounced(), known.signs()) == (m.MAINNET, [], False)
    times = [int.from_bytes(net.store.data[c.announcement + 8 :][:4], "big") for c in net.channels]
    assert known.times() == (min(times), max(times))
    announcement = net.nodes[1].announcement
    assert announcement is not None
    assert known.last_of(net.nodes[1].id) == net.store.data[announcement + 12 :]
    assert known.last_of(net.nodes[0].id) == known.last_of(net.nodes[1].id[:-1]) == b""
    empty = Known.of(opened(Store(16).bytes()))
    assert (empty.chain(), empty.times(), empty.node_ids(), empty.channels()) == (None, (1, 0), [], [])


@pytest.mark.parametrize("features", [0, 1, 21, 256])
@pytest.mark.parametrize("before", [0, 1, 300])
def test_the_announcement_that_ends_here_is_found_backwards(features: int, before: int) -> None:
    store, noise = Store(14), m.Noise(Random(3))
    if before:
        store.append(b"\x12\x34" + b"\x01\x00" * before)  # what looks like the type of one
    ids = sorted(m.node_id(Random(k)) for k in (1, 2))
    at = store.append(m.channel_announcement(noise, m.scid(7, 8, 9), ids[0], ids[1], b"\x01" * features))
    end = len(store.data)
    store.append(m.amount(5))
    known = Known.of(opened(store.bytes()))
    assert known.channel_before(end) == m.scid(7, 8, 9)
    assert known.channel_before(end - 1) == known.channel_before(at) == 0
    hurt = bytearray(store.bytes())
    hurt[end - 1] ^= 1
    assert Known.of(opened(hurt)).channel_before(end) == 0


def test_an_update_without_an_announcement_and_a_dead_channel_are_known() -> None:
    net = network()
    lonely = m.channel_update(net.noise, m.scid(5, 5, 5), 0, 9)
    net.store.append(lonely, 9)
    first, second, third = net.channels
    for at in second.updates:
        assert at is not None
        net.store.flag(at, DELETED)
    assert third.updates[0] is not None
    net.store.flag(third.updates[0], DELETED)
    known = Known.of(opened(net.store.bytes()))
    assert known.unannounced() == [m.scid(5, 5, 5).to_bytes(8, "big")]
    assert [known.lives(c.scid) for c in (first, second, third)] == [True, False, True]
    assert known.lives(m.scid(6, 6, 6)) is None
    announced = m.channel_announcement(net.noise, m.scid(5, 5, 5), *sorted(n.id for n in net.nodes[:2]))
    known.learn(announced)
    assert (known.unannounced(), known.announced(m.scid(5, 5, 5))) == ([], True)
    assert known.node(m.scid(5, 5, 5), 1) == max(n.id for n in net.nodes[:2])


def test_a_store_of_two_chains_has_none_and_one_message_tells_none() -> None:
    net = Network(Store(14), seed=5)
    one, two = net.node(), net.node()
    body = m.channel_announcement(net.noise, 7, *sorted((one.id, two.id)))
    net.store.append(body)
    net.store.append(m.amount(5))
    assert Known.of(opened(net.store.bytes())).chain() is None
    net.store.append(m.channel_update(net.noise, 7, 0, 9), 9)
    assert Known.of(opened(net.store.bytes())).chain() == m.MAINNET
    other = m.channel_update(net.noise, 7, 1, 9).replace(m.MAINNET, b"\7" * 32)
    net.store.append(other, 9)
    assert Known.of(opened(net.store.bytes())).chain() is None


def channel(**changed: Any) -> Channel:
    plain: dict[str, Any] = {
        "scid": 7, "alive": True, "announcement": 0, "amount": 0, "updates": (0, 0), "times": (0, 0), "dying": 0,
        "tombstone": 0, "without_amount": 0, "resurrectable": False, "dead_by": 0, "nodes": (0, 0), **changed,
    }  # fmt: skip
    return Channel(**plain)


@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize(("time", "replaced"), [(99, True), (100, True), (101, False)])
def test_a_damaged_update_is_replaced_by_one_of_its_direction_that_is_as_new(
    side: int, time: int, replaced: bool
) -> None:
    def pair(mine: int, other: int) -> tuple[int, int]:
        return (mine, other) if side == 0 else (other, mine)

    here = channel(updates=pair(5, 0), times=pair(100, 0))
    assert merging._replaced(here, own.WANTED_UPDATE, side << 32 | time) == replaced
    assert not merging._replaced(here, own.WANTED_UPDATE, (1 - side) << 32)
    assert not merging._replaced(channel(times=pair(100, 100)), own.WANTED_UPDATE, side << 32 | time)
    last = channel(updates=pair(5, 0), times=pair((1 << 32) - 1, 0))
    assert merging._replaced(last, own.WANTED_UPDATE, side << 32 | ((1 << 32) - 1))


def test_a_damaged_announcement_is_replaced_by_an_announcement() -> None:
    assert merging._replaced(channel(announcement=5), own.WANTED, 1)
    assert not merging._replaced(channel(updates=(5, 5), times=(9, 9)), own.WANTED, 1)


def test_what_another_copy_has_whole_covers_what_lies_in_it() -> None:
    healing = Healing(covered=[(10, 20), (30, 40)])
    for start, end, covered in ((10, 20, True), (10, 21, False), (9, 20, False), (12, 15, True), (20, 20, True),
                                (20, 21, False), (25, 28, False), (30, 40, True), (39, 40, True), (35, 41, False),
                                (5, 8, False)):  # fmt: skip
        assert healing.covers(start, end) == covered


def test_an_announcement_whose_amount_no_copy_has_is_lost_with_its_reason(tmp_path: Path) -> None:
    net = network()
    data = net.store.bytes()
    hit = net.channels[1]
    copies = []
    for k in (1, 2):
        hurt = bytearray(data)
        for at in range(hit.amount + 14, hit.amount + 22):
            hurt[at] ^= 0x5A + k
        copies.append(bytes(hurt))
    done = merged(tmp_path, copies, Wishes(no_correct=True))
    why = {(loss.span.start, loss.span.end): loss.why for loss in done.losses}
    assert why[(hit.announcement, hit.amount)] == "an announcement whose amount is sound in no copy"
    kept = [r for r in walk((tmp_path / "merged").read_bytes()) if r.kind == 256]
    assert len(kept) == 2


@pytest.mark.parametrize("version", [14, 15, 16])
def test_a_merge_into_another_version_says_so_and_keeps_all_that_lives(tmp_path: Path, version: int) -> None:
    data = network(14).store.bytes()
    done = merged(tmp_path, [data, data], Wishes(to_version=version))
    assert (f"written as store version {version}" in done.plan.notes) == (version != 14)
    out = (tmp_path / "merged").read_bytes()
    kept = [r for r in walk(out) if r.kind != 4107]
    assert out[0] == version
    assert sorted(told(r) for r in kept) == sorted(told(r) for r in walk(data) if r.live)
    assert all(bool(out[r.at] & 0x20) == (version >= 15) for r in kept)


@pytest.mark.parametrize(("length", "cause"), [(63, "unknown"), (64, "zeroed-range"), (65, "zeroed-range")])
def test_a_run_of_64_bytes_is_a_cause(length: int, cause: str) -> None:
    data = bytes(byte or 1 for byte in Random(2).randbytes(900))
    data = data[:400] + bytes(length) + data[400 + length :]
    why, evidence = run_cause(opened(b"\x0e" + data), Span(1, 901))
    assert why.name == cause
    assert evidence["length"] == 900
    if cause != "unknown":
        assert (evidence["run_start"], evidence["run_end"], evidence["run_value"]) == (401, 401 + length, 0)


@pytest.mark.parametrize(("length", "told_as"), [(63, "likely"), (64, "certain"), (512, "certain")])
def test_a_stretch_of_zeroes_is_a_cause_of_its_length(length: int, told_as: str) -> None:
    why, evidence = zero_cause(Span(100, 100 + length))
    assert (why.name, evidence["length"]) == ("zeroed-range", length)
    assert ("run_start" in evidence) == (length >= 64)
    assert why.confidence in (told_as, "likely")


@pytest.mark.parametrize("release", ["v23.11", "v24.02"])
def test_a_dead_record_that_does_not_verify_is_harmless_since_v24_02(release: str) -> None:
    net = network(14)
    dead = net.channels[0].updates[0]
    assert dead is not None
    net.update(net.channels[0], 0)
    data = net.store.bytes()
    hurt = bytearray(data)
    hurt[dead + 40] ^= 0xFF
    (found,) = records(opened(hurt, release=release), Query(damaged=True))
    assert (found.span.start, found.note) == (dead, release == "v24.02")


def test_what_differs_between_two_stores_is_named_by_channel_direction_and_node() -> None:
    net = network(12)
    net.keep_private(net.nodes[0], net.nodes[1])
    before = net.store.bytes()
    one, two, _ = net.channels
    net.update(one, 1)
    net.announce(net.nodes[1])
    net.spend(two)
    net.close(one)
    after = net.store.bytes()
    with MemorySource(before, "a") as a, MemorySource(after, "b") as b:
        stores = [FORMAT.open(source, None, Wishes()) for source in (a, b)]
        compared = compare(*(identities(store) for store in stores))
        told = sorted((found.what, found.kind, found.name) for found in compared.differences())
    first, second = (f"{c.scid >> 40}x{c.scid >> 16 & 0xFFFFFF}x{c.scid & 0xFFFF}" for c in (one, two))
    gone = [("channel_amount", first), ("channel_announcement", first), ("channel_update", f"{first}/0"),
            ("channel_update", f"{first}/1")]  # fmt: skip
    assert [(kind, name) for what, kind, name in told if what == "only_a"] == gone
    new = [(kind, name) for what, kind, name in told if what == "only_b"]
    assert new == [("chan_dying", second), ("delete_chan", first)]
    altered = {(kind, name) for what, kind, name in told if what not in ("only_a", "only_b")}
    assert ("node_announcement", net.nodes[1].id.hex()) in altered
    assert {name for kind, name in altered if kind != "node_announcement"} <= {second, f"{second}/0", f"{second}/1"}
