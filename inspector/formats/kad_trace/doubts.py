"""Silence that is not known to be one: lines about a step that could not be read, and bytes that are no text."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right

from inspector.formats.kad_trace.bootstrap import Bootstrap
from inspector.formats.kad_trace.hidden import SHORTEST, Hidden


def doubt(boot: Bootstrap, unread_at: array[int], unread_time: array[int], holes: Hidden) -> None:
    """Silence is not known beyond steps that could not be read, where there may be enough of those to end it."""
    first = bisect_left(unread_at, boot.resume)
    unread = bisect_right(unread_at, boot.ticked) - first  # later ones are of another segment
    if not boot.open and boot.ending != "restart":
        return
    inside = holes.within(boot.resume, boot.ticked)
    may = inside.steps(min((step.end - step.start for step in boot.steps), default=SHORTEST))
    boot.hidden = inside.size if may else 0
    most = unread + may
    since = boot.last_time if boot.last_time is not None else boot.started
    if most <= 0:
        return
    if boot.expected is not None and most < boot.expected - boot.step_count:
        if may:  # it did not end in them, and may have made a step
            inside.longer_side(boot, since)
        return
    times = [since if unread_time[first] < 0 else unread_time[first]] if unread > 0 else []
    times += [since if inside.before is None else inside.before] if may else []
    boot.until = min((time for time in (*times, boot.until) if time is not None), default=None)
