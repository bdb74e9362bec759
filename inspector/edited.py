"""A source as it would read after changes that may put bytes in or take bytes out; what is below stays as it is."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator

from msgspec import Struct
from msgspec.structs import replace

from inspector.format import Edit
from inspector.source import Source
from inspector.span import Span
from inspector.view import View


class Change(Struct, frozen=True):
    """`removed` bytes at `at` give way to `data`; an empty `data` takes them out, 0 removed puts bytes in."""

    at: int
    removed: int
    data: bytes

    @property
    def end(self) -> int:
        return self.at + self.removed


class Edited(View):
    """One member of a source with changes.

    `starts[i]` is where run i begins in what is read here; `froms[i]` its place below, or -1 where `datas[i]` stands.
    """

    def __init__(self, below: Source, member: str, changes: Iterable[Change]) -> None:
        self.changed_member = member
        self.changes = sorted(changes, key=lambda change: (change.at, change.removed))
        self.starts: list[int] = []
        self.froms: list[int] = []
        self.datas: list[bytes] = []
        size = self._lay_out(below.length(member))
        members = [replace(m, size=size) if m.name == member else m for m in below.members]
        super().__init__(below, members)
        self.path = None  # no other look at the file finds these bytes

    def _lay_out(self, size: int) -> int:
        at = out = 0
        for change in self.changes:
            if not at <= change.at <= change.end <= size:
                raise ValueError("changes overlap or pass the end")
            if change.at > at:
                out = self._run(out, at, b"", change.at - at)
            if change.data:
                out = self._run(out, -1, change.data, len(change.data))
            at = change.end
        return self._run(out, at, b"", size - at) if at < size else out

    def _run(self, out: int, origin: int, data: bytes, length: int) -> int:
        self.starts.append(out)
        self.froms.append(origin)
        self.datas.append(data)
        return out + length

    def runs(self, start: int, end: int) -> Iterator[tuple[int, int, int]]:
        """(run, start, end) of each run that touches [start, end), clipped to it."""
        i = max(0, bisect_right(self.starts, start) - 1)
        size = self.length(self.changed_member)
        while i < len(self.starts) and self.starts[i] < end:
            last = self.starts[i + 1] if i + 1 < len(self.starts) else size
            yield i, max(start, self.starts[i]), min(end, last)
            i += 1

    def below_at(self, at: int) -> int | None:
        """The place below of a byte that is as it was; None for one that was put in."""
        for i, start, _ in self.runs(at, at + 1):
            return None if self.froms[i] < 0 else self.froms[i] + start - self.starts[i]
        return None

    def touched(self) -> list[Span]:
        """Where the changes lie in what is read here; an empty span marks where bytes are gone."""
        spans, shift = [], 0
        for change in self.changes:
            at = change.at + shift
            spans.append(Span(at, at + len(change.data), self.changed_member))
            shift += len(change.data) - change.removed
        return spans

    def edits(self) -> Iterator[Edit]:
        """The changed member as steps of a writer, over the source below."""
        for i, start, end in self.runs(0, self.length(self.changed_member)):
            origin, out = self.froms[i], self.changed_member
            if origin < 0:
                yield Edit("added", data=self.datas[i], out=out, at=start)
            else:
                yield Edit("kept", Span(origin, origin + end - start, out), out=out, at=start)

    def _pread(self, member: str, n: int, at: int) -> bytes:
        if member != self.changed_member:
            return super()._pread(member, n, at)
        parts = []
        for i, start, end in self.runs(at, at + n):
            skip = start - self.starts[i]
            if self.froms[i] < 0:
                parts.append(self.datas[i][skip : skip + end - start])
            else:
                parts.append(self.below.read(self.froms[i] + skip, end - start, member))
        return b"".join(parts)

    def data_ranges(self, member: str = "", start: int = 0) -> Iterator[Span]:
        if member != self.changed_member:
            yield from self.below.data_ranges(member, start)
            return
        for i, low, high in self.runs(start, self.length(member)):
            if self.froms[i] < 0:
                yield Span(low, high, member)
                continue
            origin = self.froms[i] + low - self.starts[i]
            for span in self.below.data_ranges(member, origin):
                if span.start >= origin + high - low:
                    break
                yield Span(low + span.start - origin, min(high, low + span.end - origin), member)

    def inside(self, folder: str) -> Source:
        """Members below a folder; only a source without changes in it can be one of its own."""
        head = f"{folder}/"
        if not self.changed_member.startswith(head):
            return self.below.inside(folder)
        inner = Edited(self.below.inside(folder), self.changed_member[len(head) :], self.changes)
        inner.owns = True
        return inner
