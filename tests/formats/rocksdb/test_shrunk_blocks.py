"""Which blocks of a log are left of it around damage: those with it, where their records begin and end, one behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from inspector.__main__ import main
from inspector.format import Wishes
from inspector.formats import all_formats
from inspector.formats.rocksdb import batch, keys
from inspector.formats.rocksdb.claim import open_store
from inspector.formats.rocksdb.log import BLOCK
from inspector.formats.rocksdb.log_writer import frame
from inspector.formats.rocksdb.shrink_log import shrunk_to_blocks
from inspector.inspect import inspect
from inspector.source import MemorySource
from inspector.span import Span

MEMBER = ""


def log_of_blocks(sizes: list[int]) -> bytes:
    """A log of batches that take so many bytes each, headers of all pieces but the first left out."""
    out = b""
    for sequence, size in enumerate(sizes, 1):
        empty = len(batch.encode(sequence, [(0, keys.PUT, b"k", b"v" * 200)])) - 200
        out += frame(batch.encode(sequence, [(0, keys.PUT, b"k", b"v" * (size - empty - 7))]), len(out))
    return out


EVEN = log_of_blocks([1024] * 32 * 6)  # a record ends with each block
LONG = log_of_blocks(
    [1024] * 32 * 2 + [3 * (BLOCK - 7) + 6] + [1024] * 32 * 4
)  # one fills the third to the fifth block


def left(data: bytes, *hurt: int) -> tuple[int, int] | None:
    """First and last block that are left where some bytes are needed."""
    db = open_store(MemorySource(data, "000004.log"), None, Wishes())
    found = shrunk_to_blocks(db, MEMBER, lambda start, end: any(start <= at < end for at in hurt))
    if found is None:
        return None
    (span,) = found
    assert isinstance(span, Span)
    assert span.start % BLOCK == 0
    assert span.end % BLOCK == 0 or span.end == len(data)
    return span.start // BLOCK, -(-span.end // BLOCK)


@pytest.mark.parametrize(
    ("hurt", "blocks"),
    [
        ((), None),
        ((0,), (0, 2)),
        ((BLOCK - 1,), (0, 2)),
        ((BLOCK,), (1, 3)),
        ((3 * BLOCK + 5,), (3, 5)),
        ((4 * BLOCK,), (4, 6)),
        ((5 * BLOCK,), (5, 6)),
        ((6 * BLOCK - 1,), (5, 6)),
        ((0, 3 * BLOCK), (0, 5)),
        ((0, 4 * BLOCK), None),  # with the block behind it that is all
        ((0, 5 * BLOCK), None),
        ((BLOCK, 5 * BLOCK), (1, 6)),
    ],
)
def test_blocks_with_damage_are_left_and_one_behind(hurt: tuple[int, ...], blocks: tuple[int, int] | None) -> None:
    assert len(EVEN) == 6 * BLOCK
    assert left(EVEN, *hurt) == blocks


@pytest.mark.parametrize(
    ("hurt", "blocks"),
    [(0, (0, 2)), (BLOCK, (1, 5)), (2 * BLOCK, (2, 5)), (3 * BLOCK, (2, 5)), (4 * BLOCK, (2, 6)), (5 * BLOCK, (5, 7))],
)
def test_a_record_over_several_blocks_is_left_whole(hurt: int, blocks: tuple[int, int]) -> None:
    assert len(LONG) == 9 * BLOCK
    assert left(LONG, hurt) == blocks


def test_damage_that_only_its_block_shows_is_left_with_the_next_block_and_no_more(tmp_path: Path) -> None:
    """Records framed anew would leave no bytes at the end of a block."""
    path, small = tmp_path / "000004.log", tmp_path / "small"
    data = bytearray(log_of_blocks([BLOCK - 5, BLOCK - 5, BLOCK - 5, BLOCK - 5, 1024]))
    data[2 * BLOCK - 2] ^= 4
    path.write_bytes(data)
    assert main(["excerpt", str(path), "-o", str(small), "--no-redact"]) == 0
    assert small.read_bytes() == data[BLOCK : 3 * BLOCK]
    (found,) = inspect(MemorySource(small.read_bytes(), "000004.log"), all_formats()).tally.findings()
    assert (found.rule.code, found.span.end) == ("RDB044", BLOCK)
    assert 0 < found.span.length < 7
