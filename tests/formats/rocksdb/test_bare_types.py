"""Tables without checksums: an entry of a type that no engine writes is damage, which nothing else would show."""

from __future__ import annotations

from pathlib import Path

import pytest

from inspector.cli.app import run
from inspector.errors import Exit
from inspector.formats import all_formats
from inspector.formats.rocksdb import checksums, keys
from inspector.formats.rocksdb.block import Pair
from inspector.inspect import inspect
from inspector.source import open_source
from tests.builders.rocksdb import World, pairs, small_world
from tests.builders.rocksdb_table import Shape

BARE = Shape(checksum=checksums.NONE)
MIDDLE = b"key-000070"
BLOB = bytes([1, 12, 50, 40, 0])  # in a blob file (1): its number, offset and size, not compressed


def retyped(content: list[Pair], kind: int) -> list[Pair]:
    """These entries, one of them of another type."""
    return [(key[:-8] + bytes([kind]) + key[-7:] if key[:-8] == MIDDLE else key, value) for key, value in content]


def written(world: World, folder: Path) -> Path:
    folder.mkdir()
    for name, data in world.members().items():
        (folder / name).write_bytes(data)
    return folder


def hurt(folder: Path, kind: int, shape: Shape = BARE, value: bytes | None = None) -> Path:
    """Two tables and a WAL; the second table has an entry of this type, and of this value if one is given."""
    world = small_world(shape)
    world.listed.pop()
    content = retyped(pairs(60, 120, 200), kind)
    world.add(11, [(key, old if value is None or key[:-8] != MIDDLE else value) for key, old in content])
    return written(world, folder)


def told(folder: Path) -> set[str]:
    with open_source(str(folder)) as source:
        return {f.rule.code for f in inspect(source, all_formats()).tally.findings()}


@pytest.mark.parametrize("kind", [3, 0x0F, 0x10, 0x21, 0x81, 0xFF])
def test_a_block_with_an_unknown_type_is_left_out_and_told(kind: int, tmp_path: Path) -> None:
    """Where the engine is here it reads the repaired copy: it refuses such an entry."""
    folder = hurt(tmp_path / "db", kind)
    assert told(folder) == {"RDB002", "RDB037"}
    assert run(["repair", str(folder), "-o", str(tmp_path / "out")]) == Exit.LOST
    assert told(tmp_path / "out") == {"RDB037"}


@pytest.mark.parametrize("kind", sorted(keys.STORED))
def test_every_type_that_engines_write_is_none(kind: int, tmp_path: Path) -> None:
    value = b"" if kind in keys.REMOVES else BLOB if kind == keys.BLOB_INDEX else None
    assert "RDB002" not in told(hurt(tmp_path / "db", kind, value=value))


@pytest.mark.parametrize("kind", sorted({*keys.REMOVES, keys.BLOB_INDEX}))
def test_a_type_with_a_value_that_it_never_has_is_damage(kind: int, tmp_path: Path) -> None:
    assert "RDB002" in told(hurt(tmp_path / "db", kind))


def test_a_type_under_a_checksum_was_written_so(tmp_path: Path) -> None:
    """A newer engine may know it."""
    assert "RDB002" not in told(hurt(tmp_path / "db", 0x21, Shape()))


def test_a_range_delete_of_another_type_is_none(tmp_path: Path) -> None:
    world = small_world(BARE)
    cut = keys.internal(b"key-000130", 300, keys.RANGE_DELETE), b"key-000140"
    world.add(13, pairs(120, 180, 400), ranges=(cut,))
    whole = written(world, tmp_path / "whole")
    assert told(whole) == {"RDB037"}
    table = whole / "000013.sst"
    data, tag = table.read_bytes(), cut[0][-8:]
    assert data.count(cut[0]) == 1
    table.write_bytes(data.replace(cut[0], cut[0][:-8] + bytes([tag[0] ^ 0x20]) + tag[1:]))
    assert told(whole) == {"RDB007", "RDB037"}
    assert run(["repair", str(whole), "-o", str(tmp_path / "out")]) == Exit.LOST
