"""Reading damaged places again past the page cache: bytes that differ now were never wrong on the medium.

A flipped bit in memory (a page of the cache) and one on the medium look alike until the medium itself is asked.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

from inspector.descriptors import pread_all
from inspector.source import Source
from inspector.span import Span

BLOCK = 4096
LONGEST = 1 << 20  # bytes of one span that are read again
MOST = 64  # spans
Way = Literal["direct", "dropped from the cache", "not possible"]


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
    if type(source) is not Source:  # a capsule, a patched or pieced view: the file at its path has other bytes
        return Again(span, "not possible", None, "the source is not a file by itself: it has no medium of its own")
    if source.kind not in ("file", "folder", "device") or source.path is None:
        return Again(span, "not possible", None, f"the source is {source.kind}: it has no medium of its own")
    path = source.path / span.member if span.member else source.path
    low = span.start - span.start % BLOCK
    high = span.start + len(first)
    problem = ""
    for way, flag in (("direct", getattr(os, "O_DIRECT", 0)), ("dropped from the cache", 0)):
        if way == "direct" and not flag:
            continue
        try:
            data = _direct(path, flag, low, high) if flag else _dropped(path, low, high)
        except OSError as error:
            problem = error.strerror or str(error)
            continue
        if data is None:
            problem = "the kernel kept its pages"
            continue
        found = data[span.start - low : high - low]
        return Again(span, way, found == first, "", found)  # type: ignore[arg-type]
    return Again(span, "not possible", None, problem or "this system has neither way")


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


def _direct(path: os.PathLike[str], flag: int, low: int, high: int) -> bytes:
    """Whole blocks around [low, high) into aligned memory, as O_DIRECT asks for."""
    length = -(-(high - low) // BLOCK) * BLOCK
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | flag)
    try:
        out = bytearray()
        # anonymous memory is aligned to pages; the view must be gone before the memory is
        with mmap.mmap(-1, max(length, BLOCK)) as room, memoryview(room) as view:
            while len(out) < high - low:
                got = os.preadv(fd, [view], low + len(out))
                out += room[:got]
                if not got or got % BLOCK:
                    break  # the end of the file
        return bytes(out[: high - low])
    finally:
        os.close(fd)


def _dropped(path: os.PathLike[str], low: int, high: int) -> bytes | None:
    """Read after POSIX_FADV_DONTNEED; None where the kernel kept its pages, or cannot be asked whether it did."""
    if not hasattr(os, "posix_fadvise") or not hasattr(os, "RWF_NOWAIT"):
        return None
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.posix_fadvise(fd, low, high - low, os.POSIX_FADV_DONTNEED)
        try:
            os.preadv(fd, [bytearray(1)], low, os.RWF_NOWAIT)
        except BlockingIOError:  # nothing cached: the next read asks the medium
            return pread_all(fd, high - low, low)
        return None
    finally:
        os.close(fd)
