"""Pages of a store that changed places, found by the checksums of the records over their borders, and put back.

What lies inside such a page moved as a whole and verifies where it is, out of its order; each border cuts a record.
Where a cut record goes on tells which page belongs behind it: two pages name each other, more make a circle.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from inspector.formats.gossip_store.borders import UNSEEN, Borders
from inspector.formats.gossip_store.healing import local
from inspector.formats.gossip_store.walk import OK, Store, begins
from inspector.kernels.gossip_tiles import LONGEST_RECORD
from inspector.overlay import Overlay, Piece
from inspector.pages import PAGES
from inspector.span import Run, Span, merged

MOST_BORDERS: Final = 400  # damaged ones of pages of one size: each pair of them is tried
MOST_PAGES: Final = 8  # that changed places in one circle
MOST_CIRCLES: Final = 8  # that are put back in one store
MOST_TRIED: Final = 64  # circles of pages of one size that are looked at
MOST_AREAS: Final = 4096  # damaged ones: with more, chance makes borders of pages out of them
MOST_EDGES: Final = 4000  # pages of one size that may belong in a place
_STEPS: Final = 10_000  # of the search for circles among pages of one size
_WORK: Final = 128 << 20  # bytes that all trials for one store may read, and what each costs besides
_TWO: Final = "the pages of {size} bytes at {one} and {two} changed places"
_MORE: Final = "the pages of {size} bytes at {all} changed places in a circle"
_WHOLE: Final = ": every record in them verifies when put back"
_PART: Final = ": records over their borders verify when put back"


class Exchange(Struct, frozen=True):
    """What stands in place of pages, and which damage that undoes."""

    pieces: tuple[Piece, ...]  # in the order of the file
    froms: tuple[int, ...]  # where the content of each stood
    begins: tuple[int, ...]  # where whole records begin in these pages then
    touched: tuple[Run, ...]  # the pages and the damage at their borders, as the file is
    left: tuple[Run, ...]  # what is damaged with the pages put back, in and around them
    settled: tuple[Run, ...] = ()  # what was, of which a repair loses nothing

    @property
    def first(self) -> Piece:
        """The one that comes first in the file."""
        return self.pieces[0]

    def part(self, piece: Piece, start: int, end: int) -> Piece:
        """[start, end) of one of the pieces."""
        data = piece.data[start - piece.start : end - piece.start]
        units = bisect_left(self.begins, end) - bisect_left(self.begins, start)
        return replace(piece, start=start, data=data, units=units)

    def other(self, at: int) -> int:
        """Where a page lies that changed places with the one nearest to `at`."""
        near = min(range(len(self.pieces)), key=lambda i: abs(self.pieces[i].start - at))
        return self.froms[near]

    def covers(self, span: Span) -> bool:
        """Whether putting back the pages undoes all damage in a span that lies in or beside them."""
        return self.leaves(span) == 0

    def leaves(self, span: Span) -> int:
        """How many bytes of a damaged span do not hold, or are lost in a repair, when the pages are put back.

        A damaged record that moved with its page is not undone by that, whatever becomes of it.
        """
        if not any(start <= span.start and span.end <= end for start, end in self.touched):
            return span.length
        placed = list(self._placed(span.start, span.end))
        if len(placed) == 1 and placed[0] in self.settled:
            return span.length
        return sum(max(0, min(end, high) - max(start, low)) for start, end in placed for low, high in self.left)

    def _placed(self, start: int, end: int) -> Iterator[Run]:
        """Where bytes of the file go."""
        at = start
        moved = sorted(zip(self.froms, self.pieces, strict=True), key=lambda pair: pair[0])
        for origin, piece in moved:
            low, high = max(at, origin), min(end, origin + len(piece.data))
            if low < high:
                if at < low:
                    yield at, low
                yield piece.start + low - origin, piece.start + high - origin
                at = high
        if at < end:
            yield at, end


class _Judged(Struct, frozen=True):
    """An exchange as it would leave the store."""

    exchange: Exchange
    broken: int  # borders of its pages that are damaged then
    healed: frozenset[int]  # borders that were damaged, and are not
    unmoved: int  # borders that hold with either page

    @property
    def rank(self) -> tuple[bool, int, int]:
        """The lower the better."""
        return not self.proved, self.broken, -len(self.healed)

    def rivals(self, other: _Judged) -> bool:
        """Whether both say what belongs in the same place, or beside the same border."""
        mine, theirs = self.exchange.pieces, other.exchange.pieces
        return bool(self.healed & other.healed) or any(
            _meets((one.start, one.end), (two.start, two.end)) for one in mine for two in theirs
        )

    @property
    def proved(self) -> bool:
        return not self.broken and not self.unmoved


def exchanges(store: Store, areas: list[Run]) -> list[Exchange]:
    """The circles of pages to put back, two in most; `areas` is where no record verifies, in order, joined.

    Each leaves no border damaged that was none, and one border at most, where a record has other damage: as every
    border brings a checksum of its own, chance makes one in fewer than 2**60 trials. What is damaged in the pages
    stays so, and where borders hold with either page a second exchange that fits as well leaves both undone.
    """
    found: list[Exchange] = []
    if store.version_at:  # a byte that passes for a version may stand before a record in the middle of a page
        areas = merged([(1, store.start), *areas])
    if not areas or len(areas) > MOST_AREAS:  # one is enough: that of neighbours is often joined
        return found
    search = _Search(store, areas)
    while len(found) < MOST_CIRCLES and (one := search.next(found)):
        found.append(one)
        search = search.after(one)
    return [replace(one, left=tuple(run for run in one.left if search.is_bad(run))) for one in found]


class _Search:
    """Circles of pages of one store."""

    def __init__(self, store: Store, areas: list[Run], work: int | None = None) -> None:
        self.store, self.borders = store, Borders(store, areas, _WORK if work is None else work)

    def after(self, one: Exchange) -> _Search:
        """The search in what one exchange leaves."""
        areas = [area for area in self.borders.areas if not any(_meets(area, run) for run in one.touched)]
        over = Overlay(self.store.source, one.pieces)
        return _Search(replace(self.store, source=over), merged([*areas, *one.left]), self.borders.left)

    def is_bad(self, run: Run) -> bool:
        return any(_meets(run, area) for area in self.borders.areas)

    def next(self, done: list[Exchange]) -> Exchange | None:
        """The next circle, of the likeliest size for which one leaves no border open; else of any size."""
        taken = [(piece.start, piece.end) for one in done for piece in one.pieces]
        found: list[_Judged] = []
        for size in PAGES:
            if len(self.borders.at(size)) > MOST_BORDERS:
                continue
            for circle in self._circles(size):
                if self.borders.left <= 0:
                    return None
                if any(_meets((page * size, (page + 1) * size), run) for page in circle for run in taken):
                    continue
                one = self._judged(circle, size)
                found += [one] if one is not None else []
            if any(one.proved for one in found):  # of another size none can be: a border in a page would break
                break
        return _only(found)

    def _circles(self, size: int) -> list[list[int]]:
        """Circles of pages, the shortest first: the content of each stands in the next one's place."""
        edges, found, left = self._wanted(size), list[list[int]](), _STEPS
        ways = [[page] for page in sorted(edges)]
        while ways:
            longer = []
            for way, page in ((one, then) for one in ways for then in sorted(edges.get(one[-1], ()))):
                if not left or len(found) == MOST_TRIED:
                    return found
                left -= 1
                if page == way[0]:
                    found.append(way)
                elif page > way[0] and page not in way and len(way) < MOST_PAGES:
                    longer.append([*way, page])
            ways = longer
        return found

    def _wanted(self, size: int) -> dict[int, set[int]]:
        """Which pages may belong in the place of each, by what goes on at the borders of either.

        Where the page before or behind stays, a border says it at once; of neighbours that moved one tells the next.
        """
        behind = {at // size: [page // size for page in pages] for at, pages in self.borders.joins(size).items()}
        before: dict[int, list[int]] = {}
        for border, pages in behind.items():
            for page in pages:
                before.setdefault(page, []).append(border)
        edges: dict[int, set[int]] = {}
        told = [one for at, pages in behind.items() for page in pages for one in ((at, page), (page - 1, at - 1))]
        for place, page in told:  # grows
            known = edges.setdefault(place, set())
            if place < 0 or place == page or page in known or max(place, page) >= self.store.size // size:
                continue
            known.add(page)
            if len(told) < MOST_EDGES:
                told += ((place + 1, after) for after in behind.get(page + 1, ()))
                told += ((place - 1, border - 1) for border in before.get(page, ()))
        return edges

    def _judged(self, circle: list[int], size: int) -> _Judged | None:
        """What the store is like with the pages of a circle put back; None where that is not proved to be better."""
        read = self.store.source.read
        places = sorted((page, circle[(i + 1) % len(circle)]) for i, page in enumerate(circle))
        data = {page: read(page * size, size) for page in circle}
        if any(data[here] == data[there] for here, there in places):
            return None
        over = Overlay(self.store.source, [Piece(here * size, data[there], "sealed", "") for here, there in places])
        if not circle[0] and not (self.store.version_at < size and begins(over, over.read(0, 1)[0], 1)):
            return None
        after = _Look(self.store, over, self.store.start if circle[0] else 1)
        broken = unmoved = 0
        healed: set[int] = set()
        for run in _neighbours([here for here, _ in places]):
            borders = [page * size for page in (*run, run[-1] + 1) if page]
            seen = [self.borders.area(border) for border in borders]
            low = min([run[0] * size, *(area[0] for area in seen if area)])
            high = max([borders[-1], *(area[1] for area in seen if area)])
            self.borders.left -= high - low + 2 * LONGEST_RECORD
            start = low if seen[0] else low - 2 * LONGEST_RECORD
            after.walk(max(after.store.start, start), low, high)
            bad = [after.hurts(border) for border in borders]
            broken += sum(bad)
            if broken > 1 or any(now and before is None for now, before in zip(bad, seen, strict=True)):
                return None  # stale copies side by side fit on one side of each page
            if not any(before and not now for before, now in ((seen[0], bad[0]), (seen[-1], bad[-1]))):
                return None  # neighbours that fit each other and nothing that stayed
            unmoved += sum(before is None for before in seen)
            healed |= {at for at, now, before in zip(borders, bad, seen, strict=True) if before is not None and not now}
        if len(healed) < 2:
            return None
        exchange = self._exchange([(here * size, there * size, data[there]) for here, there in places], after)
        return _Judged(exchange, broken, frozenset(healed), unmoved)

    def _exchange(self, places: list[tuple[int, int, bytes]], after: _Look) -> Exchange:
        size, starts = len(places[0][2]), [here for here, _, _ in places]
        if len(places) == 2:
            why = _TWO.format(size=size, one=starts[0], two=starts[1])
        else:
            why = _MORE.format(size=size, all=", ".join(map(str, starts)))
        why += _PART if any(low < at + size and at < high for low, high in after.bad for at in starts) else _WHOLE
        touched = merged(
            [(at, at + size) for at in starts]
            + [area for at in starts for area in (self.borders.area(at), self.borders.area(at + size)) if area]
        )
        begin = sorted(after.begins(starts, size))
        units = [bisect_left(begin, at + size) - bisect_left(begin, at) for at in starts]
        pieces = zip(places, units, strict=True)
        return Exchange(
            tuple(Piece(here, data, "sealed", why, count) for (here, _, data), count in pieces),
            tuple(there for _, there, _ in places),
            tuple(begin),
            tuple(touched),
            tuple(after.bad),
        )


class _Look:
    """What verifies around pages that were put back."""

    def __init__(self, store: Store, over: Overlay, start: int) -> None:
        self.store = replace(store, source=over, start=start)
        self.bad: list[Run] = []
        self._sound: list[int] = []

    def walk(self, start: int, low: int, high: int) -> None:
        """Look at [low, high) from `start` on, before which a record ends, or which is far enough before it."""
        for (begin, end, *_), mark in local(self.store, start, high + UNSEEN):
            if mark == OK:
                self._sound.append(begin)
            elif end >= low and begin <= high:
                self.bad.append((begin, end))

    def hurts(self, border: int) -> bool:
        return any(begin <= border and end >= border - UNSEEN for begin, end in self.bad)

    def begins(self, pages: list[int], size: int) -> set[int]:
        """Where sound records begin in these pages."""
        return {at for at in self._sound for page in pages if page <= at < page + size}


def _only(found: list[_Judged]) -> Exchange | None:
    """The best one, unless another one that says otherwise is as good."""
    for one in sorted(found, key=lambda one: one.rank):
        if not any(other is not one and other.rank <= one.rank and other.rivals(one) for other in found):
            return one.exchange
    return None


def _meets(one: Run, other: Run) -> bool:
    return one[0] < other[1] and other[0] < one[1]


def _neighbours(pages: list[int]) -> list[list[int]]:
    """Pages in order by runs without another page between them."""
    runs: list[list[int]] = []
    for page in pages:
        if runs and runs[-1][-1] == page - 1:
            runs[-1].append(page)
        else:
            runs.append([page])
    return runs
