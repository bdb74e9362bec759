"""The time of a log line: the plain twin of `_log.line_time`."""

from __future__ import annotations

import re
from datetime import date
from functools import lru_cache

HEAD = 512  # bytes of a line in which its time is looked for, behind prefixes of journald, docker or kubernetes
MICRO = 1_000_000
NOISE = 2 * MICRO  # times of a log are not sorted: what they may step back
SAMPLE = 256  # lines between two whose time is read, where no word asks for it
HIT, NEVER = 1, 2  # flags of a line: a word stands in it, a byte that text never holds
COLOUR = re.compile(rb"\x1b?\[[0-9;]{0,8}m")  # also what is left of one without its ESC
_STAMP = rb"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?"
# the time that a level follows is the program's own; one before it was put there by what carried the line
_OWN = re.compile(rb"(" + _STAMP + rb")(?:\x1b?\[[0-9;]{0,8}m|\s)+(?:TRACE|DEBUG|INFO|WARN|ERROR)\b")
_ANY = re.compile(_STAMP)
_FRACTION = re.compile(rb"\.(\d+)")
EPOCH = date(1970, 1, 1).toordinal()


def line_time(line: bytes) -> int | None:
    """The time of a line in microseconds, or None."""
    head = line[:HEAD]
    found = _OWN.search(head)
    if found:
        return parse_time(found.group(1))
    found = _ANY.search(head)
    return parse_time(found.group()) if found else None


def parse_time(stamp: bytes) -> int | None:
    """RFC 3339 with any fraction; a time without a zone counts as UTC. None for a date that does not exist."""
    second = _second(stamp[:19])
    if second is None:
        return None
    rest = stamp[19:]
    micros = 0
    if rest[:1] == b".":
        digits = _FRACTION.match(rest)
        assert digits is not None  # both callers matched _STAMP
        micros = int(digits.group(1)[:6].ljust(6, b"0"))
        rest = rest[digits.end() :]
    zone = 0
    if rest[:1] in (b"+", b"-"):
        zone = (int(rest[1:3]) * 60 + int(rest[-2:])) * (1 if rest[:1] == b"+" else -1)
    return (second - zone * 60) * MICRO + micros


@lru_cache(4096)  # a log says many things in one second
def _second(text: bytes) -> int | None:
    """Seconds since 1970 of a date and time without zone."""
    hour, minute, second = int(text[11:13]), int(text[14:16]), int(text[17:19])
    if hour > 23 or minute > 59 or second > 60:
        return None
    try:
        day = date(int(text[:4]), int(text[5:7]), int(text[8:10])).toordinal() - EPOCH
    except ValueError:
        return None
    return ((day * 24 + hour) * 60 + minute) * 60 + second
