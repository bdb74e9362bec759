"""Files put together from parts of a source and bytes that are made, seen as a source of their own."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence

from inspector.source import Member, Source, without_holes
from inspector.span import Span
from inspector.unread import Unread
from inspector.view import HELD, View

Part = Span | bytes  # bytes of the source, or bytes that are made
Composition = Mapping[str, Sequence[Part]]  # the parts of each member, in order


def size_of(part: Part) -> int:
    return len(part) if isinstance(part, bytes) else part.length


def total(composition: Composition) -> int:
    """Bytes of all members."""
    return sum(size_of(part) for parts in composition.values() for part in parts)


class Composed(View):
    """Members made of parts."""

    def __init__(self, below: Source, composition: Composition) -> None:
        self._parts = {name: list(parts) for name, parts in composition.items()}
        self._starts: dict[str, array[int]] = {}
        members = []
        for name, parts in sorted(self._parts.items()):
            at, starts = 0, array("Q")
            for part in parts:
                starts.append(at)
                at += size_of(part)
            self._starts[name] = starts
            known = below.member(name)
            members.append(Member(name, at, known.mtime_ns if known else 0))
        super().__init__(below, members)
        self.unreadable = Unread()  # at other places below
        self._whole: dict[str, bytes] = {}

    def inside(self, folder: str) -> Source:
        head = f"{folder}/"
        found = {name[len(head) :]: parts for name, parts in self._parts.items() if name.startswith(head)}
        return _Inner(self.below, found, f"{self.label}/{folder}")

    def locked_by(self, member: str) -> int | None:
        return None

    data_ranges = without_holes

    def _pread(self, member: str, n: int, at: int) -> bytes:
        if len(self._parts[member]) == 1 or self.size > HELD:
            return self._join(member, n, at)
        if member not in self._whole:
            self._whole[member] = self._join(member, self.length(member), 0)
        return self._whole[member][at : at + n]

    def _join(self, member: str, n: int, at: int) -> bytes:
        parts, starts = self._parts[member], self._starts[member]
        out: list[bytes] = []
        index = bisect_right(starts, at) - 1
        while n > 0 and index < len(parts):
            part, low = parts[index], at - starts[index]
            if isinstance(part, bytes):
                data = part[low : low + n]
            else:
                data = self.below.read(part.start + low, min(n, part.length - low), part.member)
            out.append(data)
            at, n, index = at + len(data), n - len(data), index + 1
        return b"".join(out)


class _Inner(Composed):
    """A folder of a composed source; its parts still name members of the source below."""

    def __init__(self, below: Source, composition: Composition, label: str) -> None:
        super().__init__(below, composition)
        self.label = label


def chart(composition: Composition) -> Iterator[dict[str, int | str | None]]:
    """New offsets to old ones; made bytes have no old ones."""
    for name, parts in sorted(composition.items()):
        at = 0
        for part in parts:
            end = at + size_of(part)
            old = (None, None) if isinstance(part, bytes) else (part.start, part.end)
            yield {"file": name or None, "start": at, "end": end, "source_start": old[0], "source_end": old[1]}
            at = end
