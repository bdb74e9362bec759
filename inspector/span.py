"""A half-open range of bytes of one member of a source."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

Run = tuple[int, int]  # [start, end) of one member


class Span(Struct, frozen=True, order=True):
    """Bytes [start, end) of a member; a single file is the member named ""."""

    start: int
    end: int
    member: str = ""

    def __post_init__(self) -> None:
        if not 0 <= self.start <= self.end:
            raise ValueError(f"not a span: [{self.start}, {self.end})")

    @property
    def length(self) -> int:
        return self.end - self.start

    def overlaps(self, other: Span) -> bool:
        return self.member == other.member and self.start < other.end and other.start < self.end

    def __contains__(self, at: object) -> bool:
        return isinstance(at, int) and self.start <= at < self.end


def merged(runs: Iterable[Run]) -> list[Run]:
    """The same bytes in order, each once; runs that touch are one."""
    found: list[Run] = []
    for start, end in sorted(runs):
        if found and start <= found[-1][1]:
            found[-1] = found[-1][0], max(found[-1][1], end)
        else:
            found.append((start, end))
    return found
