"""Stretches of a log that are no text: what they may hide, and since when silence is not known for them."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right

from msgspec import Struct, field

from inspector.formats.kad_trace.bootstrap import Bootstrap

MAX_HOLES = 1_000_000
SHORTEST = 64  # bytes with which a line about a step ends its message at the earliest: a time, a target, words
UNKNOWN = -1


class Holes(Struct, frozen=True):
    """Some neighbours among the holes: the times before the first and behind the last, None where none is known."""

    count: int = 0
    size: int = 0  # bytes
    before: int | None = None
    behind: int | None = None

    def steps(self, length: int) -> int:
        """How many lines of `length` bytes they can hide at most; of the last one each hides the begin alone."""
        length = max(length, SHORTEST)
        return (self.size + self.count * (length - SHORTEST)) // length

    def longer_side(self, boot: Bootstrap, since: int | None) -> None:
        """Let a bootstrap's silence count before the first or behind the last, whichever is longer, not across them."""
        before = self.before - since if self.before is not None and since is not None else 0
        behind = boot.until - self.behind if self.behind is not None and boot.until is not None else 0
        if behind > before:
            boot.quiet = self.behind
        else:
            boot.until = self.before if self.before is not None else since


class Hidden(Struct):
    """The holes of a log by where they start, with the bytes of all up to each and the times around it."""

    at: array[int] = field(default_factory=lambda: array("Q"))
    before: array[int] = field(default_factory=lambda: array("q"))  # microseconds, or UNKNOWN
    behind: array[int] = field(default_factory=lambda: array("q"))
    sizes: array[int] = field(default_factory=lambda: array("Q", [0]))

    def note(self, start: int, end: int, before: int | None, behind: int | None) -> None:
        """Must come in the order of offsets."""
        if len(self.at) < MAX_HOLES:
            self.at.append(start)
            self.before.append(UNKNOWN if before is None else before)
            self.behind.append(UNKNOWN if behind is None else behind)
            self.sizes.append(self.sizes[-1] + end - start)

    def within(self, low: int, high: int) -> Holes:
        """Those that start in [low, high]."""
        first, last = bisect_left(self.at, low), bisect_right(self.at, high)
        if first >= last:
            return Holes()
        before, behind = self.before[first], self.behind[last - 1]
        return Holes(
            last - first,
            self.sizes[last] - self.sizes[first],
            None if before == UNKNOWN else before,
            None if behind == UNKNOWN else behind,
        )
