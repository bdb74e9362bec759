"""What every sequence of bootstrap events keeps to (I1 to I7), held against one more step.

Source: rust-libp2p protocols/kad, `bootstrap_finished`, `bootstrap_timeout`, `ProgressStep::next`.
"""

from __future__ import annotations

from collections.abc import Iterator

from inspector.formats.kad_trace.bootstrap import Bootstrap, Thresholds
from inspector.formats.kad_trace.clock import MICRO
from inspector.formats.kad_trace.events import Event

Breach = tuple[str, str]  # name of the invariant, what is wrong
CLOCK_SLACK = 2.0  # seconds between a step's own duration and that of its lines


def step_breaches(boot: Bootstrap, event: Event, count: int, limits: Thresholds) -> Iterator[Breach]:
    """Breaches by step `count`, before it is added to `boot`."""
    last = boot.last_step
    if last and count != last.count + 1:
        what = "lines are missing" if count > last.count + 1 else "the count goes back"
        yield "I1", f"step {count} follows step {last.count}: {what}"
    if boot.ending == "last":
        yield "I2", f"step {count} comes after the step that said last=true"
    yield from _remaining(boot, event, count)
    yield from _last_flag(event, count)
    yield from _stats(boot, event, limits)


def buckets_of(event: Event, count: int) -> int | None:
    """B, the number of buckets refreshed after the first step; None where this event does not tell."""
    if event.remaining is None or event.count is None or (event.last and not event.ok):
        return None
    return count + event.remaining - (1 if event.ok else 0)


def _remaining(boot: Bootstrap, event: Event, count: int) -> Iterator[Breach]:
    last = boot.last_step
    if last and event.remaining is not None and last.remaining is not None and count == last.count + 1:
        # a step that timed out has counted itself already, so the next successful one shows the same number
        right = (last.remaining - 1 if last.ok else last.remaining) if event.ok else None
        if event.remaining > last.remaining or right not in (None, event.remaining):
            yield "I3", f"{event.remaining} steps remain after {last.remaining}"
    buckets = buckets_of(event, count)
    if buckets is not None and boot.buckets is not None and buckets != boot.buckets:
        yield "I5", f"{buckets + 1} steps in all, {boot.buckets + 1} before"


def _last_flag(event: Event, count: int) -> Iterator[Breach]:
    if event.last is None:
        return
    if event.ok and event.remaining is not None and (event.remaining == 0) != event.last:
        yield "I4", f"last={str(event.last).lower()} with {event.remaining} steps remaining"
    if event.ok is False and event.last and event.remaining not in (None, 0):
        yield "I4", f"last=true, timed out with {event.remaining} steps remaining"
    if event.ok is False and event.remaining is None and not (count == 1 and event.last):
        yield "I4", "a timeout without a remaining count that is not the first and only step"


def _stats(boot: Bootstrap, event: Event, limits: Thresholds) -> Iterator[Breach]:
    stats, last = event.stats, boot.last_step
    if stats is None:
        return
    if stats.success + stats.failure > stats.requests:
        yield "I7", f"{stats.success} + {stats.failure} answers to {stats.requests} requests"
    if stats.took is None:
        return
    seconds, most = stats.took / 1e9, 2 * limits.timeout(boot.subspace)
    if seconds < 0 or seconds > most:
        yield "I6", f"the step took {seconds:.3f} s, {most:.0f} s are possible"
    elif last and last.time is not None and last.took is not None and event.time is not None:
        logged = (event.time - last.time) / MICRO
        if abs(logged - seconds) > CLOCK_SLACK and event.count == last.count + 1:
            yield "I6", f"the step took {seconds:.3f} s, the log says {logged:.3f} s: the clock was set in between"
