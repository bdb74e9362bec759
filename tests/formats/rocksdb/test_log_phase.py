"""Bytes put into long records of a log, or lost from them, are told by the blocks that the rest was written in."""

from __future__ import annotations

from random import Random

import pytest

from inspector import formats
from inspector.finding import Cause
from inspector.formats.rocksdb import batch, keys, log
from inspector.formats.rocksdb.units import TRAITS
from inspector.inspect import inspect
from inspector.source import MemorySource
from tests import damage
from tests.builders import rocksdb

LONG = 20_000  # bytes of a record: nearly every other one is cut by the end of a block
COUNT = 14


def _log() -> tuple[bytes, list[int]]:
    """A log of long records, of bytes that look like no others, and where each of them begins."""
    records = [
        batch.encode(100 + i, [(0, keys.PUT, b"key-%06d" % i, Random(i).randbytes(LONG + 37 * i))])
        for i in range(COUNT)
    ]
    starts = [len(rocksdb.log_of(records[:i])) for i in range(COUNT)]
    return rocksdb.log_of(records), starts


DATA, STARTS = _log()
CUT = [at for at, end in zip(STARTS, [*STARTS[1:], len(DATA)], strict=True) if at // log.BLOCK < (end - 1) // log.BLOCK]


def _causes(data: bytes, at: int) -> list[Cause]:
    """What is named of the findings that the place touches."""
    report = inspect(MemorySource(data, "000014.log"), formats.all_formats())
    return [f.cause for f in report.tally.findings() if f.span.start <= at < f.span.end]


def test_records_are_cut_by_the_ends_of_blocks() -> None:
    assert len(CUT) > 5
    assert inspect(MemorySource(DATA, "000014.log"), formats.all_formats()).exit_code() == 0


@pytest.mark.parametrize("count", [1, 7, 512, 4096])
def test_bytes_put_into_a_cut_record_are_found_where_they_were_put(count: int) -> None:
    for head in CUT[1:-2:2]:
        at = head + 2000
        made = damage.splice(DATA, at, Random(count).randbytes(count))
        causes = _causes(made.data, at)
        assert causes, head
        assert {cause.name for cause in causes} == {"shifted"}, (head, causes)
        assert all(f"{count} byte" in c.because.replace(",", "") and "put in" in c.because for c in causes), causes


@pytest.mark.parametrize("count", [2, 40, 512, 4096])
def test_bytes_lost_from_a_cut_record_are_counted(count: int) -> None:
    for head in CUT[1:-2:2]:
        at = head + 1000
        causes = _causes(damage.cut(DATA, at, at + count).data, at)
        assert causes, head
        assert {cause.name for cause in causes} == {"shifted"}, (head, causes)
        assert all(f"{count} bytes were lost" in cause.because.replace(",", "") for cause in causes), causes


@pytest.mark.parametrize("seed", range(4))
def test_other_bytes_in_a_cut_record_moved_nothing(seed: int) -> None:
    """Where as many bytes as before stand between the blocks none are called put in or lost."""
    head = CUT[2 + seed]
    for start in (head // 4096 * 4096 + 4096, -(-head // log.BLOCK) * log.BLOCK):
        made = damage.noise(DATA, start, start + 4096, seed)
        causes = _causes(made.data, start)
        assert causes
        assert "shifted" not in {cause.name for cause in causes}, causes


def test_records_tell_the_blocks_that_they_were_written_in() -> None:
    asked = TRAITS.phase
    assert asked is not None
    report = inspect(MemorySource(DATA, "000014.log"), formats.all_formats())
    for put in (0, 1, 512, log.BLOCK - 1, log.BLOCK, log.BLOCK + 9):
        whole = bytes(put) + DATA

        def read(at: int, n: int, whole: bytes = whole) -> bytes:
            return whole[at : at + n]

        told = {asked(report.state, "", put + at, read) for at in STARTS}
        assert told <= {put % log.BLOCK, None}, put
        assert put % log.BLOCK in told


def test_one_border_inside_a_log_tells_nothing() -> None:
    """A page of another place may hold one."""
    asked = TRAITS.phase
    assert asked is not None
    head = CUT[3]
    end = STARTS[STARTS.index(head) + 1]
    page = bytes(100) + DATA[head:end] + b"\xa5" * 4096
    report = inspect(MemorySource(DATA, "000014.log"), formats.all_formats())
    assert asked(report.state, "", 100, lambda at, n: page[at : at + n]) is None
    assert asked(report.state, "", 100, lambda at, n: page[: 100 + end - head][at : at + n]) is not None
