"""Records that the border of two blocks cuts: what is put together, and what a stranger or a crowd cannot do."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random

import pytest

from inspector.formats.gossip_store import choosing, joining
from tests.builders import gossip_messages as m
from tests.builders import gossip_signed as signed
from tests.builders.gossip import Network, Store, healthy
from tests.carve.devices import key, run, shuffled
from tests.carve.test_gossip import channel, live, records_of, sealed
from tests.formats.gossip_store.witness import objection, walk


@pytest.mark.parametrize("block", [4096, 512])
def test_records_that_a_border_of_shuffled_blocks_cuts_are_put_together(tmp_path: Path, block: int) -> None:
    store = healthy(16, 150_000, seed=5)
    device = shuffled(store, 300, block=block)
    done = run(device, tmp_path)
    assert not Counter(key(r) for r in records_of(done.spans, device)) - Counter(key(r) for r in walk(store))
    pieces = [s for s in done.spans if s.encoding == "piece"]
    cut = [r for r in walk(store) if 12 <= block - r.at % block < r.end - r.at <= block - r.at % block + block]
    assert len(cut) > 20
    assert 0.9 * len(cut) <= len(pieces) / 2 <= len(cut)  # some have no whole record beside both pieces
    assert done.carved.haul.sums.pieces * 2 == len(pieces)
    assert done.carved.haul.chance < 1e-3
    assert not objection(done.out)
    assert {key(r) for r in done.records if r.kind != 4107} <= live(store)


def test_where_pieces_may_fit_by_chance_the_signature_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = signed.signed_store(20, 4)
    device = shuffled(store, 100, block=512)
    sure = run(device, tmp_path)
    monkeypatch.setattr(joining, "SURE", 0.0)
    unsure = run(device, tmp_path)
    assert sure.carved.haul.sums.pieces == unsure.carved.haul.sums.pieces > 20
    lacking = {key(r) for r in sure.records} - {key(r) for r in unsure.records}
    halves = [s for s in sure.spans if s.kind == "channel_amount" and s.encoding == "piece"]
    assert len({r.kind for r in sure.records} & {256, 257, 258}) == 3
    assert sum(body[:2] == b"\x01\x00" for _, body in lacking) <= len(halves) / 2  # nothing signs an amount
    assert len([None for _, body in lacking if body[:2] == b"\x01\x01"]) == 0


def test_amounts_that_are_all_alike_make_no_square_of_rows(tmp_path: Path) -> None:
    count = 12_000  # their square would take minutes
    done = run((sealed(m.amount(1)) + b"\0\0") * count, tmp_path)
    assert [s.fate for s in done.spans] == [choosing.ORPHAN_AMOUNT] * count


def test_a_block_that_the_device_has_often_makes_no_square_of_pieces(tmp_path: Path) -> None:
    store = healthy(16, 20_000, seed=5)
    blocks = [store[at : at + 4096] for at in range(0, len(store) - 4096, 4096)]
    noise = Random(1).randbytes(4096)
    done = run(b"".join((block + noise) * 150 for block in blocks), tmp_path)
    assert done.carved.haul.sums.pieces in {150 * n for n in range(1, len(blocks))}
    assert not objection(done.out)


def test_an_announcement_and_its_amount_find_each_other_over_a_border(tmp_path: Path) -> None:
    net = Network(Store(16))
    for _ in range(30):
        one, two = net.node(), net.node()
        net.open(one, two)
    store = net.store.bytes()
    for kind in (256, 4101):
        hit = [r for r in walk(store) if r.kind == kind][12]
        border = hit.at + 16 - (hit.at + 16) % 512 + 512
        shift = border - hit.at - 16  # so that the border cuts this record
        image = Random(2).randbytes(shift) + store
        parts = [image[:border], image[border:]]
        done = run(parts[1].ljust(-(-len(parts[1]) // 512) * 512, b"\0") + parts[0], tmp_path)
        assert done.carved.haul.sums.pieces == 1
        assert {key(r) for r in done.records if r.kind != 4107} == live(store), kind


@pytest.mark.parametrize("into", ["head", "tail"])
def test_what_a_stranger_put_into_a_message_that_a_border_cuts_counts_for_nothing(tmp_path: Path, into: str) -> None:
    net = channel(Store())
    victim, node = net.channels[0].scid, net.nodes[0]
    closing = sealed(m.delete_chan(victim))
    planted = closing + sealed(m.channel_update(net.noise, 5, 0, net.time), net.time) + closing
    body = m.node_announcement(net.noise, node.id, net.tick(), node.words) + b"\x07" + bytes([40 + len(planted)])
    body += bytes(20) + planted + bytes(20)
    net.store.append(body, net.time)
    net.update(net.channels[0], 0)
    store = net.store.bytes()
    message = next(r for r in walk(store) if r.body == body)
    hit = store.index(planted, message.at)
    border = hit - 10 if into == "tail" else hit + len(planted) + 10
    shift = -border % 512
    image = Random(2).randbytes(shift) + store
    first, second = image[: shift + border], image[shift + border :]
    done = run(second + Random(3).randbytes(-len(second) % 512 + 1024) + first, tmp_path)
    assert done.carved.haul.sums.pieces == 1
    assert choosing.TOMBSTONE not in done.fates()
    assert {key(r) for r in done.records if r.kind != 4107} == live(store)


@pytest.mark.parametrize(("cut", "name", "behind"), [(256, "channel_announcement", 258), (258, "channel_update", 4101)])
def test_what_stands_behind_a_cut_record_is_joined_to_it_only_as_the_amount_of_an_announcement(
    cut: int, name: str, behind: int, tmp_path: Path
) -> None:
    """An announcement whose amount is lost has an update behind it; an update has a stray amount behind it."""
    net = Network(Store(16))
    for _ in range(30):
        one, two = net.node(), net.node()
        net.update(net.open(one, two), 0)
    store = net.store.bytes()
    records = list(walk(store))
    number = next(n for n, r in enumerate(records) if n > len(records) // 2 and r.kind == cut)
    follower = next(r for r in records[number + 1 :] if r.kind == behind)
    victim = records[number]
    store = store[: victim.end] + store[follower.at : follower.end] + store[follower.end :]
    shift = -(victim.at + 16) % 512  # so that the border cuts this record
    image = Random(2).randbytes(shift) + store
    border = shift + victim.at + 16
    first, second = image[:border], image[border:].ljust(-(-(len(image) - border) // 512) * 512, b"\0")
    done = run(second + first, tmp_path)
    assert done.carved.haul.sums.pieces == 1
    assert {s.kind for s in done.spans if s.encoding == "piece"} == {name}
    at = victim.end - victim.at - 16
    assert [(s.end, s.encoding) for s in done.spans if s.start == at] == [(at + follower.end - follower.at, "bytes")]
