"""Several damaged copies of a gossip store become one."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest

from inspector.errors import Exit, RefusedError
from inspector.format import Wishes
from tests import damage
from tests.builders import gossip_messages as m
from tests.builders.gossip import DELETED, DYING, Network, Store, grown, healthy
from tests.formats.gossip_store.merge_truth import (
    compacted,
    merged,
    moved_ages,
    owner,
    same_store,
    three_ages,
    told,
)
from tests.formats.gossip_store.witness import Record, channel, objection, walk


def out_of(folder: Path) -> list[Record]:
    return list(walk((folder / "merged").read_bytes()))


@pytest.mark.parametrize("seed", range(6))
def test_all_that_is_alive_in_any_of_three_damaged_copies_comes_back(tmp_path: Path, seed: int) -> None:
    found = same_store(tmp_path, 60_000, 30, seed)
    assert [r.at for r in found.missing] == []
    assert (found.resurrected, found.stale, found.objection) == (0, 0, "")


@pytest.mark.parametrize("compact", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_what_the_newest_copy_says_is_closed_is_not_resurrected(tmp_path: Path, seed: int, compact: bool) -> None:
    found = three_ages(tmp_path, 60_000, 15, seed, compact)
    assert [r.at for r in found.missing] == []
    assert (found.resurrected, found.objection) == (0, "")
    assert found.merged.plan.counts["closed_channels"] > 0
    assert found.merged.plan.order[0] == 2


def test_without_damage_the_newest_copy_is_compacted_and_nothing_else_happens(tmp_path: Path) -> None:
    net = grown(16, 40_000, 1)
    old = net.store.bytes()
    for side in (0, 1):
        net.update(net.channels[0], side)
    done = merged(tmp_path, [old, net.store.bytes()])
    assert done.code is Exit.CLEAN
    wanted = sorted(told(r) for r in walk(net.store.bytes()) if r.live and r.kind != 4107)
    assert sorted(told(r) for r in out_of(tmp_path) if r.kind != 4107) == wanted


def test_the_map_tells_where_each_record_came_from(tmp_path: Path) -> None:
    base = healthy(16, 30_000, 2)
    hit = next(r for r in walk(base) if r.live and r.kind == 258)
    copies = [damage.zero(base, hit.at, hit.end).data, damage.flip_bit(base, 60, 1).data]
    merged(tmp_path, copies)
    out = (tmp_path / "merged").read_bytes()
    at = 0
    for line in (tmp_path / "map").read_text().splitlines():
        row = json.loads(line)
        assert row["out"] == at
        at += row["length"]
        if row["source"] is not None:
            source = Path(row["source"]).read_bytes()[row["offset"] : row["offset"] + row["length"]]
            assert source[2:] == out[row["out"] + 2 : at]
    assert at == len(out)
    told_of = [json.loads(line) for line in (tmp_path / "map").read_text().splitlines()]
    assert any(r["offset"] == hit.at and r["source"].endswith("copy1.gossip_store") for r in told_of)


def test_a_record_that_no_copy_has_is_lost_once_and_named(tmp_path: Path) -> None:
    base = healthy(16, 30_000, 3)
    hit = next(r for r in walk(base) if r.live and r.kind == 258)
    copies = [damage.noise(base, hit.at + 20, hit.end, seed).data for seed in (1, 2)]
    done = merged(tmp_path, copies)
    assert done.code is Exit.LOST
    assert done.plan.losses_total == 1
    assert (done.losses[0].span.start, done.losses[0].span.end) == (hit.at, hit.end)
    assert objection((tmp_path / "merged").read_bytes()) == ""


def test_the_last_record_comes_from_a_copy_that_is_damaged_in_the_one_before_it(tmp_path: Path) -> None:
    base = healthy(16, 30_000, 4)
    *_, beside, last = walk(base)
    copies = [damage.noise(base, last.at, last.at + 16).data, damage.noise(base, beside.at + 20, beside.end).data]
    done = merged(tmp_path, copies)
    assert done.plan.losses == []
    assert done.code is Exit.CLEAN
    assert {told(last), told(beside)} - {told(r) for r in out_of(tmp_path)} == {
        told(r) for r in (beside, last) if not r.live
    }


def test_another_history_behind_the_same_records_does_not_stand_for_a_damaged_end(tmp_path: Path) -> None:
    records = list(walk(base := healthy(16, 30_000, 4)))
    updates = [r for r in records if r.kind == 258]
    beside, last = next((a, b) for a, b in pairwise(updates[::-1]) if a.at == b.end)[::-1]
    foreign = next(r for r in updates if r.end - r.at == beside.end - beside.at and channel(r) != channel(beside))
    base = base[: last.end]
    other = base[: beside.at] + base[foreign.at : foreign.end] + base[last.at :]
    done = merged(tmp_path, [damage.noise(base, last.at, last.at + 16).data, other])
    assert done.plan.losses_total == 1


def test_an_announcement_takes_its_amount_from_another_copy(tmp_path: Path) -> None:
    base = healthy(16, 30_000, 4)
    records = list(walk(base))
    i, hit = next((i, r) for i, r in enumerate(records) if r.live and r.kind == 256)
    amount = records[i + 1]
    moved = compacted(base, 1)
    other = next(r for r in walk(moved) if told(r) == told(hit))
    copies = [
        damage.flip_bits(base, amount.at + 14, amount.end, 9).data,
        damage.noise(moved, other.end - 60, other.end).data,
    ]
    done = merged(tmp_path, copies, Wishes(no_correct=True))
    assert told(hit) in {told(r) for r in out_of(tmp_path)}
    assert done.code is Exit.CLEAN


def test_a_channel_closed_before_it_was_announced_again_is_alive(tmp_path: Path) -> None:
    net = Network(Store(16), 5)
    nodes = [net.node() for _ in range(4)]
    for pair in ((0, 1), (1, 2), (2, 3)):
        made = net.open(nodes[pair[0]], nodes[pair[1]])
        net.update(made, 0)
    scid = net.channels[0].scid
    net.close(net.channels[0])
    net.open(nodes[0], nodes[1], scid=scid)
    again = net.channels[-1]
    net.update(again, 0)
    net.update(net.channels[0], 1)
    base = net.store.bytes()
    record = next(r for r in walk(base) if r.at == again.announcement)
    merged(tmp_path, [damage.noise(base, record.at + 30, record.at + 90).data, base])
    assert scid in {channel(r) for r in out_of(tmp_path) if r.kind == 256}


def test_a_flipped_deleted_flag_kills_nothing_that_another_copy_has_alive(tmp_path: Path) -> None:
    base = healthy(16, 30_000, 6)
    for kind in (256, 257, 258):
        hit = next(r for r in walk(base) if r.live and r.kind == kind)
        merged(tmp_path, [damage.flip_bit(base, hit.at, 7).data, base])
        assert told(hit) in {told(r) for r in out_of(tmp_path)}, kind


def test_deleted_among_damaged_flags_kills_nothing_that_another_copy_has_alive(tmp_path: Path) -> None:
    base = healthy(16, 30_000, 6)
    for kind in (256, 257, 258):
        hit = next(r for r in walk(base) if r.live and r.kind == kind)
        done = merged(tmp_path, [damage.overwrite(base, hit.at, b"\xab").data, base])
        back = {told(r): r.flags for r in out_of(tmp_path)}
        assert back[told(hit)] in (hit.flags, hit.flags | DYING), kind
        assert done.code is Exit.CLEAN


def test_deleted_among_damaged_flags_is_told_where_no_copy_is_better(tmp_path: Path) -> None:
    base = healthy(16, 30_000, 6)
    hit = next(r for r in walk(base) if r.live and r.kind == 258)
    hurt = damage.overwrite(base, hit.at, b"\xab").data
    done = merged(tmp_path, [hurt, hurt])
    assert told(hit) not in {told(r) for r in out_of(tmp_path)}
    assert [(loss.span.start, loss.why[:9]) for loss in done.plan.losses] == [(hit.at, "its flags")]


def _late(base: bytes) -> Record:
    return [r for r in walk(base) if r.live and r.kind == 258 and r.at < 50_000][-1]


def _gone(base: bytes, at: int) -> bytes:
    """Three bytes are lost at the store's beginning, so that nothing stands where the other copies have it."""
    first = next(r for r in walk(base) if r.kind == 258)
    assert first.end < at
    return base[: first.at + 40] + base[first.at + 43 :]


