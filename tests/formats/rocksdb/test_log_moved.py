"""Logs into which bytes were put, or of which some were lost: behind that place records lie over the ends of blocks."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from inspector.__main__ import main
from inspector.errors import Exit
from inspector.formats import all_formats
from inspector.formats.rocksdb import log, logical
from inspector.formats.rocksdb.database import open_database
from inspector.inspect import inspect
from inspector.source import open_source
from tests.builders.rocksdb import small_world, wal
from tests.formats.rocksdb.test_bare_types import written

BY = pytest.mark.parametrize("by", [1, 7, 100, 512, 40_000, -1, -5, -60, -33_000])


def moved(data: bytes, at: int, by: int) -> bytes:
    """With `by` random bytes put in at `at`, or as many taken out."""
    return data[:at] + Random(by).randbytes(max(by, 0)) + data[at + max(-by, 0) :]


def whole(data: bytes, number: int | None = None) -> list[bytes]:
    pieces = [*log.LogReader(lambda at, n: data[at : at + n], len(data), number).pieces()]
    assert [piece.start for piece in pieces] == [0, *(piece.end for piece in pieces[:-1])]
    assert pieces[-1].end == len(data)
    return [record.data for record in logical.Assembler().records(pieces) if record.fate == logical.WHOLE]


@BY
@pytest.mark.parametrize("size", [40, 5000, 70_000])
@pytest.mark.parametrize("recycled", [None, 14])
def test_only_what_was_hit_is_lost(recycled: int | None, size: int, by: int) -> None:
    data, starts = wal(max(5, 300_000 // size), 7, recycled, size=size)
    at = 1000
    hit = {i for i, start in enumerate(starts) if start < at + max(-by, 0) and [*starts, len(data)][i + 1] > at}
    right = [record for i, record in enumerate(whole(data)) if i not in hit]
    assert whole(moved(data, at, by), recycled) == right


def test_no_record_lies_over_the_end_of_a_block_where_nothing_is_damaged() -> None:
    """The engine would not read it, and where all before it holds it was not moved by damage."""
    data, starts = wal(900, 7)
    again = data[starts[1] : starts[2]]
    doubled = data[: starts[2]] + again + data[starts[2] :]
    assert doubled.count(again) == 2
    border = next(start for start in starts if start + len(again) <= log.BLOCK < start + 2 * len(again))
    pieces = [*log.LogReader(lambda at, n: doubled[at : at + n], len(doubled)).pieces()]
    first = next(piece for piece in pieces if piece.state not in (log.GOOD, log.PAD))
    assert first.start >= border
    assert first.end >= log.BLOCK


@BY
def test_a_repair_keeps_the_operations_of_a_wal(by: int, tmp_path: Path) -> None:
    """Where the engine is here it reads the repaired copy."""
    world = small_world()
    world.wals[14], starts = wal(2000, 10_001)
    folder = written(world, tmp_path / "db")
    (folder / "000014.log").write_bytes(moved(world.wals[14], 1000, by))
    hit = sum(
        start < 1000 + max(-by, 0) and end > 1000 for start, end in zip(starts, [*starts[1:], 1 << 30], strict=True)
    )
    assert main(["repair", str(folder), "-o", str(tmp_path / "out")]) == Exit.LOST
    with open_source(str(tmp_path / "out")) as source:
        report = inspect(source, all_formats())
    assert report.answer.summary["wal_operations"] == 2000 - hit


@BY
def test_edits_of_a_manifest_behind_such_a_place_are_read(by: int, tmp_path: Path) -> None:
    world = small_world()
    key = b"a" + bytes([1]) + bytes(7)
    for number in range(1000, 3600):
        world.listed.append(world.listed[0].__class__(6, number, 1, key, key, 0, 0))
    data = world.manifest()
    cut = 70_000
    world.listed.clear()
    folder = written(world, tmp_path / "db")
    (folder / "MANIFEST-000005").write_bytes(moved(data, cut, by))
    with open_source(str(folder)) as source:
        version = open_database(source).version
    assert version is not None
    assert len([*version.live_tables()]) >= 2600 - 3 - max(0, -by) // 40
