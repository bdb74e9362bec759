"""One damage, one story: which slot survives, what the node loads, what a repair brings back."""

from __future__ import annotations

import json
import lzma
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspector.errors import Exit, RefusedError
from inspector.format import Wishes
from inspector.formats.known_peers import FORMAT
from inspector.formats.known_peers.flip import one_flip
from inspector.formats.known_peers.payload import Address, Generation, Peer, parse_payload
from inspector.formats.known_peers.slots import slot_length
from inspector.inspect import Report, inspect
from inspector.repair import Result, repair
from inspector.source import MemorySource, open_source
from tests.builders import known_peers as build
from tests.builders.known_peers import WROTE, S

DATA = Path(__file__).parents[3] / ".." / "shared" / "data" / "kademlia"
FORMATS = (FORMAT,)


def scan(data: bytes, **wishes: Any) -> Report:
    report = inspect(MemorySource(data, "known_addresses.bin"), FORMATS, Wishes(**wishes))
    assert not report.account.holes
    assert sum(report.account.roles) == len(data)
    return report


def codes(report: Report) -> list[str]:
    return [f.rule.code for f in report.tally.findings()]


def verdicts(report: Report) -> list[str]:
    return [s["verdict"] for s in report.answer.summary["slots"]]


def mend(data: bytes, tmp_path: Path, **wishes: Any) -> tuple[bytes, Result]:
    source, target = tmp_path / "known_addresses.bin", tmp_path / "out.bin"
    source.write_bytes(data)
    with open_source(str(source)) as opened:
        result = repair(opened, FORMATS, str(target), Wishes(**wishes), force=True)
    assert source.read_bytes() == data
    return target.read_bytes(), result


def listed(data: bytes, slot: int) -> list[bytes]:
    found = parse_payload(data, slot * S, len(data), 3)
    assert found.error is None
    return [p.raw for p in found.peers]


@pytest.mark.parametrize("generation", [1, 2, 3])
def test_each_generation_is_known_by_its_digest(generation: Generation) -> None:
    report = scan(build.healthy(generation))
    summary = report.answer.summary
    assert report.exit_code() == Exit.CLEAN
    assert summary["generation"] == f"v{generation}"
    assert summary["winner"] == {"slot": 0, "timestamp": WROTE, "peers": 12}
    assert summary["usable_until"] == WROTE + 86400
    assert [s["peers"] for s in summary["slots"]] == [12, 15]
    assert [s["offset"] for s in summary["slots"]] == [0, S]
    assert codes(report) == ["KNP015"]


def test_a_node_of_another_generation_starts_with_an_empty_list() -> None:
    outcomes = {o.release[-3:-1]: o.outcome for o in scan(build.healthy(2)).answer.loaders}
    assert outcomes["v2"].startswith("loads 12 of 12 peers from slot A")
    assert outcomes["v3"].startswith("starts with an empty list")
    assert outcomes["v1"].startswith("starts with an empty list")


def test_after_an_upgrade_the_newer_generation_wins_though_it_is_older() -> None:
    data = build.store(
        build.seal(build.payload(build.peers(3), WROTE, 3)), build.seal(build.payload(build.peers(9), WROTE + 9, 2))
    )
    report = scan(data)
    assert report.answer.summary["winner"] == {"slot": 0, "timestamp": WROTE, "peers": 3}
    assert codes(report) == ["KNP011"]


def test_a_fresh_file_is_healthy_and_has_no_winner(tmp_path: Path) -> None:
    report = scan(bytes(2 * S))
    assert report.exit_code() == Exit.CLEAN
    assert codes(report) == []
    assert verdicts(report) == ["zero", "zero"]
    assert report.answer.summary["winner"] is None
    assert report.account.roles == [0, 0, 0, 2 * S, 0]
    assert mend(bytes(2 * S), tmp_path)[0] == bytes(2 * S)


