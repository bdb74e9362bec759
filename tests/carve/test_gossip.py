"""Gossip records lost among other bytes: what is found, what becomes of it, and what a stranger cannot do."""

from __future__ import annotations

import errno
from collections import Counter
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

import pytest

from inspector import search
from inspector.carve import CarveWishes, Found
from inspector.errors import Exit, UnverifiedError, UsageError
from inspector.formats.gossip_store import choosing, writing
from inspector.source import MemorySource
from tests.builders import gossip_messages as m
from tests.builders import gossip_signed as signed
from tests.builders.gossip import DELETED, DYING, Network, Store, healthy
from tests.carve.devices import key, run, shuffled, whole_in_a_block
from tests.formats.gossip_store.witness import Record, objection, record_at, walk

ANCHORED = CarveWishes(accept=frozenset({"anchored"}))


def live(store: bytes) -> set[tuple[int, bytes]]:
    """What gossipd would have in memory: the newest update of each direction and each node, all else that is live."""
    newest: dict[object, Record] = {}
    for record in walk(store):
        if record.live and record.kind not in (4103, 4105, 4107):
            owner: object = record.at
            if record.kind == 258:
                owner = (record.body[98:106], record.body[111] & 1)
            elif record.kind == 257:
                flen = int.from_bytes(record.body[66:68])
                owner = record.body[72 + flen : 105 + flen]
            if owner not in newest or newest[owner].time < record.time:
                newest[owner] = record
    return {key(r) for r in newest.values()}


def records_of(spans: list[Found], device: bytes) -> list[Record]:
    """What was found, each record once; of two pieces the one is the head that fits the other."""
    ends = {span.start: span.end for span in spans}
    found = []
    for span in spans:
        data = device[span.start : span.end]
        data += b"" if span.rest is None else device[span.rest : ends[span.rest]]
        record = record_at(data, 0)
        assert record or span.rest is not None
        found += [record] if record else []
    return found


@pytest.mark.parametrize("version", [14, 15, 16])
def test_a_whole_store_in_noise_comes_back_with_everything_that_lives(tmp_path: Path, version: int) -> None:
    store = healthy(version, 80_000, seed=version)
    done = run(Random(1).randbytes(9001) + store + Random(2).randbytes(70_001), tmp_path)
    assert done.code is Exit.CLEAN
    assert not objection(done.out)
    assert {key(r) for r in done.records if r.kind != 4107} == live(store)


def test_every_record_whole_in_a_block_of_a_shuffled_device_is_found(tmp_path: Path) -> None:
    store = healthy(16, 300_000, seed=4)
    device = shuffled(store, 600)
    done = run(device, tmp_path)
    seen = Counter(key(record) for record in records_of(done.spans, device))
    assert not Counter(key(r) for r in whole_in_a_block(store)) - seen
    assert not seen - Counter(key(r) for r in walk(store))
    assert not objection(done.out)
    assert {key(r) for r in done.records if r.kind != 4107} <= live(store)


def test_duplicates_are_written_once(tmp_path: Path) -> None:
    store = healthy(16, 40_000, seed=6)
    once, twice = run(store, tmp_path), run(store + bytes(5000) + store, tmp_path)
    assert twice.out == once.out
    total = sum(twice.carved.haul.sums.bytes.values())
    assert total == 2 * sum(once.carved.haul.sums.bytes.values())
    assert twice.carved.haul.sums.bytes["duplicate"] == total // 2


def test_windows_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    device = shuffled(healthy(16, 60_000, seed=7), 6, block=1024)
    expected = run(device, tmp_path)
    for size in (1000, 4096, 7777):
        monkeypatch.setattr(search, "WINDOW", size)
        again = run(device, tmp_path)
        assert (again.out, again.spans) == (expected.out, expected.spans), size


def test_windows_change_nothing_in_a_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = signed.signed_store(3, 3)
    log = b"a line\n" + store[1:].hex().encode() + b"\n" + b"".join(r.body.hex().encode() + b"\n" for r in walk(store))
    expected = run(log, tmp_path)
    assert len(expected.spans) > 2 * len(list(walk(store))) - 8
    for size in (500, 777, 4096):
        monkeypatch.setattr(search, "WINDOW", size)
        again = run(log, tmp_path)
        assert (again.out, again.spans) == (expected.out, expected.spans), size


