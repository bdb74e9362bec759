"""A table whose end became zeroes up to a page, as a file system leaves what it did not write before the power went."""

from __future__ import annotations

import pytest

from inspector.diagnosis import diagnose
from inspector.formats import all_formats
from inspector.inspect import inspect
from inspector.source import MemorySource
from tests.builders.rocksdb import World, pairs
from tests.builders.rocksdb_table import Shape


@pytest.mark.parametrize("gone", [400, 3000, 9000])
@pytest.mark.parametrize(
    "shape", [Shape(block_size=4096), Shape(version=2, block_size=2048), Shape(leveldb=True, version=0, checksum=1)]
)
def test_zeroes_from_the_tail_to_the_next_page_are_no_bytes_put_in(shape: Shape, gone: int) -> None:
    world = World(shape)
    world.add(9, pairs(0, 400))
    members = world.members()
    name, whole = "000009.sst", world.tables[9].data
    start = len(whole) - gone
    members[name] = whole[:start] + bytes(gone + -len(whole) % 4096)
    report = inspect(MemorySource(members), all_formats())
    events = diagnose(report).events
    assert {event.cause.name for event in events} <= {"zeroed-range", "unknown"}
    assert any(event.cause.name == "zeroed-range" for event in events), events
