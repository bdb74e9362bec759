"""Bytes in which no record fits, at the end of a log's block: what they hold costs nothing, for the engine neither."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from inspector.errors import Exit
from inspector.format import Wishes
from inspector.formats import all_formats
from inspector.formats.rocksdb.log import BLOCK, SPOILT, UNREAD, LogReader
from inspector.inspect import Report, inspect
from inspector.repair import repair
from inspector.source import MemorySource, open_source
from tests.builders.rocksdb import small_world, wal
from tests.formats.rocksdb.test_sequences import rows

RECORDS, SIZE = 60, 1276


def spoilt(*patches: tuple[int, int]) -> bytes:
    """A log whose first block ends with three zeroes, with these bytes changed."""
    data, starts = wal(RECORDS, 11_000, size=SIZE)
    assert BLOCK - 3 in starts
    out = bytearray(data)
    for at, mask in patches:
        out[at] ^= mask
    return bytes(out)


def told(report: Report) -> list[tuple[str, str, str, str | None, int]]:
    return [(f.rule.code, f.level.value, f.cause.name, f.salvage, f.span.length) for f in report.tally.findings()]


@pytest.mark.parametrize(
    ("patches", "cause"),
    [([(BLOCK - 2, 4)], "bit-flip"), ([(BLOCK - 3, 255), (BLOCK - 1, 1)], "unknown")],
    ids=["one bit", "two bytes"],
)
def test_a_trailer_that_is_no_zeroes_loses_nothing(patches: list[tuple[int, int]], cause: str, tmp_path: Path) -> None:
    data = spoilt(*patches)
    report = inspect(MemorySource(data, "000014.log"), all_formats())
    assert told(report) == [("RDB044", "note", cause, "kept", 3)]
    assert (report.exit_code(), report.answer.summary["wal_operations"]) == (Exit.CLEAN, RECORDS)
    done = repair(MemorySource(data, "000014.log"), all_formats(), str(tmp_path / "out.log"), Wishes())
    assert (done.code, done.records["lost"], done.bytes["lost"]) == (Exit.CLEAN, 0, 0)


def test_the_engine_reads_all_records_behind_it(tmp_path: Path) -> None:
    pytest.importorskip("rocksdict")
    counts = []
    for name, data in (("whole", spoilt()), ("spoilt", spoilt((BLOCK - 2, 4)))):
        folder = tmp_path / name
        folder.mkdir()
        for member, content in (small_world().members() | {"000014.log": data}).items():
            (folder / member).write_bytes(content)
        with open_source(str(folder)) as source:
            report: Any = inspect(source, all_formats())
        assert report.exit_code() is Exit.CLEAN
        counts.append(rows(folder))
    assert counts[0] == counts[1] > RECORDS


def test_a_record_lost_before_it_is_the_only_one(tmp_path: Path) -> None:
    """The next block begins with a record, so the log stands where it was written, and no record is missing here."""
    data = spoilt((3000, 1), (3001, 7), (BLOCK - 2, 4))
    pieces = LogReader(lambda at, n: data[at : at + n], len(data)).pieces()
    assert [(p.state, p.end - p.start) for p in pieces if p.state in (SPOILT, UNREAD)] == [(SPOILT, 3)]
    done = repair(MemorySource(data, "000014.log"), all_formats(), str(tmp_path / "out.log"), Wishes())
    assert (done.code, done.records["lost"]) == (Exit.LOST, 1)


def test_the_end_of_a_block_that_was_moved_may_be_a_record_that_is_lost() -> None:
    """One byte put in moves the grid: the last bytes of a block are then the beginning of a record."""
    data = spoilt()
    data = data[:5000] + b"\x07" + data[5000 : 2 * BLOCK - 40] + bytes([9] * 80)
    states = {p.state for p in LogReader(lambda at, n: data[at : at + n], len(data)).pieces()}
    assert SPOILT not in states
