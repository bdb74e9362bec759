"""Flipped bits in RocksDB blocks: what comes back, and what only the checksum speaks for."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from inspector.correct import apply
from inspector.format import Wishes
from inspector.formats import all_formats
from inspector.formats.rocksdb import block
from inspector.formats.rocksdb.checksums import CRC32C, XXH3, XXHASH, XXHASH64, block_checksum
from inspector.formats.rocksdb.codecs import NO_COMPRESSION, SNAPPY, ZSTD
from inspector.formats.rocksdb.correction import correct_block
from inspector.formats.rocksdb.judges import reads
from inspector.formats.rocksdb.keys import PUT, internal
from inspector.formats.rocksdb.mending import Corrector
from inspector.repair import repair
from inspector.source import open_source
from tests.builders.rocksdb import pairs
from tests.builders.rocksdb_table import Shape, table

_M32 = 0xFFFFFFFF


def content(count: int = 20) -> bytes:
    pairs = [(internal(b"account-%04d" % (3 * n), 500 + n, PUT), b"balance %d" % (n * n)) for n in range(count)]
    return block.build(pairs)


def unit(kind: int, codec: int = NO_COMPRESSION, count: int = 20, modifier: int = 0) -> bytes:
    import cramjam
    import zstandard

    raw = content(count)
    if codec == SNAPPY:
        raw = bytes(cramjam.snappy.compress_raw(raw))
    elif codec == ZSTD:
        from inspector.formats.rocksdb.coding import put_varint

        raw = put_varint(len(raw)) + zstandard.ZstdCompressor().compress(raw)
    body = raw + bytes([codec])
    return body + ((block_checksum(kind, body) + modifier) & _M32).to_bytes(4, "little")


@pytest.mark.parametrize("codec", [NO_COMPRESSION, SNAPPY, ZSTD])
def test_a_flipped_bit_of_a_crc32c_block_comes_back_in_every_codec(codec: int) -> None:
    good = unit(CRC32C, codec)
    verdicts: Counter[str] = Counter()
    for bit in range(0, 8 * len(good), 7):
        found = correct_block(apply(good, ((bit >> 3, 1 << (bit & 7)),)), CRC32C, 5)
        assert found.unit == good, bit
        verdicts[found.verdict] += 1
    assert set(verdicts) <= {"sealed", "unique"}
    assert verdicts["sealed"] > len(good) // 5


def test_a_flip_of_a_key_is_sealed_by_the_order_of_keys_and_one_of_a_value_is_not() -> None:
    good = unit(CRC32C)
    key, value = good.index(b"account-0000"), good.index(b"balance 0")
    assert correct_block(apply(good, ((key, 0x80),)), CRC32C, 5).verdict == "sealed"
    found = correct_block(apply(good, ((value + 8, 1),)), CRC32C, 5)
    assert (found.verdict, found.unit) == ("unique", good)


def test_two_flipped_bits_of_a_short_block_come_back() -> None:
    good = unit(CRC32C, count=12)
    for first, second in ((3, 700), (40, 41), (900, 1100)):
        bad = apply(apply(good, ((first >> 3, 1 << (first & 7)),)), ((second >> 3, 1 << (second & 7)),))
        assert correct_block(bad, CRC32C, 5).unit == good, (first, second)


@pytest.mark.parametrize("kind", [XXHASH, XXHASH64, XXH3])
def test_a_flipped_bit_under_every_other_checksum_comes_back(kind: int) -> None:
    good = unit(kind, SNAPPY, count=8)
    for bit in range(0, 8 * len(good), 37):
        assert correct_block(apply(good, ((bit >> 3, 1 << (bit & 7)),)), kind, 5).unit == good, bit


@pytest.mark.parametrize("kind", [CRC32C, XXHASH64, XXH3])
def test_a_flip_in_how_a_block_is_compressed_is_undone(kind: int, tmp_path: Path) -> None:
    """The byte behind the payload: XXH3 takes it in apart."""
    built = table(pairs(0, 60), Shape(checksum=kind))
    place, path = built.blocks[1].end - 5, tmp_path / "000009.sst"
    for bit in range(8):
        path.write_bytes(apply(built.data, ((place, 1 << bit),)))
        with open_source(str(path)) as source:
            result = repair(source, all_formats(), str(tmp_path / f"out-{bit}"), Wishes())
        assert (int(result.code), result.records["corrected"]) == (0, 1)
        assert (tmp_path / f"out-{bit}").read_bytes() == built.data


@pytest.mark.parametrize("kind", [CRC32C, XXH3])
def test_the_modifier_of_format_version_6_is_taken_off(kind: int) -> None:
    good = unit(kind, count=4, modifier=0x9ABCDEF0)
    for bit in (5, 300, 8 * len(good) - 1):
        bad = apply(good, ((bit >> 3, 1 << (bit & 7)),))
        assert correct_block(bad, kind, 6, modifier=0x9ABCDEF0).unit == good, bit


def test_a_block_without_a_checksum_and_a_sound_one_are_left_alone() -> None:
    assert correct_block(unit(0), 0, 5).verdict == "none"
    assert correct_block(unit(CRC32C), CRC32C, 5).verdict == "none"


def test_the_judge_answers_any_bytes() -> None:
    judge = reads(5)
    good = unit(CRC32C, ZSTD)
    assert judge(good)
    for cut in range(5, len(good)):
        assert judge(good[:cut]) in (True, False)
        assert judge(bytes(cut)) in (True, False)


def test_what_trials_cost_is_used_up_and_a_hash_costs_more_than_a_cyclic_checksum() -> None:
    """The time a repair takes is bounded on a store with a million damaged blocks, too."""
    corrector = Corrector(None, work=8 * 1000 * (1000 + 2 * 200))  # type: ignore[arg-type]
    assert [corrector._affords(1000, sum_) for sum_ in (XXH3, XXH3, CRC32C, CRC32C, CRC32C)] == [
        True, False, True, True, False,
    ]  # fmt: skip
    assert (corrector.work, corrector.skipped) == (0, 2)
