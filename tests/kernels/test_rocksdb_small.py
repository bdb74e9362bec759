"""Small compiled readers of RocksDB's blocks and logs say what plain Python says, on sound, hurt and hostile bytes."""

from __future__ import annotations

from array import array
from importlib.util import find_spec
from random import Random
from typing import Any

import pytest

from inspector.formats.rocksdb import batch, block, keys, log, logical
from inspector.formats.rocksdb.coding import MalformedError
from inspector.formats.rocksdb.database import _is_batch
from inspector.formats.rocksdb.facts import LogFacts
from inspector.formats.rocksdb.walk import _count
from inspector.kernels import plain_rocksdb, rocksdb
from tests.builders.bomb_claims import crowded, record

pytestmark = pytest.mark.skipif(not find_spec("inspector.kernels._rocksdb"), reason="the extension is not built")


def alike(read: Any, data: bytes) -> None:
    """`read` with the compiled entries says what it says without them, also of what does not fit."""

    def told() -> object:
        try:
            return read(data)
        except MalformedError as error:
            return str(error)

    fast = told()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(block, "block_entries", plain_rocksdb.block_entries)
        assert told() == fast


def blocks(rng: Random) -> bytes:
    pairs = sorted(
        {
            rng.randbytes(rng.choice((0, 1, 8, 200))): rng.randbytes(rng.choice((0, 3, 150, 300))) for _ in range(60)
        }.items()
    )
    data = bytearray(block.build([*pairs], rng.choice((1, 4, 16))))
    for _ in range(rng.choice((0, 1, 3))):
        data[rng.randrange(len(data))] = rng.choice((0, 1, 0x7F, 0x80, 0xFF))
    return bytes(data)


def test_entries_and_places_of_blocks_are_the_same_whatever_their_bytes() -> None:
    rng = Random(5)
    for _ in range(300):
        data = blocks(rng)
        alike(block.entries, data)
        alike(block.places, data)


def test_entries_that_cost_too_much_end_at_the_same_one() -> None:
    data = crowded(600_000)
    with pytest.raises(MalformedError, match=f"take more than {block.MAX_SPENT:,} bytes"):
        block.entries(data)
    alike(block.entries, data)
    assert len(block.places(crowded(1_000))) == 1_001
    alike(block.places, crowded(1_000))


def test_records_of_a_block_of_a_log_are_those_that_are_read_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = Random(6)
    for case in range(60):
        number = rng.choice((None, 7, (1 << 33) + 9))
        own = (number or 7).to_bytes(8, "little")[:4]
        out = bytearray()
        for _ in range(rng.choice((5, 200))):
            kind = rng.choice((1, 1, 2, 3, 4, 9, 10, 130) if case % 2 else (5, 5, 6, 7, 8, 11, 131))
            body = rng.randbytes(rng.choice((0, 3, 60)))
            one = bytearray(record(kind, body if kind not in (5, 6, 7, 8, 11, 131) else own + body))
            if kind in (5, 6, 7, 8, 11, 131):
                one[4:6] = len(body).to_bytes(2, "little")
            if rng.random() < 0.02:
                one[rng.randrange(len(one))] ^= 1 << rng.randrange(8)
            out += one
        data = bytes(out[:32768].ljust(32768, b"\0")) + bytes(out)

        def pieces(data: bytes = data, number: int | None = number) -> list[log.Piece]:
            return list(log.LogReader(lambda at, n: data[at : at + n], len(data), number).pieces())

        together = pieces()
        with monkeypatch.context() as patch:
            patch.setattr(log, "log_sound", lambda block, base, number: (array("Q"), b"", array("I"), 0))
            patch.setattr(log, "log_relength", plain_rocksdb.log_relength)
            assert pieces() == together
        with monkeypatch.context() as patch:
            patch.setattr(log, "log_sound", plain_rocksdb.log_sound)
            assert pieces() == together


def test_a_batch_is_one_if_the_plain_reader_says_so() -> None:
    rng = Random(7)
    for _ in range(300):
        ops = [
            (rng.choice((0, 3, 300)), keys.PUT, rng.randbytes(rng.randrange(9)), b"v") for _ in range(rng.randrange(5))
        ]
        data = bytearray(batch.encode(rng.randrange(1 << 40), ops))
        data += rng.choice((b"", b"\x0d", b"\x03\x02hi", b"\x7f", b"\xff"))
        if rng.random() < 0.4:
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        data = data[: rng.choice((len(data), len(data), 5))]
        fast = _is_batch(bytes(data))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("inspector.formats.rocksdb.database.batch_sums", plain_rocksdb.batch_sums)
            assert _is_batch(bytes(data)) == fast


