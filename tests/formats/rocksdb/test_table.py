"""Tables of every shape, whole and damaged: each block that verifies is found, with and without its index."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from random import Random

import pytest

from inspector.formats.rocksdb import checksums, codecs, keys
from inspector.formats.rocksdb import footer as footers
from inspector.formats.rocksdb.coding import MalformedError
from inspector.formats.rocksdb.database import good_blocks, pairs_of
from inspector.formats.rocksdb.footer import Handle
from inspector.formats.rocksdb.opening import open_table
from inspector.formats.rocksdb.rewrite import Rewriter
from inspector.formats.rocksdb.table import Table
from inspector.source import MemorySource
from tests import damage
from tests.builders.rocksdb import pairs
from tests.builders.rocksdb_table import Shape, table

ROWS = pairs(0, 150)
WORDS = b"".join(b"value %06d " % i + b"." * 20 for i in range(150))
CODECS = (0, 1, 2, 3, 4, 5, 7)
SUMS = (checksums.CRC32C, checksums.XXHASH, checksums.XXHASH64, checksums.XXH3)
SHAPES = [
    *(Shape(version=v, checksum=c) for v, c in product((1, 2, 3, 4, 5, 6, 7), SUMS)),
    *(Shape(version=v, codec=c) for v, c in product((2, 5, 6, 7), CODECS)),
    *(Shape(version=v, index=i) for v, i in product((5, 6), ("full", "delta", "two-level", "first-key"))),
    Shape(separated=True),
    Shape(hash_index=True),
    Shape(codec=codecs.ZSTD, dictionary=WORDS),
    Shape(codec=codecs.LZ4, dictionary=WORDS, version=6),
    Shape(version=0, checksum=checksums.CRC32C, codec=codecs.SNAPPY, leveldb=True),
    Shape(version=0, checksum=checksums.CRC32C, codec=codecs.ZLIB, leveldb=True),
]


def opened(data: bytes, leveldb: bool = False) -> Table:
    return open_table(lambda at, n: data[at : at + n], len(data), leveldb)


def rows(found: Table) -> list[tuple[bytes, bytes]]:
    return [pair for _, _, content in good_blocks(found) for pair in pairs_of(content)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_table_of_any_shape_reads_whole(shape: Shape) -> None:
    built = table(ROWS, shape)
    found = opened(built.data, shape.leveldb)
    assert not found.troubles
    assert not found.gaps
    assert found.whole_index
    assert rows(found) == ROWS


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_table_without_index_metaindex_and_footer_gives_every_row(shape: Shape) -> None:
    built = table(ROWS, shape)
    cut = built.blocks[-1].end
    kept = 0
    if shape.dictionary:  # rows need it, so the cut comes after it
        cut = built.places["dictionary"].end
    if shape.separated:
        cut, kept = len(built.data) - 60, 0
    found = opened(built.data[:cut], shape.leveldb)
    assert rows(found)[kept:] == ROWS


@pytest.mark.parametrize("shape", [s for s in SHAPES if not s.separated], ids=str)
def test_damage_without_an_index_costs_the_block_it_touched(shape: Shape) -> None:
    built = table(ROWS, shape)
    third = built.blocks[3]
    hurt = bytearray(damage.noise(built.data, third.offset + 6, third.offset + third.size - 6, 3).data)
    for role in ("index", "metaindex"):
        hurt[built.places[role].offset + 2] ^= 0x10
    found = opened(bytes(hurt), shape.leveldb)
    first = sum(built.counts[:3])
    assert rows(found) == ROWS[:first] + ROWS[first + built.counts[3] :]


@pytest.mark.parametrize("shape", [s for s in SHAPES if not s.separated], ids=str)
def test_a_rewritten_table_reads_whole_without_the_lost_block(shape: Shape) -> None:
    built = table(ROWS, shape)
    data = damage.flip_bit(built.data, built.blocks[2].offset + 11, 1).data
    found = opened(data, shape.leveldb)
    out = bytearray()
    told = 0
    for edit in Rewriter(found, "", "").edits():
        told += edit.origin.length if edit.origin else 0
        if edit.data is not None:
            out += edit.data
        elif edit.action == "kept" and edit.origin:
            out += data[edit.origin.start : edit.origin.end]
    assert told == len(data)
    again = opened(bytes(out), shape.leveldb)
    assert not again.troubles
    assert again.whole_index
    first = sum(built.counts[:2])
    assert rows(again) == ROWS[:first] + ROWS[first + built.counts[2] :]
    assert again.footer
    assert found.footer
    assert (again.footer.version, again.footer.checksum) == (found.footer.version, found.footer.checksum)


def test_the_first_block_may_be_damaged_when_the_base_of_the_checksums_is_lost() -> None:
    for codec in (0, 4, 7):
        built = table(pairs(0, 400), Shape(version=6, codec=codec))
        hurt = damage.noise(built.data, 20, built.blocks[1].offset + 9, 4).data[: built.blocks[-1].end]
        found = opened(hurt)
        assert len(rows(found)) >= 400 - sum(built.counts[:3]), codec


def test_a_range_of_deletes_and_a_filter_are_named_without_a_metaindex() -> None:
    cut = (keys.internal(b"key-000010", 900, keys.RANGE_DELETE), b"key-000020")
    built = table(ROWS, Shape(filter=Random(1).randbytes(700)), [cut])
    data = damage.flip_bit(built.data, built.places["metaindex"].offset + 3, 1).data
    found = opened(data)
    assert {"filter", "range-deletes", "properties", "index"} <= {role for role, _ in found.tail}
    assert rows(found) == ROWS


@pytest.mark.parametrize("version", [1, 5, 6, 7])
def test_a_footer_reads_back_and_says_what_is_wrong_with_it(version: int) -> None:
    kind, base = checksums.XXH3, 0xABCD if version >= 6 else 0
    start = 500
    meta, index = Handle(start - 5 - 90, 90), Handle(100, 200)
    data = footers.encode(version, kind, base, meta, index, start, False)
    found = footers.decode(data, start + len(data))
    assert (found.version, found.checksum, found.metaindex, found.base) == (version, kind, meta, base)
    assert not found.problems
    if version >= 6:
        assert footers.decode(damage.flip_bit(data, 10, 1).data, start + 53).problems == ("checksum",)


@pytest.mark.parametrize("data", [b"", b"x" * 20, b"\xff" * 53, bytes(53)])
def test_what_is_no_footer_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedError):
        footers.decode(data, len(data))


BOMBS: list[tuple[int, Callable[[], bytes]]] = [
    (codecs.ZSTD, lambda: b"\xff\xff\xff\xff\x0f" + b"\x28\xb5\x2f\xfd" + bytes(20)),
    (codecs.SNAPPY, lambda: b"\xff\xff\xff\xff\x0f" + bytes(20)),
    (codecs.LZ4, lambda: b"\xff\xff\xff\xff\x0f" + bytes(20)),
    (codecs.ZLIB, lambda: b"\x20" + bytes(20)),
]


@pytest.mark.parametrize(("codec", "make"), BOMBS)
def test_a_block_that_claims_to_expand_without_limit_is_refused(codec: int, make: Callable[[], bytes]) -> None:
    with pytest.raises(MalformedError):
        codecs.decompress(codec, make(), 5)


@pytest.mark.parametrize("shape", [Shape(), Shape(version=6, codec=7), Shape(codec=1, index="two-level")], ids=str)
def test_every_byte_of_a_small_table_may_be_wrong(shape: Shape) -> None:
    built = table(pairs(0, 24), shape)
    total = len(ROWS[:24])
    largest = max(built.counts)
    for at in range(0, len(built.data), 7):
        hurt = built.data[:at] + bytes([built.data[at] ^ 0x41]) + built.data[at + 1 :]
        assert len(rows(opened(hurt))) >= total - largest, at
    for size in range(0, len(built.data), 41):
        found = rows(opened(built.data[:size]))
        assert found == ROWS[: len(found)]


def test_a_source_in_memory_opens_as_a_table() -> None:
    source = MemorySource(table(ROWS).data)
    assert rows(opened(source.read(0, source.size))) == ROWS


@pytest.mark.parametrize("codec", [0, 4, 7])
def test_blocks_as_large_as_by_default_are_found_without_footer_and_first_block(codec: int) -> None:
    """The search for the type and base of the checksums is bounded, and goes far enough for tables as they are."""
    built = table(pairs(0, 2000), Shape(version=6, codec=codec, block_size=4096))
    hurt = damage.noise(built.data, 20, built.blocks[1].offset + 9, 4).data[: built.blocks[-1].end]
    assert len(rows(opened(hurt))) >= 2000 - sum(built.counts[:3])


def test_bits_that_flip_all_over_a_table_and_its_index_leave_every_sound_block_to_be_found() -> None:
    built = table(
        [(key, value * 60) for key, value in pairs(0, 400)], Shape(block_size=4096, checksum=checksums.CRC32C)
    )
    rng, hurt = Random(3), bytearray(built.data)
    for _ in range(len(hurt) * 8 // 25_000):
        bit = rng.randrange(len(hurt) * 8)
        hurt[bit // 8] ^= 1 << bit % 8
    index = built.blocks[-1].end + 20
    hurt[index : index + 40] = bytes(40)
    found = opened(bytes(hurt))
    assert not found.whole_index
    sound = {h.offset for h in built.blocks if hurt[h.offset : h.end] == built.data[h.offset : h.end]}
    assert len(sound) > 20
    assert sound <= {*found.offsets}
    assert not found.unsearched
