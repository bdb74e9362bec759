"""The bytes of one store inside a source: the store may start behind a partition table."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct, field

from inspector.source import WINDOW, Source
from inspector.span import Span

PIECE = 4096


class Disk(Struct):
    """`base` is where the store starts in the source; all positions here count from it."""

    source: Source
    base: int = 0
    end: int | None = None  # of the source, where the partition ends before it does
    mended: dict[int, bytes] = field(default_factory=dict)  # corrected pages of PIECE bytes, by where they start

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
        span = Span(self.base + at, self.base + end)
        return any(bad.overlaps(span) for bad in self.source.unreadable)

    def span(self, at: int, end: int) -> Span:
        """The place in the source of [at, end), cut at the source's end."""
        top = self.source.size
        return Span(min(self.base + at, top), min(self.base + end, top))

    def source_span(self, at: int | None = None, end: int | None = None) -> Span:
        """[at, end) counted from the store's start, which may lie before it; the whole source without arguments."""
        low = 0 if at is None else self.base + at
        return Span(low, self.source.size if end is None else self.base + end)

    def data_ranges(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Parts of [start, end) that are not holes."""
        for found in self.source.data_ranges(start=self.base + start):
            if found.start >= self.base + end:
                return
            yield max(found.start - self.base, start), min(found.end - self.base, end)

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
