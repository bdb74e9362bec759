"""Places of a followed file that do not verify: waited for, then told as transient, lasting or torn.

Nothing is said before a place was read again past the page cache and had time to heal.
"""

from __future__ import annotations

import contextlib
import hashlib
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from msgspec import Struct

from inspector.catalogue import Formats
from inspector.finding import Finding, Severity
from inspector.fingerprint import fingerprint
from inspector.follow import Follower, Landed
from inspector.inspect import inspect
from inspector.pace import forget
from inspector.source import Source
from inspector.span import Span
from inspector.uncached import uncached

PLACES = 4096  # wrong places that are remembered, each with the first bytes seen there
LOOKS = 128  # of the places that last, at each look
SEEN = 64  # first bytes of a wrong place that are shown
DIGEST = 1 << 20  # bytes of it that are hashed
MAX_SCAN = 1 << 30  # bytes of a file that is scanned whole to name the rule and cause of damage
Tell = Callable[[str, str, int | None, int | None, dict[str, Any]], None]  # event, message, start, end, evidence


class Wrong(Struct):
    """A place that does not verify: since when, and the bytes that were seen there first."""

    start: int
    end: int
    text: str
    since: float  # unix seconds
    begun: float  # by the clock that never jumps
    seen: bytes
    sha256: str
    lasting: bool = False
    passed: bool = False  # the follower went on behind it without reading it


