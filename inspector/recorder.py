"""A source that notes which bytes were asked for, and what walks vouched for in bytes that they only glanced at."""

from __future__ import annotations

import tempfile
from bisect import bisect_left
from collections.abc import Callable, Iterator
from typing import IO

from msgspec import Struct, field

from inspector.errors import OutputError
from inspector.source import Source, T
from inspector.span import Run, merged
from inspector.view import View

MANY = 1 << 15  # noted ranges of a member, from which on they are merged


class Noted(Struct):
    """What was noted of all members. Of each run that was vouched for: its end, and where its words lie in `told`."""

    reads: dict[str, list[Run]] = field(default_factory=dict)
    glanced: dict[str, list[Run]] = field(default_factory=dict)
    runs: dict[tuple[str, str], dict[int, tuple[int, int, int]]] = field(default_factory=dict)  # member, what -> start
    told: IO[bytes] = field(default_factory=tempfile.TemporaryFile)
    size: int = 0
    _crowds: dict[tuple[str, bool], int] = field(default_factory=dict)  # member, glances: how many are merged again

    def wanted(self, member: str) -> list[Run]:
        """What was read, and what was glanced at and nobody vouched for."""
        return merged((*self.reads.get(member, ()), *self._in_doubt(member)))

    def _in_doubt(self, member: str) -> Iterator[Run]:
        vouched = merged(
            (a, b) for (name, _), runs in self.runs.items() if name == member for a, (b, *_) in runs.items()
        )
        return without(merged(self.glanced.get(member, ())), vouched)

    def glance(self, member: str, start: int, end: int) -> None:
        """A glance at what is vouched for already is forgotten in time: a listing makes one for each record."""
        ranges = self.glanced.setdefault(member, [])
        _add(ranges, start, end)
        if len(ranges) > self._crowds.get((member, True), MANY):
            ranges[:] = self._in_doubt(member)
            self._crowds[member, True] = max(MANY, 2 * len(ranges))  # where nothing goes, it is seldom tried again

    def read(self, member: str, start: int, end: int) -> None:
        ranges = self.reads.setdefault(member, [])
        _add(ranges, start, end)
        if len(ranges) > self._crowds.get((member, False), MANY):
            ranges[:] = merged(ranges)
            self._crowds[member, False] = max(MANY, 2 * len(ranges))


class Recorder(View):
    """The source below, and what is asked of it."""

    sparing = True

    def __init__(
        self, below: Source, vouching: bool = True, wide: bool = False, noted: Noted | None = None, head: str = ""
    ) -> None:
        super().__init__(below)
        self._head, self._vouching = head, vouching
        self.wide = wide
        self._named = False  # whether anybody wanted to know what the source is called
        self._asks: list[tuple[Callable[[str], object], object]] = []  # of the name alone, with the answer
        self.enough = False  # whether all was noted, and no causes were looked for, that would read it again
        self.noted = noted or Noted()

    @property
    def name(self) -> str:
        self._named = True
        return super().name

    def told_by_name(self, ask: Callable[[str], T]) -> T:
        answer = ask(self.below.name)
        self._asks.append((ask, answer))
        return answer

    def told_otherwise(self, name: str) -> bool:
        """Whether anything that was asked may have another answer where the source is called so."""
        if name == self.below.name:
            return False
        return self._named or any(ask(name) != answer for ask, answer in self._asks)

    @property
    def whole(self) -> bool:
        """Whether all of a single file was read: nothing that is not noted can be asked for."""
        return [m.name for m in self.members] == [""] and self.noted.wanted("") == [(0, self.size)]

    @property
    def all_read(self) -> bool:
        """Whether every byte of every file was read."""
        reads = self.noted.reads
        return all(merged(reads.get(m.name, ())) == ([(0, m.size)] if m.size else []) for m in self.members)

    def inside(self, folder: str) -> Source:
        below = self.below.inside(folder)
        inner = Recorder(below, self._vouching, self.wide, self.noted, f"{self._head}{folder}/")
        inner.owns = True
        return inner

    def close(self) -> None:
        super().close()
        if not self._head:
            self.noted.told.close()

    def _pread(self, member: str, n: int, at: int) -> bytes:
        data = super()._pread(member, n, at)
        self.note(member, at, at + len(data))
        return data

    def hole_end(self, at: int, member: str = "") -> int:
        end = self.below.hole_end(at, member)
        self.note(member, at, end)  # whoever passes it has taken them for zeroes
        return end

    def glance(self, at: int, n: int, member: str = "") -> bytes:
        data = self.below.read(at, n, member)
        self.noted.glance(self._head + member, at, at + len(data))
        return data

    def vouch(self, what: str, start: int, end: int, told: Callable[[], bytes], member: str = "") -> None:
        noted = self.noted
        runs = noted.runs.setdefault((self._head + member, what), {})
        if self._vouching and (start not in runs or runs[start][0] != end):
            words = told()
            try:
                noted.told.write(words)
            except OSError as error:
                raise OutputError(f"{tempfile.gettempdir()}: {error.strerror or error}", "set TMPDIR") from error
            if start in runs and end < runs[start][0]:
                noted.glance(self._head + member, end, runs[start][0])  # nobody vouches for the rest any more
            runs[start] = (end, noted.size, len(words))
            noted.size += len(words)

    def note(self, member: str, start: int, end: int) -> None:
        """[start, end) is wanted, whoever vouches for it."""
        self.noted.read(self._head + member, start, end)


def _add(ranges: list[Run], start: int, end: int) -> None:
    if ranges and ranges[-1][0] <= start <= ranges[-1][1]:
        ranges[-1] = (ranges[-1][0], max(end, ranges[-1][1]))
    elif start < end:
        ranges.append((start, end))


def without(ranges: list[Run], taken: list[Run]) -> Iterator[Run]:
    """What of `ranges` is not in `taken`; both merged."""
    ends = [end for _, end in taken]
    for start, end in ranges:
        at = start
        for i in range(bisect_left(ends, start), len(taken)):
            low, high = taken[i]
            if low >= end:
                break
            if low > at:
                yield at, low
            at = max(at, high)
        if at < end:
            yield at, end
