"""Times of log lines that are not written as RFC 3339: syslog's, seconds since 1970 or since the start, other dates.

A log is read so only where hardly any of its lines has a usual time: among lines that have one, a line of syslog
without a year would count as a leap of the clock.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from itertools import pairwise

from inspector.formats.kad_trace.clock import HEAD, MICRO, NO_DAY, NO_YEAR, SINCE_START, line_time
from inspector.kernels.plain_stamp import EPOCH, NOISE

Clock = Callable[[bytes], int | None]  # the time of a line in microseconds

ROWS = 2000  # lines that are asked which way a log goes
FEWEST = 8  # steps between their times that can answer
_MONTHS = (b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec")
_LEAD = re.compile(rb"(?:\x1b?\[[0-9;]{0,8}m|[ \t\[])*")  # blanks, brackets and colours before a time
_HMS = rb"(\d\d):(\d\d):(\d\d)"
_FRACTION = rb"(?:[.,](\d{1,9}))?"
_SLASHED = re.compile(rb"(\d{4})/(\d\d)/(\d\d)[ T-]" + _HMS + _FRACTION)  # Go's log, nginx
_WEB = re.compile(rb"(\d\d)/([A-Z][a-z]{2})/(\d{4})[: ]" + _HMS + rb"(?: ([+-]\d\d)(\d\d))?")
_SYSLOG = re.compile(rb"([A-Z][a-z]{2}) ([ \d]\d) " + _HMS + _FRACTION)
# seconds since 1970 with any fraction, or milliseconds, microseconds, nanoseconds
_SINCE_1970 = re.compile(rb"(1\d{9})(?:\.(\d{1,9})|(\d{9}|\d{6}|\d{3}))?(?![\d.])")
_UPTIME = re.compile(rb"(\d{1,9})\.(\d{3,9})s?(?=[ \t\]])")  # journalctl -o short-monotonic, dmesg, tracing's uptime
_OF_DAY = re.compile(rb"T?" + _HMS + _FRACTION + rb"(?=[Z \t\]])")  # tracing's LocalTime with a short format
_IN_JSON = re.compile(rb'"(?:timestamp|time|ts)" ?: ?"?(?=1\d{9})')


def clock_of(rows: list[bytes]) -> Clock:
    """How the times of a log are read whose first lines are these."""
    usual = sum(line_time(row) is not None for row in rows)
    if not rows or usual * 8 >= len(rows):
        return line_time
    other = sum(other_time(row) is not None for row in rows)
    return any_time if other * 2 >= len(rows) else line_time


def newest_first(head: bytes, clock: Clock) -> bool:
    """Whether nearly all lines are older than the one before: so Grafana, Kibana and journalctl -r write them."""
    rows = head.split(b"\n")[:ROWS]
    times = [time for row in rows if (time := clock(row)) is not None]
    steps = [after - before for before, after in pairwise(times) if after != before]
    back = sum(step < 0 for step in steps)
    return len(steps) >= FEWEST and back >= len(steps) * 0.9 and times[0] - times[-1] > NOISE


def any_time(line: bytes) -> int | None:
    """A usual time wherever it stands in the line, else another one at its start."""
    usual = line_time(line)
    return other_time(line) if usual is None else usual


def other_time(line: bytes) -> int | None:
    """A time at the start of a line in one of the other forms; None where there is none, or a date that never was."""
    head = line[:HEAD]
    lead = _LEAD.match(head)
    at = lead.end() if lead else 0
    if head[at : at + 1] == b"{":
        found = _IN_JSON.search(head, at)
        return since_1970(head, found.end()) if found else None
    return next((time for read in _FORMS if (time := read(head, at)) is not None), None)


def since_1970(text: bytes, at: int = 0) -> int | None:
    found = _SINCE_1970.match(text, at)
    if found is None:
        return None
    return int(found.group(1)) * MICRO + _micros(found.group(2) or found.group(3))


def _slashed(head: bytes, at: int) -> int | None:
    found = _SLASHED.match(head, at)
    if found is None:
        return None
    year, month, day = (int(text) for text in found.group(1, 2, 3))
    return _date(year, month, day, found.group(4, 5, 6), found.group(7))


def _web(head: bytes, at: int) -> int | None:
    found = _WEB.match(head, at)
    if found is None or found.group(2) not in _MONTHS:
        return None
    month = _MONTHS.index(found.group(2)) + 1
    time = _date(int(found.group(3)), month, int(found.group(1)), found.group(4, 5, 6), None)
    hours, minutes = found.group(7, 8)
    if time is None or hours is None:
        return time
    zone = int(hours[1:]) * 60 + int(minutes)
    return time - (zone if hours[:1] == b"+" else -zone) * 60 * MICRO


def _syslog(head: bytes, at: int) -> int | None:
    found = _SYSLOG.match(head, at)
    if found is None or found.group(1) not in _MONTHS:
        return None
    return _date(NO_YEAR, _MONTHS.index(found.group(1)) + 1, int(found.group(2)), found.group(3, 4, 5), found.group(6))


def _uptime(head: bytes, at: int) -> int | None:
    found = _UPTIME.match(head, at)
    return None if found is None else SINCE_START + int(found.group(1)) * MICRO + _micros(found.group(2))


def _of_day(head: bytes, at: int) -> int | None:
    found = _OF_DAY.match(head, at)
    return None if found is None else _date(NO_DAY, 1, 1, found.group(1, 2, 3), found.group(4))


def _date(year: int, month: int, day: int, clock: tuple[bytes, ...], fraction: bytes | None) -> int | None:
    hour, minute, second = map(int, clock)
    if hour > 23 or minute > 59 or second > 60:
        return None
    try:
        days = date(year, month, day).toordinal() - EPOCH
    except ValueError:
        return None
    return (((days * 24 + hour) * 60 + minute) * 60 + second) * MICRO + _micros(fraction)


def _micros(fraction: bytes | None) -> int:
    return int(fraction[:6].ljust(6, b"0")) if fraction else 0


_FORMS = (_slashed, _web, _syslog, since_1970, _uptime, _of_day)