class Troubles:
    """The wrong places of one file; `known` are fingerprints of findings that are no news."""

    def __init__(
        self,
        tell: Tell,
        formats: Formats,
        patience: float,
        known: frozenset[str],
        now: Callable[[], float],
        tick: Callable[[], float],
        took: Callable[[Mapping[str, int]], None],
    ) -> None:
        self._tell, self._formats, self.patience, self.known = tell, formats, patience, known
        self._now, self._tick, self._took = now, tick, took
        self.wrong: dict[int, Wrong] = {}  # by start
        self.unfinished: Wrong | None = None
        self._looked = tick()
        self._next = 0  # of the places that last, the one that is looked at next

    def clear(self) -> None:
        self.wrong.clear()
        self.unfinished = None

    def begin(self) -> None:
        """A look begins: what it sees was so now, and may be told long after, by a machine that was paused."""
        self._looked = self._tick()

    def note(self, source: Source, follower: Follower, landed: Landed, passed: bool = False) -> None:
        """Remember a place; one that verifies past the page cache was a transient."""
        if any(w.start < landed.end and landed.start < w.end for w in self._near(landed)):
            return
        wrong = self._look(source, landed)
        wrong.passed = passed
        with contextlib.suppress(OSError):  # a hint to the kernel; the next look reads whatever there is
            forget(source._fd(""), landed.start, landed.end - landed.start)
        if follower.sound(source, landed.start, landed.end):
            self._healed(source, wrong, follower)
        elif len(self.wrong) >= PLACES:
            text = f"{landed.text}; too many places to wait for each"
            self._tell("damage", text, landed.start, landed.end, self._shown(wrong))
        else:
            self.wrong[landed.start] = wrong

    def _near(self, landed: Landed) -> Iterator[Wrong]:
        known = self.wrong.get(landed.start)
        return iter([known] if known else self.wrong.values())

    def check(self, source: Source, follower: Follower, form: str) -> None:
        """Which places healed since, and which have been wrong for too long; of those that last a few at a time."""
        lasting = []
        for start, wrong in self._turn():
            if follower.sound(source, wrong.start, wrong.end):
                del self.wrong[start]
                self._healed(source, wrong, follower)
            elif not wrong.lasting and self._looked - wrong.begun >= self.patience:
                wrong.lasting = True
                lasting.append(wrong)
        self._damage(source, "damage", lasting, form)

    def _turn(self) -> list[tuple[int, Wrong]]:
        """All places that are waited for, and the next few of those that last: they are not to cost more the more."""
        old = sorted(start for start, wrong in self.wrong.items() if wrong.lasting)
        first = bisect_left(old, self._next)
        turn = old[first : first + LOOKS] or old[:LOOKS]
        self._next = turn[-1] + 1 if turn else 0
        return [(start, wrong) for start, wrong in self.wrong.items() if not wrong.lasting] + [
            (start, self.wrong[start]) for start in turn
        ]

    def wait_for(self, source: Source, follower: Follower, landed: Landed | None, form: str) -> None:
        """An unfinished end is in flight; only one that stays unfinished is told."""
        before = self.unfinished
        if before is not None and (landed is None or landed.start != before.start):
            if before.lasting:
                self._healed(source, before, follower)
            self.unfinished = before = None
        if landed is None:
            return
        if before is None:
            self.unfinished = self._look(source, landed)
        elif not before.lasting and follower.torn_matters and self._looked - before.begun >= self.patience:
            before.lasting, before.end = True, landed.end
            self._damage(source, "torn", [before], form)

    def give_up(self, source: Source, follower: Follower, form: str) -> None:
        """The file was moved away and nobody finishes it: what is wrong now stays wrong."""
        moved = ", when the file was moved"
        self._damage(source, "damage", [w for w in self.wrong.values() if not w.lasting], form, moved)
        left = self.unfinished
        if left is not None and not left.lasting and follower.torn_matters:
            self._damage(source, "torn", [left], form, moved)
        self.clear()

    def _look(self, source: Source, landed: Landed) -> Wrong:
        data = source.read(landed.start, min(landed.end - landed.start, DIGEST))
        digest = hashlib.sha256(data).hexdigest()
        return Wrong(landed.start, landed.end, landed.text, self._now(), self._tick(), data[:SEEN], digest)

    def _damage(self, source: Source, event: str, places: list[Wrong], form: str, when: str = "") -> None:
        """Tell of places that stay wrong, with what a scan finds there and what the medium holds."""
        found = self._findings(source, form) if places else []
        for wrong in places:
            medium, by, why = uncached(source, wrong.start, max(1, min(wrong.end - wrong.start, DIGEST)))
            told = self._shown(wrong) | {"reread": f"{by}: {why}" if why else by}
            now = source.read(wrong.start, len(medium or b""))
            unread = any(source.unreadable.within(Span(wrong.start, wrong.end)))  # zeroes stand for it
            if medium is not None and medium != now and not unread:
                told["medium_differs"] = True
            here = [f for f in found if f.span.start < wrong.end and wrong.start < f.span.end]
            names = [fingerprint(f, source) for f in here]
            if here:
                told |= {"codes": sorted({f.rule.code for f in here}), "fingerprints": names}
                told["cause"] = f"{here[0].cause.name} ({here[0].cause.confidence})"
            known = bool(names) and self.known.issuperset(names)
            self._tell("known-damage" if known else event, wrong.text + when, wrong.start, wrong.end, told)

    def _findings(self, source: Source, form: str) -> list[Finding]:
        """What a scan of the whole file says; [] where the file is too large to be scanned at every turn."""
        if source.size > MAX_SCAN:
            return []
        report = inspect(source, self._formats, None, form)
        return [f for f in report.tally.findings() if f.bytes_known and f.level is not Severity.NOTE]

    def _healed(self, source: Source, wrong: Wrong, follower: Follower) -> None:
        if wrong.passed:
            self._took(follower.heal(source, wrong.start, wrong.end))
        now = source.read(wrong.start, min(wrong.end - wrong.start, DIGEST))
        told = self._shown(wrong) | {"healed_after_seconds": round(self._tick() - wrong.begun, 3)}
        told |= {"bytes_now": now[:SEEN].hex(), "sha256_now": hashlib.sha256(now).hexdigest()}
        self._tell("healed" if wrong.lasting else "transient", wrong.text, wrong.start, wrong.end, told)

    @staticmethod
    def _shown(wrong: Wrong) -> dict[str, Any]:
        return {"first_seen": round(wrong.since, 3), "bytes": wrong.seen.hex(), "sha256": wrong.sha256}
