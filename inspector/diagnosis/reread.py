"""Reading damaged places again past the page cache: bytes that differ now were never wrong on the medium.

A flipped bit in memory (a page of the cache) and one on the medium look alike until the medium itself is asked.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

from inspector.errors import InspectorError
from inspector.source import Source
from inspector.span import Span
from inspector.uncached import Medium, uncached

LONGEST = 1 << 20  # bytes of one span that are read again
MOST = 64  # spans
Way = Literal["direct", "dropped from the cache", "not possible"]
WAYS: dict[Medium, Way] = {
    "O_DIRECT": "direct",
    "POSIX_FADV_DONTNEED": "dropped from the cache",
    "not possible": "not possible",
}


class Again(Struct, frozen=True):
    """One span read again: what came, by which way, and whether it is what was read before."""

    span: Span
    way: Way
    same: bool | None  # None where it could not be read past the cache
    why: str = ""
    data: bytes = b""


class Reread(Struct, frozen=True):
    """All of them: places where the medium gives other bytes now are damage that was only passing through."""

    way: Way
    places: int = 0
    differing: tuple[Span, ...] = ()
    why: str = ""

    @property
    def lasting(self) -> bool | None:
        """Whether the damage is on the medium; None where nobody could ask it."""
        return None if self.way == "not possible" or not self.places else not self.differing


def reread(source: Source, span: Span) -> Again:
    """Read a span past the page cache: O_DIRECT, else after the kernel was asked to drop its pages of it."""
    first = source.read(span.start, min(span.length, LONGEST), span.member)
    if any(source.unreadable.within(span)):
        return Again(span, "not possible", None, "a part of it cannot be read at all")
    try:
        data, way, why = uncached(source, span.start, len(first), span.member)
        if data not in (None, first) and not source.holds_still(span.member):  # what a writer did proves nothing
            return Again(span, "not possible", None, "it changed since it was read")
    except InspectorError as error:  # it went away since, or holds keys now
        return Again(span, "not possible", None, error.message)
    except OSError as error:
        return Again(span, "not possible", None, error.strerror or str(error))
    return Again(span, WAYS[way], None if data is None else data == first, why, data or b"")


def reread_all(source: Source, spans: Iterable[Span]) -> Reread:
    """The first few spans read again; one that is not possible ends it."""
    differing: list[Span] = []
    places, way, why = 0, "not possible", "nothing to read again"
    for span in list(spans)[:MOST]:
        found = reread(source, span)
        if found.same is None:
            return Reread("not possible", 0, (), found.why)
        places, way, why = places + 1, found.way, ""
        if not found.same:
            differing.append(span)
    return Reread(way, places, tuple(differing), why)  # type: ignore[arg-type]
