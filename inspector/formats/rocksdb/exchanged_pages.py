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
from inspector.formats.rocksdb.opening import open_table
from inspector.formats.rocksdb.seen import seen_through
from inspector.overlay import Overlay, Piece
from inspector.pages import PAGES
from inspector.span import Span, merged

MOST_PAGES: Final = 200  # of one size that may have moved: each pair of them is tried
MOST_BLOCKS: Final = 2000  # damaged ones of one table
MOST_PAIRS: Final = 8  # that are put back in one table
_WORK: Final = 256 << 20  # bytes that all trials for one table may read, and what each costs besides
_WORK_FOR_LEAD: Final = 64 << 20  # the same for blocks that tell where others lie: these are tried with every page
_TRIAL: Final = 2048
_HELD: Final = 8 << 20  # bytes of pages and blocks that are kept for the next trial
_LEAD: Final = frozenset({kinds.METAINDEX, kinds.TOP_INDEX, kinds.INDEX})  # blocks that tell where the others lie
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
    search = _Search(db, member, bad, merged((m.span.start, m.span.end) for m in marks))
    lead = [m.span for m in marks if m.mark == kinds.CHECKSUM and m.kind in _LEAD]
    pieces: list[Piece] = []
    if lead and (pair := search.led(lead)):
        return pair  # with it the others are seen at their places
    while len(pieces) < 2 * MOST_PAIRS and (pair := search.next()):
        pieces += pair
    return pieces


def known(db: Database, member: str, marks: list[Mark]) -> list[Piece]:
    """As `found`, for all damage of a database that was walked to its end: often that was asked already."""
    facts = db.facts.get(member)
    if isinstance(facts, TableFacts) and facts.pages is not None and facts.pages[0] == len(marks):
        pieces: list[Piece] = facts.pages[1]
        return pieces
    return found(db, member, marks)


def undone(db: Database, mark: Mark) -> Cause | None:
    """What broke a block of a table, where two pages put back in their places make it hold."""
    member, facts = mark.span.member, db.facts.get(mark.span.member)
    if not isinstance(facts, TableFacts) or db.wishes.no_correct:
        return None
    if facts.asked != len(db.damage):  # the walk may go on; and there may be thousands of marks to ask for
        facts.asked = len(db.damage)
        marks = [one for one in db.damage if one.span.member == member]
        if facts.pages is None or facts.pages[0] != len(marks):
            pieces = found(db, member, marks)
            facts.pages = (len(marks), pieces, _ordered(db, member, marks, pieces) if pieces else frozenset())
    pieces, ordered = facts.pages[1:]
    if moved := moved_blocks.undone(mark, pieces):
        return moved
    for piece in pieces:
        if mark.span in ordered or (mark.span.start < piece.end and piece.start < mark.span.end):
            return Cause("swapped", "certain", piece.why)
    return None


def _ordered(db: Database, member: str, marks: list[Mark], pieces: list[Piece]) -> frozenset[Span]:
    """Blocks out of order that are in order where these pieces are laid over: others than the moved ones, too."""
    astray = {mark.span for mark in marks if mark.mark == kinds.ORDER}
    left = seen_through(db, Overlay(db.source, pieces), {member})[1] if astray else []
    return frozenset(astray - {mark.span for mark in left})


