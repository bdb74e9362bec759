"""Blocks of another kind that verify in a data block's place: none of their bytes becomes an entry."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from inspector.errors import Exit
from inspector.format import Wishes
from inspector.formats import all_formats
from inspector.formats.rocksdb import block, checksums, footer, keys
from inspector.formats.rocksdb.block import Pair
from inspector.formats.rocksdb.coding import put_varint
from inspector.inspect import inspect
from inspector.repair import repair
from inspector.source import MemorySource
from tests.builders.rocksdb_table import Built, Shape, table
from tests.formats.rocksdb.test_rival import entries

SHAPE = Shape(version=5, block_size=24)  # every entry is a block of its own, and no checksum knows its place
AMONG = 40  # data blocks behind the one in question: more than are looked at closely


def plain(n: int, value: bytes = b"") -> Pair:
    """Key and value of entry `n`; the user key has a type where an internal one has it."""
    return keys.internal(b"%08d\x01%07d" % (n // 10, n), n + 1, keys.PUT), value or b"value-%04d" % n * 8


def own(count: int = 100) -> list[Pair]:
    return [plain(n) for n in range(count)]


def shortened(built: Built, found: list[Pair], first: int, last: int) -> bytes:
    """Separators as the engine makes them where a shorter key than the block's last one does."""
    pairs = [
        (keys.internal(found[i][0][:-9] + b"a", keys.MAX_SEQUENCE, 0x18), handle(built, i)) for i in range(first, last)
    ]
    return block.build(pairs, 1)


def unshortened(built: Built, found: list[Pair], first: int, last: int) -> bytes:
    return block.build([(found[i][0], handle(built, i)) for i in range(first, last)], 1)


def of_user_keys(built: Built, found: list[Pair], first: int, last: int) -> bytes:
    return block.build([(found[i][0][:-8], handle(built, i)) for i in range(first, last)], 1)


def between(built: Built, found: list[Pair], first: int, last: int) -> bytes:
    """Separators behind the last key of a block and before the first one of the next."""
    return block.build([(found[i][0][:-8] + b"\x01" + b"-" * 7, handle(built, i)) for i in range(first, last)], 1)


def with_first_keys(built: Built, found: list[Pair], first: int, last: int) -> bytes:
    spans = range(first, last)
    values = [handle(built, i) + put_varint(len(found[i][0])) + found[i][0] for i in spans]
    return block.build([(found[i][0], value) for i, value in zip(spans, values, strict=True)], 1)


def handle(built: Built, i: int) -> bytes:
    return footer.put_handle(built.blocks[i])


Part = Callable[[Built, list[Pair], int, int], bytes]
INDEXES = pytest.mark.parametrize("part", [shortened, unshortened, of_user_keys, between, with_first_keys])


def sealed(content: bytes) -> bytes:
    return content + b"\0" + checksums.block_checksum(SHAPE.checksum, content + b"\0").to_bytes(4, "little")


def mended(data: bytes, tmp_path: Path) -> list[Pair]:
    out = tmp_path / "out.sst"
    out.unlink(missing_ok=True)
    assert repair(MemorySource(data, "000009.sst"), all_formats(), str(out), Wishes()).code is Exit.LOST
    written = out.read_bytes()
    assert inspect(MemorySource(written, "out.sst"), all_formats()).exit_code() is Exit.CLEAN
    return entries(written)


def among_data(built: Built, raw: bytes) -> bytes:
    """Data blocks without index and footer; between the first ones stands a block of another kind."""
    at = built.blocks[-AMONG].offset
    return built.data[:at] + raw + built.data[at : built.blocks[-1].end]


@INDEXES
def test_a_part_of_an_index_among_data_blocks_gives_no_entry(part: Part, tmp_path: Path) -> None:
    found = own()
    built = table(found, SHAPE)
    assert mended(among_data(built, sealed(part(built, found, 10, 18))), tmp_path) == found
    if part is between:
        return  # an entry that stands behind the block that it names may be one
    behind = len(found) - AMONG - 1  # the block before the part: then its key is in order there
    assert mended(among_data(built, sealed(part(built, found, behind, behind + 1))), tmp_path) == found


@INDEXES
def test_a_part_of_an_index_whose_blocks_are_gone_gives_no_entry(part: Part, tmp_path: Path) -> None:
    found = own()
    built = table(found, SHAPE)
    first, last = built.blocks[10].offset, built.blocks[17].end
    raw = sealed(part(built, found, 10, 18))  # in their place, where its keys are in order
    data = built.data[:first] + raw + bytes(last - first - len(raw)) + built.data[last : built.blocks[-1].end]
    assert mended(data, tmp_path) == [*found[:10], *found[18:]]


def test_a_part_of_a_delta_coded_index_among_data_blocks_gives_no_entry(tmp_path: Path) -> None:
    found = own()
    built = table(found, Shape(version=5, block_size=24, index="two-level"))
    place = built.places["index-part"]
    assert mended(among_data(built, built.data[place.offset : place.end]), tmp_path) == found


