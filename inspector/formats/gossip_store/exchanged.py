"""Two pages of a store that changed places, found by the checksums of the records over their borders, and put back.

What lies inside such a page moved as a whole and verifies where it is, out of its order; each border cuts a record.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from itertools import combinations
from typing import Final

from msgspec import Struct

from inspector.crc32c import crc32c
from inspector.formats.gossip_store.kinds import SEALED_HEADER
from inspector.formats.gossip_store.walk import Store, begins
from inspector.overlay import Overlay, Piece
from inspector.span import Span

PAGES: Final = (4096, 512, 8192, 16384, 1024, 2048)
MOST_PAGES: Final = 200  # of one size that may have moved: each pair of them is tried
MOST_PAIRS: Final = 8  # that are put back in one store
MOST_AREAS: Final = 4096  # damaged ones: with more, chance makes borders of pages out of them
LONGEST: Final = 1 << 17  # bytes of a damaged area at a border; two of the longest records
UNSEEN: Final = 4  # bytes a record begins with that may be another one's: its flags, and as long a length
_HEADER: Final = SEALED_HEADER.size
_WORK: Final = 256 << 20  # bytes that all trials for one store may read, and what each costs besides
_TRIAL: Final = 2048
_WHY: Final = "the pages of {size} bytes at {one} and {two} changed places: every record in them verifies when put back"
Run = tuple[int, int]  # [start, end)


class Exchange(Struct, frozen=True):
    """What stands in place of two pages, and the runs that verify from end to end then."""

    pieces: tuple[Piece, Piece]
    runs: tuple[Run, ...]

    @property
    def first(self) -> Piece:
        """The one of the two that comes first in the file."""
        return self.pieces[0]

    def covers(self, span: Span) -> bool:
        return any(start <= span.start and span.end <= end for start, end in self.runs)


def exchanges(store: Store, areas: list[Run]) -> list[Exchange]:
    """The pairs of pages to put back; `areas` is where no record verifies, in order, those that touch as one.

    Each leaves nothing damaged in both pages and in the records over their borders, and what verified in them goes
    along. As every border brings a checksum of its own, chance makes one in fewer than 2**64 trials.
    """
    found: list[Exchange] = []
    search = _Search(store, areas) if 1 < len(areas) <= MOST_AREAS else None
    while search is not None and len(found) < MOST_PAIRS and (one := search.next(found)):
        found.append(one)
    return found


class _Search:
    """Pages of one store that may have moved, and the bytes that trials may still read."""

    def __init__(self, store: Store, areas: list[Run]) -> None:
        self.store, self.read, self.areas = store, store.source.read, areas
        self.ends = [end for _, end in areas]
        self.left = _WORK

    def next(self, done: list[Exchange]) -> Exchange | None:
        """The next two pages that belong in each other's place."""
        for size in PAGES:
            pages = [
                (at, run)
                for at, run in self._pages(size)
                if not any(a < run[1] and run[0] < b for one in done for a, b in one.runs)
            ]
            if len(pages) > MOST_PAGES:
                continue
            for (one, run), (two, other) in combinations(pages, 2):
                if self.left <= 0:
                    return None
                if found := self._fits(one, two, size, _joined(run, other)):
                    return found
        return None

    def _pages(self, size: int) -> Iterator[tuple[int, Run]]:
        """Where a page begins both of whose borders are damaged, and the run that must verify with it."""
        last = 0
        if (end := self._end(size)) and end <= size + LONGEST:
            yield 0, (self.store.start, end)  # no record begins before it
        for low, high in self.areas:
            for at in range(-(-low // size) * size, high + UNSEEN + 1, size) if high - low <= LONGEST else ():
                end = self._end(at + size)
                if at > last and end and max(end, self._end(at)) - low <= size + 2 * LONGEST:
                    last = at
                    yield at, (low, max(end, self._end(at)))

    def _end(self, border: int) -> int:
        """Where the run over a border ends, 0 where nothing is damaged there.

        A record whose first bytes alone lie before the border may verify as it is, with flags of another one.
        """
        i = bisect_left(self.ends, border - UNSEEN)
        if i == len(self.areas) or self.areas[i][0] > border:
            return 0
        if (end := self.ends[i]) < border and end + _HEADER <= self.store.size:
            end += _HEADER + SEALED_HEADER.unpack(self.read(end, _HEADER))[1]
        return end

    def _fits(self, one: int, two: int, size: int, runs: tuple[Run, ...]) -> Exchange | None:
        """Both pages put back, where all records in and over them verify."""
        first, second = self.read(one, size), self.read(two, size)
        self.left -= 2 * size + _TRIAL
        if first == second:
            return None
        begins: list[int] = []
        for start, end in runs:
            raw = bytearray(self.read(start, end - start))
            self.left -= len(raw)
            for at, data in ((one, second), (two, first)):
                low, high = max(at, start), min(at + size, end)
                if low < high:
                    raw[low - start : high - start] = data[low - at : high - at]
            records = _records(bytes(raw))
            if not records:
                return None
            begins += (start + at for at in records)
        if one == 0 and not self._begins(two, size):
            return None
        why = _WHY.format(size=size, one=one, two=two)
        left, right = (
            Piece(at, data, "sealed", why, sum(at <= begin < at + size for begin in begins))
            for at, data in ((one, second), (two, first))
        )
        return Exchange((left, right), runs)

    def _begins(self, two: int, size: int) -> bool:
        """Whether a page would begin the store: with the version byte of the records that follow."""
        over = Overlay(
            self.store.source,
            [Piece(0, self.read(two, size), "sealed", ""), Piece(two, self.read(0, size), "sealed", "")],
        )
        return not self.store.version_at and begins(over, over.read(0, 1)[0], self.store.start)


def _joined(one: Run, two: Run) -> tuple[Run, ...]:
    return (one, two) if one[1] < two[0] else ((one[0], max(one[1], two[1])),)


def _records(raw: bytes) -> list[int]:
    """Where the records begin that fill these bytes; none unless each of them verifies."""
    begins, at, view = [], 0, memoryview(raw)
    while at < len(raw):
        if len(raw) - at < _HEADER + 2:
            return []
        _, length, stored, time = SEALED_HEADER.unpack_from(raw, at)
        after = at + _HEADER + length
        if length < 2 or after > len(raw) or crc32c(view[at + _HEADER : after], time) != stored:
            return []
        begins.append(at)
        at = after
    return begins
