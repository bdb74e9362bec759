"""Going through all bytes of a source for things that verify: windows that overlap, on several cores, in order.

Whatever a window finds begins before its `stop`; up to `overlap` bytes follow, so that nothing is cut by a border.
Holes of a sparse file and ranges that a mapfile calls unknown are not searched; nothing is taken across them.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from msgspec import Struct, field

from inspector.account import Progress
from inspector.source import Source
from inspector.span import Span

WINDOW = 4 << 20
THREADS = 8  # more would hold more windows in memory than they save time
T = TypeVar("T")


class Window(Struct, frozen=True):
    """Bytes [start, start + len(data)) of the source; finds begin in [start, stop). `island` is what it lies in."""

    start: int
    stop: int
    island: Span
    data: bytes


class Area(Struct):
    """The parts of a source that are searched, and what is known of the others."""

    source: Source
    islands: list[Span] = field(default_factory=list)
    skipped: int = 0  # bytes that the user told not to search

    @classmethod
    def of(cls, source: Source) -> Area:
        joined: list[Span] = []
        for span in source.data_ranges():
            if joined and joined[-1].end == span.start:
                joined[-1] = Span(joined[-1].start, span.end)
            else:
                joined.append(span)
        return cls(source, joined)

    @property
    def bytes(self) -> int:
        return sum(span.length for span in self.islands)

    def windows(self) -> Iterator[tuple[int, int, Span]]:
        """(start, stop, island) of each window."""
        for island in self.islands:
            for start in range(island.start, island.end, WINDOW):
                yield start, min(start + WINDOW, island.end), island


def search(
    area: Area, look: Callable[[Window], T], overlap: int, progress: Progress | None = None
) -> Iterator[tuple[Window, T]]:
    """What `look` says of each window, in order of the windows; it runs on several threads at once."""
    source, total, done = area.source, area.bytes, 0

    def work(start: int, stop: int, island: Span) -> tuple[Window, T]:
        data = source.read(start, min(stop + overlap, island.end) - start)
        window = Window(start, stop, island, data)
        return window, look(window)

    count = min(os.cpu_count() or 1, THREADS)
    pending: deque[Future[tuple[Window, T]]] = deque()
    with ThreadPoolExecutor(count) as pool:
        try:
            for place in _ahead(area.windows(), pending, 2 * count):
                if place is not None:
                    pending.append(pool.submit(work, *place))
                    continue
                window, found = pending.popleft().result()
                yield window, found
                done += window.stop - window.start
                if progress:
                    progress(done, total)
        finally:
            for future in pending:
                future.cancel()


def _ahead(
    places: Iterable[tuple[int, int, Span]], pending: deque[Future[T]], room: int
) -> Iterator[tuple[int, int, Span] | None]:
    """The next place to begin with, or None when the oldest piece of work is to be taken first."""
    for place in places:
        while len(pending) >= room:
            yield None
        yield place
    while pending:
        yield None
