"""Parts of a source seen as a file of their own: joined, or at their places with holes between them."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import islice, takewhile

from inspector.holes import zeroes
from inspector.source import Member, Source
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

    def data_ranges(self, member: str = "", start: int = 0) -> Iterator[Span]:
        """What is no hole below, moved to where the runs lie here; neighbours are joined."""
        last: Span | None = None
        for at, (begin, end) in islice(zip(self._at, self._runs, strict=True), self._from(start), None):
            move = at - begin
            for span in takewhile(lambda one, end=end: one.start < end, self.below.data_ranges("", begin)):  # type: ignore[misc]
                low, high = max(span.start + move, start), min(span.end, end) + move
                if last is not None and last.end == low:
                    last = Span(last.start, high, member)
                elif low < high:
                    if last is not None:
                        yield last
                    last = Span(low, high, member)
        if last is not None:
            yield last

    def _from(self, at: int) -> int:
        """The run that holds a byte."""
        return max(0, bisect_right(self._at, at) - 1)

    def _pread(self, member: str, n: int, at: int) -> bytes:
        if self._whole is None:
            if self.size > HELD:
                return self._join(n, at)
            self._whole = self._join(self.size, 0)
        return self._whole[at : at + n]

    def hole_end(self, at: int, member: str = "") -> int:
        """To the end of a hole below, or of the run where the hole goes on."""
        index = bisect_right(self._at, at) - 1
        if not 0 <= at < self.size or index < 0:
            return at
        start, end = self._runs[index]
        low = start + at - self._at[index]
        return at + max(0, min(self.below.hole_end(low), end) - low)

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

    def hole_end(self, at: int, member: str = "") -> int:
        """To the next run, and in one to the end of a hole below."""
        if not 0 <= at < self.size:
            return at
        index = bisect_right(self._starts, at) - 1
        if index >= 0 and at < (end := self._runs[index][1]):
            return max(at, min(self.below.hole_end(at), end))
        return self._starts[index + 1] if index + 1 < len(self._starts) else self.size

    def _pread(self, member: str, n: int, at: int) -> bytes:
        if self.hole_end(at) >= at + n:
            return zeroes(n)
        out = bytearray(n)
        first = max(0, bisect_right(self._starts, at) - 1)
        for low, high in islice(self._runs, first, None):
            if low >= at + n:
                break
            start, end = max(low, at), min(high, at + n)
            if start < end:
                out[start - at : end - at] = self.below.read(start, end - start)
        return bytes(out)