@pytest.mark.parametrize(
    ("name", "hashed", "third"),
    [
        ("testnet", "43497fd7f826957108f4a30fd9cec3ae", "signet"),
        ("signet", "f61eee3b63a380a477a063af32b2bbc9", "testnet"),
    ],
)
def test_stores_of_two_networks_are_not_mixed(name: str, hashed: str, third: str, tmp_path: Path) -> None:
    most, least = healthy(16, 30_000, seed=2), healthy(16, 12_000, seed=9)
    other = bytearray(least)
    for record in walk(least):
        at = least.find(m.MAINNET, record.at, record.end)
        if at >= 0:
            body = record.body.replace(m.MAINNET, bytes.fromhex(hashed) + bytes(16))
            other[record.at : record.end] = sealed(body, record.time, record.flags)
    device = most + bytes(700) + bytes(other)
    done = run(device, tmp_path)
    assert done.code is Exit.CLEAN
    assert done.out == run(most, tmp_path).out
    assert choosing.OTHER in done.fates()
    assert any(name in note for note in done.carved.notes)
    taken = run(device, tmp_path, CarveWishes(chain=name))
    assert {key(r) for r in taken.records if r.kind != 4107} == live(bytes(other))
    assert run(device, tmp_path, CarveWishes(chain=third)).code is Exit.UNKNOWN_FORMAT
    with pytest.raises(UsageError):
        run(device, tmp_path, CarveWishes(chain="moon"))


def channel(store: Store, seed: int = 0) -> Network:
    net = Network(store, seed)
    one, two = net.node(), net.node()
    net.open(one, two)
    net.update(net.channels[0], 0)
    net.update(net.channels[0], 1)
    net.announce(one)
    return net


def test_a_channel_that_another_piece_closes_does_not_come_back(tmp_path: Path) -> None:
    net = channel(Store())
    before = net.store.bytes()
    net.close(net.channels[0])
    done = run(before + bytes(100) + net.store.bytes(), tmp_path)
    assert done.code is Exit.UNKNOWN_FORMAT  # nothing is left to write
    assert choosing.CLOSED in done.fates()


def test_a_tombstone_alone_in_another_piece_closes_the_channel(tmp_path: Path) -> None:
    net = channel(Store())
    scid = net.channels[0].scid
    other = channel(Store(), 5)
    at = len(other.store.data)
    other.store.append(m.delete_chan(scid))
    other.update(other.channels[0], 0)  # a signed neighbour
    done = run(net.store.bytes() + bytes(100) + other.store.bytes()[at:], tmp_path)
    assert choosing.TOMBSTONE in done.fates()
    assert choosing.CLOSED in done.fates()
    assert choosing.WRITTEN not in done.fates()


def test_a_channel_announced_again_behind_its_tombstone_lives(tmp_path: Path) -> None:
    net = channel(Store())
    first = net.channels[0]
    data = bytes(net.store.data[first.announcement : first.announcement + 444 + 22])
    net.close(first)
    again = net.store.bytes() + data + bytes(net.store.data[first.updates[0] or 0 :][:150])
    assert {r.kind for r in run(again, tmp_path).records} >= {256, 4101}


def test_an_update_that_is_deleted_anywhere_does_not_come_back_and_no_older_one_does(tmp_path: Path) -> None:
    net = channel(Store())
    old = net.store.bytes()
    newest = net.update(net.channels[0], 0)
    live_copy = net.store.bytes()[newest : newest + 150]
    net.store.flag(newest, DELETED)
    pieces = [old, net.store.bytes()[newest : newest + 150], live_copy]
    done = run(bytes(64).join(pieces), tmp_path)
    sides = [r.body[111] & 1 for r in done.records if r.kind == 258]
    assert sides == [1]


def test_a_dying_channel_stays_dying_in_every_version(tmp_path: Path) -> None:
    net = channel(Store())
    net.spend(net.channels[0])
    for version in (14, 15, 16):
        done = run(net.store.bytes(), tmp_path, CarveWishes(to_version=version))
        assert done.out[0] == version
        kinds = {r.kind: r.flags for r in done.records}
        assert kinds[256] & DYING
        assert 4106 in kinds
        assert bool(kinds[256] & 0x2000) is (version >= 15)
        assert (4107 in kinds) is (version == 16)


def test_an_announcement_without_its_amount_is_left_out_and_counted_as_lost(tmp_path: Path) -> None:
    store = channel(Store(), 1).store.bytes() + channel(Store(), 2).store.bytes()[1:]
    amounts = [r for r in walk(store) if r.kind == 4101]
    torn = store[: amounts[1].at] + bytes(22) + store[amounts[1].end :]
    done = run(torn, tmp_path)
    assert done.code is Exit.LOST
    assert {choosing.NO_AMOUNT, choosing.NO_CHANNEL} <= done.fates()
    assert sum(r.kind == 256 for r in done.records) == 1