@pytest.mark.parametrize("page", [False, True])
def test_damage_that_another_copy_has_whole_at_other_offsets_is_not_lost(tmp_path: Path, page: bool) -> None:
    base = healthy(16, 60_000, 9)
    hit = _late(base)
    if page:  # sound records of elsewhere stand in the middle of such a damage
        at = hit.at // 4096 * 4096
        hurt = damage.overwrite(base, at, base[8192 : 8192 + 4096]).data
    else:
        hurt = damage.zero(base, hit.at, hit.end).data
    done = merged(tmp_path, [hurt, _gone(base, hit.at)])
    assert told(hit) in {told(r) for r in out_of(tmp_path)}
    assert done.plan.losses == []
    assert done.code is Exit.CLEAN


def test_damage_is_lost_that_the_other_copy_was_repaired_of(tmp_path: Path) -> None:
    base = healthy(16, 60_000, 9)
    hit = _late(base)
    hurt = damage.zero(base, hit.at, hit.end).data
    done = merged(tmp_path, [hurt, base[: hit.at] + base[hit.end :]])
    assert [(loss.span.start, loss.span.end) for loss in done.plan.losses] == [(hit.at, hit.end)]
    assert done.code is Exit.LOST


def test_a_node_announcement_that_is_appended_again_tells_nothing_of_what_stood_before_it(tmp_path: Path) -> None:
    net = grown(16, 20_000, 3)
    net.update(net.channels[0], 0)
    head = net.store.bytes()
    net.update(net.channels[1], 1)
    lost = net.store.bytes()[len(head) :]
    net.announce(net.nodes[0])
    node = net.store.bytes()[len(head) + len(lost) :]
    net.update(net.channels[2], 0)
    others = net.store.bytes()[len(head) + len(lost) + len(node) :] + sound(net, 3)
    done = merged(tmp_path, [head + bytes(len(lost)) + node, _gone(head + others + node, len(head))])
    assert [(loss.copy, loss.span.start) for loss in done.plan.losses] == [(0, len(head))]


