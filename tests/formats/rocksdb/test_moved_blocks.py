"""Bytes put into a table and as many lost behind them: the blocks between stand beside their places, and are kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from inspector.__main__ import main
from inspector.diagnosis import diagnose
from inspector.formats import all_formats
from inspector.formats.rocksdb.database import good_blocks, pairs_of
from inspector.inspect import inspect
from inspector.source import open_source
from tests.builders.rocksdb import pairs
from tests.builders.rocksdb_table import Shape, table

SHAPES = (Shape(), Shape(version=6, block_size=2048), Shape(version=2, checksum=1, codec=4))
ROWS = pairs(0, 900)


def put_in_and_lost(data: bytes, at: int, behind: int, count: int) -> bytes:
    return data[:at] + bytes(range(1, count + 1)) + data[at:behind] + data[behind + count :]


def entries(path: Path) -> set[tuple[bytes, bytes]]:
    with open_source(str(path)) as source:
        one = inspect(source, all_formats()).state.table("")
        return {pair for _, _, content in good_blocks(one) for pair in pairs_of(content)}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("count", [1, 13, 40])
def test_only_the_block_that_lost_bytes_is_lost(shape: Shape, count: int, tmp_path: Path) -> None:
    built = table(ROWS, shape)
    first, last = built.blocks[2], built.blocks[-3]
    path = tmp_path / "000009.sst"
    path.write_bytes(put_in_and_lost(built.data, first.offset + 90, last.offset + 100, count))
    with open_source(str(path)) as source:
        events = diagnose(inspect(source, all_formats())).events
    assert events[0].cause.name == "shifted"
    assert f"{count} bytes were put in at" in events[0].cause.because
    assert len(events) <= 3
    assert main(["repair", str(path), "-o", str(tmp_path / "out")]) == 4
    kept = entries(tmp_path / "out")
    assert kept < set(ROWS)
    whole = tmp_path / "whole.sst"
    whole.write_bytes(built.data)
    assert entries(whole) == set(ROWS)
    whole.write_bytes(built.data[: last.offset + 100] + b"?" * 9 + built.data[last.offset + 109 :])
    assert kept == entries(whole)  # what a table lacks of which only this one block is damaged


@pytest.mark.parametrize("shape", SHAPES)
def test_blocks_before_their_places_are_kept_too(shape: Shape, tmp_path: Path) -> None:
    built = table(ROWS, shape)
    first, last = built.blocks[2], built.blocks[-3]
    at, behind = first.offset + 90, last.offset + 100
    path = tmp_path / "000009.sst"
    path.write_bytes(built.data[:at] + built.data[at + 7 : behind] + b"7 bytes" + built.data[behind:])
    assert main(["repair", str(path), "-o", str(tmp_path / "out")]) == 4
    lost = set(ROWS) - entries(tmp_path / "out")
    assert 0 < len(lost) < 90
