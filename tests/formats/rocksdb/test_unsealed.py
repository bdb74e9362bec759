"""Tables without checksums: damage that still parses, which the engine refuses, hides or looks up wrongly."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from inspector.cli.app import run
from inspector.errors import Exit
from inspector.formats.rocksdb import checksums, keys
from inspector.formats.rocksdb.coding import put_varint
from inspector.formats.rocksdb.database import good_blocks, open_database, pairs_of
from inspector.formats.rocksdb.edit import CUSTOM_EPOCH
from inspector.formats.rocksdb.view import Doubts, families, plain_pairs
from inspector.source import open_source
from tests.builders.rocksdb import World, pairs, small_world
from tests.builders.rocksdb_table import Built, Shape
from tests.formats.rocksdb.test_bare_types import told, written

VERSIONS = pytest.mark.parametrize("version", [2, 5, 6])
TABLE = "000011.sst"


def world_of(version: int) -> World:
    return small_world(Shape(version=version, checksum=checksums.NONE))


def hurt(world: World, folder: Path, change: Callable[[bytearray, Built], None]) -> Path:
    """The folder of this world with its second table changed."""
    built = world.tables[11]
    data = bytearray(built.data)
    change(data, built)
    written(world, folder)
    (folder / TABLE).write_bytes(data)
    return folder


def entries(folder: Path) -> list[tuple[bytes, bytes]]:
    with open_source(str(folder)) as source:
        table = open_database(source).table(TABLE)
        return [pair for _, _, content in good_blocks(table) for pair in pairs_of(content)]


@VERSIONS
@pytest.mark.parametrize("which", ["data", "index", "properties", "metaindex"])
def test_the_word_behind_a_block_is_put_right(which: str, version: int, tmp_path: Path) -> None:
    """The engine compares it also where no checksum is made, and refuses the block."""
    world = world_of(version)

    def change(data: bytearray, built: Built) -> None:
        data[(built.blocks[1] if which == "data" else built.places[which]).end - 2] ^= 0x10

    folder = hurt(world, tmp_path / "db", change)
    codes = {"data": "RDB001", "index": "RDB003", "properties": "RDB004", "metaindex": "RDB004"}
    assert codes[which] in told(folder)
    assert run(["repair", str(folder), "-o", str(tmp_path / "out")]) == Exit.CLEAN
    assert (tmp_path / "out" / TABLE).read_bytes() == world.tables[11].data


@VERSIONS
def test_restarts_that_point_at_no_entry_are_damage(version: int, tmp_path: Path) -> None:
    """An engine that looks up a key begins there."""

    def change(data: bytearray, built: Built) -> None:
        count_at = built.blocks[1].offset + built.blocks[1].size - 4
        data[count_at - 4] ^= 1

    folder = hurt(world_of(version), tmp_path / "db", change)
    assert told(folder) == {"RDB002", "RDB037"}
    assert run(["repair", str(folder), "-o", str(tmp_path / "out")]) == Exit.LOST
    assert told(tmp_path / "out") == {"RDB037"}


def test_restarts_of_an_index_are_made_anew(tmp_path: Path) -> None:
    world = world_of(5)

    def change(data: bytearray, built: Built) -> None:
        index = built.places["index"]
        data[index.offset + index.size - 8] ^= 1

    folder = hurt(world, tmp_path / "db", change)
    assert told(folder) == {"RDB003", "RDB037"}
    assert run(["repair", str(folder), "-o", str(tmp_path / "out")]) == Exit.CLEAN
    assert told(tmp_path / "out") == {"RDB037"}
    assert entries(tmp_path / "out") == entries(written(world, tmp_path / "whole"))


@VERSIONS
@pytest.mark.parametrize("also", [False, True])
def test_properties_under_another_name_are_found_or_made_anew(also: bool, version: int, tmp_path: Path) -> None:
    """The engine refuses a table of which it knows an identity and finds no properties."""
    world = world_of(version)

    def change(data: bytearray, built: Built) -> None:
        at = data.index(b"rocksdb.properties", built.places["metaindex"].offset)
        data[at + 9] ^= 0xEC
        if also:  # they cannot be read either
            data[built.places["properties"].offset] ^= 0x7F

    folder = hurt(world, tmp_path / "db", change)
    assert "RDB004" in told(folder)
    assert run(["repair", str(folder), "-o", str(tmp_path / "out")]) == Exit.CLEAN
    assert told(tmp_path / "out") == {"RDB037"}
    assert entries(tmp_path / "out") == entries(written(world, tmp_path / "whole"))


@pytest.mark.parametrize(("number", "kept"), [(0xC1 << 32 | 210, True), (0x3FFF, False), (keys.MAX_SEQUENCE, None)])
def test_a_number_that_was_never_given(number: int, kept: bool | None, tmp_path: Path) -> None:
    """Above the last one the engine hides an entry in one place and shows it in another."""
    world = world_of(5)
    key = keys.internal(b"key-000070", 210, keys.PUT)

    def change(data: bytearray, built: Built) -> None:
        at = data.index(key[-8:])
        data[at : at + 8] = keys.internal(b"", number, keys.PUT)

    folder = hurt(world, tmp_path / "db", change)
    whole = entries(written(world, tmp_path / "whole"))
    assert told(folder) == ({"RDB018", "RDB037"} if kept is not None else {"RDB002", "RDB037"})
    assert run(["repair", str(folder), "-o", str(tmp_path / "out")]) == (Exit.CLEAN if kept else Exit.LOST)
    assert told(tmp_path / "out") == {"RDB037"}
    left = entries(tmp_path / "out")
    assert set(left) <= set(whole)
    if kept is not None:  # else the whole block is left out
        assert left == [pair for pair in whole if kept or pair[0] != key]


def test_a_number_that_no_entry_has_does_not_rank_a_table_without_a_manifest(tmp_path: Path) -> None:
    """By its highest number a table would be the newest one, and the engine not hold a later range delete to it."""
    stated = {b"rocksdb.key.largest.seqno": put_varint(159)}
    world = World(Shape(checksum=checksums.NONE, properties=stated))
    built = world.add(9, pairs(0, 60), level=0)
    deleted = keys.internal(b"key-000010", 300, keys.RANGE_DELETE), b"key-000030"
    world.shape = Shape(checksum=checksums.NONE, properties={b"rocksdb.key.largest.seqno": put_varint(300)})
    later = [(keys.internal(b"key-000%03d" % i, 240 + i, keys.PUT), b"later") for i in (0, 59)]
    world.add(11, later, level=0, ranges=(deleted,))
    folder = tmp_path / "db"
    written(world, folder)
    (folder / "MANIFEST-000005").unlink()
    (folder / "CURRENT").unlink()
    number = built.data.index(b"key-000040"[-2:] + b"\x01" + (140).to_bytes(7, "little")) + 9
    data = bytearray(built.data)
    data[number - 1] ^= 0x20  # of the seven bytes of the number one high bit
    (folder / "000009.sst").write_bytes(data)
    assert run(["repair", str(folder), "-o", str(tmp_path / "out")]) in (Exit.CLEAN, Exit.LOST)
    with open_source(str(tmp_path / "out")) as source:
        db = open_database(source)
        assert db.version is not None
        epochs = {file.number: file.field(CUSTOM_EPOCH) or b"" for _, file in db.version.live_tables()}
        assert epochs[9] < epochs[11]
        found = {key for key, _ in plain_pairs(db, families(db)[0], Doubts())}
    assert found == {b"key-%06d" % i for i in range(60) if not 10 <= i < 30}


@pytest.mark.parametrize("version", [2, 4])
def test_a_filter_that_no_name_leads_to_is_left_out(version: int, tmp_path: Path) -> None:
    """The metaindex still parses: what it names instead of the filter is nothing, and the filter nobody's."""
    world = small_world(Shape(version=version, checksum=checksums.NONE, filter=b"\x5a" * 90))

    def change(data: bytearray, built: Built) -> None:
        at = data.index(b"fullfilter.", built.places["metaindex"].offset)
        key, value = data[at - 2], data[at - 1]
        place = at + key
        data[place : place + value] = bytes([0x80] * (value - 2)) + b"\0\0" if value > 2 else b"\0\0"

    folder = hurt(world, tmp_path / "db", change)
    single = folder / TABLE
    assert run(["repair", str(single), "-o", str(tmp_path / "out.sst")]) == Exit.LOST
    assert run(["scan", "-q", str(tmp_path / "out.sst")]) == Exit.CLEAN
    assert run(["repair", str(folder), "-o", str(tmp_path / "out")]) == Exit.LOST
    assert len(entries(tmp_path / "out")) == len(entries(written(world, tmp_path / "whole")))
