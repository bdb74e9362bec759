"""What stands behind a table's footer and is no zeroes: the table is what it was, and the rest is called what it is."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from inspector.format import Wishes
from inspector.formats import all_formats
from inspector.formats.rocksdb import checksums
from inspector.inspect import inspect
from inspector.repair import repair
from inspector.source import MemorySource
from tests.builders.rocksdb import pairs, small_world
from tests.builders.rocksdb_table import Shape, table

SHAPES = (
    Shape(),
    Shape(version=2, checksum=checksums.CRC32C),
    Shape(version=7, checksum=checksums.CRC32C),
    Shape(leveldb=True, checksum=checksums.CRC32C, index="full"),
)
TAILS = (b"2026-01-01 copied\n" * 3, random.Random(5).randbytes(900), bytes(600) + b"end", b"\x01")


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("tail", [*TAILS, None], ids=["text", "noise", "zeroes and text", "a byte", "itself"])
def test_bytes_behind_a_table_cost_nothing_and_are_no_zeroes(shape: Shape, tail: bytes | None, tmp_path: Path) -> None:
    data = table(pairs(0, 60), shape).data
    tail = data if tail is None else tail
    report = inspect(MemorySource(data + tail, "000009.sst"), all_formats())
    (found,) = report.tally.findings()
    assert (found.rule.code, found.span.start, found.span.end) == ("RDB013", len(data), len(data) + len(tail))
    assert found.cause.name not in ("zeroed-range", "ones-range")
    done = repair(MemorySource(data + tail, "000009.sst"), all_formats(), str(tmp_path / "out.sst"), Wishes())
    assert (tmp_path / "out.sst").read_bytes() == data
    assert (int(done.code), done.bytes["dropped"], done.bytes["lost"]) == (0, len(tail), 0)


def test_in_a_database_the_table_is_as_long_as_its_manifest_says(tmp_path: Path) -> None:
    folder = tmp_path / "db"
    folder.mkdir()
    members = small_world().members()
    for name, data in members.items():
        (folder / name).write_bytes(data + (TAILS[1] if name == "000009.sst" else b""))
    from inspector.source import open_source

    with open_source(str(folder)) as source:
        report = inspect(source, all_formats())
    (found,) = (f for f in report.tally.findings() if f.rule.code == "RDB013")
    assert (found.salvage, found.span.end - found.span.start) == ("kept", 900)
    assert not [f for f in report.tally.findings() if f.cause.name == "zeroed-range"]


def test_a_table_inside_a_value_is_not_taken_for_the_table_itself() -> None:
    """Its footer verifies and its handles lead elsewhere: they count from where the table began."""
    inner = table(pairs(0, 20), Shape(version=5)).data
    built = table([*pairs(0, 30), *[(key, inner) for key, _ in pairs(30, 34)]], Shape(version=5))
    cut = built.data[: built.places["metaindex"].offset]
    report = inspect(MemorySource(cut, "000009.sst"), all_formats())
    assert "RDB013" not in {code for code, _ in report.tally.counts}
    assert report.damaged
