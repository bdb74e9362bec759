"""Logs without a usual time: the same verdict whatever way their times are written, and the words of the log itself."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from inspector.format import Wishes
from inspector.formats.kad_trace import FORMAT
from inspector.formats.kad_trace.clock import line_time, show_time
from inspector.formats.kad_trace.dialects import any_time, clock_of, newest_first, other_time, since_1970
from inspector.inspect import inspect
from inspector.source import open_source
from tests.builders.kad_trace import Log
from tests.formats.kad_trace.support import boots, codes, scan, stalled, verdicts

USUAL = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z")
BEGIN = datetime(2024, 5, 30)
EPOCH = datetime(1970, 1, 1)
FORMS: dict[str, Callable[[datetime], str]] = {
    "syslog": lambda t: t.strftime("%b %d %H:%M:%S") + " host node[3470]:",
    "syslog, one digit": lambda t: t.replace(day=3).strftime("%b  3 %H:%M:%S") + " host node[3470]:",
    "syslog, precise": lambda t: t.strftime("%b %d %H:%M:%S.%f") + " host node[3470]:",
    "journal, unix": lambda t: f"{(t - EPOCH).total_seconds():.6f} host node[3470]:",
    "journal, monotonic": lambda t: f"[{(t - BEGIN).total_seconds():12.6f}] host node[3470]:",
    "uptime": lambda t: f"{(t - BEGIN).total_seconds():12.9f}s",
    "uptime, coloured": lambda t: f"\x1b[2m{(t - BEGIN).total_seconds():12.9f}s \x1b[0m",
    "seconds": lambda t: str(int((t - EPOCH).total_seconds())),
    "milliseconds": lambda t: str(int((t - EPOCH).total_seconds() * 1000)),
    "nanoseconds": lambda t: str(int((t - EPOCH).total_seconds()) * 10**9),
    "slashes": lambda t: t.strftime("%Y/%m/%d %H:%M:%S.%f"),
    "web": lambda t: t.strftime("[%d/%b/%Y:%H:%M:%S +0000]"),
}


def restamped(log: Log, form: Callable[[datetime], str]) -> bytes:
    def turn(found: re.Match[bytes]) -> bytes:
        return form(datetime.strptime(found.group().decode(), "%Y-%m-%dT%H:%M:%S.%fZ")).encode()

    return b"".join(USUAL.sub(turn, line) for line in log.lines)


def ended() -> Log:
    log = Log().bootstrap(13)
    for _ in range(100):
        log.idle(5)
    return log


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("app", [True, False])
def test_a_stall_is_one_however_times_are_written(form: str, app: bool) -> None:
    report = scan(restamped(stalled(app=app), FORMS[form]))
    assert verdicts(report) == ["stalled"]
    assert codes(report) == ["KDT001"]
    assert boots(report)[0]["gap_seconds"] == pytest.approx(576.39, abs=1.1)
    assert verdicts(scan(restamped(ended(), FORMS[form]))) == ["finished"]


def test_a_time_without_a_year_or_a_date_is_told_without() -> None:
    words = [
        " ".join(scan(restamped(stalled(), FORMS[name])).answer.words) for name in ("syslog", "journal, monotonic")
    ]
    assert "at 05-30T12:36:01.000000; the log" in words[0]
    assert "at 45361.644910 s of uptime; the log" in words[1]
    assert show_time(line_time(b"0004-05-30T12:36:02Z")) == "05-30T12:36:02.000000"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b"Feb 29 12:00:00 host", "02-29T12:00:00.000000"),
        (b"Feb 30 12:00:00 host", None),
        (b"Foo 10 12:00:00 host", None),
        (b"Feb 10 24:00:00 host", None),
        (b"2024/02/30 12:00:00", None),
        (b"2024/02/29 12:00:00,25 x", "2024-02-29T12:00:00.250000Z"),
        (b"30/May/2024:12:34:34 +0200", "2024-05-30T10:34:34.000000Z"),
        (b"30/May/2024:12:34:34 -0030", "2024-05-30T13:04:34.000000Z"),
        (b"1717072474", "2024-05-30T12:34:34.000000Z"),
        (b"17170724741", None),
        (b"1717072474.", None),
        (b"1717072474643710", "2024-05-30T12:34:34.643710Z"),
        (b'{"a":1,"ts": 1717072474.5}', "2024-05-30T12:34:34.500000Z"),
        (b'{"a":1,"gas": 1717072474.5}', None),
        (b"12.345 x", "12.345000 s of uptime"),
        (b"12.34 x", None),
        (b"12.345678", None),
        (b"a 1717072474", None),
        (b"", None),
    ],
)
def test_a_time_is_one_only_in_a_known_form_at_the_start(line: bytes, told: str | None) -> None:
    assert show_time(other_time(line)) == told
    assert show_time(any_time(line)) == told


def test_lines_of_another_form_do_not_count_where_most_have_a_usual_time() -> None:
    """systemd's own lines in a journal: a time without a year is no leap of the clock."""
    log = stalled()
    log.lines[5:5] = [b"May 30 12:34:46 host systemd[1]: node.service: Watchdog.\n"] * 3
    report = scan(log.data)
    assert (verdicts(report), codes(report)) == (["stalled"], ["KDT001"])
    assert clock_of(log.lines) is line_time
    assert clock_of([]) is line_time
    assert clock_of([b"May 30 12:34:46 host x\n", b"y\n", b"z\n"]) is line_time
    assert since_1970(b"2717072474") is None


def test_the_time_of_a_line_counts_where_what_carries_it_has_a_number() -> None:
    """AWS CloudWatch: milliseconds beside a message that is a whole line."""
    lines = [
        json.dumps({"timestamp": 7, "message": line.decode().rstrip()}).encode() + b"\n" for line in stalled().lines
    ]
    assert verdicts(scan(b"".join(lines))) == ["stalled"]
    bare = [USUAL.sub(b"", line).decode().strip() for line in stalled().lines]
    stamps = [line_time(line) for line in stalled().lines]
    lines = [
        json.dumps({"timestamp": (stamp or 0) // 1000, "message": text}).encode() + b"\n"
        for stamp, text in zip(stamps, bare, strict=True)
    ]
    assert verdicts(scan(b"".join(lines))) == ["stalled"]


def test_a_log_with_its_newest_line_first_is_called_that_and_turned(tmp_path: Path) -> None:
    path = tmp_path / "a log.log"
    path.write_bytes(b"".join(reversed(stalled().lines)))
    with open_source(str(path)) as source:
        report = inspect(source, (FORMAT,), Wishes())
    assert codes(report) == ["KDT012"]
    assert report.answer.summary["bootstraps"] == []
    words = " ".join(report.answer.words)
    assert "The newest lines stand first" in words
    command = words.split("The other way round: ")[1].removesuffix(" | inspector scan -")
    turned = subprocess.run(command, shell=True, check=True, capture_output=True).stdout
    assert turned == stalled().data
    assert not newest_first(turned, line_time)
