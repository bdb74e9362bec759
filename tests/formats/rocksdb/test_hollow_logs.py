"""Logs of records that hold nothing, and batches of marks alone: told at once, and as one by one."""

from __future__ import annotations

from typing import Any

import pytest

from inspector.format import Edit, Query
from inspector.formats import all_formats
from inspector.formats.rocksdb import batch, keys, log
from inspector.formats.rocksdb.records import records
from inspector.formats.rocksdb.rewal import rewrite_wal
from inspector.inspect import Report, inspect
from inspector.source import MemorySource
from tests.builders.bomb_claims import pieces, record
from tests.builders.rocksdb import log_of

HOLLOW = pieces(1, b"", 3 * log.BLOCK)
SOUND = log_of([batch.encode(1, [(0, keys.PUT, b"key", b"value")])])


def inspected(data: bytes) -> Report:
    return inspect(MemorySource({"": data}, "000007.log"), all_formats(), keep=3000)


def told(report: Report) -> tuple[Any, ...]:
    facts = report.state_of_bottom.facts[""]
    found = [(f.rule.code, f.span, f.message, f.cause, f.salvage) for f in report.tally.findings()]
    return found, dict(report.tally.counts), report.answer.summary, facts.why, facts.records, report.account.units


@pytest.mark.parametrize(
    "data",
    [
        HOLLOW,
        SOUND + HOLLOW[: log.BLOCK - len(SOUND) - 3] + bytes(3) + HOLLOW,
        HOLLOW + SOUND + HOLLOW[:70],
        record(2, b"begun") + HOLLOW[: log.BLOCK - 20] + bytes(8) + HOLLOW + record(4, b"ended"),
    ],
)
def test_records_that_hold_nothing_are_told_at_once_as_one_by_one(data: bytes) -> None:
    at_once = told(inspected(data))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(log.Sound, "empty", False)
        assert told(inspected(data)) == at_once
    assert len(at_once[3]) == 1000


@pytest.mark.parametrize("count", [9, 1 << 31])
def test_marks_without_a_name_that_follow_each_other_are_listed_once(count: int) -> None:
    steps = b"\x0d" * 400 + b"\x01\x01k\x01v" + b"\x03\x00" * 5 + b"\x03\x02hi" + b"\x0d" + b"\x03\x00" * 2
    body = (7).to_bytes(8, "little") + count.to_bytes(4, "little") + steps
    report = inspected(log_of([body]))
    found = [(e.kind, e.fields.get("tag"), e.fields.get("count"), e.state) for e in records(report.state, Query())]
    assert found == [
        ("mark", batch.NOOP, 400, "ok"),
        ("put", None, None, "ok"),
        ("mark", batch.LOG_DATA, 5, "ok"),
        ("mark", batch.LOG_DATA, None, "ok"),
        ("mark", batch.NOOP, None, "ok"),
        ("mark", batch.LOG_DATA, 2, "ok"),
        ("wal_record", None, None, "content malformed"),
    ]


@pytest.mark.parametrize(
    "data",
    [
        HOLLOW,
        SOUND + HOLLOW[: log.BLOCK - len(SOUND) - 3] + bytes(3) + HOLLOW + SOUND,
        HOLLOW[: log.BLOCK] + SOUND + b"\0" * 9,
    ],
)
def test_a_repair_leaves_out_records_that_hold_nothing_together_and_loses_no_other(data: bytes) -> None:
    def planned() -> tuple[list[Edit], bytes, int]:
        report = inspected(data)
        edits = list(rewrite_wal(report.state, "", ""))
        made = b"".join(
            e.data or (data[e.origin.start : e.origin.end] if e.action == "kept" and e.origin else b"") for e in edits
        )
        return edits, made, sum(e.units for e in edits if e.action == "lost")

    edits, made, lost = planned()
    ends = [0, *(e.origin.end for e in edits if e.origin)]
    assert [e.origin.start for e in edits if e.origin] == ends[:-1]
    assert ends[-1] == len(data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(log.Sound, "empty", False)
        one_by_one, same, count = planned()
    assert (made, lost) == (same, count)
    assert len(edits) < len(one_by_one)