CUT = keys.internal(plain(5)[0][:-8], 500, keys.RANGE_DELETE), plain(9)[0][:-8]
BLOOM = b"\x5a" * 128 + b"\xff\0\x26\0\0"


@pytest.mark.parametrize("role", ["properties", "metaindex", "filter", "dictionary", "range-deletes"])
def test_a_block_of_another_kind_among_data_blocks_gives_no_entry(role: str, tmp_path: Path) -> None:
    found = own()
    shape = Shape(version=5, block_size=24, filter=BLOOM, dictionary=b"value-value-of-a-dictionary" * 9)
    built = table(found, shape, [CUT])
    place = built.places[role]
    assert mended(among_data(built, built.data[place.offset : place.end]), tmp_path) == found


def test_range_deletes_among_data_blocks_are_range_deletes_again(tmp_path: Path) -> None:
    found = own()
    built = table(found, SHAPE, [CUT])
    place = built.places["range-deletes"]
    mended(among_data(built, built.data[place.offset : place.end]), tmp_path)
    again = (tmp_path / "out.sst").read_bytes()
    assert sealed(block.build([CUT], 1)) in again
    assert b"rocksdb.range_del" in again


def test_range_deletes_that_only_the_properties_count_are_lost(tmp_path: Path) -> None:
    """The properties prove that all entries are here; the block behind them, of range deletes, is not."""
    found = own()
    built = table(found, SHAPE, [CUT])
    place = built.places["properties"]
    data = built.data[: built.blocks[-1].end] + built.data[place.offset : place.end]
    assert mended(data, tmp_path) == found


def over(
    place: int, make: Callable[[Built, list[Pair]], bytes], ranges: tuple[Pair, ...] = ()
) -> tuple[bytes, Built, list[Pair]]:
    """A whole table in which a block of another kind stands over a data block of just its size."""
    found = own()
    built = table(found, SHAPE, ranges)
    for _ in range(9):
        content = make(built, found)
        if len(content) == built.blocks[place].size:
            at, end = built.blocks[place].offset, built.blocks[place].end
            return built.data[:at] + sealed(content) + built.data[end:], built, found
        value = len(found[place][1]) + len(content) - built.blocks[place].size
        found[place] = plain(place, b"v" * value)
        built = table(found, SHAPE, ranges)
    raise AssertionError("no data block gets as large")


def check_over(data: bytes, found: list[Pair], place: int, tmp_path: Path) -> None:
    done = inspect(MemorySource(data, "000009.sst"), all_formats())
    assert done.exit_code() is Exit.DAMAGED
    assert mended(data, tmp_path) == [*found[:place], *found[place + 1 :]]


@INDEXES
@pytest.mark.parametrize(
    ("place", "first", "count"),
    [(50, 49, 5), (50, 50, 5), (50, 51, 5), (99, 95, 5), (0, 3, 5), (20, 60, 5), (60, 20, 5), (50, 49, 2), (99, 98, 2)],
)
def test_a_part_of_the_index_over_a_data_block_costs_that_block(
    part: Part, place: int, first: int, count: int, tmp_path: Path
) -> None:
    data, _, found = over(place, lambda built, found: part(built, found, first, first + count))
    check_over(data, found, place, tmp_path)


@pytest.mark.parametrize("role", ["properties", "metaindex", "range-deletes"])
def test_another_block_of_the_table_over_a_data_block_costs_that_block(role: str, tmp_path: Path) -> None:
    def make(built: Built, found: list[Pair]) -> bytes:
        place = built.places[role]
        return built.data[place.offset : place.offset + place.size]

    data, _, found = over(50, make, (CUT,))
    check_over(data, found, 50, tmp_path)


@pytest.mark.parametrize("content", [BLOOM, b"value-value-of-a-dictionary" * 9], ids=["filter", "dictionary"])
def test_what_is_no_block_of_entries_over_a_data_block_costs_that_block(content: bytes, tmp_path: Path) -> None:
    data, _, found = over(50, lambda built, found: content)
    check_over(data, found, 50, tmp_path)


def test_data_whose_values_look_like_handles_stays_data(tmp_path: Path) -> None:
    """Zeroes, handles of the table's own blocks under keys that do not close them, and handles of another file."""
    found = own()
    for _ in range(4):  # their places settle: all handles but the first few have one length
        built = table(found, SHAPE)
        own_handles = [plain(n, handle(built, n // 2) if n % 3 else b"\0\0") for n in range(60)]
        others = [plain(n, footer.put_handle(footer.Handle(1 << 20 | n * 4096, 4091))) for n in range(60, 100)]
        found = [*own_handles, *others]
    built = table(found, SHAPE)
    assert mended(built.data[: built.blocks[-1].end], tmp_path) == found
    out = tmp_path / "whole.sst"
    assert repair(MemorySource(built.data, "000009.sst"), all_formats(), str(out), Wishes()).code is Exit.CLEAN
    assert out.read_bytes() == built.data
