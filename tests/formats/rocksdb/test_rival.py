"""Bytes of another table over the end or the beginning of one: the file is what most of its blocks say."""

from __future__ import annotations

from pathlib import Path

import pytest

from inspector.errors import Exit
from inspector.format import Wishes
from inspector.formats import all_formats
from inspector.formats.rocksdb import checksums, keys
from inspector.formats.rocksdb.block import Pair
from inspector.formats.rocksdb.database import good_blocks, pairs_of
from inspector.formats.rocksdb.opening import open_table
from inspector.inspect import inspect
from inspector.repair import repair
from inspector.source import MemorySource
from tests.builders.rocksdb import pairs
from tests.builders.rocksdb_table import Built, Shape, table

OTHER = Shape(version=3, checksum=checksums.CRC32C)
OWN = (
    Shape(version=7, codec=4),
    Shape(version=6),
    Shape(version=5, codec=1),
    Shape(version=4, checksum=checksums.XXHASH64),
    Shape(version=2, checksum=checksums.CRC32C, codec=2),
)
SHAPES = pytest.mark.parametrize("shape", OWN, ids=str)


def entries(data: bytes) -> list[Pair]:
    opened = open_table(lambda at, n: data[at : at + n], len(data))
    return [pair for _, _, content in good_blocks(opened) for pair in pairs_of(content)]


def untouched(built: Built, data: bytes) -> list[Pair]:
    """Entries of the blocks whose bytes are as they were written."""
    spans = [(h.offset, h.end) for h in built.blocks if data[h.offset : h.end] == built.data[h.offset : h.end]]
    found = open_table(lambda at, n: built.data[at : at + n], len(built.data))
    return [p for at, end, content in good_blocks(found) if (at, end) in spans for p in pairs_of(content)]


def repaired(data: bytes, tmp_path: Path) -> list[Pair]:
    out = tmp_path / "out.sst"
    done = repair(MemorySource(data, "000009.sst"), all_formats(), str(out), Wishes())
    assert done.code is Exit.LOST
    with_bytes = out.read_bytes()
    assert inspect(MemorySource(with_bytes, "out.sst"), all_formats()).exit_code() is Exit.CLEAN
    return entries(with_bytes)


@SHAPES
def test_a_footer_of_another_table_in_the_middle_costs_what_it_lies_over(shape: Shape, tmp_path: Path) -> None:
    built, other = table(pairs(0, 120), shape), table(pairs(500, 530), OTHER).data
    at = other.rfind(b"v", 0, len(other) // 2) // 512 * 512
    data = built.data[:at] + other[at:] + built.data[len(other) : -53] + bytes(53)
    assert len(other) < built.blocks[-1].offset
    assert repaired(data, tmp_path) == untouched(built, data)
    (found,) = (
        f
        for f in inspect(MemorySource(data, "000009.sst"), all_formats()).tally.findings()
        if f.span.start <= at < f.span.end
    )
    assert (found.rule.code, found.cause.name, found.cause.confidence) == ("RDB009", "overwritten", "certain")
    assert "another table's" in found.message


@SHAPES
def test_blocks_of_another_table_at_the_end_do_not_choose_the_checksum(shape: Shape, tmp_path: Path) -> None:
    built, other = table(pairs(0, 120), shape), table(pairs(500, 530), OTHER)
    keep = built.blocks[10].offset + 40
    data = built.data[:keep] + other.data[other.blocks[2].offset : other.footer]
    kept = [*untouched(built, data)]
    if shape.checksum == OTHER.checksum and shape.version < 6:  # the same checksum: nothing tells whose they are
        assert repaired(data, tmp_path)[: len(kept)] == kept
    else:
        assert repaired(data, tmp_path) == kept


@SHAPES
def test_blocks_of_another_table_at_the_beginning_do_not_choose_the_checksum(shape: Shape, tmp_path: Path) -> None:
    built, other = table(pairs(0, 120), shape), table(pairs(500, 530), OTHER)
    data = other.data[:1024] + built.data[1024 : built.blocks[-1].end]
    if shape.checksum != OTHER.checksum:
        assert repaired(data, tmp_path) == untouched(built, data)


def test_a_whole_table_before_a_longer_one_that_was_cut_is_the_table(tmp_path: Path) -> None:
    """More bytes behind its footer verify than before it: what has its whole index is what the file is."""
    own, behind = table(pairs(0, 30), OTHER).data, table(pairs(500, 900), Shape(version=5)).data
    data = own + behind[:-60]
    out = tmp_path / "out.sst"
    repair(MemorySource(data, "000009.sst"), all_formats(), str(out), Wishes())
    assert out.read_bytes() == own


def test_separators_are_no_entries_also_where_the_blocks_they_name_are_gone(tmp_path: Path) -> None:
    """A separator that was made shorter has the sequence number that no entry gets."""
    shape = Shape(version=2, checksum=checksums.CRC32C)
    content = [(keys.internal(b"key-%03d" % n, keys.MAX_SEQUENCE, 0x18), b"\xdc\x45\xe1\x01") for n in range(60, 68)]
    own = table(pairs(0, 40), shape)
    part = table(content, shape)
    data = own.data[: own.blocks[-1].end] + part.data[: part.blocks[0].end]
    assert repaired(data, tmp_path) == pairs(0, 40)
