"""Pages of a table that changed places: known by the blocks in them, and put back byte for byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from inspector.__main__ import main
from inspector.diagnosis import diagnose
from inspector.formats import all_formats
from inspector.inspect import Report, inspect
from inspector.source import MemorySource, open_source
from tests.builders.rocksdb import World, pairs
from tests.builders.rocksdb_table import Shape

NAME = "000009.sst"
SHAPES = (
    Shape(),
    Shape(version=6, codec=4, block_size=2048),
    Shape(version=2, checksum=1, codec=1),
    Shape(index="two-level"),
)


def world(shape: Shape) -> World:
    made = World(shape)
    made.add(9, pairs(0, 900))
    return made


def exchanged(data: bytes, size: int, *couples: tuple[int, int]) -> bytes:
    out = bytearray(data)
    for one, two in couples:
        low, high = one * size, two * size
        out[low : low + size], out[high : high + size] = data[high : high + size], data[low : low + size]
    return bytes(out)


def inspected(made: World, table: bytes) -> Report:
    return inspect(MemorySource(made.members() | {NAME: table}), all_formats())


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("size", "couples"), [(512, ((3, 11),)), (4096, ((0, 2),)), (512, ((2, 3), (9, 20)))])
def test_what_changed_places_is_put_back_and_nothing_is_lost(
    shape: Shape, size: int, couples: tuple[tuple[int, int], ...], tmp_path: Path
) -> None:
    made = world(shape)
    whole = made.tables[9].data
    folder = tmp_path / "db"
    folder.mkdir()
    for name, data in (made.members() | {NAME: exchanged(whole, size, *couples)}).items():
        (folder / name).write_bytes(data)
    with open_source(str(folder)) as source:
        report = inspect(source, all_formats())
        events = diagnose(report).events
    assert {(e.cause.name, e.cause.confidence) for e in events} == {("swapped", "certain")}
    assert len(events) == len(couples)
    assert all(f.salvage == "corrected" for f in report.tally.findings())
    assert main(["repair", str(folder), "-o", str(tmp_path / "out")]) == 0
    assert (tmp_path / "out" / NAME).read_bytes() == whole


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("size", "role"), [(512, "index"), (4096, "index"), (512, "metaindex")])
def test_a_page_with_what_tells_where_blocks_lie_is_put_back(
    shape: Shape, size: int, role: str, tmp_path: Path
) -> None:
    """Without the index blocks are found where they verify: in version 5 also those in a page that moved."""
    made = world(shape)
    whole, place = made.tables[9].data, made.tables[9].places[role]
    page = place.offset // size
    if page * size + size > made.tables[9].footer:
        pytest.skip("the page ends behind the table, or holds a part of its footer")
    table = exchanged(whole, size, (1, page))
    report = inspected(made, table)
    assert {f.cause.name for f in report.tally.findings()} == {"swapped"}
    folder = tmp_path / "db"
    folder.mkdir()
    for name, data in (made.members() | {NAME: table}).items():
        (folder / name).write_bytes(data)
    assert main(["repair", str(folder), "-o", str(tmp_path / "out")]) == 0
    assert (tmp_path / "out" / NAME).read_bytes() == whole


def test_a_page_under_a_copy_of_another_is_lost_and_not_said_to_have_changed_places() -> None:
    made = world(Shape())
    whole = made.tables[9].data
    report = inspected(made, whole[:1024] + whole[8192:8704] + whole[1536:])
    assert "swapped" not in {f.cause.name for f in report.tally.findings()}
    assert all(f.salvage != "corrected" for f in report.tally.findings())


def test_without_corrections_nothing_is_put_back(tmp_path: Path) -> None:
    made = world(Shape())
    folder = tmp_path / "db"
    folder.mkdir()
    for name, data in (made.members() | {NAME: exchanged(made.tables[9].data, 512, (3, 11))}).items():
        (folder / name).write_bytes(data)
    assert main(["repair", str(folder), "-o", str(tmp_path / "out"), "--no-correct"]) == 4
