"""Steps that no bootstrap makes: each broken rule of the counting is named."""

from __future__ import annotations

from typing import Any

import pytest

from inspector.errors import Exit
from tests.builders.kad_trace import Log
from tests.formats.kad_trace.support import codes, scan, verdicts

BROKEN = [
    ("I1", "KDT010", [(1, {}), (2, {}), (4, {})]),
    ("I2", "KDT011", [(1, {}), (2, {"last": True}), (3, {})]),
    ("I3", "KDT011", [(1, {}), (2, {"remaining": 11})]),
    ("I4", "KDT011", [(1, {}), (2, {"last": True})]),
    ("I5", "KDT011", [(1, {}), (2, {"remaining": 3})]),
    ("I7", "KDT011", [(1, {"success": 40})]),
]


@pytest.mark.parametrize(("name", "code", "steps"), BROKEN, ids=[b[0] for b in BROKEN])
def test_a_broken_invariant_is_named(name: str, code: str, steps: list[tuple[int, dict[str, Any]]]) -> None:
    log = Log(app=False)
    log.begin()
    for count, odd in steps:
        log.step(count, 12, **odd)
    last = log.at[f"event0.{steps[-1][0]}"]
    report = scan(log.data)
    assert name in {f.evidence["invariant"] for f in report.tally.findings() if f.rule.code == code}
    assert any((f.span.start, f.span.end) == last for f in report.tally.findings())


def test_a_step_longer_than_its_timeouts_allow_breaks_i6() -> None:
    log = Log(app=False)
    log.begin()
    log.step(1, 3, 95)
    log.step(2, 3)
    log.step(3, 3)
    assert [f.evidence["invariant"] for f in scan(log.data).tally.findings()] == ["I6"]


def test_an_application_step_that_is_missing_breaks_i8() -> None:
    log = Log(steps=False).bootstrap(6)
    del log.lines[3]
    report = scan(log.data)
    assert [f.evidence["invariant"] for f in report.tally.findings()] == ["I8"]
    assert verdicts(report) == ["finished"]


def test_a_finish_without_steps_is_a_note() -> None:
    log = Log()
    log.finish()
    log.idle(3)
    report = scan(log.data)
    assert codes(report) == ["KDT014"]
    assert report.exit_code() == Exit.CLEAN


def test_a_repeated_step_is_counted_once() -> None:
    log = Log(app=False).bootstrap(5)
    log.lines.insert(3, log.lines[2])
    report = scan(log.data)
    assert (verdicts(report), codes(report)) == (["finished"], ["KDT013"])
