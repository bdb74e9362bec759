"""The live view: entries of all sources of one column family in order, newest first, deletes honoured.

Millions of entries pass here, so they pass as plain tuples in lists, and lists are merged by sorting: a sort of a few
sorted stretches costs a comparison an entry, without a call in Python for any of them.
"""

from __future__ import annotations

import heapq
import marshal
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import IO, Any, Final, NamedTuple

from msgspec import Struct

from inspector.formats.rocksdb.keys import MERGE, PUT, RANGE_DELETE, REMOVES, Order
from inspector.span import Span

CHUNK_BYTES: Final = 24 << 20  # entries held in memory before a sorted run is spilled
ROWS: Final = 512  # of a list that is merged
TOP: Final = (1 << 64) - 1

# rank of the key in its comparator's order, TOP - (sequence << 8 | type), key, value, place: sorts newest first
Row = tuple[Any, int, bytes, bytes, Span]


class Versioned(NamedTuple):
    """One entry as it lies in a table or a WAL; `place` is the block or record that holds it."""

    key: bytes
    sequence: int
    type: int
    value: bytes
    place: Span


class Live(NamedTuple):
    """A key as a reader of the database sees it.

    `operands` are merge operands, newest first, that no merge operator was applied to; `value` is then their base
    or None. `type` is the base's, or MERGE where there is none.
    """

    key: bytes
    value: bytes | None
    sequence: int
    type: int
    place: Span
    operands: tuple[bytes, ...] = ()


class Tombstone(Struct, frozen=True):
    """A range delete: keys in [begin, end) with a smaller sequence number are gone."""

    begin: bytes
    end: bytes
    sequence: int
    place: Span


def sort_key(order: Order) -> Callable[[Versioned], Any]:
    def key(entry: Versioned) -> Any:
        return order(entry.key), -entry.sequence, -entry.type

    return key


def sorted_runs(entries: Iterable[Versioned], order: Order, chunk: int = CHUNK_BYTES) -> Iterator[Versioned]:
    """Entries in any order, sorted; beyond `chunk` bytes they wait in unnamed temporary files."""
    runs: list[IO[bytes]] = []
    held: list[Versioned] = []
    size = 0
    by = sort_key(order)
    try:
        for entry in entries:
            held.append(entry)
            size += len(entry.key) + len(entry.value) + 200
            if size > chunk:
                runs.append(_spill(sorted(held, key=by)))
                held, size = [], 0
        held.sort(key=by)
        if not runs:
            yield from held
            return
        yield from heapq.merge(held, *(_unspill(run) for run in runs), key=by)
    finally:
        for run in runs:
            run.close()


def _spill(entries: list[Versioned]) -> IO[bytes]:
    import tempfile

    run = tempfile.TemporaryFile()  # noqa: SIM115  closed by sorted_runs
    for e in entries:
        marshal.dump((e.key, e.sequence, e.type, e.value, e.place.start, e.place.end, e.place.member), run)
    run.seek(0)
    return run


def _unspill(run: IO[bytes]) -> Iterator[Versioned]:
    """What `_spill` wrote; the file has no name, so nobody else can have written to it."""
    while True:
        try:
            key, sequence, kind, value, start, end, member = marshal.load(run)
        except EOFError:
            return
        yield Versioned(key, sequence, kind, value, Span(start, end, member))


class Cover:
    """The newest range delete over a key, asked in key order."""

    def __init__(self, tombstones: Iterable[Tombstone], order: Order) -> None:
        self._order = order
        self._waiting = sorted(tombstones, key=lambda t: order(t.begin))
        self._next = 0
        self._active: list[tuple[int, int, Tombstone]] = []

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def over(self, key: bytes) -> int:
        """The highest sequence number of a range delete that covers the key, or -1."""
        at = self._order(key)
        while self._next < len(self._waiting):
            tombstone = self._waiting[self._next]
            if at < self._order(tombstone.begin):
                break
            heapq.heappush(self._active, (-tombstone.sequence, self._next, tombstone))
            self._next += 1
        while self._active and not at < self._order(self._active[0][2].end):
            heapq.heappop(self._active)
        return -self._active[0][0] if self._active else -1


def ranked(entries: Iterable[Versioned], order: Order) -> Iterator[list[Row]]:
    """Entries as rows, in lists."""
    rows = (
        (order(key), TOP - (sequence << 8 | kind), key, value, place) for key, sequence, kind, value, place in entries
    )
    while found := list(islice(rows, ROWS)):
        yield found


def merged(sources: Iterable[Iterator[list[Row]]]) -> Iterator[list[Row]]:
    """All rows of sources that are in order each, in order."""
    open_ends = [(rows, 0, source) for source in sources if (rows := next(source, None))]
    while len(open_ends) > 1:
        bound = min(rows[-1] for rows, _, _ in open_ends)
        out: list[Row] = []
        left = []
        for rows, at, source in open_ends:
            end = len(rows) if rows[-1] <= bound else bisect_right(rows, bound, at)
            out += rows[at:end]
            if end < len(rows):
                left.append((rows, end, source))
            elif more := next(source, None):
                left.append((more, 0, source))
        open_ends = left
        out.sort()
        yield out
    for rows, at, source in open_ends:
        yield rows[at:]
        yield from source


def live(lists: Iterable[list[Row]], cover: Cover) -> Iterator[Live]:
    """What is left after deletes: one result per key that has a value or merge operands."""
    last: bytes | None = None
    done = False
    operands: list[Live] = []
    covered, before = -1, -1
    for rows in lists:
        for _, tag, key, value, place in rows:
            kind = TOP - tag & 0xFF
            if key != last:
                if operands:
                    yield _pending(operands)
                    operands = []
                last, before, covered = key, tag, cover.over(key) if cover else -1
                if kind == PUT and covered < 0:  # nearly all there is
                    done = True
                    yield Live(key, value, TOP - tag >> 8, PUT, place)
                    continue
                done = False
            elif done or tag == before:
                continue  # older, or the same entry from a table and a WAL
            before = tag
            found = Live(key, value, TOP - tag >> 8, kind, place)
            if found.sequence < covered or kind in REMOVES:
                if operands:
                    yield _pending(operands)
                operands, done = [], True
            elif kind == MERGE:
                operands.append(found)
            elif kind != RANGE_DELETE:
                done = True
                yield _based(found, operands)
                operands = []
    if operands:
        yield _pending(operands)


def _based(base: Live, operands: list[Live]) -> Live:
    """A value with the merge operands over it, newest first."""
    newest = operands[0] if operands else base
    values = tuple(o.value for o in operands if o.value is not None)
    return base._replace(sequence=newest.sequence, place=newest.place, operands=values)


def _pending(operands: list[Live]) -> Live:
    values = tuple(o.value for o in operands if o.value is not None)
    return operands[0]._replace(value=None, operands=values)
