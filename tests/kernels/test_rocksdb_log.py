"""A WAL read with the compiled run and without it gives the same tiles and the same sums."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from random import Random
from typing import Any

import pytest

from inspector.format import Wishes
from inspector.formats.rocksdb import batch, keys
from inspector.formats.rocksdb.claim import open_store
from inspector.formats.rocksdb.log_writer import frame
from inspector.kernels import plain_rocksdb
from inspector.source import MemorySource

pytestmark = pytest.mark.skipif(not find_spec("inspector.kernels._rocksdb"), reason="the extension is not built")
walk: Any = import_module("inspector.formats.rocksdb.walk")  # the package has a function of that name
NUMBER = 14
KINDS = (keys.PUT, keys.DELETE, keys.MERGE, keys.RANGE_DELETE, keys.SINGLE_DELETE)


def log(rng: Random, records: int, number: int | None) -> bytes:
    """Batches of every size, some of families, some after a jump of numbers on or back, some with marks of a commit."""
    out, sequence = bytearray(), 500
    for _ in range(records):
        sequence += rng.choice((0, 0, 0, 0, 0, 0, 0, 5, -9))
        ops = [
            (
                rng.choice((0, 0, 3)),
                rng.choice(KINDS),
                rng.randbytes(rng.randrange(20)),
                rng.randbytes(rng.choice((3, 200))),
            )
            for _ in range(rng.randrange(4))
        ]
        data = batch.encode(sequence, ops)
        data += rng.choice((b"", b"", b"\x0d", b"\x03\x02hi", b"\x09\x0a\x01x", b"\x12\x0a\x01x"))
        if rng.random() < 0.03:
            data += b"\x03" + b"\xa0\x8d\x06" + rng.randbytes(100_000)  # a record over several blocks
        out += frame(data, len(out), number)
        sequence += len(ops)
    return bytes(out)


def hurt(data: bytes, rng: Random) -> bytes:
    out = bytearray(data)
    for _ in range(rng.choice((0, 1, 2))):
        out[rng.randrange(len(out))] ^= 1 << rng.randrange(8)
    if rng.random() < 0.3:
        at = rng.randrange(len(out))
        out[at : at + 600] = bytes(len(out[at : at + 600]))
    if rng.random() < 0.3:
        del out[rng.randrange(len(out)) :]
    return bytes(out) + bytes(rng.choice((0, 0, 5000)))


def told(data: bytes) -> tuple[object, ...]:
    db = open_store(MemorySource({f"{NUMBER:06d}.log": data}), None, Wishes())
    tiles: list[tuple[int, ...]] = []
    for s in walk.walk(db):
        tiles += zip(s.starts, s.roles, s.kinds, s.marks, s.columns["stored"], s.columns["computed"], strict=True)
    return tiles, db.facts


@pytest.mark.parametrize("number", [None, NUMBER, NUMBER + 1])
def test_damaged_and_sound_logs_read_alike(number: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = Random(str(number))
    for case in range(25):
        data = log(rng, rng.choice((1, 30, 200)), number)
        data = hurt(data, rng) if case % 5 else data
        fast = told(data)
        with monkeypatch.context() as patch:
            patch.setattr(walk, "LogRun", plain_rocksdb.LogRun)
            assert told(data) == fast, case


def test_a_log_in_which_blocks_end_on_every_byte_reads_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    """The end of a block may leave room for a header, for half of one, or for nothing."""
    for left in range(16):
        first = batch.encode(1, [(0, keys.PUT, b"k", bytes(32768 - 7 - left - 19))])
        data = bytearray()
        for payload in (first, batch.encode(2, [(0, keys.PUT, b"k", b"v" * 40)]), batch.encode(3, [])):
            data += frame(payload, len(data))
        fast = told(bytes(data))
        with monkeypatch.context() as patch:
            patch.setattr(walk, "LogRun", plain_rocksdb.LogRun)
            assert told(bytes(data)) == fast, left


def test_any_bytes_are_read_without_a_fault() -> None:
    run = import_module("inspector.kernels._rocksdb").LogRun
    rng = Random(9)
    for path in sorted((Path(__file__).parents[2] / "samples" / "rocksdb").glob("*.log")):
        for _ in range(200):
            data = hurt(path.read_bytes(), rng)
            stop, starts, stored, pads = run(rng.choice((None, 14))).take(data, 0, 0)
            assert 0 <= stop <= len(data)
            assert len(starts) == len(stored) == len(pads)
    for _ in range(200):
        run().take(rng.randbytes(rng.randrange(200)), 32768, 0)
