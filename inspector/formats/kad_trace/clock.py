"""Timestamps of log lines as whole microseconds since 1970, found wherever a prefix pushed them."""

from __future__ import annotations

from datetime import date

from inspector.kernels.log import line_time
from inspector.kernels.plain_stamp import EPOCH, HEAD, MICRO, parse_time

__all__ = ["HEAD", "MICRO", "NO_DAY", "NO_YEAR", "SINCE_START", "dateless", "line_time", "parse_time", "show_time"]

NO_DAY = 5  # the year of times of day without a date
NO_YEAR = 4  # the year of times that have none: a leap year, in which no log was written
_DAY = (date(NO_DAY, 1, 1).toordinal() - EPOCH) * 86_400 * MICRO
_UPTIME_YEAR = 100  # seconds since a start count from here, up to 32 years
SINCE_START = (date(_UPTIME_YEAR, 1, 1).toordinal() - EPOCH) * 86_400 * MICRO
_SINCE_END = SINCE_START + 10**9 * MICRO


def dateless(micros: int) -> bool:
    """Whether a time is one of a day that the log does not name: it begins again at midnight."""
    return _DAY <= micros < _DAY + 86_400 * MICRO


def show_time(micros: int | None) -> str | None:
    """RFC 3339 in UTC with microseconds; without a year or as seconds where the log says no more; None without."""
    if micros is None:
        return None
    if SINCE_START <= micros < _SINCE_END:
        seconds, rest = divmod(micros - SINCE_START, MICRO)
        return f"{seconds}.{rest:06} s of uptime"
    seconds, rest = divmod(micros, MICRO)
    days, seconds = divmod(seconds, 86_400)
    day = date.fromordinal(days + EPOCH)
    if day.year == NO_DAY:
        return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{rest:06}"
    if day.year == NO_YEAR:
        return f"{day.isoformat()[5:]}T{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{rest:06}"
    return f"{day.isoformat()}T{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{rest:06}Z"
