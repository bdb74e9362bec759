"""What is written of a store with a hole behind it: in no time, and the same as of zeroes that are there."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from inspector.__main__ import main
from inspector.holes import KEPT
from tests.test_sparse import GIB, MIB, SAMPLES, knows_holes

GOSSIP, PEERS = "gossip_store/clean-v16.gossip_store", "known_peers/known_addresses-v3.bin"
BLOCKS, BLOB = "snarkos_blocks/0.5.blocks", "rocksdb/footer-bit.blob"
NAMES = {GOSSIP: "gossip_store", PEERS: "known_addresses.bin", BLOCKS: "0.5.blocks", BLOB: "000010.blob"}
# the command, and how it ends; a copy of the blob would be as long, and hashing that takes minutes
CASES = [
    (GOSSIP, 100, {"excerpt": 0, "report": 3, "capture": 0, "repair": 0}),
    (PEERS, 8, {"excerpt": 0, "report": 3, "capture": 0, "repair": 0}),
    (BLOCKS, 100, {"excerpt": 0, "report": 3, "capture": 0, "repair": 4}),
    (BLOB, 100, {"report": 3, "capture": 0}),
]
MOVED = 320 * MIB  # a list of peers is looked at in windows of 16 MiB, time and again
WRITTEN = 16 * MIB  # of the disk, where the system keeps holes


def laid(folder: Path, sample: str, size: int, *, holes: bool = True) -> Path:
    """The sample, and zeroes behind it up to a size."""
    folder.mkdir()
    path = folder / NAMES[sample]
    path.write_bytes((SAMPLES / sample).read_bytes())
    with path.open("ab") as file:
        if not holes:
            file.write(bytes(size - file.tell()))
        file.truncate(size)
    return path


@pytest.fixture
def moving(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The bytes of each call that reads or writes."""
    sizes: list[int] = []
    calls: dict[str, Callable[..., int]] = {"pwrite": os.pwrite, "preadv": os.preadv}
    pread = os.pread

    def counted(name: str) -> Callable[..., int]:
        def call(*arguments: object) -> int:
            done = calls[name](*arguments)
            sizes.append(done)
            return done

        return call

    def read(fd: int, n: int, at: int) -> bytes:
        data = pread(fd, n, at)
        sizes.append(len(data))
        return data

    for name in calls:
        monkeypatch.setattr(os, name, counted(name))
    monkeypatch.setattr(os, "pread", read)
    return sizes


@pytest.mark.parametrize(
    ("sample", "size", "command", "code"),
    [(sample, size, command, code) for sample, size, codes in CASES for command, code in codes.items()],
)
def test_a_hole_is_neither_read_nor_written(
    sample: str, size: int, command: str, code: int, tmp_path: Path, moving: list[int]
) -> None:
    if not knows_holes(tmp_path):
        pytest.skip("this file system has no holes")
    path = laid(tmp_path / "in", sample, size * GIB)
    out = tmp_path / ("out.md" if command == "report" else "out.bin")
    assert main([command, str(path), "-o", str(out)]) == code
    assert sum(moving) < MOVED
    assert out.stat().st_blocks * 512 < WRITTEN


@pytest.mark.parametrize("sample", [GOSSIP, PEERS, BLOCKS])
@pytest.mark.parametrize("command", ["excerpt", "repair"])
def test_the_same_is_written_of_a_hole_and_of_zeroes_that_are_there(sample: str, command: str, tmp_path: Path) -> None:
    """The names that stand for private ones are made of a secret of each run, so they stay as they are here."""
    made = []
    for folder, holes in (("hole", True), ("zeroes", False)):
        path = laid(tmp_path / folder, sample, 24 * MIB + 123, holes=holes)
        out = tmp_path / folder / "out"
        more = ["--no-redact"] if command == "excerpt" else []
        made.append((main([command, *more, str(path), "-o", str(out)]), out.read_bytes()))
    assert made[0] == made[1]
    assert made[0][0] in (0, 4)


def test_a_repaired_store_without_its_hole_is_small(tmp_path: Path) -> None:
    if not knows_holes(tmp_path):
        pytest.skip("this file system has no holes")
    path = laid(tmp_path / "in", GOSSIP, 4 << 40)  # more than any disk of these tests has free
    assert main(["repair", str(path), "-o", str(tmp_path / "out")]) == 0
    assert (tmp_path / "out").read_bytes() == (SAMPLES / GOSSIP).read_bytes()


@pytest.mark.parametrize("words", [["diff"], ["scan", "--verify-signatures"]])
@pytest.mark.parametrize("noise", [False, True])
def test_a_gap_behind_records_is_read_in_pieces(
    words: list[str], noise: bool, tmp_path: Path, moving: list[int]
) -> None:
    """A diff of two stores with 20 GB of zeroes behind them took 24 GB of memory."""
    path = laid(tmp_path / "in", GOSSIP, 40 * MIB)
    if noise:
        with path.open("r+b") as file:
            file.seek((SAMPLES / GOSSIP).stat().st_size)
            file.write(random.Random(3).randbytes(20 * MIB))
    assert main([*words, *[str(path)] * (2 if words == ["diff"] else 1)]) in (0, 3)
    assert max(moving) <= KEPT
