"""Parts of a source seen as a file of their own: joined, or at their places with holes between them."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence

from inspector.source import Member, Source, without_holes
from inspector.span import Run, Span
from inspector.unread import Unread
from inspector.view import HELD, View


class Spliced(View):
    """Runs of a source of one member, one after the other."""

    def __init__(self, below: Source, runs: Sequence[Run]) -> None:
        self._runs, self._at, size = runs, array("Q"), 0
        for start, end in runs:
            self._at.append(size)
            size += end - start
        super().__init__(below, [Member("", size)])
        self.kind = "file"
        self.unreadable = Unread()  # at other places below
        self._whole: bytes | None = None

    def below_at(self, at: int) -> int:
        """Where in the source below a byte lies."""
        index = max(0, bisect_right(self._at, at) - 1)
        return self._runs[index][0] + at - self._at[index]

    data_ranges = without_holes

    def _pread(self, member: str, n: int, at: int) -> bytes:
        if self._whole is None:
            if self.size > HELD:
                return self._join(n, at)
            self._whole = self._join(self.size, 0)
        return self._whole[at : at + n]

    def _join(self, n: int, at: int) -> bytes:
        parts = []
        index = bisect_right(self._at, at) - 1
        while n > 0 and index < len(self._runs):
            start, end = self._runs[index]
            low = start + at - self._at[index]
            data = self.below.read(low, min(n, end - low))
            parts.append(data)
            at, n, index = at + len(data), n - len(data), index + 1
        return b"".join(parts)


class Holed(Spliced):
    """Runs of a source at their places, with zeroes between them."""

    def __init__(self, below: Source, runs: Sequence[Run], size: int) -> None:
        super().__init__(below, runs)
        self.members = (Member("", size),)
        self._by_name = {"": self.members[0]}
        self._starts = array("Q", [start for start, _ in runs])

    def data_ranges(self, member: str = "", start: int = 0) -> Iterator[Span]:
        for low, high in self._runs:
            if high > start:
                yield Span(max(low, start), high)

    def _pread(self, member: str, n: int, at: int) -> bytes:
        out = bytearray(n)
        for low, high in self._runs[max(0, bisect_right(self._starts, at) - 1) :]:
            if low >= at + n:
                break
            start, end = max(low, at), min(high, at + n)
            if start < end:
                out[start - at : end - at] = self.below.read(start, end - start)
        return bytes(out)
