"""The finds of a carving run as files: JSON lines for programs, a ddrescue mapfile for its viewers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from inspector import mapfile
from inspector.carve import Carved
from inspector.descriptors import pwrite_all
from inspector.output import place_file
from inspector.render.carve_documents import found
from inspector.render.encoding import encode
from inspector.source import Source

CHUNK = 1 << 20


def found_lines(carved: Carved) -> Iterator[bytes]:
    """One object per find, in the order of the source."""
    for one in carved.haul.spans():
        yield encode(found(one), pretty=False) + b"\n"


def map_lines(carved: Carved) -> Iterator[bytes]:
    """The whole source once: found, searched without a find, unreadable."""
    yield from (line.encode() for line in mapfile.lines(_ranges(carved)))


def _ranges(carved: Carved) -> Iterator[tuple[int, int, str]]:
    at = 0
    bad = sorted((span.start, span.end) for span in carved.source.unreadable)
    for one in carved.haul.spans():
        if one.end <= at:
            continue
        yield from _without(at, one.start, bad)
        yield max(at, one.start), one.end, "+"
        at = one.end
    yield from _without(at, carved.source.size, bad)


def _without(start: int, end: int, bad: list[tuple[int, int]]) -> Iterator[tuple[int, int, str]]:
    """Bytes without a find; `bad` is used up as it is passed."""
    while bad and bad[0][0] < end:
        low, high = max(start, bad[0][0]), min(end, bad[0][1])
        if low > start:
            yield start, low, "?"
        if high > low:
            yield low, high, "-"
        start = max(start, high)
        if bad[0][1] > end:
            break
        del bad[0]
    if start < end:
        yield start, end, "?"


def write_lines(path: str, source: Source, lines: Iterable[bytes], force: bool) -> None:
    """Whole or not at all, and only for its owner: offsets tell where data of others lies."""
    with place_file(path, source, 0, force, mode=0o600) as place:
        held, at = bytearray(), 0
        for line in lines:
            held += line
            if len(held) >= CHUNK:
                pwrite_all(place.fd, held, at)
                at += len(held)
                held.clear()
        pwrite_all(place.fd, held, at)
