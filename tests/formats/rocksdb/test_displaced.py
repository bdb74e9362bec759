"""Bytes put into a table, taken out of it or put behind it: what is behind them is found where it stands now."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest

from inspector import formats
from inspector.cli.app import run
from inspector.errors import Exit
from inspector.formats.rocksdb import block
from inspector.formats.rocksdb.opening import open_table
from inspector.inspect import Report, inspect
from inspector.source import MemorySource
from tests.builders import rocksdb_table as tables
from tests.builders.rocksdb_table import Shape

SAMPLES = Path(__file__).parents[3] / "samples" / "rocksdb"
SHAPES = (
    Shape(5),
    Shape(6),
    Shape(7, codec=7),
    Shape(6, index="two-level"),
    Shape(6, checksum=1, codec=4),
    Shape(0, checksum=1, leveldb=True, index="full"),
)


def pairs(count: int = 160) -> list[block.Pair]:
    rng = Random(5)
    return [(b"key%06d" % i + (i * 256 + 1).to_bytes(8, "little"), rng.randbytes(24)) for i in range(count)]


def seen(data: bytes, shape: Shape) -> Report:
    return inspect(MemorySource(data, "000009.ldb" if shape.leveldb else "000009.sst"), formats.all_formats())


def codes(report: Report) -> list[str]:
    return [finding.rule.code for finding in report.tally.findings()]


def with_bytes(data: bytes, changes: Sequence[tuple[int, int]]) -> bytes:
    """(offset, bytes put in, or taken out where that is negative), from the last one on."""
    rng = Random(9)
    for at, count in sorted(changes, reverse=True):
        data = data[:at] + rng.randbytes(max(count, 0)) + data[at + max(-count, 0) :]
    return data


@pytest.mark.parametrize("shape", SHAPES, ids=lambda s: f"v{s.version}-{s.index}-{s.codec}")
@pytest.mark.parametrize("count", [1, 13, 5000, -1, -13])
def test_bytes_put_into_a_data_block_or_lost_from_it_cost_that_block(shape: Shape, count: int) -> None:
    built = tables.table(pairs(), shape)
    hurt = built.blocks[3]
    report = seen(with_bytes(built.data, [(hurt.offset + hurt.size // 2, count)]), shape)
    assert report.state.facts[""].good_blocks == len(built.blocks) - 1
    assert codes(report) == ["RDB001", "RDB005"]
    found = report.tally.findings()[0]
    assert (found.span.start, found.span.end) == (hurt.offset, hurt.end + count)
    assert {f.cause.name for f in report.tally.findings()} == {"shifted"}


@pytest.mark.parametrize("shape", SHAPES[:2], ids=lambda s: f"v{s.version}")
def test_bytes_put_between_two_blocks_cost_nothing(shape: Shape) -> None:
    built = tables.table(pairs(), shape)
    report = seen(with_bytes(built.data, [(built.blocks[4].offset, 40)]), shape)
    assert report.state.facts[""].entries == 160
    assert codes(report) == ["RDB009", "RDB005"]


@pytest.mark.parametrize("shape", SHAPES[:3], ids=lambda s: f"v{s.version}")
def test_bytes_put_in_at_two_places_cost_two_blocks(shape: Shape) -> None:
    built = tables.table(pairs(), shape)
    places = [(built.blocks[i].offset + 20, 30 + i) for i in (2, 6)]
    report = seen(with_bytes(built.data, places), shape)
    assert report.state.facts[""].good_blocks == len(built.blocks) - 2


@pytest.mark.parametrize("shape", SHAPES[:3], ids=lambda s: f"v{s.version}")
def test_without_a_footer_the_blocks_behind_are_found_all_the_same(shape: Shape) -> None:
    built = tables.table(pairs(), shape)
    data = with_bytes(built.data[: built.footer], [(built.blocks[3].offset + 20, 17)])
    assert seen(data, shape).state.facts[""].good_blocks == len(built.blocks) - 1


@pytest.mark.parametrize("shape", SHAPES, ids=lambda s: f"v{s.version}-{s.index}-{s.codec}")
def test_a_repaired_table_holds_what_is_left_and_verifies(
    shape: Shape, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    built = tables.table(pairs(), shape)
    end = ".ldb" if shape.leveldb else ".sst"
    bad, out = tmp_path / f"000009{end}", tmp_path / f"000010{end}"
    bad.write_bytes(with_bytes(built.data, [(built.blocks[2].offset + 9, -4)]))
    assert run(["repair", str(bad), "-o", str(out)]) == Exit.LOST
    capsys.readouterr()
    report = seen(out.read_bytes(), shape)
    assert codes(report) == []
    assert report.state.facts[""].entries == 160 - built.counts[2]


@pytest.mark.parametrize("more", [0, 1])
@pytest.mark.parametrize("shape", SHAPES[:2], ids=lambda s: f"v{s.version}")
def test_whole_blocks_that_are_missing_are_told_though_no_byte_of_them_is_here(
    shape: Shape, more: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    built = tables.table(pairs(), shape)
    first, last = built.blocks[2], built.blocks[2 + more]
    bad = tmp_path / "000009.sst"
    bad.write_bytes(built.data[: first.offset] + built.data[last.end :])
    found = seen(bad.read_bytes(), shape).tally.findings()
    assert [(f.rule.code, f.cause.name) for f in found] == [("RDB009", "shifted"), ("RDB005", "shifted")]
    assert found[0].evidence["blocks"] == 1 + more
    assert run(["repair", str(bad), "-o", str(tmp_path / "out.sst")]) == Exit.LOST
    assert "nothing is lost" not in capsys.readouterr().out


def test_a_block_that_stands_elsewhere_is_not_taken_for_a_moved_one() -> None:
    built = tables.table(pairs(), Shape(6))
    one, two = built.blocks[2], built.blocks[5]
    data = bytearray(built.data)
    data[one.offset : one.end] = built.data[two.offset : two.offset + one.size + 5].ljust(one.size + 5, b"\0")
    table = open_table(lambda at, n: bytes(data[at : at + n]), len(data))
    assert (table.by, table.context.moves) == (0, ())


@pytest.mark.parametrize("count", [1, 4096, 70_000])
@pytest.mark.parametrize("shape", SHAPES[:2] + SHAPES[-1:], ids=lambda s: f"v{s.version}")
def test_zeroes_behind_a_table_are_cut_off_and_nothing_is_lost(
    shape: Shape, count: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    built = tables.table(pairs(), shape)
    end = ".ldb" if shape.leveldb else ".sst"
    bad, out = tmp_path / f"000009{end}", tmp_path / f"000010{end}"
    bad.write_bytes(built.data + bytes(count))
    assert codes(seen(bad.read_bytes(), shape)) == ["RDB013"]
    assert run(["repair", str(bad), "-o", str(out)]) == Exit.CLEAN
    assert out.read_bytes() == built.data
    assert "nothing is lost" in capsys.readouterr().out


def test_zeroes_behind_a_table_of_a_database_are_cut_off_and_its_manifest_stays(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(SAMPLES / "clean-db", tmp_path / "db")
    with (tmp_path / "db" / "000009.sst").open("ab") as table:
        table.write(bytes(4096))
    assert run(["scan", str(tmp_path / "db")]) == Exit.DAMAGED
    assert run(["repair", str(tmp_path / "db"), "-o", str(tmp_path / "out")]) == Exit.CLEAN
    capsys.readouterr()
    for file in (SAMPLES / "clean-db").iterdir():
        assert (tmp_path / "out" / file.name).read_bytes() == file.read_bytes(), file.name


@pytest.mark.parametrize("shape", SHAPES[:2], ids=lambda s: f"v{s.version}")
def test_a_block_that_stands_twice_is_left_out_once_and_nothing_is_lost(
    shape: Shape, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    built = tables.table(pairs(), shape)
    twice = built.blocks[3]
    data = built.data[: twice.end] + built.data[twice.offset :]
    found = seen(data, shape).tally.findings()
    assert "software-rule-violation" not in {f.cause.name for f in found}
    bad, out = tmp_path / "000009.sst", tmp_path / "out.sst"
    bad.write_bytes(data)
    assert run(["repair", str(bad), "-o", str(out)]) == Exit.CLEAN
    capsys.readouterr()
    assert seen(out.read_bytes(), shape).state.facts[""].entries == 160


@pytest.mark.parametrize("shape", SHAPES, ids=lambda s: f"v{s.version}-{s.index}-{s.codec}")
@pytest.mark.parametrize("place", ["index", "properties", "metaindex"])
def test_a_block_of_the_end_that_is_missing_costs_no_data(shape: Shape, place: str) -> None:
    built = tables.table(pairs(), shape)
    if place not in built.places:
        return
    gone = built.places[place]
    report = seen(built.data[: gone.offset] + built.data[gone.end :], shape)
    assert report.exit_code() is Exit.DAMAGED
    assert report.state.facts[""].entries == 160


@pytest.mark.parametrize("shape", [Shape(5), Shape(2, checksum=1, index="full"), Shape(5, checksum=3, codec=4)])
@pytest.mark.parametrize("first", range(0, 3))
def test_other_bytes_before_the_magic_of_a_footer_cost_no_data(shape: Shape, first: int) -> None:
    """They are taken for a type of checksum, and for handles that lead nowhere."""
    built = tables.table(pairs(), shape)
    data = bytearray(built.data)
    data[built.footer : built.footer + 41] = bytes([first]) + bytes(range(40, 80))
    report = seen(bytes(data), shape)
    assert report.exit_code() is Exit.DAMAGED
    assert report.state.facts[""].entries == 160
