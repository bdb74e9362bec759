"""The log format: every record that verifies is found, and what is lost is exactly what was touched."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
import zstandard

from inspector.format import Wishes
from inspector.formats import all_formats
from inspector.formats.rocksdb import batch, keys, log, logical
from inspector.formats.rocksdb.log_writer import frame
from inspector.formats.rocksdb.logical import Assembler
from inspector.inspect import inspect
from inspector.repair import repair
from inspector.source import MemorySource, open_source
from tests import damage
from tests.builders.rocksdb import log_of, wal


def pieces(data: bytes, number: int | None = None) -> list[log.Piece]:
    found = list(log.LogReader(lambda at, n: data[at : at + n], len(data), number).pieces())
    assert [p.start for p in found[1:]] == [p.end for p in found[:-1]]
    assert (found[0].start, found[-1].end) == (0, len(data))
    return found


def records(data: bytes, number: int | None = None) -> list[bytes]:
    found = Assembler().records(pieces(data, number))
    return [r.data for r in found if r.fate == logical.WHOLE]


SIZES = (0, 1, 6, 7, 100, 32_755, 32_761, 32_762, 40_000, 100_000)


@pytest.mark.parametrize("number", [None, 77])
def test_records_of_every_size_come_back_across_blocks(number: int | None) -> None:
    rng = Random(1)
    sent = [rng.randbytes(rng.choice(SIZES)) for _ in range(60)]
    assert records(log_of(sent, number), number) == sent


def test_a_flipped_bit_costs_one_record_and_not_the_rest_of_its_block() -> None:
    data, starts = wal(300, 1)
    hurt = damage.flip_bit(data, starts[100] + 20, 3).data
    bad = [p for p in pieces(hurt) if p.state != log.GOOD]
    assert [(p.start, p.end, p.state) for p in bad] == [(starts[100], starts[101], log.BAD)]
    assert len(records(hurt)) == 299


@pytest.mark.parametrize("bit", range(16))
def test_a_flipped_bit_of_a_length_costs_nothing(bit: int) -> None:
    data, starts = wal(300, 1)
    hurt = damage.flip_bit(data, starts[50] + 4 + bit // 8, bit % 8).data
    assert records(hurt) == records(data)
    assert [p.start for p in pieces(hurt) if p.state == log.RELENGTH] == [starts[50]]


def test_zeroes_over_records_cost_those_records_and_the_gap_is_exact() -> None:
    data, starts = wal(300, 1)
    hurt = damage.zero(data, starts[40], starts[44]).data
    assert [(p.start, p.end) for p in pieces(hurt) if p.state == log.UNREAD] == [(starts[40], starts[44])]
    assert len(records(hurt)) == 296


def test_a_lost_fragment_costs_its_record_only() -> None:
    rng = Random(2)
    sent = [rng.randbytes(90_000) for _ in range(5)]
    data = log_of(sent)
    hurt = damage.flip_bit(data, 100_000, 1).data
    assert records(hurt) == [sent[0], *sent[2:]]


def test_a_torn_tail_is_told_from_damage() -> None:
    data, starts = wal(50, 1)
    for cut in (starts[49] + 3, starts[49] + 7, starts[49] + 30):
        found = pieces(data[:cut])
        assert found[-1].state == log.TORN
        assert (found[-1].start, len(records(data[:cut]))) == (starts[49], 49)


@pytest.mark.parametrize("at", [log.BLOCK - 5, log.BLOCK - 1])
def test_bytes_in_what_a_writer_leaves_at_the_end_of_a_block_are_no_torn_tail(at: int) -> None:
    """Records go on in the next block: no append ended here."""
    first = batch.encode(1, [(0, keys.PUT, b"first", bytes(32_734))])
    data = log_of([first, *(batch.encode(i, [(0, keys.PUT, b"next", b"value")]) for i in (2, 3))])
    assert len(frame(first, 0)) == log.BLOCK - 5
    report = inspect(MemorySource(damage.flip_bit(data, at, 6).data, "000014.log"), all_formats())
    (found,) = report.tally.findings()
    assert (found.rule.code, found.span.start, found.span.end) == ("RDB044", log.BLOCK - 5, log.BLOCK)
    assert found.cause.name != "torn-write"
    assert (report.account.units, report.answer.summary["wal_operations"]) == (3, 3)


def test_preallocated_zeroes_at_the_end_are_no_damage() -> None:
    data, _ = wal(50, 1)
    found = pieces(data + bytes(200_000))
    assert [p.state for p in found if p.state != log.GOOD] == [log.EMPTY]


def test_older_records_of_a_recycled_log_are_not_read() -> None:
    old, _ = wal(200, 1, number=5)
    new, _ = wal(50, 1000, number=9)
    found = pieces(new + old[len(new) :], 9)
    assert [p.state for p in found if p.state != log.GOOD][-1:] == [log.STALE] or found[-1].state == log.UNREAD
    assert records(new + old[len(new) :], 9) == records(new, 9)


def test_zeroes_of_an_older_value_behind_the_end_of_a_recycled_log_are_no_damage() -> None:
    new, _ = wal(40, 1000, number=72)  # two bits from zero: no sign of a record of this log
    value = frame(batch.encode(7, [(0, keys.PUT, b"k", bytes(9000))]), 0, 5)
    old = value + wal(60, 100, number=5)[0]
    assert len(new) % 512 < 500
    assert len(new) + 11 < len(value) < 9100
    found = pieces(new + old[len(new) :], 72)
    assert {p.state for p in found} == {log.GOOD, log.STALE}


def test_a_record_planted_in_a_damaged_one_whose_end_is_confirmed_is_never_taken() -> None:
    planted = frame(batch.encode(7, [(0, keys.PUT, b"planted", b"x")]), 0)
    data = log_of([b"a" * 50, planted * 3, b"b" * 50])
    start = 57 + 7
    hurt = damage.flip_bit(data, start + len(planted) * 3 - 1, 0).data
    assert records(hurt) == [b"a" * 50, b"b" * 50]


def test_a_compressed_log_is_read_and_a_bomb_in_it_is_not_unpacked() -> None:
    def packed(body: bytes) -> bytes:
        return zstandard.ZstdCompressor(write_checksum=True).compress(body)

    head = frame((7).to_bytes(4, "little"), 0, alone=log.SET_COMPRESSION)
    out = bytearray(head)
    for body in (b"one" * 40_000, bytes(1 << 20), b"two"):
        out += frame(packed(body), len(out))
    found = list(Assembler(max_record=1 << 18).records(pieces(bytes(out))))
    assert [r.fate for r in found] == [logical.WHOLE, logical.TOO_LARGE, logical.WHOLE]
    assert found[0].data == b"one" * 40_000


def test_random_bytes_are_tiled_and_give_nothing() -> None:
    for seed in range(8):
        data = Random(seed).randbytes(70_000)
        assert records(data) == []


def test_every_byte_of_a_small_log_may_be_wrong() -> None:
    data, _ = wal(6, 1)
    for at in range(len(data)):
        for value in (1, 0x80, 0xFF):
            hurt = data[:at] + bytes([data[at] ^ value]) + data[at + 1 :]
            assert len(records(hurt)) >= 5
    for size in range(len(data)):
        if size:
            pieces(data[:size])


def test_a_page_that_stands_twice_in_a_log_is_written_once(tmp_path: Path) -> None:
    """The engine's replay stops at a key that it has got with the same number, and would drop all that follows."""
    written, ends, rng = bytearray(), [], Random(4)
    for number in range(300):
        written += frame(batch.encode(100 + number, [(0, 1, b"key %05d" % number, rng.randbytes(61))]), len(written))
        ends.append(len(written))
    damaged = bytearray(written)
    damaged[12288:16384] = written[4096:8192]
    hurt = {i for i, end in enumerate(ends) if end > 12288 and (ends[i - 1] if i else 0) < 16384}
    path, out = tmp_path / "000007.log", tmp_path / "out.log"
    path.write_bytes(damaged)
    with open_source(str(path)) as source:
        repair(source, all_formats(), str(out), Wishes())
    data = out.read_bytes()
    assert [batch.header(record)[0] for record in records(data)] == [100 + i for i in range(300) if i not in hurt]