def test_the_first_save_leaves_slot_b_zero_and_the_file_healthy() -> None:
    report = scan(build.store(build.seal(build.payload(build.peers(4))), b""))
    assert report.exit_code() == Exit.CLEAN
    assert verdicts(report) == ["good", "zero"]


def test_on_equal_times_slot_a_is_taken() -> None:
    data = build.store(build.seal(build.payload(build.peers(4))), build.seal(build.payload(build.peers(6))))
    report = scan(data)
    assert report.answer.summary["winner"]["slot"] == 0
    assert codes(report) == ["KNP012"]
    assert report.exit_code() == Exit.CLEAN


def test_slot_b_wins_when_it_is_newer() -> None:
    data = build.store(build.seal(build.payload(build.peers(4))), build.seal(build.payload(build.peers(6), WROTE + 5)))
    assert scan(data).answer.summary["winner"] == {"slot": 1, "timestamp": WROTE + 5, "peers": 6}


def test_a_flipped_bit_in_a_key_costs_nothing(tmp_path: Path) -> None:
    healthy = build.healthy()
    rng = random.Random(1)
    end = parse_payload(healthy, 0, S, 3).end
    for at in rng.sample(range(end + 32), 6):
        data = bytearray(healthy)
        data[at] ^= 1 << rng.randrange(8)
        report = scan(bytes(data))
        (finding,) = [f for f in report.tally.findings() if f.rule.code != "KNP015"]
        assert finding.evidence["flipped_byte"] == at
        assert (finding.cause.name, finding.cause.confidence, finding.salvage) == ("bit-flip", "certain", "corrected")
        fixed, result = mend(bytes(data), tmp_path)
        assert result.code == Exit.CLEAN
        assert result.bytes["lost"] == 0
        assert fixed[: end + 32] == healthy[: end + 32] == fixed[S : S + end + 32]


def test_both_slots_changed_beyond_one_bit_leave_nothing_that_is_proved(tmp_path: Path) -> None:
    data = bytearray(build.healthy())
    for base, mask in ((0, 0x55), (S, 0x33)):
        data[base + 20] ^= mask
        data[base + 21] ^= mask
    report = scan(bytes(data))
    assert verdicts(report) == ["bad checksum", "bad checksum"]
    assert codes(report) == ["KNP001", "KNP015", "KNP001"]
    assert report.answer.summary["winner"] is None
    with pytest.raises(RefusedError, match="no slot has a good digest"):
        mend(bytes(data), tmp_path)
    fixed, result = mend(bytes(data), tmp_path, accept=frozenset({"unsealed"}))
    assert len(listed(fixed, 0)) == 16  # 14 whose keys are whole, and the changed first key of each
    assert result.proof["none"] == 2 * (parse_payload(fixed, 0, S, 3).end + 32)
    assert scan(fixed).exit_code() == Exit.CLEAN


def test_a_crash_while_slot_a_is_written_falls_back_to_slot_b(tmp_path: Path) -> None:
    old = build.seal(build.payload(build.peers(30, 201), WROTE - 90))
    new = build.seal(build.payload(build.peers(28), WROTE))
    data = build.slot(new[:1000], old) + build.slot(build.seal(build.payload(build.peers(15), WROTE - 5)))
    report = scan(data)
    assert verdicts(report) == ["torn", "good"]
    (finding,) = [f for f in report.tally.findings() if f.rule.code == "KNP002"]
    assert finding.cause.name == "torn-write"
    torn = finding.evidence["torn_at"]
    assert isinstance(torn, int)
    assert 1000 - 150 <= torn <= 1000 + 300
    fixed, result = mend(data, tmp_path)
    assert result.code == Exit.LOST
    assert listed(fixed, 0) == listed(fixed, 1) == [p.raw for p in build.peers(15)]
    assert scan(fixed).answer.summary["winner"]["timestamp"] == WROTE - 5


