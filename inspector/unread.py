"""The ranges of a source that could not be read: each byte once, found by place."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator

from inspector.span import Span


class Unread(list[Span]):
    """In the order in which they were met, neighbours joined; `within` gives those of one place in its order."""

    def __init__(self) -> None:
        super().__init__()
        self._told: tuple[int, int] = (0, 0)  # how many of this list a report has, and where the last one ended
        self._ends: dict[str, tuple[list[int], list[int]]] = {}  # starts and ends by member, apart and in order

    def note(self, span: Span) -> None:
        """Add what of a range is not known yet: a part of it may have failed in a shorter read."""
        at = span.start
        for known in (*self.within(span), Span(span.end, span.end, span.member)):
            if at < known.start:
                self._add(Span(at, known.start, span.member))
            at = max(at, known.end)

    def within(self, span: Span) -> Iterator[Span]:
        """The unread parts of a range, in order."""
        starts, ends = self._ends.get(span.member, ([], []))
        for i in range(bisect_right(ends, span.start), len(starts)):
            if starts[i] >= span.end:
                return
            yield Span(max(starts[i], span.start), min(ends[i], span.end), span.member)

    def told(self) -> None:
        """All of them are in a report; `news` gives those that came later."""
        self._told = (len(self), self[-1].end if self else 0)

    def news(self) -> list[Span]:
        count, end = self._told
        if not count or self[count - 1].end == end:
            return self[count:]
        last = self[count - 1]
        return [Span(end, last.end, last.member), *self[count:]]

    def joined(self) -> Iterator[Span]:
        """All of them by member and place, neighbours joined."""
        for member in sorted(self._ends):
            for start, end in zip(*self._ends[member], strict=True):
                yield Span(start, end, member)

    def _add(self, span: Span) -> None:
        starts, ends = self._ends.setdefault(span.member, ([], []))
        i = bisect_left(starts, span.start)
        if i and ends[i - 1] == span.start:
            ends[i - 1] = span.end
            if i < len(starts) and starts[i] == span.end:
                ends[i - 1] = ends.pop(i)
                del starts[i]
        elif i < len(starts) and starts[i] == span.end:
            starts[i] = span.start
        else:
            starts.insert(i, span.start)
            ends.insert(i, span.end)
        last = self[-1] if self else None
        if last is not None and last.member == span.member and last.end == span.start:
            self[-1] = Span(last.start, span.end, span.member)
        else:
            self.append(span)
