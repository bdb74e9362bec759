"""Limits that decide something, each held at its border with the bytes themselves."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest

from inspector.errors import RefusedError
from inspector.format import Query, Wishes
from inspector.formats.gossip_store import FORMAT, merging
from inspector.formats.gossip_store.evidence import longest_run
from inspector.formats.gossip_store.follow import GossipFollower
from inspector.formats.gossip_store.known import Known
from inspector.formats.gossip_store.merge_order import age_of, ranked
from inspector.formats.gossip_store.records import entry, records, show
from inspector.formats.gossip_store.structure import node_at, well_formed_tlvs
from inspector.inspect import inspect
from inspector.source import MemorySource
from tests.builders import gossip_messages as m
from tests.builders import gossip_signed as signed
from tests.builders.gossip import DELETED, DYING, Network, Store
from tests.formats.gossip_store.merge_truth import merged
from tests.formats.gossip_store.witness import walk


def opened(data: bytes) -> Any:
    return FORMAT.open(MemorySource(data, "gossip_store"), None, Wishes())


def noise(length: int) -> bytes:
    return bytes(byte or 1 for byte in Random(7).randbytes(length))


@pytest.mark.parametrize(("length", "lives"), [(600, False), (601, True)])
def test_a_hole_of_more_than_600_bytes_may_have_held_what_a_channel_lives_by(
    tmp_path: Path, length: int, lives: bool
) -> None:
    """The newest copy has only dead updates of both directions; an older one has the channel alive."""
    net = Network(Store(16), seed=3)
    one, two = net.node(), net.node()
    channel = net.open(one, two)
    net.update(channel, 0)
    net.update(channel, 1)
    old = net.store.bytes()
    newest = Store(16)
    for side in (0, 1):
        newest.append(m.channel_update(net.noise, channel.scid, side, net.time + side), net.time + side, DELETED)
    newest.data += noise(length)
    newest.append(m.node_announcement(net.noise, one.id, net.time + 9, m.NodeWords(b"n")), net.time + 9)
    done = merged(tmp_path, [old, newest.bytes()])
    assert done.plan.order == (1, 0)
    kept = [record.kind for record in walk((tmp_path / "merged").read_bytes())]
    assert (256 in kept, done.plan.counts["closed_channels"]) == (lives, not lives)


def test_two_hundred_copies_are_the_most_that_are_merged() -> None:
    store = opened(Store(16).bytes())
    assert merging.merge([store] * 200, Wishes(), None).order[0] == 0
    with pytest.raises(RefusedError, match="201 copies; at most 200"):
        merging.merge([store] * 201, Wishes(), None)


@pytest.mark.parametrize(("count", "middle", "latest"), [(20, 16, 20), (9, 5, 9), (8, 4, 8), (2, 1, 2), (1, 1, 1),
                                                        (0, 0, 0)])  # fmt: skip
def test_a_copy_is_as_old_as_the_middle_of_its_nine_latest_times(count: int, middle: int, latest: int) -> None:
    store, sender = Store(14), m.Noise(Random(1))
    order = list(range(1, count + 1))
    Random(4).shuffle(order)
    for time in order:
        store.append(m.channel_update(sender, 7, 0, time), time, DELETED * (time % 2))
    age = age_of(opened(store.bytes()))
    assert (age.middle, age.latest, age.sound, age.deleted) == (middle, latest, count, (count + 1) // 2)
    assert age.words == (
        f"its 9 latest messages are of {middle} to {latest}; {count} sound records, {(count + 1) // 2} of them deleted"
    )


def test_of_copies_the_latest_then_the_longest_then_the_more_deleted_is_the_newest() -> None:
    def made(*times: int, dead: int = 0) -> Any:
        store, sender = Store(14), m.Noise(Random(1))
        for number, time in enumerate(times):
            store.append(m.channel_update(sender, 7, 0, time), time, DELETED * (number < dead))
        return opened(store.bytes())

    assert ranked([made(5, 9), made(7, 8)])[0] == [1, 0]  # the middle of the times
    assert ranked([made(5, 8), made(5, 9)])[0] == [1, 0]
    assert ranked([made(5, 9), made(5, 9, 1)])[0] == [1, 0]
    assert ranked([made(*[5] * 9), made(*[5] * 10)])[0] == [1, 0]
    assert ranked([made(5, 9), made(5, 9)])[0] == [0, 1]


@pytest.mark.parametrize(("failing", "signs"), [(0, True), (7, True), (8, False), (9, False)])
def test_signatures_are_asked_for_until_eight_do_not_hold(failing: int, signs: bool) -> None:
    store = Store(16)
    for number in range(failing):
        body = signed.node(number, signed.FIRST + number, m.NodeWords(b"bad"))
        store.append(body[:60] + bytes([body[60] ^ 1]) + body[61:], signed.FIRST + number)
    store.append(signed.node(50, signed.FIRST + 50, m.NodeWords(b"good")), signed.FIRST + 50)
    assert Known.of(opened(store.bytes())).signs() == signs


@pytest.mark.parametrize(("length", "found"), [(47, False), (48, True), (49, True)])
def test_a_run_is_48_bytes_of_one_value(length: int, found: bool) -> None:
    data = noise(300) + b"\xff" * length + noise(200)
    run = longest_run(MemorySource(data), 0, len(data))
    assert (run is not None) == found
    if run is not None:
        assert (run.start, run.end, run.value) == (300, 300 + length, 255)


def test_a_run_is_followed_to_its_ends_beyond_what_is_searched() -> None:
    """The first and the last MiB are searched; a run that reaches into the middle is taken whole."""
    mib = 1 << 20
    for start, end in ((mib - 50, 3 * mib // 2), (3 * mib // 2, 3 * mib - 100), (mib - 60, 2 * mib + 60)):
        data = bytearray(b"\x55\xaa" * (3 * mib // 2))
        data[start:end] = bytes(end - start)
        run = longest_run(MemorySource(bytes(data)), 0, len(data))
        assert run is not None
        assert (run.start, run.end) == (start, end)


@pytest.mark.parametrize(("raw", "whole"), [
    (b"", True), (b"\x01\x00", True), (b"\x01\x00" * 64, True), (b"\x01\x00" * 65, False), (b"\x01", False),
    (b"\x01\x02a", False), (b"\x01\x02ab", True), (b"\xfd\x01\x00\x01a", True), (b"\x01\xfd\x00\x02ab", True),
    (b"\x01\xfd\x00\x02a", False), (b"\x01\xfd\x00", False), (b"\xfe\x00\x00\x00\x07\x00", True),
    (b"\xff" + bytes(8) + b"\x00", True), (b"\xff" + bytes(7), False), (b"\x01\xfe\x00\x00\x01\x00" + bytes(256), True),
    (b"\x01\xfe\x00\x00\x01\x00" + bytes(255), False),
])  # fmt: skip
def test_a_stream_of_tlvs_ends_where_its_last_value_does(raw: bytes, whole: bool) -> None:
    assert well_formed_tlvs(raw) == whole


@pytest.mark.parametrize("length", [0, 3, 255, 300])
def test_the_id_in_a_node_announcement_stands_behind_its_features_and_time(length: int) -> None:
    node = b"\x02" + bytes(range(32))
    store = Store(16)
    body = m.node_announcement(m.Noise(Random(1)), node, 9, m.NodeWords(b"n", features=b"\1" * length))
    at = store.append(body, 9)
    assert node_at(store.bytes(), at) == node
    assert node_at(bytes(store.data[: at + 84 + length + 5]), at) == node[:5].ljust(33, b"\0")


def test_an_announcement_of_a_channel_that_lives_already_is_odd_after_five_looks() -> None:
    net = Network(Store(16), seed=3)
    channel = net.open(net.node(), net.node())
    follower = GossipFollower()
    list(follower.advance(MemorySource(net.store.bytes(), "gossip_store")))
    net.open(*net.nodes, scid=channel.scid)
    now = MemorySource(net.store.bytes(), "gossip_store")
    list(follower.advance(now))
    looks = [[one.what for one in follower.revisit(now)] for _ in range(7)]
    assert looks == [[], [], [], [], ["odd"], [], []]


@pytest.mark.parametrize(("body", "shown"), [(4083, 4095), (4084, 4096), (4085, 4096), (9000, 4096)])
def test_an_exhibit_has_4096_bytes_at_most(body: int, shown: int) -> None:
    store = Store(14)
    at = store.append(m.wrapped(4100, bytes(body - 12), 7))
    exhibit = show(opened(store.bytes()), "", at)
    assert exhibit is not None
    assert (exhibit.span.length, len(exhibit.data)) == (body + 12, shown)


def test_the_map_of_a_store_has_240_slices_that_account_for_every_byte() -> None:
    net = Network(Store(16), seed=3)
    for _ in range(20):
        net.update(net.open(net.node(), net.node()), 0)
    report = inspect(MemorySource(net.store.bytes(), "gossip_store"), (FORMAT,), Wishes())
    assert report.answer is not None
    ribbon = report.answer.ribbon
    assert len(ribbon) == 240
    assert sum(map(sum, ribbon)) == len(net.store.data) - 1


def test_lines_of_damaged_and_unfinished_records_say_so() -> None:
    net = Network(Store(16), seed=3)
    channel = net.open(net.node(), net.node())
    at = net.update(channel, 0)
    dead, dying = net.update(channel, 1), net.update(channel, 1)
    net.store.flag(dying, DYING)
    net.store.data[at] &= ~0x20
    data = bytearray(net.store.bytes())
    data[dead + 20] ^= 1
    told = {e.span.start: e.fields["line"] for e in records(opened(bytes(data)), Query(dump=True))}
    name = f"{channel.scid >> 40}x{channel.scid >> 16 & 0xFFFFFF}x{channel.scid & 0xFFFF}"
    body = {start: bytes(data[start + 12 : start + 150]).hex() for start in (at, dead, dying)}
    assert told[at] == f"{at}: INCOMPLETE channel_update: {name}: {body[at]}"
    assert told[dead].startswith(f"{dead}: DELETED **BAD CHECKSUM** channel_update: ")
    assert told[dying] == f"{dying}: DYING channel_update: {name}: {body[dying]}"
    raw = bytes(data[dead : dead + 150])
    plain = entry(opened(bytes(data)), raw, dead, dead + 150, 1, 1, 258)
    assert plain.fields["computed"] != plain.fields["crc"]
