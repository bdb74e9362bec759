"""Timestamps of log lines as whole microseconds since 1970, found wherever a prefix pushed them."""

from __future__ import annotations

from datetime import date

from inspector.kernels.log import line_time
from inspector.kernels.plain_stamp import EPOCH, HEAD, MICRO, parse_time

__all__ = ["HEAD", "MICRO", "line_time", "parse_time", "show_time"]


def show_time(micros: int | None) -> str | None:
    """RFC 3339 in UTC with microseconds; None where there is no time."""
    if micros is None:
        return None
    seconds, rest = divmod(micros, MICRO)
    days, seconds = divmod(seconds, 86_400)
    day = date.fromordinal(days + EPOCH)
    return f"{day.isoformat()}T{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{rest:06}Z"
