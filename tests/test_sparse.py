"""Holes of sparse files: nothing is read of them, and the same is told as of zeroes that are there."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from inspector import formats
from inspector.copies import Patch as Quilted
from inspector.copies import Quilt
from inspector.format import Wishes
from inspector.holes import KEPT, WINDOW, is_blank
from inspector.inspect import Report, inspect
from inspector.overlay import Overlay, Piece
from inspector.patch import Change, Patch, Patched
from inspector.source import MemorySource, Source, open_source
from inspector.uniform import only_zeroes

SAMPLES = Path(__file__).parents[1] / "samples"
GIB, MIB = 1 << 30, 1 << 20
# GiB of hole that a scan passes in no time; of a trace there is a tile for each MiB, of a cache one for each element
HEADS = {
    "gossip_store/clean-v16.gossip_store": ("gossip_store", 8),
    "gossip_store/clean-v9.gossip_store": ("gossip_store", 2),
    "rocksdb/clean-v7.sst": ("000009.sst", 100),
    "rocksdb/000014-bit.log": ("000014.log", 100),
    "rocksdb/footer-bit.blob": ("000010.blob", 100),
    "rocksdb/clean-db/MANIFEST-000005": ("MANIFEST-000005", 100),
    "known_peers/known_addresses-v3.bin": ("known_addresses.bin", 100),
    "snarkos_blocks/0.5.blocks": ("0.5.blocks", 100),
    "kad_trace/finished.log": ("subspace.log", 4),
    "kad_trace/finished.jsonl": ("subspace.jsonl", 4),
    "piece_cache/piece_cache-twice.bin": ("piece_cache.bin", 4),
}


def told(source: Source) -> tuple[object, ...]:
    report: Report = inspect(source, formats.all_formats(), Wishes())
    found = [(f.rule.code, f.span, f.message, dict(f.evidence), f.cause) for f in report.tally.findings()]
    return report.layers, found, report.answer, report.tally.counts


@pytest.fixture
def delivered(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The bytes of each read that the system was asked for."""
    sizes: list[int] = []
    pread, preadv = os.pread, os.preadv

    def counted(fd: int, n: int, at: int) -> bytes:
        sizes.append(n)
        return pread(fd, n, at)

    def into(fd: int, views: list[memoryview], at: int) -> int:
        sizes.append(sum(map(len, views)))
        return preadv(fd, views, at)

    monkeypatch.setattr(os, "pread", counted)
    monkeypatch.setattr(os, "preadv", into)
    return sizes


def knows_holes(folder: Path) -> bool:
    """Whether the file system of the tests keeps holes, and tells them."""
    path = folder / "hole"
    with path.open("wb") as file:
        file.truncate(8 * MIB)
    with open_source(str(path)) as source:
        return path.stat().st_blocks == 0 and not list(source.data_ranges())


@pytest.mark.parametrize("sample", HEADS)
def test_of_a_store_with_a_hole_behind_it_only_the_store_is_read(
    sample: str, tmp_path: Path, delivered: list[int]
) -> None:
    if not knows_holes(tmp_path):
        pytest.skip("this file system has no holes")
    name, size = HEADS[sample]
    path = tmp_path / name
    path.write_bytes((SAMPLES / sample).read_bytes())
    os.truncate(path, size * GIB)
    with open_source(str(path)) as source:
        report = inspect(source, formats.all_formats(), Wishes())
        assert report.format is not None
        assert not source.changed
    assert sum(delivered) < 160 * MIB


@pytest.mark.parametrize("sample", HEADS)
@pytest.mark.parametrize("hole", [40 * MIB + 123, 5 * WINDOW])
def test_the_same_is_told_of_a_hole_and_of_zeroes_that_are_there(sample: str, hole: int, tmp_path: Path) -> None:
    """With the store once more behind it: what stands behind a hole is found where it is."""
    name, _ = HEADS[sample]
    head = (SAMPLES / sample).read_bytes()
    path = tmp_path / name
    path.write_bytes(head)
    os.truncate(path, len(head) + hole)
    with path.open("ab") as file:
        file.write(head)
    zeroes = MemorySource(head + bytes(hole) + head, label=name)
    with open_source(str(path)) as source:
        assert told(source) == told(zeroes)


def test_what_was_written_into_a_hole_or_cut_from_it_is_no_hole_any_more(tmp_path: Path) -> None:
    path = tmp_path / "hole"
    with path.open("wb") as file:
        file.truncate(4 * WINDOW)
    with open_source(str(path)) as source:
        for size in (WINDOW, KEPT, KEPT + 1, 3 * WINDOW):
            data = source.read(9, size)
            assert len(data) == size
            assert only_zeroes(data)
            assert is_blank(data) in (size <= KEPT, False)
        held = bytearray(WINDOW)
        assert only_zeroes(bytes(source.glance_into(held, 0, WINDOW)))
        with path.open("r+b") as file:
            file.seek(WINDOW + 7)
            file.write(b"x")
        assert source.read(WINDOW, WINDOW)[7:8] == b"x"
        assert bytes(source.glance_into(held, WINDOW, WINDOW))[7:8] == b"x"
        assert not source.shrunk
        os.truncate(path, WINDOW)
        assert source.read(2 * WINDOW, WINDOW) == bytes(WINDOW)
        assert source.shrunk


def test_other_zeroes_are_not_taken_for_a_hole_unseen() -> None:
    for data in (b"", b"\0", bytes(MIB), b"\0" * 99 + b"\1", b"\1" + bytes(MIB)):
        assert not is_blank(data)
        assert only_zeroes(data) is (data.count(0) == len(data))


@pytest.mark.parametrize("seed", range(20))
def test_what_is_laid_over_holes_counts_as_data(seed: int, tmp_path: Path) -> None:
    """A patch that put a page into a hole was read as if the hole were there still."""
    if not knows_holes(tmp_path):
        pytest.skip("this file system has no holes")
    rng, size, block = random.Random(seed), 64, 4096
    path = tmp_path / "sparse"
    with path.open("wb") as file:
        file.truncate(size * block)
        for at in rng.sample(range(size), 9):
            file.seek(at * block)
            file.write(bytes([at + 1]) * block)
    places = sorted(rng.sample(range(size), 9))
    pieces = [(at * block + rng.choice((0, 100)), rng.choice((50, block - 100))) for at in places]
    with open_source(str(path)) as source, open_source(str(path)) as other:
        laid = [
            Overlay(source, [Piece(at, b"\xee" * n, "derived", "") for at, n in pieces]),
            Patched(source, Patch(source.size, "x", tuple(Change(at, b"\xee" * n, "") for at, n in pieces))),
            Quilt(source, {1: other}, [Quilted(at, at + n, 1) for at, n in pieces]),
        ]
        for view in laid:
            for start in (0, block, pieces[3][0] + 1, size * block):
                data = bytes(view.size)
                kept, last = bytearray(data), start
                for span in view.data_ranges("", start):
                    assert start <= span.start < span.end <= view.size
                    assert span.start > last or span.start == start
                    last = span.end
                    kept[span.start : span.end] = view.read(span.start, span.length)
                assert kept[start:] == view.read(start, view.size - start)
                held = sum(span.length for span in view.data_ranges("", start))
                assert held <= 19 * block
