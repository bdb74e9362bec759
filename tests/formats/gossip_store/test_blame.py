"""Who is blamed: a wrong version byte, a record beside a damaged one, an append that stopped."""

from __future__ import annotations

from pathlib import Path

import pytest

from inspector import formats
from inspector.__main__ import main
from inspector.finding import Finding, Severity
from inspector.format import Wishes
from inspector.inspect import Report, inspect
from inspector.repair import repair
from inspector.source import MemorySource, open_source
from tests import damage
from tests.builders.gossip import Network, Store, healthy
from tests.formats.gossip_store.witness import Record, walk


def scan(data: bytes) -> Report:
    return inspect(MemorySource(data), formats.all_formats())


def only(report: Report, code: str) -> Finding:
    (found,) = (f for f in report.tally.findings() if f.rule.code == code)
    return found


def kind(record: Record) -> int:
    return int.from_bytes(record.body[:2])


def with_short_updates(version: int) -> bytes:
    net = Network(Store(version), seed=3)
    one, two = net.node(), net.node()
    channel = net.open(one, two)
    for side in (0, 1):
        net.update(channel, side, short=True)
    return net.store.bytes()


@pytest.mark.parametrize("byte", [0x89, 0xF6])
def test_a_lost_version_byte_costs_no_update_of_an_old_store(byte: int, tmp_path: Path) -> None:
    data = with_short_updates(9)
    hurt = bytes([byte]) + data[1:]
    result = repair(MemorySource(hurt), formats.all_formats(), str(tmp_path / "out"), Wishes())
    assert (result.records["lost"], result.records["dropped"]) == (0, 0)
    out = (tmp_path / "out").read_bytes()
    assert out[1:] == data[1:]
    assert out[0] == (9 if byte == 0x89 else 10)  # only from one bit away is it known which


def test_one_wrong_version_byte_moves_nothing() -> None:
    data = healthy(16, 6_000, seed=1)
    cause = only(scan(b"\x71" + data[1:]), "GSP002").cause
    assert (cause.name, cause.confidence) == ("multi-bit", "possible")
    cause = only(scan(b"\x90" + data[1:]), "GSP002").cause
    assert (cause.name, cause.confidence) == ("bit-flip", "likely")


def test_a_version_byte_written_over_the_first_flags_moved_nothing() -> None:
    data = healthy(16, 6_000, seed=1)
    found = scan(b"\0" + data[:1] + data[2:]).tally.findings()
    assert found
    assert not any(f.cause.name == "shifted" for f in found)


@pytest.mark.parametrize("hit", [256, 4101])
def test_a_record_is_not_missing_by_its_writer_where_damage_hides_it(hit: int) -> None:
    data = healthy(16, 6_000, seed=5)
    record = [r for r in walk(data) if kind(r) == hit and not r.flags & 0x8000][1]
    hurt = damage.overwrite(data, record.at + 9, b"\x5a\xc3\x01").data
    beside = [f for f in scan(hurt).tally.findings() if f.rule.code in ("GSP014", "GSP015")]
    assert beside
    assert all(f.cause.name != "software-rule-violation" for f in beside)


def test_a_small_store_that_was_cut_was_not_overwritten() -> None:
    data = healthy(9, 9_000, seed=9)
    for record in [r for r in walk(data) if r.end - r.at > 400][1:]:
        report = scan(data[: record.at + 223])
        assert only(report, "GSP007").cause.name in ("torn-write", "truncated"), record.at


def test_a_flag_missing_before_whole_records_may_be_a_flipped_bit() -> None:
    data = healthy(16, 6_000, seed=6)
    first, last = [r for r in walk(data) if r.flags == 0x2000][1], list(walk(data))[-1]
    middle = only(scan(damage.flip_bit(data, first.at, 5).data), "GSP009").cause
    assert (middle.name, middle.confidence) == ("torn-write", "possible")
    end = only(scan(damage.flip_bit(data, last.at, 5).data), "GSP009").cause
    assert (end.name, end.confidence) == ("torn-write", "likely")


@pytest.mark.parametrize("data", [bytes(9_000), bytes([16]) + bytes(8_999), b"\xa5\x17" * 4_000])
def test_a_store_of_which_nothing_is_left_is_one_by_its_name(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "gossip_store.corrupt"
    path.write_bytes(data)
    assert main(["scan", str(path)]) == 3
    with open_source(str(path)) as source:
        report = inspect(source, formats.all_formats())
    assert any(f.level is Severity.ERROR for f in report.tally.findings())
    out = str(tmp_path / "out")
    assert main(["repair", str(path), "-o", out]) == 4
    assert not any("Nothing is lost" in line for line in report.answer.words)