def planted(inside: bytes, damage: bool) -> bytes:
    """A channel, and a node announcement whose owner wrote a record into it."""
    net = channel(Store())
    words = m.node_words(Random(1))
    body = m.node_announcement(net.noise, m.node_id(Random(9)), 1_700_000_900, words)
    body += b"\x01" + bytes([len(inside)]) + inside
    at = net.store.append(body, 1_700_000_900)
    if damage:
        net.store.data[at + 30] ^= 4
    return net.store.bytes()


def sealed(body: bytes, time: int = 0, flags: int = 0) -> bytes:
    store = Store(15)
    store.append(body, time, flags)
    return store.bytes()[1:]


def test_a_stranger_cannot_close_a_channel_from_inside_a_message(tmp_path: Path) -> None:
    scid = channel(Store()).channels[0].scid
    inside = sealed(m.delete_chan(scid))
    whole = run(planted(inside, damage=False), tmp_path)
    assert not {s.kind for s in whole.spans} & {"delete_chan"}
    damaged = run(planted(inside, damage=True), tmp_path)
    assert [s.fate for s in damaged.spans if s.kind == "delete_chan"] == [choosing.UNPROVED]
    assert {r.kind for r in damaged.records} >= {256, 4101, 258}
    assert damaged.code is Exit.LOST
    accepted = run(planted(inside, damage=True), tmp_path, ANCHORED)
    assert choosing.CLOSED in accepted.fates()


def test_a_tombstone_without_a_signed_neighbour_proves_nothing(tmp_path: Path) -> None:
    net = channel(Store())
    device = net.store.bytes() + bytes(30) + sealed(m.delete_chan(net.channels[0].scid)) + bytes(30)
    assert choosing.UNPROVED in run(device, tmp_path).fates()
    assert choosing.CLOSED in run(device, tmp_path, ANCHORED).fates()


@pytest.mark.parametrize(("split", "flags"), [(1, b"\xa0"), (1, b"\x20"), (2, b"\x20\x00"), (2, b"\x8f\x13")])
def test_flags_that_may_be_another_files_bytes_neither_kill_nor_revive(
    split: int, flags: bytes, tmp_path: Path
) -> None:
    net = channel(Store())
    whole = net.store.bytes()
    piece = whole[net.channels[0].announcement :]
    device = Random(1).randbytes(512 - split) + flags + piece[split:]
    done = run(device, tmp_path)
    assert done.spans[0].fate == choosing.FLAGLESS
    assert done.code is Exit.UNKNOWN_FORMAT
    both = run(device + bytes(40) + whole, tmp_path)  # another copy says that it lives
    assert {r.kind for r in both.records} == {256, 257, 258, 4101, 4107}
    assert {r.kind for r in run(device, tmp_path, ANCHORED).records} == {256, 257, 258, 4101, 4107}


def test_signatures_are_checked_on_demand_and_forged_records_left_out(tmp_path: Path) -> None:
    store = signed.signed_store(3, 3)
    checked = CarveWishes(verify_signatures=True)
    assert run(store, tmp_path, checked).code is Exit.CLEAN
    forged = Store()
    forged.data = bytearray(store)
    update = [r for r in walk(store) if r.kind == 258][-1]
    body = update.body[:120] + b"\xff" + update.body[121:]
    forged.append(body[:106] + (update.time + 50).to_bytes(4, "big") + body[110:], update.time + 50)
    assert len(run(forged.bytes(), tmp_path).records) == len(run(store, tmp_path).records)
    done = run(forged.bytes(), tmp_path, checked)
    assert choosing.FORGED in done.fates()
    assert done.out == run(store, tmp_path).out


def test_records_in_a_log_are_read_from_their_hex(tmp_path: Path) -> None:
    store = signed.signed_store(3, 3)
    records = list(walk(store))
    log = "".join(
        f"2025-01-31 UNUSUAL gossipd: gossip_store: bad checksum offset {r.at}: {store[r.at : r.end].hex()}\n"
        for r in records
    ).encode()
    log += f"two of them: {store[records[1].at : records[2].end].hex()}\n".encode()
    done = run(log, tmp_path)
    assert {s.encoding for s in done.spans} == {"hex"}
    assert len(done.spans) == len(records) + 2
    kinds = [r.kind for r in done.records]
    assert kinds.count(256) == 1  # only that one was printed together with its amount
    for span in done.spans:
        assert bytes.fromhex(log[span.start : span.end].decode())[12:14] in store