def test_a_zeroed_page_in_the_newer_slot_is_named_as_the_cause() -> None:
    body = build.seal(build.payload(build.peers(100)))
    data = bytearray(build.store(body, build.seal(build.payload(build.peers(5), WROTE - 5))))
    assert len(body) > 8192
    data[4096:8192] = bytes(4096)
    report = scan(bytes(data))
    finding = report.tally.findings()[0]
    assert (finding.rule.code, finding.cause.name, finding.cause.confidence) == ("KNP002", "zeroed-range", "certain")
    assert 4096 <= int(str(finding.evidence["torn_at"])) < 4096 + 64 + 300
    assert report.answer.summary["winner"]["slot"] == 1


def test_a_crash_after_a_resize_leaves_two_whole_lists_without_a_digest(tmp_path: Path) -> None:
    body = build.payload(build.peers(8))
    data = build.store(body, body)
    report = scan(data)
    assert verdicts(report) == ["never sealed", "never sealed"]
    assert codes(report) == ["KNP003", "KNP003"]
    assert report.exit_code() == Exit.DAMAGED
    with pytest.raises(RefusedError):
        mend(data, tmp_path)
    fixed, result = mend(data, tmp_path, accept=frozenset({"unsealed"}))
    assert fixed == build.store(build.seal(body), build.seal(body))
    assert result.code == Exit.CLEAN
    assert result.proof["sealed"] == 2 * S - 2 * len(body) - 64  # the zero slack


def test_a_copy_without_a_digest_beside_its_sealed_twin_is_only_a_note() -> None:
    body = build.payload(build.peers(8))
    report = scan(build.store(build.seal(body), body))
    assert verdicts(report) == ["good", "never sealed"]
    assert report.exit_code() == Exit.CLEAN


def test_a_file_cut_behind_slot_b_loses_it_for_the_node_and_not_for_a_repair(tmp_path: Path) -> None:
    data = build.store(build.seal(build.payload(build.peers(4))), build.seal(build.payload(build.peers(9), WROTE + 5)))
    cut = data[:-100_001]
    report = scan(cut)
    assert verdicts(report) == ["good", "misplaced"]
    assert codes(report) == ["KNP005", "KNP006"]
    assert report.answer.summary["winner"] == {"slot": 0, "timestamp": WROTE, "peers": 4}
    assert "newer list of 9 peers" in " ".join(report.answer.words)
    fixed, result = mend(cut, tmp_path)
    assert result.code == Exit.CLEAN
    assert listed(fixed, 0) == listed(fixed, 1) == [p.raw for p in build.peers(9)]
    assert len(fixed) == 2 * S


def test_a_file_cut_inside_slot_b_keeps_slot_a(tmp_path: Path) -> None:
    data = build.healthy()[: S + 700]
    report = scan(data)
    assert verdicts(report) == ["good", "cut"]
    assert codes(report) == ["KNP015", "KNP004", "KNP006"]
    fixed, result = mend(data, tmp_path)
    assert result.code == Exit.LOST
    assert listed(fixed, 1) == [p.raw for p in build.peers(12)]


def test_a_file_cut_inside_slot_a_is_salvaged_only_on_request(tmp_path: Path) -> None:
    data = build.healthy()[:700]
    report = scan(data)
    assert verdicts(report) == ["cut", "absent"]
    with pytest.raises(RefusedError):
        mend(data, tmp_path)
    fixed, _ = mend(data, tmp_path, accept=frozenset({"unsealed"}))
    whole = [p for p in parse_payload(build.healthy(), 0, S, 3).peers if p.end <= 700]
    assert listed(fixed, 0) == [p.raw for p in whole]


def test_bytes_appended_to_the_file_hide_slot_b(tmp_path: Path) -> None:
    report = scan(build.healthy() + b"x" * 5000)
    assert verdicts(report) == ["good", "misplaced"]
    assert report.account.roles[2] == 5000
    fixed, _ = mend(build.healthy() + b"x" * 5000, tmp_path)
    assert listed(fixed, 0) == [p.raw for p in build.peers(12)]


