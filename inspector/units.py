"""Where the units of a store begin, and which of them are no healthy ones; begins go to a temporary file if many."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator

from inspector.format import UNIT, Stretch
from inspector.numbers import Numbers
from inspector.span import Run


class Units:
    """Where each unit begins; unit i is [starts[i], starts[i + 1])."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.starts = Numbers()
        self.fixed: set[int] = set()  # what is no healthy unit: version bytes, gaps, damage

    def through(self, bad: frozenset[int], stretches: Iterator[Stretch]) -> Iterator[Stretch]:
        for stretch in stretches:
            base = len(self.starts)
            self.starts.extend(stretch.starts)
            marks, roles = stretch.marks.tobytes(), stretch.roles.tobytes()
            if roles.count(UNIT) != len(stretch) or marks.count(0) != len(stretch):
                self.fixed.update(
                    base + i
                    for i, (role, mark) in enumerate(zip(roles, marks, strict=True))
                    if role != UNIT or mark in bad
                )
            yield stretch

    def at(self, offset: int) -> int:
        return max(0, bisect_right(self.starts, offset) - 1)

    def span(self, index: int) -> Run:
        return self.starts[index], self.starts[index + 1] if index + 1 < len(self.starts) else self.size

    def runs(self, chosen: Iterable[int]) -> list[Run]:
        found: list[Run] = []
        for index in sorted(chosen):
            start, end = self.span(index)
            if found and found[-1][1] == start:
                found[-1] = (found[-1][0], end)
            else:
                found.append((start, end))
        return found
