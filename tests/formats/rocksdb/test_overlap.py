"""Tables of one level whose keys overlap: the engine shows nothing of it, and a repair moves them to level 0."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from inspector.formats import all_formats
from inspector.formats.rocksdb.view import Doubts, families, plain_pairs
from inspector.inspect import Report, inspect
from inspector.source import MemorySource, open_source
from tests.builders.rocksdb import World, pairs
from tests.formats.rocksdb.test_inspection import mended, written


def overlapping(first: int, second: int, newest: int) -> dict[str, bytes]:
    """A table of the keys below `first` and, listed before it, one from `second` on, with these sequence numbers."""
    world = World()
    world.add(11, pairs(second, 100, newest))
    world.add(9, pairs(0, first, 100))
    return world.members()


def told(report: Report) -> list[str]:
    return [f"{f.rule.code} {f.span.member}: {f.message}" for f in report.tally.findings()]


CASES = [(60, 52, 400, True), (53, 52, 400, True), (53, 52, 152, True), (53, 52, 151, False), (52, 52, 400, False)]


# 59 and 52 differ in their last byte alone; of one key that both have the newer version must come first
@pytest.mark.parametrize(("first", "second", "newest", "overlaps"), CASES)
def test_tables_overlap_where_the_engine_says_so(
    first: int, second: int, newest: int, overlaps: bool, tmp_path: Path
) -> None:
    members = overlapping(first, second, newest)
    report = inspect(MemorySource(members), all_formats())
    assert told(report) == ["RDB017 000011.sst: level 1 of default: 000009 and 000011 overlap"] * overlaps
    result = mended(written(tmp_path / "db", members), tmp_path / "new")
    assert (int(result.code), result.records["lost"]) == (0, 0)
    with open_source(str(tmp_path / "new")) as source:
        new = inspect(source, all_formats()).state
        (family,) = families(new)
        assert [key for key, _ in plain_pairs(new, family, Doubts())] == [b"key-%06d" % i for i in range(100)]
        assert {file.level for file in family.files.values()} == {0 if overlaps else 1}


@pytest.mark.parametrize(("first", "second", "newest", "overlaps"), CASES)
def test_the_engine_shows_nothing_where_tables_overlap(
    first: int, second: int, newest: int, overlaps: bool, tmp_path: Path
) -> None:
    rocksdict: Any = pytest.importorskip("rocksdict")
    members = overlapping(first, second, newest)
    del members["OPTIONS-000007"]  # of another release than the engine's
    store = rocksdict.Rdict(str(written(tmp_path / "db", members)), rocksdict.Options(raw_mode=True))
    assert len(list(store.keys())) == (0 if overlaps else 100)
    store.close()
