"""A source seen otherwise: what changes, joins or records its bytes asks everything else of the source below."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Final

from inspector.source import Member, Source, T
from inspector.span import Run, Span
from inspector.vouching import Vouched

HELD: Final = 4 << 20  # bytes of a view of many parts that are joined once: each small read of one takes several below


class View(Source):
    """A source over another one, which stays open when this is closed unless `owns` says it is ours alone."""

    owns = False

    def __init__(self, below: Source, members: Sequence[Member] | None = None) -> None:
        super().__init__(below.label, below.kind, below.path, list(below.members if members is None else members))
        self.below = below
        self.unreadable = below.unreadable  # one list for both
        self.skipped = below.skipped
        self.closed = below.closed

    def close(self) -> None:
        super().close()
        if self.owns:
            self.below.close()

    @property
    def name(self) -> str:
        return self.below.name

    def told_by_name(self, ask: Callable[[str], T]) -> T:
        return self.below.told_by_name(ask)

    def inside(self, folder: str) -> Source:
        """The folder below as it is; a view with changes inside it gives its own."""
        return self.below.inside(folder)

    def locked_by(self, member: str) -> int | None:
        return self.below.locked_by(member)

    def still_same(self) -> bool:
        same = self.below.still_same()
        self.changed, self.drift = self.below.changed, self.below.drift
        return same

    def data_ranges(self, member: str = "", start: int = 0) -> Iterator[Span]:
        return self.below.data_ranges(member, start)

    def hole_end(self, at: int, member: str = "") -> int:
        """Nothing is told: only a view that keeps every byte at its place may ask below."""
        return at

    def _pread(self, member: str, n: int, at: int) -> bytes:
        data = self.below.read(at, n, member)
        self.shrunk = self.shrunk or self.below.shrunk
        return data


class Laid(View, ABC):
    """Other bytes laid over those of a source, as many; of runs without such a byte the source below may vouch."""

    def __init__(self, below: Source) -> None:
        super().__init__(below)
        self.sparing = below.sparing

    @abstractmethod
    def _laid(self, data: bytes, at: int, member: str) -> bytes:
        """What was read below from `at` on, with the other bytes in it."""

    @abstractmethod
    def _touches(self, start: int, end: int, member: str) -> bool:
        """Whether other bytes lie in [start, end)."""

    def _pread(self, member: str, n: int, at: int) -> bytes:
        return self._laid(super()._pread(member, n, at), at, member)

    def glance(self, at: int, n: int, member: str = "") -> bytes:
        return self._laid(self.below.glance(at, n, member), at, member)

    @abstractmethod
    def _runs(self, member: str, start: int) -> Iterable[Run]:
        """Where other bytes lie that end behind `start`, in order."""

    def data_ranges(self, member: str = "", start: int = 0) -> Iterator[Span]:
        """As below, and what lies in its holes now."""
        low = high = start
        for begin, end in self._apart(member, start):
            if begin > high:
                if low < high:
                    yield Span(low, high, member)
                low = begin
            high = max(high, end)
        if low < high:
            yield Span(low, high, member)

    def _apart(self, member: str, start: int) -> Iterator[Run]:
        """The same, not joined where they touch; other bytes are asked for only where there is a hole."""
        at = start
        for span in chain(self.below.data_ranges(member, start), (Span(self.length(member), self.length(member)),)):
            for begin, end in self._runs(member, at) if at < span.start else ():
                if begin >= span.start:
                    break
                yield max(begin, at), min(end, span.start)
            yield span.start, span.end
            at = span.end

    def hole_end(self, at: int, member: str = "") -> int:
        end = self.below.hole_end(at, member)
        return at if end > at and self._touches(at, end, member) else end

    def vouched(self, what: str, at: int, member: str = "") -> Vouched | None:
        found = self.below.vouched(what, at, member)
        return None if found and self._touches(found.start, found.end, member) else found

    def next_vouched(self, what: str, at: int, member: str = "") -> int | None:
        return self.below.next_vouched(what, at, member)

    def holds(self, start: int, end: int, member: str = "") -> bool:
        return self.below.holds(start, end, member)
