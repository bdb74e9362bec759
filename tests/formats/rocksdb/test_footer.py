"""Footers of versions 1 to 5 have no checksum: that one is wrong is told by what its handles lead to."""

from __future__ import annotations

from pathlib import Path

import pytest

from inspector.format import FRAME, FREE, GAP, UNIT, Wishes
from inspector.formats import all_formats
from inspector.formats.rocksdb import checksums
from inspector.formats.rocksdb.claim import open_store
from inspector.formats.rocksdb.footer import Handle, decode, put_handle
from inspector.formats.rocksdb.walk import walk
from inspector.inspect import Report, inspect
from inspector.repair import repair
from inspector.source import MemorySource, open_source
from tests.builders.rocksdb import pairs
from tests.builders.rocksdb_table import Built, Shape, table

SHAPES = (
    Shape(),
    Shape(version=2, checksum=checksums.CRC32C),
    Shape(index="two-level"),
    Shape(leveldb=True, checksum=checksums.CRC32C, index="full"),
)


def looked_at(data: bytes) -> Report:
    return inspect(MemorySource(data), all_formats(), forced="rocksdb")


def read(built: Built, legacy: bool) -> set[int]:
    """The offsets of a footer that say something: type of checksum, both handles, magic; versions 1 to 5 read alike."""
    handles = put_handle(built.places["metaindex"]) + put_handle(built.places["index"])
    size = len(built.data) - built.footer
    return set(range(len(handles) + (not legacy))) | set(range(size - 8, size))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_each_byte_of_a_footer_that_is_read_is_missed_when_it_is_wrong(shape: Shape) -> None:
    built = table(pairs(0, 60), shape)
    said = read(built, shape.leveldb)
    for at in sorted({*said} & {*range(12), 40, 47, 52}):
        for change in (0x01, 0xFF):
            data = bytearray(built.data)
            data[built.footer + at] ^= change
            codes = {code for code, _ in looked_at(bytes(data)).tally.counts}
            assert codes & {"RDB003", "RDB004", "RDB005"}, (at, change, codes)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_flipped_bit_of_the_index_handle_is_undone(shape: Shape, tmp_path: Path) -> None:
    built = table(pairs(0, 60), shape)
    data = bytearray(built.data)
    data[built.footer + (not shape.leveldb) + len(put_handle(built.places["metaindex"]))] ^= 0x01
    (tmp_path / "000009.sst").write_bytes(data)
    with open_source(str(tmp_path / "000009.sst")) as source:
        done = repair(source, all_formats(), str(tmp_path / "out.sst"), Wishes())
    assert (tmp_path / "out.sst").read_bytes() == built.data
    assert done.bytes["lost"] == 0


def test_a_checksum_type_that_became_none_is_told_by_the_checksums_that_stand_there() -> None:
    built = table(pairs(0, 60), Shape(version=2, checksum=checksums.CRC32C))
    data = bytearray(built.data)
    data[built.footer] ^= 0x01
    assert {code for code, _ in looked_at(bytes(data)).tally.counts} == {"RDB005"}
    plain = table(pairs(0, 60), Shape(version=2, checksum=checksums.NONE)).data
    assert {code for code, _ in looked_at(plain).tally.counts} == {"RDB037"}


@pytest.mark.parametrize("change", [0x01, 0x80, 0xFF])
@pytest.mark.parametrize("place", range(4))
def test_an_index_that_is_sound_is_not_called_damaged_for_its_handle(change: int, place: int) -> None:
    built = table(pairs(0, 200), Shape(codec=4, block_size=2048))
    data = bytearray(built.data)
    data[built.footer + 1 + len(put_handle(built.places["metaindex"])) + place] ^= change
    if data != built.data and built.places["index"] not in _named(bytes(data), built.footer):
        assert {code for code, _ in looked_at(bytes(data)).tally.counts} == {"RDB005"}


def _named(data: bytes, at: int) -> list[Handle]:
    found = decode(data[at:], len(data))
    return [found.index] if found.index else []


@pytest.mark.parametrize("codec", [1, 2, 3, 4, 7])
def test_a_single_block_that_ends_with_the_file_is_found_without_a_footer(codec: int) -> None:
    built = table(pairs(0, 200), Shape(codec=codec))
    data = built.data[: built.blocks[0].end]
    assert looked_at(data).account.roles[UNIT] == len(data)


@pytest.mark.parametrize("version", range(1, 6))
@pytest.mark.parametrize(("put", "role"), [(b"\7" * 20, GAP), (bytes(20), FREE)], ids=["bytes", "zeroes"])
def test_bytes_between_the_last_block_and_the_footer_are_a_tile_of_their_own(
    version: int, put: bytes, role: int
) -> None:
    made = table(pairs(0, 40), Shape(version=version))
    data = made.data[: made.footer] + put + made.data[made.footer :]
    db = open_store(MemorySource(data, "000009.sst"), None, Wishes())
    found: list[tuple[int, int, int]] = []
    for stretch in walk(db):
        ends = [*stretch.starts[1:], stretch.end]
        found += zip(stretch.starts, ends, stretch.roles, strict=True)
    blocks = sorted([*made.blocks, *made.places.values()], key=lambda handle: handle.offset)
    assert found == [
        *((handle.offset, handle.end, UNIT) for handle in blocks),
        (made.footer, made.footer + 20, role),
        (made.footer + 20, len(data), FRAME),
    ]