@pytest.mark.parametrize("checksum", [1, 3, 4])
def test_the_end_of_a_block_that_its_checksum_tells_is_the_plain_one(checksum: int) -> None:
    rng, found = Random(9), 0
    for _ in range(400):
        kind, modifier = rng.choice((0, 0, 1, 4, 5)), rng.choice((0, rng.randrange(1 << 32)))
        data = bytearray(rng.choices((0, 0, 1, 4, 5, 0x10, 0x4F), k=rng.randrange(260)))
        begin = rng.randrange(40)
        if len(data) > begin + 80 and rng.random() < 0.7:
            stop = rng.randrange(begin + 20, len(data) - 5)
            data[stop - 4 : stop + 1] = (
                rng.choice((b"\2\0\0", b"\1\0\0", b"\0\0\0")) + rng.choice((b"\0", b"\x10")) + bytes([kind])
            )
            word = plain_rocksdb.checksum_of(checksum, bytes(data[begin : stop + 1])) + modifier
            data[stop + 1 : stop + 5] = (word & 0xFFFFFFFF).to_bytes(4, "little")
        at = begin + rng.randrange(-1, 20) if begin else begin
        asked = (
            bytes(data),
            begin,
            at,
            at + rng.randrange(300),
            kind,
            checksum,
            modifier,
            rng.choice((20_000, 1 << 40)),
        )
        told = plain_rocksdb.sealed_end(*asked)
        assert rocksdb.sealed_end(*asked) == told
        found += told[0] >= 0
    assert found > 60


@pytest.mark.parametrize("checksum", [0, 1, 2, 3, 4])
def test_the_beginning_of_a_block_that_its_checksum_tells_is_the_plain_one(checksum: int) -> None:
    rng, found = Random(10), 0
    for _ in range(300):
        data = bytearray(rng.randbytes(rng.randrange(5, 200)))
        base, start = rng.choice((0, rng.randrange(1 << 32))), rng.choice((0, 5 << 32, (1 << 64) - 3))
        stop = rng.choice((len(data) - 5, rng.randrange(len(data))))
        if 0 < stop <= len(data) - 5:
            begin = rng.randrange(stop)
            place = (start + begin) % (1 << 64)
            word = plain_rocksdb.checksum_of(checksum, bytes(data[begin : stop + 1]))
            word += base ^ (place + (place >> 32) & 0xFFFFFFFF) if base else 0
            data[stop + 1 : stop + 5] = (word & 0xFFFFFFFF).to_bytes(4, "little")
        at, left = rng.choice((1, rng.randrange(60))), rng.choice((50_000, 1 << 40))
        asked = (bytes(data), at, rng.randrange(250), stop, checksum, base, start, left)
        told = plain_rocksdb.sealed_begin(*asked)
        assert rocksdb.sealed_begin(*asked) == told
        found += told[0] >= 0
    assert found > 60


@pytest.mark.skipif(
    rocksdb.batch_sums is plain_rocksdb.batch_sums, reason="the plain twin leaves every batch to the plain reader"
)
def test_sums_over_a_batch_are_those_of_its_operations() -> None:
    rng, read = Random(8), 0
    for _ in range(300):
        ops = [(rng.choice((0, 3, 200)), keys.PUT, rng.randbytes(rng.randrange(9)), b"") for _ in range(5)]
        data = bytearray(batch.encode(7, ops) + rng.choice((b"", b"\x0d", b"\x03\x02hi", b"\x09", b"\x7f", b"\xff")))
        data[8] = rng.choice((5, 5, 6))
        if rng.random() < 0.4:
            data[rng.randrange(batch.HEADER, len(data))] ^= 1 << rng.randrange(8)
        sums = rocksdb.batch_sums(bytes(data))
        if sums is None:
            continue  # it may be a batch all the same: then the plain reader says so
        read += 1
        found = walked(bytes(data))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("inspector.formats.rocksdb.walk.batch_sums", plain_rocksdb.batch_sums)
            assert walked(bytes(data)) == found
    assert read > 150


def walked(data: bytes) -> tuple[str, LogFacts]:
    """What a walk says is wrong with a batch, and the facts that it leaves."""
    facts = LogFacts()
    try:
        _count(logical.Record(logical.WHOLE, data, ((0, len(data)),)), facts, [])
    except MalformedError as error:
        return str(error), facts
    return "", facts


def test_a_log_in_which_nothing_verifies_is_not_searched_from_each_byte() -> None:
    """Records that repeat no number though their type says so: each was searched to the block's end, for a minute."""
    one = record(5, b"\1\0\0\0")
    data = (one * (log.BLOCK // len(one))).ljust(log.BLOCK, b"\0") * 2
    looked = 0

    def anchor(block: bytes, at: int) -> int:
        nonlocal looked
        looked += 1
        return plain(block, at)

    from inspector.kernels import carving

    plain = carving.log_anchor
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(carving, "log_anchor", anchor)
        pieces = list(log.LogReader(lambda at, n: data[at : at + n], len(data)).pieces())
    assert pieces[-1].end == len(data)
    assert looked <= 4
