"""Where a store is damaged, kept for what undoes damage."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator

from msgspec import Struct, field

from inspector.format import Stretch
from inspector.formats.gossip_store.walk import BAD_CHECKSUM, BAD_LENGTH, LOST
from inspector.span import Span

LOOKED_AT = 1 << 17  # damaged records of one repair: minutes of work, and 60 MiB of corrections
_PATCHED = frozenset({BAD_CHECKSUM, BAD_LENGTH})


class Hurt(Struct):
    """Damaged records and stretches in the order of the file, as the scan met them; the count is of all."""

    places: array[int] = field(default_factory=lambda: array("Q"))  # mark, start, end of the first `LOOKED_AT`
    count: int = 0

    def add(self, mark: int, stretch: Stretch, i: int) -> None:
        """Tile `i` of a stretch."""
        if mark not in _PATCHED and mark != LOST:
            return
        self.count += 1
        if self.count <= LOOKED_AT:
            end = stretch.starts[i + 1] if i + 1 < len(stretch.starts) else stretch.end
            self.places.extend((mark, stretch.starts[i], end))

    @property
    def first(self) -> int | None:
        """Where the first of them starts, in bytes."""
        return self.places[1] if self.count else None

    def at(self, start: int) -> tuple[int, Span] | None:
        """The damage that begins at `start`, its mark first."""
        flat = self.places
        i = bisect_left(range(0, len(flat), 3), start, key=lambda i: flat[i + 1])
        found = flat[3 * i : 3 * i + 3]
        return (found[0], Span(found[1], found[2])) if found and found[1] == start else None

    def __iter__(self) -> Iterator[tuple[int, Span]]:
        flat = self.places
        for i in range(0, len(flat), 3):
            yield flat[i], Span(flat[i + 1], flat[i + 2])
