"""Stores that no follower reads: scanned whole whenever something in them changed, and compared with before.

What is wrong in a store that was written to a moment ago is looked at once more before it is called damage.
"""

from __future__ import annotations

import math
import os
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from inspector.catalogue import Formats
from inspector.errors import InspectorError
from inspector.finding import Finding, Severity
from inspector.fingerprint import fingerprint
from inspector.live import inspect
from inspector.source import open_source
from inspector.span import Span

News = tuple[str, str, Span | None, dict[str, Any]]
REST = 10.0  # times as long as a scan took, before the next one
FILES = 100_000  # of a folder whose sizes and times are looked at


class Rescan:
    """`look` says what is new since the last look; names of findings are all that is remembered."""

    def __init__(
        self,
        path: str,
        formats: Formats,
        forced: str | None,
        patience: float,
        known: frozenset[str],
        now: Callable[[], float] = time.time,
        tick: Callable[[], float] = time.monotonic,
    ) -> None:
        self.path, self.formats, self.forced = Path(path), formats, forced
        self._expected = known
        self._patience, self._now, self._tick = patience, now, tick
        self._not_before = -math.inf
        self._waiting: dict[str, tuple[float, str]] = {}  # fingerprint -> since when it is there, what was said
        self._stamp: tuple[Any, ...] | None = None
        self._known: dict[str, str] = {}  # fingerprint -> what was said

    def look(self) -> Iterator[News]:
        looked, at = self._tick(), self._now()
        if looked < self._not_before:
            return
        stamp = self._stamp_now()
        due = any(looked - since >= self._patience for since, _ in self._waiting.values())
        if stamp == self._stamp and not due:
            return
        self._stamp = stamp
        began = time.monotonic()
        yield from self._scan(looked, at)
        # a database that never rests is not to be read all the time
        self._not_before = self._tick() + REST * (time.monotonic() - began)

    def _scan(self, looked: float, at: float) -> Iterator[News]:
        try:
            with open_source(str(self.path)) as source:
                report = inspect(source, self.formats, None, self.forced)
                found = [f for f in report.tally.findings() if f.level is not Severity.NOTE]
                names = {fingerprint(f, report.source): f for f in found}
        except InspectorError as error:
            self._stamp = None  # it may be readable at the next look, without a change
            yield "unreadable", error.message, None, {}
            return
        if report.partial:  # it changed while it was scanned: this says nothing for sure
            self._stamp = None
            yield "changing", report.partial, None, {}
            return
        yield from self._news(names, looked, at)
        sums = {"records": report.account.units, "bytes": report.source.size, "findings": len(found)}
        yield "scanned", f"{report.format.name}: {len(found)} findings", None, sums

    def _news(self, found: dict[str, Finding], looked: float, at: float) -> Iterator[News]:
        """What of these findings is new and stays, and what is gone; what was seen was so when the look began."""
        rests = at - max((seen[3] for seen in self._stamp or ()), default=0) / 1e9 >= self._patience
        waiting: dict[str, tuple[float, str]] = {}
        for name, finding in found.items():
            since, _ = self._waiting.pop(name, (self._tick(), ""))
            if name in self._known:
                continue
            if not rests and looked - since < self._patience:
                waiting[name] = since, finding.message
                continue
            told = {"code": finding.rule.code, "file": finding.span.member or None, "fingerprint": name}
            event = "known-damage" if name in self._expected else "damage"
            yield event, finding.message, finding.span if finding.bytes_known else None, told
            self._known[name] = finding.message
        for name, (_, said) in self._waiting.items():
            yield "transient", said, None, {"fingerprint": name}
        self._waiting = waiting
        for name in [name for name in self._known if name not in found]:
            yield "healed", self._known.pop(name), None, {"fingerprint": name}

    def _stamp_now(self) -> tuple[Any, ...]:
        """What stands there, by inode, size and time; one tuple that differs when anything changed."""
        seen: list[tuple[str, int, int, int]] = []
        stack = [self.path]
        while stack and len(seen) < FILES:
            place = stack.pop()
            try:
                info = place.stat() if place == self.path else place.lstat()  # the store itself may be named by a link
                if stat.S_ISDIR(info.st_mode):
                    with os.scandir(place) as entries:
                        stack += [place / entry.name for entry in entries]
                else:
                    seen.append((str(place), info.st_ino, info.st_size, info.st_mtime_ns))
            except OSError:  # it went away between two looks: the next one sees what is there
                continue
        return tuple(sorted(seen))