def test_a_slot_moved_by_inserted_bytes_is_found_again(tmp_path: Path) -> None:
    healthy = build.healthy()
    moved = (healthy[: S - 50] + b"\xee" * 33 + healthy[S - 50 :])[: 2 * S]
    report = scan(moved)
    assert verdicts(report) == ["good", "misplaced"]
    assert report.answer.summary["slots"][1]["offset"] == S + 33
    assert codes(report) == ["KNP015", "KNP005"]


def test_one_byte_makes_the_node_panic(tmp_path: Path) -> None:
    for data in (b"\0", b"d"):
        report = scan(data)
        assert codes(report) == ["KNP007"]
        assert report.exit_code() == Exit.DAMAGED
        assert all(o.outcome == "panics at every start" for o in report.answer.loaders)
        assert mend(data, tmp_path)[0] == bytes(2 * S)


def test_an_empty_file_is_a_new_file() -> None:
    report = scan(b"")
    assert report.exit_code() == Exit.CLEAN
    assert report.answer.words == ("An empty file: the node takes it for a new one.",)


def test_the_clock_is_used_only_when_a_time_is_given(tmp_path: Path) -> None:
    data = build.healthy()
    assert "usable" not in scan(data).answer.summary
    fresh, late = scan(data, at=WROTE + 86400), scan(data, at=WROTE + 86401)
    assert fresh.answer.summary["usable"] is True
    assert late.answer.summary["usable"] is False
    assert (codes(fresh), codes(late)) == (["KNP015"], ["KNP013", "KNP015"])
    assert codes(scan(data, at=WROTE - 1)) == ["KNP014", "KNP015"]
    touched, _ = mend(data, tmp_path, touch=True, at=WROTE + 99_999)
    assert scan(touched).answer.summary["winner"]["timestamp"] == WROTE + 99_999
    assert listed(touched, 1) == [p.raw for p in build.peers(12)]


def test_a_repair_merges_duplicates_and_keeps_the_limits(tmp_path: Path) -> None:
    first = build.peer(1, 4)
    long = Peer(first.raw, (Address(b"\x36\xa0\x01" + b"a" * 160), *first.addresses))
    body = build.payload([*build.peers(104), Peer(build.peer(50).raw, build.peer(50, 4).addresses), long], WROTE)
    data = build.store(build.seal(body), b"")
    report = scan(data)
    assert sorted(set(codes(report))) == ["KNP009", "KNP010"]
    fixed, _ = mend(data, tmp_path)
    found = parse_payload(fixed, 0, len(fixed), 3).peers
    assert len(found) == 100 == len({p.raw for p in found})
    assert all(len(a.raw) <= 150 for p in found for a in p.addresses)
    assert scan(fixed).exit_code() == Exit.CLEAN


def test_an_entry_that_the_node_drops_is_named_and_left_out(tmp_path: Path) -> None:
    odd = Peer(build.peer(7).raw, (Address(b"\xff\x7f\x01"),))
    data = build.store(build.seal(build.payload([build.peer(1), odd, build.peer(2)])), b"")
    report = scan(data)
    assert codes(report) == ["KNP008"]
    assert "loads 2 of 3 peers" in report.answer.loaders[0].outcome
    assert len(listed(mend(data, tmp_path)[0], 0)) == 2


def test_a_healthy_file_is_copied_and_a_repair_repeats_itself(tmp_path: Path) -> None:
    healthy = build.healthy()
    assert mend(healthy, tmp_path)[0] == healthy
    torn = bytearray(healthy)
    torn[100:140] = bytes(b ^ 0x5A for b in torn[100:140])
    once, _ = mend(bytes(torn), tmp_path)
    assert mend(once, tmp_path)[0] == once


def test_old_peers_come_back_from_the_slack() -> None:
    report = scan(build.healthy())
    assert FORMAT.records is not None
    from inspector.format import Query

    entries = list(FORMAT.records(report.state, Query()))
    old = [e for e in entries if e.state == "old"]
    assert [e.state for e in entries if e.kind == "slot"] == ["good", "good"]
    assert sum(e.kind == "peer" for e in entries) == 12 + 15
    oldest = {build.peer(100 + i).raw for i in range(20)}
    assert {p.raw for p in report.state.carved} <= oldest
    assert len(old) >= 7  # entries of the 20 that slot A does not cover