class _Search:
    """Pages of one table that may have moved, and the bytes that trials may still read."""

    def __init__(self, db: Database, member: str, bad: list[Span], areas: list[tuple[int, int]]) -> None:
        self.table, self.member, self.bad, self.areas = db.table(member), member, bad, areas
        self.read = db.reader(member)
        self.left = _WORK
        self.placed: list[tuple[int, int]] = []  # pages that were put back, [start, end)
        self._held: dict[tuple[int, int], bytes] = {}
        self._room = _HELD
        self._lying: dict[tuple[int, int], list[Span]] = {}

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
                    return self._pieces(one, two, size)
        return []

    def led(self, lead: list[Span]) -> list[Piece]:
        """Two pages of which one holds a part of the index, or of what leads to it; nothing where none fits.

        Without an index blocks are found wherever they verify, also in a page that changed its place: then the other
        pages are all that there are, and what the index names must verify.
        """
        self.left = _WORK_FOR_LEAD
        found = self._led(lead)
        self.left = _WORK
        return found

    def _led(self, lead: list[Span]) -> list[Piece]:
        for size in PAGES:
            last = self.table.size - size
            for span in lead:
                for one in range(span.start // size * size, min(span.end - 1, last) + 1, size):
                    mine = self.read(one, size)
                    for two in range(0, last + 1, size):
                        if self.left <= 0:
                            return []
                        laid = ((one, self.read(two, size)), (two, mine))
                        if one != two and self._verifies(span, laid) and self._leads(laid, size):
                            return self._pieces(min(one, two), max(one, two), size)
        return []

    def _leads(self, laid: tuple[tuple[int, bytes], ...], size: int) -> bool:
        """Whether the table has a whole index with these pages in their places, and the blocks in them verify."""

        def read(at: int, n: int) -> bytes:
            return _laid(at, self.read(at, n), laid)

        table = open_table(read, self.table.size + self.table.spare, self.table.leveldb, search=False)
        near = [h for _, h in table.blocks() if any(h.offset < at + size and at < h.end for at, _ in laid)]
        return table.whole_index and all(table.load(handle, compressed=False).ok for handle in near)

    def _pieces(self, one: int, two: int, size: int) -> list[Piece]:
        why = _WHY.format(size=size, one=one, two=two)
        return [
            Piece(here, self.read(there, size), "sealed", why, 1, self.member)
            for here, there in ((one, two), (two, one))
        ]

    def _pages(self, size: int) -> Iterator[int]:
        """Where pages begin in which nothing verifies."""
        for low, high in self.areas:
            yield from range(-(-low // size) * size, high - size + 1, size)

    def _fits(self, one: int, two: int, size: int) -> bool:
        blocks = [*self._inside(one, size), *self._inside(two, size)]
        if not blocks or self._again(one, size) == self._again(two, size):
            return False
        laid = ((one, self._again(two, size)), (two, self._again(one, size)))
        # the shortest first: most pairs are no exchange, and one block shows that
        return all(self._verifies(span, laid) for span in sorted({*blocks}, key=lambda span: span.length))

    def _again(self, at: int, n: int) -> bytes:
        """Bytes that are asked for with every pair; of a table with few damaged pages each is read once."""
        found = self._held.get((at, n))
        if found is None:
            found = self.read(at, n)
            if n <= self._room:
                self._room -= n
                self._held[at, n] = found
        return found

    def _inside(self, at: int, size: int) -> list[Span]:
        """Damaged blocks of which a part lies in a page; each page is asked for with every other."""
        found = self._lying.get((at, size))
        if found is None:
            found = self._lying[at, size] = list(self._blocks(at, at + size))
        return found

    def _blocks(self, start: int, end: int) -> Iterator[Span]:
        at = max(0, bisect_right(self.bad, start, key=_start) - 1)
        for span in self.bad[at:]:
            if span.start >= end:
                return
            if span.end > start:
                yield span

    def _verifies(self, span: Span, laid: tuple[tuple[int, bytes], ...]) -> bool:
        raw = _laid(span.start, self._again(span.start, span.length), laid)
        self.left -= len(raw) + _TRIAL
        return self.table.judge(Handle(span.start, span.length - TRAILER), raw, compressed=False).ok


def _laid(start: int, raw: bytes, laid: tuple[tuple[int, bytes], ...]) -> bytes:
    """The bytes from `start` on with others laid over them, each with its place."""
    over = bytearray(raw)
    for at, data in laid:
        low, high = max(at, start), min(at + len(data), start + len(raw))
        if low < high:
            over[low - start : high - start] = data[low - at : high - at]
    return bytes(over)


def _start(span: Span) -> int:
    return span.start
