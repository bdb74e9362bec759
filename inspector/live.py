"""A second look before damage is called damage: at stores that are being written, and past the page cache.

A store in use is read until two readings agree; what is wrong at its very end is then "maybe in flight" and the
stable part before it is what gets reported. `inspect` here has the result of `inspector.inspect.inspect`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

from inspector.account import Progress
from inspector.catalogue import Formats
from inspector.errors import InspectorError, OutOfTime
from inspector.finding import Finding, Severity
from inspector.format import Wishes
from inspector.inspect import CACHE, CHANGED, IN_FLIGHT, LATE, TRANSIENT, Report
from inspector.inspect import inspect as look
from inspector.pace import forget
from inspector.source import Drift, Member, Source
from inspector.span import Span
from inspector.uncached import uncached

WAITS = (0.05, 0.25, 1.0)  # seconds before each further look; a record is appended in far less
RECENT = 10.0  # seconds since the last write in which a damaged end is watched for a moment
MOMENT = 0.4
SPANS = 32  # damaged ranges that are read again past the page cache
LENGTH = 1 << 20  # bytes of one of them
CUTS = 4  # times that the end is taken back
ONE_WRITE = 1 << 20  # more than this after the last whole record is no write in flight
GROWS: frozenset[Drift] = frozenset({"grew", "written"})
AWAY: frozenset[Drift] = frozenset({"replaced", "removed"})
SAID = 16  # healed ranges that get a note each


def inspect(
    source: Source,
    formats: Formats,
    wishes: Wishes | None = None,
    forced: str | None = None,
    keep: int = 100,
    progress: Progress | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> Report:
    """One inspection; a second look where the store is in use or the medium may say otherwise."""
    if type(source) is Source and source.kind == "folder" and source.path is not None:
        from inspector import steady

        return steady.inspect(source, formats, wishes, forced, keep, progress, sleep)
    report = look(source, formats, wishes, forced, keep, progress)
    if source.kind == "folder" and "removed" in source.drift and type(source) is Source:
        report = _relisted(report, formats, wishes, forced, keep, sleep)
    # what stands between a reader and the file (a map of what was never read, a capsule) must not be gone around
    plain = type(source) is Source and source.kind == "file" and source.path is not None
    if not plain or (report.partial and not source.changed):
        return report

    def again(stand: Source) -> Report:
        return look(stand, formats, wishes, forced or report.format.name, keep)

    try:
        if source.shrunk:
            return _shorter(report, again)
        if not report.damaged:
            if source.changed:
                _settled(report)
            return report
        users = _users(source, report, sleep)
        if users or source.changed:
            return _in_use(report, users, again, sleep)
        return _past_the_cache(report, again)
    except OutOfTime:  # the first look stands
        report.partial = LATE
        return report
    except OSError as error:
        report.live = {"reread": f"not possible: {error.strerror}", "differ": 0}
        return report


def _relisted(
    report: Report,
    formats: Formats,
    wishes: Wishes | None,
    forced: str | None,
    keep: int,
    sleep: Callable[[float], None],
) -> Report:
    """The folder as it is now: a program that runs on it removes files that it has rewritten."""
    source = report.source
    for wait in WAITS:
        sleep(wait)
        try:
            fresh = source.again()
        except InspectorError:  # the folder itself is gone: the first look stands
            return report
        fresh.label = source.label
        source.later.append(fresh)
        report = look(fresh, formats, wishes, forced or report.bottom.name, keep)
        if "removed" not in fresh.drift:
            break
    return report


def _users(source: Source, report: Report, sleep: Callable[[float], None]) -> list[str]:
    from inspector.output import writers_of

    busy = report.format.busy(source) if report.format.busy else None
    found = writers_of(source) or ([busy] if busy else [])
    if not found and report.bottom.appends and _recent(source) and _stable_end(report) < source.size:
        sleep(MOMENT)  # a writer that this user may not see: does the file go on moving?
        source.still_same()
    return found


def _recent(source: Source) -> bool:
    return abs(time.time() - source.members[0].mtime_ns / 1e9) < RECENT


def _whole(report: Report) -> bool:
    """Whether what moved took nothing from what was read: appended to, or a log that was moved aside for the next."""
    drift = report.source.drift
    return report.bottom.appends and (drift <= GROWS or (drift <= GROWS | AWAY and _moved_aside(report)))


def _moved_aside(report: Report) -> bool:
    """Whether a log has another name now: what is held open is one log from its start to its end."""
    return report.bottom.rotates and os.fstat(report.source._fd("")).st_nlink > 0


def _settled(report: Report) -> None:
    """A store that only grows was checked whole, up to where it ended when it was opened."""
    source = report.source
    if _whole(report):
        report.partial = ""
        report.live = {"changed": source.changed, "users": [], "stable_end": source.size, "size": _size_now(source)}


def _shorter(report: Report, again: Callable[[Source], Report]) -> Report:
    """What is left of a file that lost bytes while it was read: zeroes stood for those, and were judged."""
    source = report.source
    for _ in WAITS:
        stand = _fresh(source)
        report = again(stand)
        if not stand.shrunk:
            break
    if not report.partial:
        report.partial = source.changed
        report.tally.put(Finding(CHANGED, Span(0, 0), source.changed, bytes_known=False))
    return report


def _in_use(
    report: Report, users: list[str], again: Callable[[Source], Report], sleep: Callable[[float], None]
) -> Report:
    source, first = report.source, report
    if source.drift - GROWS and not _whole(report):
        return report  # nothing to look at again: what was read is all there was
    for wait in WAITS:
        sleep(wait)
        stand = _fresh(source)
        before, report = _identity(report), again(stand)
        if not report.damaged or (_identity(report) == before and not stand.changed):
            break
    healed = sorted(_places(first) - _places(report))
    in_flight: Span | None = None
    if report.bottom.appends:
        for _ in range(CUTS):  # what is whole may yet want what was in flight behind it: an announcement its amount
            end = _stable_end(report)
            if not report.damaged or end >= report.source.size:
                break
            in_flight = Span(end, in_flight.end if in_flight else report.source.size)
            report = again(_fresh(report.source, end))
            # a writer's own flags may change meanwhile; the bytes of [0, end) were read and judged
    if _whole(report):
        report.partial = ""
    if in_flight:
        report.tally.put(_unfinished(in_flight, report.source))
        healed = [place for place in healed if place[1] < in_flight.start]
    for place in healed[:SAID]:
        report.tally.put(_healed(first, place))
    report.live = {
        "changed": source.changed or report.source.changed,
        "users": users,
        "stable_end": in_flight.start if in_flight else report.source.size,
        "size": _size_now(source),
        "in_flight": in_flight.length if in_flight else 0,
        "transient": len(healed),
    }
    return report


def _past_the_cache(report: Report, again: Callable[[Source], Report]) -> Report:
    """Read what is damaged from the medium itself; say so where it differs or cannot be done."""
    source = report.source
    differ: list[tuple[Finding, str]] = []
    how = ""
    for found in [f for f in report.tally.findings() if f.level is not Severity.NOTE and f.bytes_known][:SPANS]:
        start, n = found.span.start, min(found.span.length, LENGTH)
        if n == 0:
            continue
        medium, by, why = uncached(source, start, n)
        how = f"{by}: {why}" if why else str(by)
        if medium is None:
            break
        now = source.read(start, n)
        if medium != now and not any(source.unreadable.within(Span(start, start + n))):
            differ.append((found, how))
    if differ and not source.holds_still():  # other bytes because somebody wrote them
        report.live = {"reread": "not possible: it changed since it was read", "differ": 0}
    elif differ:
        forget(source._fd(""), 0, source.size)
        report = again(_fresh(source))
        for found, way in differ[:SAID]:
            text = f"{found.rule.code} was found here; the medium itself ({way}) holds other bytes"
            report.tally.put(Finding(CACHE, found.span, text))
        report.live = {"reread": how, "differ": len(differ)}
    elif how.startswith("not possible"):
        report.live = {"reread": how, "differ": 0}
    return report


def _fresh(source: Source, end: int | None = None) -> Source:
    """The same open file as it is now, or its first `end` bytes; closed with `source`."""
    fd = os.dup(source._fd(""))
    now = os.fstat(fd)
    size = now.st_size if end is None else min(end, now.st_size)
    stand = Source(source.label, source.kind, source.path, [Member("", size, now.st_mtime_ns)])
    stand._files[""] = fd
    stand._met.add("")
    source.later.append(stand)
    return stand


def _size_now(source: Source) -> int:
    return os.fstat(source._fd("")).st_size


def _wrong(report: Report) -> list[Finding]:
    return [f for f in report.tally.findings() if f.level is not Severity.NOTE and f.bytes_known]


def _places(report: Report) -> set[tuple[str, int, int]]:
    return {(f.rule.code, f.span.start, f.span.end) for f in _wrong(report)}


def _identity(report: Report) -> tuple[set[tuple[str, int, int]], int]:
    return _places(report), report.tally.total


def _stable_end(report: Report) -> int:
    """Where the unbroken run of findings that reaches the end of the file begins; the end where it is too long."""
    end = report.source.size
    for found in sorted(_wrong(report), key=lambda f: (f.span.end, f.span.start), reverse=True):
        if found.span.end >= end:
            end = min(end, found.span.start)
    return end if report.source.size - end <= ONE_WRITE and end else report.source.size


def _unfinished(span: Span, source: Source) -> Finding:
    text = f"{span.length:,} bytes after the last whole record: maybe in flight, {source.label} is in use"
    return Finding(IN_FLIGHT, span, text, {"length": span.length})


def _healed(first: Report, place: tuple[str, int, int]) -> Finding:
    code, start, end = place
    found = next(f for f in _wrong(first) if (f.rule.code, f.span.start, f.span.end) == place)
    evidence: dict[str, Any] = {"first_rule": code, "first_slug": found.rule.slug}
    return Finding(TRANSIENT, Span(start, end), f"at first {code}: {found.message}; read again it verifies", evidence)
