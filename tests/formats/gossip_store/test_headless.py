"""A store that lost its version byte alone: nothing else is lost, and nothing else is said to be."""

from __future__ import annotations

from json import loads
from pathlib import Path
from random import Random

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
    assert told == [("GSP002", "shifted", "certain")]
    assert any(line.startswith("Nothing is lost") for line in report.answer.words)
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


def _shifted(data: bytes, by: int) -> list[tuple[object, ...]]:
    """What is said of the bytes and records behind the version byte, as if it were there: `by` is 1 where it is not."""
    report = scan(data)
    told = [
        (f.rule.code, f.span.start + by, f.span.end + by, f.salvage, f.cause.name, f.evidence.get("other", -by) + by)  # type: ignore[operator]
        for f in report.tally.findings()
        if f.rule.code != "GSP002"
    ]
    said = report.answer.summary
    return [*sorted(told), (said["live_channels"], said["live_nodes"]), tuple(_losses(report))]


def _losses(report: Report) -> list[str]:
    return [line for line in report.answer.words if line.startswith(("Lost:", "Damage that a repair undoes"))]


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("version", [12, 14, 16])
def test_other_damage_is_told_as_if_the_version_byte_were_there(version: int, seed: int) -> None:
    rng = Random(f"{version} {seed}")
    whole = healthy(version, 12_000, seed)
    records = list(walk(whole))
    first = next(i for i, r in enumerate(records) if r.kind == 256)
    pair = whole[records[first].at : records[first + 1].end]
    later = rng.choice([r for r in records[first + 4 :] if r.kind != 4101])
    at = rng.randrange(later.at, len(whole) - 100)
    for damaged in (
        damage.flip_bit(whole, at, rng.randrange(8)),
        damage.zero(whole, at, at + 80),
        damage.cut(whole, at, at + rng.randrange(1, 90)),
        damage.cut(whole, later.at, later.end),
        damage.splice(whole, later.at, pair),  # the first channel is announced again
    ):
        assert _shifted(damaged.data[1:], 1) == _shifted(damaged.data, 0)


@pytest.mark.parametrize("version", [9, 14, 16])
def test_a_merge_takes_the_first_record(version: int, tmp_path: Path) -> None:
    whole = healthy(version, 20_000, seed=2)
    files = {"a": whole, "b": whole, "c": whole[1:], "d": whole[1:]}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    made = {}
    for copies in ("ab", "ac", "ca", "cd"):
        out = str(tmp_path / f"out-{copies}")
        named = [str(tmp_path / name) for name in copies]
        assert main(["merge", "--format", "gossip-store", *named, "-o", out]) == 0
        made[copies] = [r.body for r in walk(Path(out).read_bytes()) if r.kind != 4107]
    assert made["ab"] == made["ac"] == made["ca"] == made["cd"]
    kept = (tmp_path / "out-ac").read_bytes()
    assert kept[0] == version  # the other copy tells it


def test_show_and_records_begin_with_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = healthy(16, 9_000, seed=2)
    path = tmp_path / "x.gossip_store"
    path.write_bytes(whole[1:])
    assert main(["records", "--jsonl", str(path)]) == 0
    first = loads(capsys.readouterr().out.splitlines()[0])
    assert (first["kind"], first["start"], first["end"], first["state"]) == ("uuid", 0, 46, "ok")
    assert main(["show", str(path), "0", "--json"]) == 0
    shown = loads(capsys.readouterr().out)
    assert (shown["title"], shown["state"]) == ("uuid at 0, 46 bytes", "ok")


def test_one_record_alone_is_a_store() -> None:
    whole = healthy(16, 9_000, seed=2)
    report = scan(whole[1:47])
    assert report.format.name == "gossip-store"
    assert [f.rule.code for f in report.tally.findings()] == ["GSP002"]


@pytest.mark.parametrize("version", [9, 14, 16])
def test_of_a_head_cut_inside_a_record_only_that_record_is_lost(version: int, tmp_path: Path) -> None:
    whole = healthy(version, 9_000, seed=5)
    records = list(walk(whole))
    path, out = tmp_path / "x.gossip_store", tmp_path / "out"
    for size in (2, 3, 9, 13, 14, 27, 40, 150, 300):
        path.write_bytes(whole[size:])
        assert main(["repair", str(path), "-o", str(out), "--force"]) == 4
        kept = out.read_bytes()
        assert {r.body for r in walk(kept)} >= {r.body for r in records if r.at >= size}
        assert kept[0] in (whole[size], {9: 10, 14: 14, 16: 15}[version])  # never one near to a byte that is none


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
