"""The live view: entries of all sources of one column family in order, newest first, deletes honoured."""

from __future__ import annotations

import heapq
import marshal
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import IO, Any, Final

from inspector.formats.rocksdb.keys import MERGE, RANGE_DELETE, REMOVES, Order
from inspector.span import Span

CHUNK_BYTES: Final = 24 << 20  # entries held in memory before a sorted run is spilled


@dataclass(frozen=True, slots=True)
class Versioned:
    """One entry as it lies in a table or a WAL; `place` is the block or record that holds it."""

    key: bytes
    sequence: int
    type: int
    value: bytes
    place: Span


@dataclass(frozen=True, slots=True)
class Live:
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


@dataclass(frozen=True, slots=True)
class Tombstone:
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


def merged(sources: Iterable[Iterator[Versioned]], order: Order) -> Iterator[Versioned]:
    """All versions of all keys, each source already in order."""
    return heapq.merge(*sources, key=sort_key(order))


def live(entries: Iterable[Versioned], cover: Cover) -> Iterator[Live]:
    """What is left after deletes: one result per key that has a value or merge operands."""
    key: bytes | None = None
    done = False
    operands: list[Versioned] = []
    covered = -1
    last: tuple[int, int] = (-1, -1)
    for entry in entries:
        if entry.key != key:
            yield from _pending(operands)
            key, done, operands = entry.key, False, []
            covered = cover.over(entry.key)
            last = (-1, -1)
        if done or (entry.sequence, entry.type) == last:
            continue  # older, or the same entry from a table and a WAL
        last = entry.sequence, entry.type
        if entry.sequence < covered or entry.type in REMOVES:
            yield from _pending(operands)
            operands, done = [], True
        elif entry.type == MERGE:
            operands.append(entry)
        elif entry.type != RANGE_DELETE:
            done = True
            newest = operands[0] if operands else entry
            values = tuple(o.value for o in operands)
            operands = []
            yield Live(entry.key, entry.value, newest.sequence, entry.type, newest.place, values)
    yield from _pending(operands)


def _pending(operands: list[Versioned]) -> Iterator[Live]:
    if operands:
        newest = operands[0]
        values = tuple(o.value for o in operands)
        yield Live(newest.key, None, newest.sequence, MERGE, newest.place, values)
