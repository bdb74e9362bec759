"""A store that lost its version byte alone: nothing else is lost, and nothing else is said to be."""

from __future__ import annotations

from pathlib import Path

import pytest

from inspector.__main__ import main
from inspector.formats import all_formats
from inspector.inspect import Report, inspect
from inspector.source import MemorySource
from tests import damage
from tests.builders.gossip import healthy
from tests.formats.gossip_store.witness import walk

FORMATS = all_formats()
VERSIONS = [7, 8, 9, 10, 11, 12, 14, 15, 16]


def scan(data: bytes) -> Report:
    return inspect(MemorySource(data, "gossip_store"), FORMATS)


@pytest.mark.parametrize("seed", [1, 8])
@pytest.mark.parametrize("version", VERSIONS)
def test_everything_comes_back(version: int, seed: int, tmp_path: Path) -> None:
    whole = healthy(version, 20_000, seed)
    report, before = scan(whole[1:]), scan(whole)
    told = [(f.rule.code, f.cause.name, f.cause.confidence) for f in report.tally.findings() if f.level.value != "note"]
    assert told == [("GSP002", "shifted", "certain"), ("GSP005", "shifted", "certain")]
    assert any("Everything can be saved" in line for line in report.answer.words)
    for name in ("live_channels", "live_nodes"):
        assert report.answer.summary[name] == before.answer.summary[name]
    path, out = tmp_path / "x.gossip_store", tmp_path / "out"
    path.write_bytes(whole[1:])
    assert main(["repair", str(path), "-o", str(out)]) == 0
    kept = out.read_bytes()
    assert kept[1:] == whole[1:]
    assert kept[0] == version or kept[0] in (10, 12)  # records of versions 7-9 and 11 are those of a later one
    assert main(["repair", str(out), "-o", str(tmp_path / "again")]) == 0
    assert (tmp_path / "again").read_bytes() == kept


@pytest.mark.parametrize("version", [9, 14, 16])
def test_with_more_damage_only_that_is_lost(version: int, tmp_path: Path) -> None:
    whole = healthy(version, 20_000, seed=3)
    records = list(walk(whole))
    hit = next(r for r in records[4:] if r.kind == 258 and r.live)
    path, out = tmp_path / "x.gossip_store", tmp_path / "out"
    path.write_bytes(damage.overwrite(whole, hit.at + 20, b"\x5a" * 40).data[1:])
    assert main(["repair", str(path), "-o", str(out)]) == 4
    assert [r.body for r in walk(out.read_bytes())] == [r.body for r in records if r.at != hit.at]


def test_a_first_announcement_without_its_amount_is_no_beginning(tmp_path: Path) -> None:
    whole = bytearray(healthy(14, 20_000, seed=2))
    first, amount = list(walk(bytes(whole)))[:2]
    del whole[amount.at : amount.end]
    path, out = tmp_path / "x.gossip_store", tmp_path / "out"
    path.write_bytes(whole[1:])
    assert main(["repair", str(path), "-o", str(out)]) == 4
    assert first.kind == 256
    assert scan(out.read_bytes()).exit_code() == 0


@pytest.mark.parametrize("options", [["--compact"], ["--to-version", "14"]])
def test_what_is_rewritten_loads(options: list[str], tmp_path: Path) -> None:
    path, out = tmp_path / "x.gossip_store", tmp_path / "out"
    path.write_bytes(healthy(16, 20_000, seed=2)[1:])
    assert main(["repair", str(path), "-o", str(out), *options]) in (0, 4)
    assert scan(out.read_bytes()).exit_code() == 0


@pytest.mark.parametrize("byte", [11, 12, 14, 15, 16])
@pytest.mark.parametrize("version", [8, 9, 10])
def test_a_version_byte_that_old_records_contradict_costs_none_of_them(version: int, byte: int, tmp_path: Path) -> None:
    """The first bytes are gone, and the last one of a record stands where the version byte is looked for."""
    whole = healthy(version, 20_000, seed=4)
    records = list(walk(whole))
    cut = records[3]
    path, out = tmp_path / "x.gossip_store", tmp_path / "out"
    path.write_bytes(bytes([byte]) + whole[cut.at :])
    assert main(["repair", str(path), "-o", str(out)]) == 0
    assert [r.body for r in walk(out.read_bytes())] == [r.body for r in records[3:]]


@pytest.mark.parametrize("version", [15, 16])
@pytest.mark.parametrize("byte", [9, 12, 14])
def test_a_version_byte_of_before_completed_records_is_contradicted(version: int, byte: int) -> None:
    whole = healthy(version, 20_000, seed=4)
    start = next(r for r in walk(whole) if r.kind == 256).at
    report = scan(bytes([byte]) + whole[start:])
    assert report.answer.version == "15"
    assert "GSP027" not in {f.rule.code for f in report.tally.findings()}  # no flags that are unknown


@pytest.mark.parametrize("version", [8, 12, 16])
def test_a_store_cut_where_a_record_begins_keeps_that_record(version: int, tmp_path: Path) -> None:
    whole = healthy(version, 20_000, seed=2)
    records = list(walk(whole))
    kinds = {r.kind: i for i, r in reversed(list(enumerate(records))) if r.kind not in (256, 4101)}
    path, out = tmp_path / "x.gossip_store", tmp_path / "out"
    for i in kinds.values():
        path.write_bytes(whole[records[i].at :])
        assert main(["repair", str(path), "-o", str(out), "--force"]) == 0
        kept = {r.body for r in walk(out.read_bytes())}
        # a uuid record makes the version 16, and any other store of today is of version 15
        assert kept >= {r.body for r in records[i:] if r.kind != 4107 or not i}


@pytest.mark.parametrize("version", [9, 16])
def test_the_first_record_is_kept_where_the_next_one_is_damaged(version: int, tmp_path: Path) -> None:
    """The walk finds one gap from byte 1 on, and the first record is all there is to keep of it."""
    whole = healthy(version, 20_000, seed=6)
    records = list(walk(whole))
    assert records[0].kind in (4104, 4107)
    path, out = tmp_path / "x.gossip_store", tmp_path / "out"
    path.write_bytes(damage.overwrite(whole, records[1].at, b"\x5a" * 60).data[1:])
    assert main(["repair", str(path), "-o", str(out)]) == 4
    assert [r.body for r in walk(out.read_bytes())] == [r.body for r in (records[0], *records[2:])]


def test_the_byte_before_a_sound_record_is_no_version_where_a_damaged_one_has_its_header() -> None:
    whole = bytearray(healthy(14, 9_000, seed=2))
    records = list(walk(bytes(whole)))
    assert records[1].end < 1000
    whole[0] = 0xC0
    for record in records[:2]:
        whole[record.at + 14 : record.at + 22] = b"\x5a" * 8
    whole[records[1].end - 1] = 9  # a version, where the third one begins
    found = {f.rule.code: f for f in scan(bytes(whole)).tally.findings()}
    assert "GSP025" not in found
    assert found["GSP003"].salvage == "lost"
