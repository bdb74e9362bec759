"""Two pages of a table that changed places, found by the checksums of the blocks that lie in them, and put back.

A block over the border of such a page fails, and so does every one inside: of 4 KiB exchanged, a dozen blocks are lost.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from itertools import combinations
from typing import Final

from inspector.finding import Cause
from inspector.formats.rocksdb import kinds, moved_blocks
from inspector.formats.rocksdb.database import Database
from inspector.formats.rocksdb.facts import Mark, TableFacts
from inspector.formats.rocksdb.footer import TRAILER, Handle
from inspector.overlay import Piece
from inspector.span import Span

PAGES: Final = (4096, 512, 8192, 16384, 1024, 2048)
MOST_PAGES: Final = 200  # of one size that may have moved: each pair of them is tried
MOST_BLOCKS: Final = 2000  # damaged ones of one table
MOST_PAIRS: Final = 8  # that are put back in one table
_WORK: Final = 256 << 20  # bytes that all trials for one table may read, and what each costs besides
_TRIAL: Final = 2048
_WHY: Final = "the pages of {size} bytes at {one} and {two} changed places: every block in them verifies when put back"


def found(db: Database, member: str, marks: list[Mark]) -> list[Piece]:
    """What must stand where in a table so that damaged blocks verify: pages put back, or blocks moved back."""
    return _exchanged(db, member, marks) or moved_blocks.found(db, member, marks)


def _exchanged(db: Database, member: str, marks: list[Mark]) -> list[Piece]:
    """What must stand where so that the blocks in two pages verify; nothing where no exchange does that.

    `marks` is the damage of this member. Each exchange leaves no known block of both pages damaged: with the trials
    of all pairs, one in more than 100,000 damaged tables would have one by chance.
    """
    bad = sorted((m.span for m in marks if m.mark == kinds.CHECKSUM and m.kind != kinds.FOOTER), key=_start)
    if not bad or len(bad) > MOST_BLOCKS or db.table(member).context.base is None:
        return []
    search = _Search(db, member, bad, _joined([m.span for m in marks]))
    pieces: list[Piece] = []
    while len(pieces) < 2 * MOST_PAIRS and (pair := search.next()):
        pieces += pair
    return pieces


def undone(db: Database, mark: Mark) -> Cause | None:
    """What broke a block of a table, where two pages put back in their places make it hold."""
    member, facts = mark.span.member, db.facts.get(mark.span.member)
    if not isinstance(facts, TableFacts) or db.wishes.no_correct:
        return None
    marks = [one for one in db.damage if one.span.member == member]
    if facts.pages is None or facts.pages[0] != len(marks):  # the walk may go on
        facts.pages = (len(marks), found(db, member, marks))
    if moved := moved_blocks.undone(mark, facts.pages[1]):
        return moved
    for piece in facts.pages[1]:
        if mark.span.start < piece.end and piece.start < mark.span.end:
            return Cause("swapped", "certain", piece.why)
    return None


class _Search:
    """Pages of one table that may have moved, and the bytes that trials may still read."""

    def __init__(self, db: Database, member: str, bad: list[Span], areas: list[tuple[int, int]]) -> None:
        self.table, self.member, self.bad, self.areas = db.table(member), member, bad, areas
        self.read = db.reader(member)
        self.left = _WORK
        self.placed: list[tuple[int, int]] = []  # pages that were put back, [start, end)

    def next(self) -> list[Piece]:
        """The next two pages that belong in each other's place."""
        for size in PAGES:
            pages = [at for at in self._pages(size) if not any(a < at + size and at < b for a, b in self.placed)]
            if len(pages) > MOST_PAGES:
                continue
            for one, two in combinations(pages, 2):
                if self.left <= 0:
                    return []
                if self._fits(one, two, size):
                    self.placed += [(one, one + size), (two, two + size)]
                    why = _WHY.format(size=size, one=one, two=two)
                    return [
                        Piece(here, self.read(there, size), "sealed", why, 1, self.member)
                        for here, there in ((one, two), (two, one))
                    ]
        return []

    def _pages(self, size: int) -> Iterator[int]:
        """Where pages begin in which nothing verifies."""
        for low, high in self.areas:
            yield from range(-(-low // size) * size, high - size + 1, size)

    def _fits(self, one: int, two: int, size: int) -> bool:
        blocks = [*self._blocks(one, one + size), *self._blocks(two, two + size)]
        if not blocks or self.read(one, size) == self.read(two, size):
            return False
        laid = ((one, self.read(two, size)), (two, self.read(one, size)))
        # the shortest first: most pairs are no exchange, and one block shows that
        return all(self._verifies(span, laid) for span in sorted({*blocks}, key=lambda span: span.length))

    def _blocks(self, start: int, end: int) -> Iterator[Span]:
        at = max(0, bisect_right(self.bad, start, key=_start) - 1)
        for span in self.bad[at:]:
            if span.start >= end:
                return
            if span.end > start:
                yield span

    def _verifies(self, span: Span, laid: tuple[tuple[int, bytes], ...]) -> bool:
        raw = bytearray(self.read(span.start, span.length))
        self.left -= len(raw) + _TRIAL
        for at, data in laid:
            low, high = max(at, span.start), min(at + len(data), span.end)
            if low < high:
                raw[low - span.start : high - span.start] = data[low - at : high - at]
        return self.table.judge(Handle(span.start, span.length - TRAILER), bytes(raw), compressed=False).ok


def _start(span: Span) -> int:
    return span.start


def _joined(spans: list[Span]) -> list[tuple[int, int]]:
    """Where no byte verifies: spans that touch, as one."""
    areas: list[tuple[int, int]] = []
    for span in sorted(spans, key=_start):
        if areas and span.start <= areas[-1][1]:
            areas[-1] = areas[-1][0], max(areas[-1][1], span.end)
        else:
            areas.append((span.start, span.end))
    return areas