def sound(net: Network, count: int) -> bytes:
    before = len(net.store.bytes())
    for k in range(count):
        net.update(net.channels[3 + k], 0)
    return net.store.bytes()[before:]


@pytest.mark.parametrize("seed", range(10))
def test_nothing_is_lost_in_silence_where_bytes_were_put_in_and_taken_out(tmp_path: Path, seed: int) -> None:
    whole, copies = moved_ages(seed)
    done = merged(tmp_path, copies)
    out = {told(r) for r in out_of(tmp_path)}
    lost = [r for r in walk(whole[2]) if r.live and r.kind in (256, 257, 258) and told(r) not in out]
    assert not lost or done.plan.losses
    assert out - {told(r) for data in whole for r in walk(data)} <= {
        told(r) for r in out_of(tmp_path) if r.kind == 4107
    }
    assert objection((tmp_path / "merged").read_bytes()) == ""


def test_copies_of_other_versions_become_the_highest_one(tmp_path: Path) -> None:
    done = merged(tmp_path, [healthy(12, 30_000, 7), healthy(16, 30_000, 8)])
    data = (tmp_path / "merged").read_bytes()
    assert data[0] == 16
    assert objection(data) == ""
    assert not {r.kind for r in walk(data)} & {3503, 4102, 4104}
    assert done.plan.counts["not_converted"] > 0


def test_the_order_of_the_arguments_changes_nothing(tmp_path: Path) -> None:
    net = grown(16, 30_000, 9)
    copies = [net.store.bytes()]
    net.update(net.channels[0], 0)
    copies.append(net.store.bytes())
    first, second = tmp_path / "a", tmp_path / "b"
    for folder, order in ((first, copies), (second, copies[::-1])):
        folder.mkdir()
        merged(folder, order)
    assert (first / "merged").read_bytes() == (second / "merged").read_bytes()


def test_a_store_of_another_chain_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = healthy(16, 20_000, 1)
    monkeypatch.setattr(m, "MAINNET", bytes(range(32)))
    with pytest.raises(RefusedError, match="of chain"):
        merged(tmp_path, [one, healthy(16, 20_000, 1)])


def test_a_store_whose_checksums_cannot_be_judged_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="cannot be judged"):
        merged(tmp_path, [healthy(16, 20_000, 1), healthy(5, 20_000, 1)])


