"""A metaindex that verifies and names no properties: without them the engine reads the index as an older one."""

from __future__ import annotations

from pathlib import Path

import pytest

from inspector.cli.app import run
from inspector.errors import Exit
from inspector.formats.rocksdb import checksums
from inspector.formats.rocksdb.database import open_database
from inspector.source import open_source
from tests.builders.rocksdb import pairs, small_world
from tests.builders.rocksdb_table import Shape, Writer
from tests.formats.rocksdb.test_bare_types import told, written

TABLE = "000011.sst"


@pytest.mark.parametrize("version", [2, 4, 5])
@pytest.mark.parametrize("name", [b"rocksdb.propertiEs", b"rocksdb-properties"])
def test_properties_under_another_name_are_found_and_get_theirs(name: bytes, version: int, tmp_path: Path) -> None:
    shape = Shape(version=version, checksum=checksums.CRC32C)
    world = small_world(shape)
    built = world.tables[11]
    place = built.places["metaindex"]
    payload = built.data[place.offset : place.offset + place.size]
    assert payload.count(b"rocksdb.properties") == 1
    writer = Writer(shape)
    writer.out += bytes(place.offset)
    writer.block(payload.replace(b"rocksdb.properties", name))
    folder = tmp_path / "db"
    written(world, folder)
    data = built.data[: place.offset] + bytes(writer.out)[place.offset :] + built.data[place.end :]
    (folder / TABLE).write_bytes(data)
    assert told(folder) == {"RDB004"}
    assert run(["repair", str(folder), "-o", str(tmp_path / "out")]) == Exit.CLEAN
    with open_source(str(tmp_path / "out")) as source:
        found = open_database(source).table(TABLE).properties
        assert found is not None
        assert found.number("num.entries") == len(pairs(60, 120))
