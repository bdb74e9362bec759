"""Several copies of one store: the plan of a merge, and a copy seen with pieces of others in place of its damage."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from msgspec import Struct, field

from inspector.format import Proof
from inspector.source import Source
from inspector.span import Run, Span
from inspector.view import Laid

KEPT = 100  # losses and disagreements that are listed; all are counted


class Take(Struct, frozen=True):
    """One step of a merge: `data`, or the bytes of `origin`, become the next bytes of the output (or those at `at`).

    `copy` is the number of the source that `origin` lies in, as it was named; -1 where the bytes come from none.
    """

    copy: int
    origin: Span | None = None
    data: bytes | None = None
    proof: Proof = "sealed"
    why: str = ""
    units: int = 1
    at: int | None = None


class Loss(Struct, frozen=True):
    """Bytes of one copy, or of the output (copy -1), that may hold something alive and that no copy has whole."""

    copy: int
    span: Span
    why: str


class Disagreement(Struct, frozen=True):
    """A place for which two copies are both readable and differ; `chosen` is the one that was taken, -1: none."""

    at: int
    length: int
    digests: tuple[tuple[int, str], ...]  # copy, SHA-256 of its bytes
    chosen: int
    why: str


class Merge(Struct):
    """A stream of takes, made while it is read; what is counted below is complete when it has ended."""

    takes: Iterable[Take]
    estimate: int
    order: tuple[int, ...]  # numbers of the sources, the newest first
    because: tuple[str, ...]  # per source as named: what tells its age
    size: int | None = None  # the output is extended (sparse) to this many bytes
    item: bool = False  # the content of an item, not a store: nothing can inspect it again
    notes: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)  # the format's own words, in records
    losses: list[Loss] = field(default_factory=list)
    losses_total: int = 0
    disagreements: list[Disagreement] = field(default_factory=list)
    disagreements_total: int = 0
    after: Callable[[str, str], tuple[str, ...]] = lambda source, output: ()

    def lose(self, loss: Loss) -> None:
        self.losses_total += 1
        if len(self.losses) < KEPT:
            self.losses.append(loss)

    def disagree(self, found: Disagreement) -> None:
        self.disagreements_total += 1
        if len(self.disagreements) < KEPT:
            self.disagreements.append(found)


class Patch(Struct, frozen=True):
    """[start, end) reads as the same bytes of another copy."""

    start: int
    end: int
    copy: int


class Quilt(Laid):
    """A copy of one file with patches from others that are laid over it; no bytes are held, all are read when asked."""

    def __init__(self, below: Source, others: dict[int, Source], patches: Iterable[Patch]) -> None:
        super().__init__(below)
        self._others = others
        self.patches = sorted(patches, key=lambda patch: patch.start)
        self._starts = [patch.start for patch in self.patches]
        self._ends = [patch.end for patch in self.patches]

    def _laid(self, data: bytes, at: int, member: str) -> bytes:
        touched = self._within(at, at + len(data))
        if not touched:
            return data
        out = bytearray(data)
        for patch in touched:
            low, high = max(patch.start, at), min(patch.end, at + len(data))
            out[low - at : high - at] = self._others[patch.copy].read(low, high - low)
        return bytes(out)

    def _within(self, start: int, end: int) -> list[Patch]:
        return self.patches[bisect_right(self._ends, start) : bisect_left(self._starts, end)]

    def _touches(self, start: int, end: int, member: str) -> bool:
        return bool(self._within(start, end))

    def taken_from(self, at: int) -> int | None:
        """The copy that the byte at `at` comes from; None where it is this one's own."""
        i = bisect_right(self._starts, at) - 1
        return self.patches[i].copy if i >= 0 and at < self.patches[i].end else None

    def _runs(self, member: str, start: int) -> Iterator[Run]:
        return ((one.start, one.end) for one in islice(self.patches, bisect_right(self._ends, start), None))
