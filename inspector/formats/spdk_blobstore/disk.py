"""The bytes of one store inside a source: it may start behind a partition table, and bytes may be put in or lost."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct, field

from inspector.holes import WINDOW
from inspector.source import Source
from inspector.span import Span

PIECE = 4096
ID_TOP = b"\1\0\0\0"  # of a blob's id, above the page of its root


class Moved(Struct, frozen=True):
    """What stands from position `at` of the store on lies `by` bytes further on; if less than 0, those are lost."""

    at: int
    by: int
    because: str
    fill: bytes = b""  # what is known of lost bytes, else they read as zeroes

    @property
    def lost(self) -> int:
        return max(0, -self.by)


class Disk(Struct):
    """`base` is where the store starts in the source; all positions here count from it.

    With `moved` the source is one in which that is undone: spans tell places as they are without.
    """

    source: Source
    base: int = 0
    end: int | None = None  # of the source, where the partition ends before it does
    mended: dict[int, bytes] = field(default_factory=dict)  # corrected pages of PIECE bytes, by where they start
    moved: Moved | None = None

    @property
    def size(self) -> int:
        end = self.source.size if self.end is None else min(self.end, self.source.size)
        return max(0, end - self.base)

    def read(self, at: int, n: int) -> bytes:
        """Up to `n` bytes; shorter only at the store's end. Unreadable bytes are zero, see `lost`."""
        data = self.source.read(self.base + at, min(n, self.size - at)) if 0 <= at < self.size else b""
        if not self.mended or not data:
            return data
        whole = bytearray(data)
        for start in range(at - at % PIECE, at + len(data), PIECE):
            piece = self.mended.get(start)
            if piece is not None:
                low, high = max(start, at), min(start + len(piece), at + len(data))
                whole[low - at : high - at] = piece[low - start : high - start]
        return bytes(whole)

    def raw(self, at: int, n: int) -> bytes:
        """The bytes as they lie on the medium, without corrections."""
        return self.source.read(self.base + at, min(n, self.size - at)) if 0 <= at < self.size else b""

    def lost(self, at: int, end: int) -> bool:
        """Some of these bytes, read before, could not be delivered by the medium."""
        span = Span(self._place(at), max(self._place(at), self._end(end)))
        return any(bad.overlaps(span) for bad in self.source.unreadable)

    def span(self, at: int, end: int) -> Span:
        """The place in the source of [at, end), cut at the source's end; what was put in inside it belongs to it."""
        top = self.source.size if self.moved is None else self.source.size + self.moved.by
        low = min(self._place(at), top)
        return Span(low, max(low, min(self._end(end), top)))

    def source_span(self, low: int, high: int) -> Span:
        """[low, high) in `source`, in which what moved is back in its place; `low` may lie before the store."""
        return Span(self.base + low, self.base + high)

    def _place(self, at: int) -> int:
        moved = self.moved
        return self.base + (at if moved is None or at < moved.at else max(moved.at, at + moved.by))

    def _end(self, end: int) -> int:
        moved = self.moved
        return self.base + (end if moved is None or end <= moved.at else max(moved.at, end + moved.by))

    def position(self, at: int) -> int | None:
        """Where a byte of the source stands, counted from the store's start; None for one that was put in."""
        at -= self.base
        moved = self.moved
        if moved is None or at < moved.at:
            return at
        return None if at < moved.at + moved.by else at - moved.by

    def parts(self, at: int, data: bytes) -> Iterator[tuple[int, bytes]]:
        """These bytes of the store as runs of the source: (place, bytes)."""
        moved = self.moved
        cut = len(data) if moved is None else min(max(0, moved.at - at), len(data))
        if cut:
            yield self.base + at, data[:cut]
        if moved is not None and cut < len(data):
            skip = max(cut, min(len(data), moved.at + moved.lost - at))
            if skip < len(data):
                yield self._place(at + skip), data[skip:]

    def data_ranges(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Parts of [start, end) that are not holes."""
        for found in self.source.data_ranges(start=self.base + start):
            if found.start >= self.base + end:
                return
            yield max(found.start - self.base, start), min(found.end - self.base, end)

    def named(self, limit: int) -> Iterator[tuple[int, bytes]]:
        """Whole pages of 4096 bytes, by multiples of that and up to `limit`, that begin with the id of a blob."""
        for low, _, data in self.windows(0, min(limit, self.size), PIECE):
            if data is None or data.count(0) == len(data):
                continue
            for at in range(0, len(data), PIECE):
                piece = data[at : at + PIECE]
                if piece[4:8] == ID_TOP and len(piece) == PIECE:
                    yield low + at, piece

    def windows(self, start: int, end: int, unit: int) -> Iterator[tuple[int, int, bytes | None]]:
        """[start, end) in windows whose borders are multiples of `unit` from `start`; None for a hole."""
        at = start
        step = max(unit, WINDOW - WINDOW % unit)
        for low, high in self.data_ranges(start, end):
            low = start + (low - start) // unit * unit
            if high <= at:
                continue
            if low > at:
                yield at, low, None
                at = low
            while at < high:
                stop = min(at + step, end, start + -(-(high - start) // unit) * unit)
                yield at, stop, self.read(at, stop - at)
                at = stop
        if at < end:
            yield at, end, None
