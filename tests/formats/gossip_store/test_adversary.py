"""Stores that were made to mislead: by strangers who choose bytes inside announcements, and by chance."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from inspector import formats
from inspector.finding import Severity
from inspector.format import Wishes
from inspector.inspect import Report, inspect
from inspector.repair import Result, repair
from inspector.source import MemorySource
from tests import damage
from tests.builders import gossip_messages as m
from tests.builders.gossip import HEADER, Network, Store, grown, healthy
from tests.formats.gossip_store.witness import channel, objection, record_at, walk


def scan(data: bytes) -> Report:
    return inspect(MemorySource(data), formats.all_formats())


def mend(data: bytes, folder: Path, accept: frozenset[str] = frozenset()) -> tuple[Result, bytes]:
    output = folder / "out"
    result = repair(MemorySource(data), formats.all_formats(), str(output), Wishes(accept=accept))
    return result, output.read_bytes()


def trojan(net: Network, *bodies: bytes) -> tuple[int, int]:
    """A node announcement with whole records in its TLV stream; its header and the first byte planted."""
    trap = Store(16, bare=True)
    for body in bodies:
        trap.append(body)
    inner = bytes(trap.data[1:])
    node = next(n for n in net.nodes if n.channels)
    length = bytes([len(inner) + 9]) if len(inner) + 9 < 253 else b"\xfd" + (len(inner) + 9).to_bytes(2)
    words = m.NodeWords(b"trojan", tlv=b"\x01" + length + inner + b"\xaa" * 9)
    at = net.store.append(m.node_announcement(net.noise, node.id, net.tick(), words), net.time)
    return at, bytes(net.store.data).index(inner, at)


def behind_a_trojan(*bodies: bytes) -> tuple[Network, int, int]:
    net = grown(16, 20_000, seed=4)
    at, inner = trojan(net, *bodies)
    return net, at, inner


def cut_behind(net: Network, end: int) -> bytes:
    """Four bytes lost at `end`: the claimed end of the record before it is not confirmed by anything."""
    return damage.cut(net.store.bytes(), end - 4, end).data


def test_a_planted_record_in_a_whole_announcement_is_never_seen() -> None:
    net, _, _ = behind_a_trojan(m.delete_chan(5))
    assert not scan(net.store.bytes()).damaged
    assert "GSP031" not in {code for code, _ in scan(net.store.bytes()).tally.counts}


def test_a_planted_record_is_not_looked_for_where_the_damaged_end_is_confirmed(tmp_path: Path) -> None:
    net, at, _ = behind_a_trojan(m.delete_chan(5))
    net.update(net.channels[0], 0)
    data = damage.flip_bit(net.store.bytes(), at + HEADER + 80, 1).data
    assert {f.rule.code for f in scan(data).tally.findings()} == {"GSP003"}
    assert not any(channel(r) == 5 for r in walk(mend(data, tmp_path)[1]))


def test_a_planted_announcement_does_not_delete_the_genuine_one_behind_it(tmp_path: Path) -> None:
    net = grown(16, 20_000, seed=4)
    one, two = net.nodes[0], net.nodes[1]
    scid = m.scid(800_000, 7, 1)
    first, second = sorted((one.id, two.id))
    fake = m.channel_announcement(net.noise, scid, first, second)
    trojan(net, fake, m.amount(1))
    end = len(net.store.data)
    net.update(net.channels[0], 0)
    genuine = net.open(one, two, scid=scid)
    kept = record_at(net.store.bytes(), genuine.announcement)
    _, out = mend(cut_behind(net, end), tmp_path)
    assert kept is not None
    assert [r.live for r in walk(out) if r.body == kept.body] == [True]
    assert not any(r.body == fake for r in walk(out))
    assert objection(out) == ""


def test_a_planted_tombstone_does_not_close_a_channel() -> None:
    net = grown(16, 20_000, seed=4)
    victim = next(c for c in net.channels if c.updates[0])
    trojan(net, m.delete_chan(victim.scid))
    end = len(net.store.data)
    net.update(net.channels[0], 0)
    net.update(victim, 0)
    report = scan(cut_behind(net, end))
    assert "GSP031" in {code for code, _ in report.tally.counts}
    assert "GSP018" not in {code for code, _ in report.tally.counts}


def test_a_planted_record_is_written_only_when_it_is_asked_for(tmp_path: Path) -> None:
    net, _, _ = behind_a_trojan(m.delete_chan(5))
    end = len(net.store.data)
    net.update(net.channels[0], 0)
    data = cut_behind(net, end)
    assert not any(channel(r) == 5 for r in walk(mend(data, tmp_path)[1]))
    (tmp_path / "out").unlink()
    assert any(channel(r) == 5 for r in walk(mend(data, tmp_path, frozenset({"anchored"}))[1]))


@pytest.mark.parametrize("version", [9, 14, 15, 16])
def test_a_lost_beginning_is_not_taken_for_a_displaced_version_byte(version: int, tmp_path: Path) -> None:
    """By chance the byte before the first whole record is a version number; it must not decide anything."""
    data = healthy(version, 30_000, seed=version)
    for value in range(7, 17):
        starts = [r.at for r in walk(data) if r.at > 5000]
        hurt = bytearray(damage.zero(data, 0, 4096).data)
        hurt[starts[0] - 1] = value
        for at in range(4096, starts[0] - 1):
            hurt[at] = 0xEE
        report = scan(bytes(hurt))
        codes = {f.rule.code for f in report.tally.findings() if f.level is not Severity.NOTE}
        assert "GSP025" not in codes, f"byte {value} before the first record"
        (tmp_path / "out").unlink(missing_ok=True)
        _, out = mend(bytes(hurt), tmp_path)
        assert out[0] in ({15, 16} if version >= 15 else {9, 10, 11, 12, 13, 14})


def test_every_truncation_near_the_end_keeps_every_whole_record(tmp_path: Path) -> None:
    data = healthy(16, 6_000, seed=2)
    records = list(walk(data))
    ends = {r.end for r in records}
    for size in range(records[-4].at, len(data)):
        report = scan(data[:size])
        whole = sum(r.end <= size for r in records)
        assert report.account.units - report.account.damaged == whole, size
        codes = {f.rule.code for f in report.tally.findings() if f.level is not Severity.NOTE} - {"GSP014"}
        left = size - max((end for end in ends if end <= size), default=0)
        assert codes == (set() if not left else {"GSP007"} if left >= 12 else {"GSP008"}), size


def test_any_single_bit_flip_costs_at_most_its_own_record() -> None:
    data = healthy(16, 8_000, seed=3)
    records = list(walk(data))
    rng = Random(1)
    for _ in range(400):
        at, bit = rng.randrange(1, len(data)), rng.randrange(8)
        report = scan(damage.flip_bit(data, at, bit).data)
        hit = next(r for r in records if r.at <= at < r.end)
        for f in report.tally.findings():
            if f.rule.code in ("GSP003", "GSP004", "GSP005", "GSP006", "GSP012"):
                assert (f.span.start, f.span.end) == (hit.at, hit.end), (at, bit, f)
        assert report.account.units == len(records), (at, bit)


@pytest.mark.parametrize("bare", [1, 2])
@pytest.mark.parametrize("whole", [1, 2])
def test_an_announcement_written_twice_keeps_the_one_that_has_its_amount(bare: int, whole: int, tmp_path: Path) -> None:
    net = grown(16, 20_000, seed=4)
    data = net.store.bytes()
    at = next(c.announcement for c in net.channels if c.dying is None)
    announcement = record_at(data, at)
    assert announcement is not None
    pair = data[at : at + HEADER + len(announcement.body) + HEADER + 10]
    alone = pair[: HEADER + len(announcement.body)]
    result, fixed = mend(data[:at] + alone * bare + pair * (whole - 1) + data[at:], tmp_path)
    live = [r for r in walk(fixed) if not r.flags & 0x8000]
    assert [r.body for r in live] == [r.body for r in walk(data) if not r.flags & 0x8000]
    assert result.code == 0
    assert objection(fixed) == ""


def test_an_announcement_is_not_made_live_again_where_another_one_is(tmp_path: Path) -> None:
    net = grown(16, 20_000, seed=4)
    whole = net.store.bytes()
    live = next(r for r in walk(whole) if r.kind == 256 and r.live)
    data = bytearray(whole + whole[1:])  # the store twice, with DELETED on one announcement and not on its amount
    data[live.at] |= 0x80
    result, out = mend(bytes(data), tmp_path)
    assert not objection(out)
    assert [r.live for r in walk(out) if r.kind == 256 and channel(r) == channel(live)] == [False, True]
    assert result.bytes["lost"] == 0


@pytest.mark.parametrize("version", [9, 14, 16])
@pytest.mark.parametrize("wrong", [0x01, 0x40, 0x80])
def test_a_length_over_sound_records_beside_another_damage_costs_two_records(
    version: int, wrong: int, tmp_path: Path
) -> None:
    data = bytearray(grown(version, 30_000, seed=6).store.bytes())
    records = list(walk(bytes(data)))
    at = next(i for i, r in enumerate(records) if i > len(records) // 2 and r.kind == 257 and r.live)
    hurt, after = records[at], records[at + 1]
    data[hurt.at + 2] ^= wrong  # 256, 16,384 or 32,768 bytes longer
    data[hurt.at + HEADER + 30] ^= 0xFF
    data[hurt.at + HEADER + 50] ^= 0xFF
    data[after.at + HEADER + 4] ^= 0xFF
    _, out = mend(bytes(data), tmp_path)
    whole = {r.body for r in records} - {hurt.body, after.body}
    assert {r.body for r in walk(out)} >= whole
    assert "GSP031" not in {code for code, _ in scan(bytes(data)).tally.counts}
