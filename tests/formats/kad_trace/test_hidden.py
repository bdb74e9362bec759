"""What zeroes and bytes that are no text may hide is not known: silence counts only beside them."""

from __future__ import annotations

import pytest

from inspector.formats.kad_trace import FORMAT
from inspector.inspect import Report, inspect
from inspector.source import MemorySource
from tests.builders.kad_trace import Log

STEPS = 13
Summary = dict[str, object]


def written(stop: int | None, app: bool, steps: bool, idle: int = 60) -> list[bytes]:
    """The lines of a node whose bootstrap comes to step `stop`, or to its end, and that then runs on for a while."""
    log = Log(end_of_line=b"\n")
    log.app, log.steps = app, steps
    log.process_start()
    log.bootstrap(STEPS, stop, 0, ())
    for _ in range(idle):
        log.idle(5)
    return list(log.lines)


def without_last(lines: list[bytes], count: int, fill: bytes = b"\0") -> bytes:
    """The log with the last lines about the bootstrap overwritten."""
    hit = [i for i, line in enumerate(lines) if b"ootstrap" in line][-count:]
    return b"".join(fill * len(line) if i in hit else line for i, line in enumerate(lines))


def look(data: bytes) -> Report:
    return inspect(MemorySource(data, "node.log"), (FORMAT,))


def only(report: Report) -> Summary:
    (boot,) = report.answer.summary["bootstraps"]
    found: Summary = boot
    return found


@pytest.mark.parametrize("fill", [b"\0", b"\xff"])
@pytest.mark.parametrize(("app", "steps", "count"), [(True, True, 3), (True, False, 1), (False, True, 2)])
def test_a_bootstrap_whose_last_lines_are_gone_is_not_said_to_have_stalled(
    app: bool, steps: bool, count: int, fill: bytes
) -> None:
    report = look(without_last(written(None, app, steps), count, fill))
    assert only(report)["verdict"] == "undetermined"
    assert "KDT001" not in {f.rule.code for f in report.tally.findings()}
    assert any("may hide the rest of 1 bootstrap" in line for line in report.answer.words)


@pytest.mark.parametrize("count", [1, 2, 4])
def test_what_is_too_short_to_hide_the_rest_hides_no_stall_but_makes_it_less_sure(count: int) -> None:
    lines = written(6, False, True)
    whole, hurt = only(look(b"".join(lines))), look(without_last(lines, count))
    boot = only(hurt)
    assert (whole["verdict"], boot["verdict"], boot["last_step"]) == ("stalled", "stalled", 6 - count)
    assert float(str(boot["gap_seconds"])) <= float(str(whole["gap_seconds"]))
    (found,) = [f for f in hurt.tally.findings() if f.rule.code == "KDT001"]
    assert f"after step {6 - count} of 13, or one that" in found.message


def test_silence_does_not_count_across_what_may_hide_a_step() -> None:
    """100 s before it and 60 s behind it are no 160 s."""
    lines = written(6, False, True, idle=32)
    at = len(lines) - 12
    hurt = [*lines[:at], bytes(500), *lines[at:]]
    boot = only(look(b"".join(hurt)))
    assert (only(look(b"".join(lines)))["verdict"], boot["verdict"]) == ("stalled", "stalled")
    assert 95 <= float(str(boot["gap_seconds"])) <= 105


def test_a_stall_that_was_there_before_the_zeroes_stays_one() -> None:
    lines = written(6, True, False, idle=120)
    report = look(b"".join([*lines[:-10], bytes(4096), *lines[-10:]]))
    assert only(report)["verdict"] == "stalled"


def test_zeroes_before_the_first_step_or_behind_the_end_change_nothing() -> None:
    lines = written(None, True, True)
    assert only(look(bytes(4096) + b"".join(lines)))["verdict"] == "finished"
    assert only(look(b"".join(lines) + bytes(4096)))["verdict"] == "finished"
    stalled = b"".join(written(6, True, True))
    assert only(look(stalled + bytes(4096)))["verdict"] == "stalled"
