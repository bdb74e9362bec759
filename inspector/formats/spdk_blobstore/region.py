"""The metadata region: the state of each page, and columns of those whose checksum holds. One streaming pass."""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from itertools import compress, count
from typing import TYPE_CHECKING

from msgspec import Struct, field

from inspector.crc32c import crc32c
from inspector.formats.spdk_blobstore import layout as lay
from inspector.formats.spdk_blobstore import page as pg
from inspector.formats.spdk_blobstore.disk import Disk
from inspector.formats.spdk_blobstore.superblock import Geometry
from inspector.kernels.blobstore import page_states

if TYPE_CHECKING:
    from inspector.kernels.plain_blobstore import Columns

MAX_PAGES = 4_000_000  # of those with a valid checksum: 20 bytes each; 2 TiB of clusters in 1 MiB pieces needs 8200
_HEAD = lay.MD_PAGE.fast()
_ZERO = bytes(lay.PAGE)
_RUNS = re.compile(rb"(.)\1*", re.DOTALL)


class Region(Struct):
    """Pages by state (runs) and, for sealed pages, their heads in columns ordered by page index."""

    start: array[int] = field(default_factory=lambda: array("Q"))  # of each run, in pages
    state: array[int] = field(default_factory=lambda: array("B"))
    index: array[int] = field(default_factory=lambda: array("I"))
    kind: array[int] = field(default_factory=lambda: array("B"))
    id: array[int] = field(default_factory=lambda: array("Q"))
    sequence: array[int] = field(default_factory=lambda: array("I"))
    next: array[int] = field(default_factory=lambda: array("I"))
    scanned: int = 0  # pages
    skipped: int = 0  # sealed pages that were not kept: more than any real store has

    def put(self, page: int, state: int) -> None:
        if not self.state or self.state[-1] != state:
            self.start.append(page)
            self.state.append(state)
        self.scanned = page + 1

    def extend(self, first: int, states: array[int]) -> None:
        """Put the states of pages from `first` on."""
        for run in _RUNS.finditer(states.tobytes()):
            self.put(first + run.start(), run.group(1)[0])
        self.scanned = first + len(states)

    def append(self, columns: Columns) -> None:
        """Add sealed pages behind those that are there."""
        for column, more in zip((self.index, self.kind, self.id, self.sequence, self.next), columns, strict=True):
            column.extend(more)

    def state_of(self, page: int) -> int:
        row = self.row(page)  # first: a corrected page is sealed and still lies in a run of bad ones
        if row is not None:
            return self.kind[row]
        at = bisect_right(self.start, page) - 1
        return self.state[at] if at >= 0 and page < self.scanned else pg.ZERO

    def run_of(self, page: int) -> int:
        """The run that holds a page."""
        return max(0, bisect_right(self.start, page) - 1)

    def row(self, page: int) -> int | None:
        """The column position of a sealed page."""
        at = bisect_left(self.index, page)
        return at if at < len(self.index) and self.index[at] == page else None

    def insert(self, at: int, page: int, kind: int, head: tuple[int, int, int]) -> None:
        """A sealed page (blob, sequence, next) as row `at` of the columns."""
        self.index.insert(at, page)
        self.kind.insert(at, kind)
        self.id.insert(at, head[0])
        self.sequence.insert(at, head[1])
        self.next.insert(at, head[2])

    def remove(self, at: int) -> None:
        """Take row `at` out of the columns."""
        for column in (self.index, self.kind, self.id, self.sequence, self.next):
            del column[at]

    def rows(self, kind: int) -> Iterator[int]:
        """The rows of sealed pages of one kind."""
        return compress(count(), self.kind.tobytes().translate(bytes(kind) + b"\1" + bytes(255 - kind)))

    def runs(self, *states: int) -> Iterator[tuple[int, int, int]]:
        """(first page, end page, state) of runs in these states."""
        ends = [*self.start[1:], self.scanned] if self.start else []
        for start, end, state in zip(self.start, ends, self.state, strict=True):
            if state in states:
                yield start, end, state


def scan(disk: Disk, geometry: Geometry, region: Region) -> Iterator[tuple[int, int]]:
    """Fill `region`; yields (first page, end page) after each window. Holes are not read."""
    size = geometry.page_size
    start = geometry.md_at(0)
    end = min(geometry.md_at(geometry.md_len), start + max(0, disk.size - start) // size * size)
    for low, high, data in disk.windows(start, end, size):
        first, last = (low - start) // size, (high - start) // size
        if data is None:
            region.put(first, pg.ZERO)
            region.scanned = last
        elif disk.lost(low, high) or len(region.index) + last - first > MAX_PAGES:
            _take(disk, region, data, low, first, size)
        else:
            states, columns = page_states(data, size, first)
            region.extend(first, states)
            region.append(columns)
        yield first, last


def _take(disk: Disk, region: Region, data: bytes, low: int, first: int, size: int) -> None:
    suspect = disk.lost(low, low + len(data))
    for at in range(0, len(data), size):
        page = first + at // size
        piece = data[at : at + lay.PAGE]
        if suspect and disk.lost(low + at, low + at + lay.PAGE):
            region.put(page, pg.UNREADABLE)
            continue
        if piece == _ZERO:
            region.put(page, pg.ZERO)
            continue
        blob, sequence, _, _, following, stored = _HEAD.unpack(piece)
        if crc32c(piece[: lay.BODY]) != stored:
            region.put(page, pg.BAD)
            continue
        kind = pg.CONT if sequence else pg.EXTENT if piece[lay.DESCRIPTORS_AT] == lay.EXTENT_PAGE else pg.ROOT
        if kind == pg.ROOT and blob != pg.root_id(page):
            kind = pg.STRAY
        region.put(page, kind)
        if len(region.index) >= MAX_PAGES:
            region.skipped += 1
            continue
        region.insert(len(region.index), page, kind, (blob, sequence, following))