def test_a_message_alone_counts_where_its_signature_holds(tmp_path: Path) -> None:
    store = signed.signed_store(3, 3)
    update = [r for r in walk(store) if r.kind == 258 and r.live][-1]
    newer = signed.update(int.from_bytes(update.body[98:106]), 2, 0, update.body[111] & 1, update.time + 9, ppm=5)
    other = bytearray(newer)
    other[125] ^= 1
    log = b"connectd: gossip_store: bad checksum at offset 12(was at 24): "
    for body, fate in ((newer, choosing.WRITTEN), (bytes(other), choosing.FORGED)):
        done = run(store + b"\n\n" + log + body.hex().upper().encode() + b"\n", tmp_path)
        assert [s.fate for s in done.spans if s.encoding == "hex message"] == [fate]
        assert (body in [r.body for r in done.records]) is (fate == choosing.WRITTEN)


def test_a_message_and_the_records_behind_it_are_taken_where_a_false_length_printed_all(tmp_path: Path) -> None:
    store = signed.signed_store(3, 3)
    first, amount, after = next(
        (a, b, c) for a, b, c in zip(*(list(walk(store))[k:] for k in range(3)), strict=False) if a.kind == 256
    )
    log = b"gossip_store: bad checksum offset 47: " + store[first.at + 12 : after.end].hex().encode() + b"\n"
    done = run(log, tmp_path)
    assert [(s.kind, s.encoding) for s in done.spans][:2] == [
        ("channel_announcement", "hex message"),
        ("channel_amount", "hex"),
    ]
    assert {first.body, amount.body, after.body} <= {r.body for r in done.records}
    assert not objection(done.out)


def test_bytes_that_hold_nothing_are_said_to_hold_nothing(tmp_path: Path) -> None:
    for data in (b"", bytes(100_000), Random(3).randbytes(100_000), b"0123456789abcdef" * 6000, b"\x01\x02" * 50_000):
        done = run(MemorySource(data), tmp_path)
        assert done.code is Exit.UNKNOWN_FORMAT
        assert not done.out
        assert not done.spans


class Failing(MemorySource):
    """A disk with a bad sector."""

    def _pread(self, member: str, n: int, at: int) -> bytes:
        if at < 12_288 and at + n > 8192:
            raise OSError(errno.EIO, "input/output error")
        return super()._pread(member, n, at)


def test_a_bad_sector_costs_what_lies_in_it_and_is_said(tmp_path: Path) -> None:
    store = healthy(16, 40_000, seed=8)
    done = run(Failing(store), tmp_path)
    whole = run(store, tmp_path)
    assert done.code is Exit.LOST
    assert done.carved.unreadable == 4096
    lost = {s.start for s in whole.spans} - {s.start for s in done.spans}
    assert lost == {s.start for s in whole.spans if s.start < 12_288 and s.end > 8192}


DATA = Path(__file__).parents[2] / ".." / "shared" / "data" / "gossip_store"


@pytest.mark.skipif(not DATA.is_dir(), reason="files that real programs wrote are not here")
def test_a_real_store_in_noise_comes_back_whole(tmp_path: Path) -> None:
    for name in ("gossip_store.simple", "gossip_store.mesh-3x3", "gossip_store-part1"):
        store = (DATA / name).read_bytes()
        done = run(Random(1).randbytes(700) + store + Random(2).randbytes(4000), tmp_path)
        assert done.code is Exit.CLEAN
        assert {key(r) for r in done.records if r.kind != 4107} == live(store)


@pytest.mark.parametrize("damaged", [False, True])
def test_a_carved_store_is_inspected_before_it_appears(damaged: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """What only a note is said of passes; the first finding that is more is named, with its place."""
    store = Store(14)
    at = store.append(m.delete_chan(7))
    dead = store.append(m.delete_chan(8), 0, DELETED)
    store.append(m.delete_chan(9))
    data = bytearray(store.bytes())
    data[dead + 14] ^= 0xFF
    if damaged:
        data[at + 14] ^= 0xFF
    monkeypatch.setattr(writing, "opened", lambda _: MemorySource(bytes(data), "carved"))
    place: Any = None
    if damaged:
        with pytest.raises(UnverifiedError, match=r"own inspection \(GSP003 at 1: delete_chan: the checksum"):
            writing._verify(place)
        return
    told = writing._verify(place)
    assert (told["ok"], told["sha256"]) == (True, sha256(data).hexdigest())