def test_owners_beyond_the_limit_go_to_files_and_change_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from inspector.formats.gossip_store import merge_owners, merging

    rng = Random(3)
    base = healthy(16, 60_000, 10)
    records = list(walk(base))
    copies = [damage.noise(base, r.at, r.end).data for r in rng.sample(records[1:], 3)]
    merged(tmp_path, copies)
    held = (tmp_path / "merged").read_bytes()

    def small(**more: object) -> merge_owners.Channels:
        return merge_owners.Channels(limit=7, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(merging, "Channels", small)
    merged(tmp_path, copies)
    assert (tmp_path / "merged").read_bytes() == held


def test_a_dead_update_of_a_newer_copy_kills_the_same_one_of_an_older(tmp_path: Path) -> None:
    net = grown(16, 30_000, 11)
    target = net.channels[3]
    net.update(target, 0)
    old = net.store.bytes()
    at = net.update(target, 0)
    net.update(net.channels[1], 1)
    newer = net.store.bytes()
    end = next(r.end for r in walk(newer) if r.at == at)
    merged(tmp_path, [old, damage.noise(newer, at, end).data])
    wanted = owner(next(r for r in walk(newer) if r.at == at))
    assert wanted not in {owner(r) for r in out_of(tmp_path)}


def test_deleted_records_are_never_in_the_output(tmp_path: Path) -> None:
    merged(tmp_path, [healthy(16, 30_000, 12), healthy(16, 30_000, 12)])
    assert not any(r.flags & DELETED for r in out_of(tmp_path))


def test_records_inside_what_a_damaged_one_claims_are_told_and_taken_only_on_request(tmp_path: Path) -> None:
    net = grown(16, 30_000, 13)
    old = net.store.bytes()
    at = net.open(net.nodes[0], net.nodes[1]).announcement
    for opened in net.channels[:6]:
        net.update(opened, 0)
    data = bytearray(net.store.bytes())
    for where, claimed in ((at + 2, 1000), (at + 12 + 258, 1000 - 432)):  # length and features, as one write tore both
        data[where : where + 2] = claimed.to_bytes(2, "big")
    done = merged(tmp_path, [old, bytes(data)])
    assert done.code is Exit.LOST
    assert any("--accept anchored" in loss.why for loss in done.losses)
    before = {told(r) for r in out_of(tmp_path)}
    merged(tmp_path, [old, bytes(data)], Wishes(accept=frozenset({"anchored"})))
    assert len({told(r) for r in out_of(tmp_path)} - before) >= 2


def test_damaged_records_beyond_the_limit_are_counted_as_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from inspector.formats.gossip_store import merge_owners

    monkeypatch.setattr(merge_owners, "ASKED", 1)
    base = healthy(16, 30_000, 14)
    hit = [r for r in walk(base) if r.live and r.kind == 258][::3][:4]
    copies = [bytearray(base), bytearray(compacted(base, 2))]
    for data in copies:
        for record in hit:
            where = bytes(data).index(record.body) + 20
            data[where : where + 30] = bytes(byte ^ 0x3C for byte in data[where : where + 30])
    done = merged(tmp_path, [bytes(data) for data in copies], Wishes(no_correct=True))
    assert done.plan.losses_total >= 4
    assert "were not looked for" in " ".join(done.notes)


@pytest.mark.parametrize(("version", "target"), [(9, 9), (12, 12), (14, 14), (16, 16), (14, 16), (16, 14), (15, 14)])
def test_flags_of_what_is_alive_are_kept_but_for_what_the_target_version_changes(
    version: int, target: int, tmp_path: Path
) -> None:
    store = Store(version)
    net = Network(store)
    nodes = [net.node() for _ in range(4)]
    for one, two in pairwise(nodes):
        channel = net.open(one, two)
        net.update(channel, 0)
        net.update(channel, 1, flags=0x4000)
    for node in nodes:
        net.announce(node, flags=0x4000 if version >= 7 else 0)
    if version < 14:
        net.keep_private(*nodes[:2])
    data = store.bytes()
    merged(tmp_path, [data, data], Wishes(to_version=target))
    assert (tmp_path / "merged").read_bytes()[0] == target
    completed = 0x2000 if target >= 15 else 0
    before = {told(r): r.flags & ~0x2000 if version >= 15 else r.flags for r in walk(data) if r.live}
    after = {told(r): r.flags & ~completed for r in out_of(tmp_path)}
    assert all(r.flags & completed == completed for r in out_of(tmp_path))
    kept = {one: flags for one, flags in before.items() if one[0] != 4107}
    assert {one: flags for one, flags in after.items() if one[0] != 4107} == kept
    assert set(kept.values()) == {0, 0x4000}


@pytest.mark.parametrize("version", [11, 12, 16])
def test_what_is_written_of_a_dying_channel_is_flagged_so_since_version_12(version: int, tmp_path: Path) -> None:
    net = grown(version, 9_000, 4)
    dying = net.channels[1]
    net.spend(dying)
    bare = bytearray(net.store.bytes())
    for record in walk(bytes(bare)):
        bare[record.at] &= ~(DYING >> 8)  # another program's copy, which knows it by its own record alone
    merged(tmp_path, [bytes(bare), bytes(bare)])
    flagged = {(r.kind, channel(r)) for r in out_of(tmp_path) if r.flags & DYING}
    assert flagged == ({(256, dying.scid), (258, dying.scid)} if version >= 12 else set())
    assert {r.kind for r in out_of(tmp_path) if channel(r) == dying.scid} == {256, 258, 4106}