def test_a_cache_of_ten_thousand_is_read() -> None:
    room = slot_length(10_000)
    body = build.seal(build.payload(build.peers(300), WROTE, 3, 10_000))
    report = scan(build.slot(body, b"", room) + bytes(room))
    assert report.answer.summary["winner"] == {"slot": 0, "timestamp": WROTE, "peers": 300}
    assert report.exit_code() == Exit.CLEAN


SMALL = build.seal(build.payload(build.peers(3)))


@settings(deadline=None, max_examples=40)
@given(st.data())
def test_any_damage_keeps_the_promises(data: st.DataObject) -> None:
    store = bytearray(build.store(SMALL, build.seal(build.payload(build.peers(2), WROTE - 5))))
    for _ in range(data.draw(st.integers(1, 4))):
        base = data.draw(st.sampled_from([0, S, S - 40, 2 * S - 300]))
        at = base + data.draw(st.integers(0, 299))
        if at < len(store):
            store[at] ^= data.draw(st.integers(1, 255))
    keep = data.draw(st.sampled_from([len(store)] * 3 + [0, 1, 2, 13, 100, S - 1, S, S + 1, S + 60, 2 * S - 1]))
    report = scan(bytes(store[:keep]))
    assert not any(f.rule.code == "INS001" for f in report.tally.findings())


def test_every_truncation_around_a_boundary_is_accounted_for() -> None:
    healthy = build.healthy()
    end = parse_payload(healthy, 0, S, 3).end + 32
    for cut in [*range(40), *range(end - 40, end + 3), *range(S - 2, S + 60, 7), 2 * S - 1]:
        report = scan(healthy[:cut])
        assert report.exit_code() in (Exit.CLEAN, Exit.DAMAGED)
        if end < cut < 2 * S and cut // 2 > end:
            assert report.answer.summary["winner"] == {"slot": 0, "timestamp": WROTE, "peers": 12}


@pytest.mark.skipif(not DATA.is_dir(), reason="the shared data is not here")
@pytest.mark.parametrize("name", ["good_v3.bin.xz", "torn_a.bin.xz"])
def test_files_with_known_contents_read_as_their_manifest_says(name: str) -> None:
    told = json.loads((DATA / "manifest.json").read_text())[name]
    report = scan(lzma.decompress((DATA / name).read_bytes()))
    summary, official = report.answer.summary, told["official"]
    assert report.source.size == told["size"]
    assert summary["generation"] == f"v{told['version']}"
    assert summary["winner"] == {k: official[k] for k in ("slot", "timestamp", "peers")}
    assert summary["slots"][official["slot"]]["payload_length"] == official["payload_len"]
    expected = ["good", "good"] if name.startswith("good") else ["torn", "good"]
    assert verdicts(report) == expected
    assert summary["old_peers_in_slack"] > 0
    if name.startswith("torn"):
        assert 1840 <= summary["slots"][0]["torn_at"] <= 1926 + 120  # the entry that holds byte 1926, or the next


def test_a_flipped_bit_in_any_length_of_a_list_is_found_by_trial() -> None:
    unit = build.seal(build.payload(build.peers(5)))
    rng = random.Random(9)
    places = [unit.index(b"\x00\x24\x08", 30) - 1, *rng.sample(range(len(unit)), 40)]
    places += [at for at in range(13, len(unit) - 32) if unit[at] == 4][:12]  # counts of one address, and ip4 tags
    for at in places:
        for bit in (0, 2, 7):
            bad = unit[:at] + bytes([unit[at] ^ 1 << bit]) + unit[at + 1 :] + bytes(64)
            found = one_flip(bad, 3)
            assert found is not None, (at, bit)
            assert (found.at, found.bit, found.data) == (at, bit, unit)
