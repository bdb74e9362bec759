"""Steps that cannot be read are no silence: a bootstrap may have gone on, or ended, in any of them."""

from __future__ import annotations

from tests.builders import kad_trace as build
from tests.builders.kad_trace import Log
from tests.formats.kad_trace.support import scan, verdicts


def escaped(log: Log, first: int = 0) -> bytes:
    """The log as a web page shows it: quotes of the lines from number `first` on are entities."""
    return b"".join(log.lines[:first] + [line.replace(b'"', b"&quot;") for line in log.lines[first:]])


def idle(log: Log) -> Log:
    for _ in range(200):
        log.idle(5)
    return log


def test_a_bootstrap_whose_steps_cannot_be_read_has_not_stalled() -> None:
    for steps in (None, 7):
        log = idle(Log(app=False).bootstrap(13, steps))
        report = scan(escaped(log))
        assert verdicts(report) == ["undetermined"]
        told = f"{13 if steps is None else steps} lines speak of a step in a form that is not known"
        assert any(told in words for words in report.answer.words)


def test_its_last_steps_may_be_those_that_cannot_be_read() -> None:
    log = idle(Log(app=False).bootstrap(13))
    assert verdicts(scan(escaped(log, 10))) == ["undetermined"]  # the start, nine steps, and four that are not read


def test_fewer_steps_than_are_left_do_not_end_a_bootstrap() -> None:
    log = idle(Log(app=False).bootstrap(13, 7))
    assert verdicts(scan(escaped(log, 7))) == ["stalled"]  # one more would be the seventh of 13


def test_silence_before_a_step_that_cannot_be_read_is_silence() -> None:
    log = idle(Log(app=False).bootstrap(13, 12))
    log.step(13, 13)
    assert verdicts(scan(escaped(log, 13))) == ["stalled"]  # 1,000 s after the twelfth step


def test_the_words_name_a_place_where_only_the_start_is_known() -> None:
    log = idle(Log(build.full, app=False))
    log.begin()
    report = scan(idle(log).data)
    assert verdicts(report) == ["stalled"]
    assert any(f"Last good line at byte {log.at['started'][0]}, " in words for words in report.answer.words)
