"""An item's content to a sparse file, with a map of what no proof stands behind."""

from __future__ import annotations

import os
import tempfile
from collections import deque
from collections.abc import Callable, Iterator
from typing import IO

from msgspec import Struct, field

from inspector import __version__
from inspector.descriptors import pwrite_all
from inspector.errors import Exit, SourceError
from inspector.format import Extent
from inspector.output import place_file, preflight
from inspector.source import Source
from inspector.uniform import only_zeroes

COPY = 4 << 20
MODE = 0o600  # a volume holds other people's data, whatever the mode of the image was
Unknown = tuple[int, int, str]  # start and end in the output, why


class Extraction(Struct):
    """What was written. `proof` counts bytes of the output; `unknown` keeps the first and last ranges without one."""

    item: str
    output: str
    size: int = 0
    map: str = ""
    proof: dict[str, int] = field(default_factory=lambda: dict.fromkeys(("sealed", "derived", "placed", "none"), 0))
    unknown: list[Unknown] = field(default_factory=list)
    unknown_total: int = 0
    notes: list[str] = field(default_factory=list)
    after: tuple[str, ...] = ()  # how to use it
    code: Exit = Exit.CLEAN


def extract(
    source: Source,
    extents: Iterator[Extent],
    item: str,
    output: str,
    *,
    force: bool = False,
    keep: int = 100,
    progress: Callable[[int, int], None] | None = None,
) -> Extraction:
    """Write the extents of `item` to `output`; ranges without proof stay holes and are written to OUTPUT.map.

    Raises SourceError when the source ends inside an extent, and what `place_file` raises.
    """
    result = Extraction(item, output)
    # the map gets its name first: an output that has holes must never stand there without its map
    preflight(f"{output}.map", source, 0, force)
    with tempfile.TemporaryFile("w+") as spool, place_file(output, source, 0, force, mode=MODE) as place:
        chart = _Chart(keep, spool)
        for extent in extents:
            if extent.at < result.size:
                raise AssertionError(f"{item}: extents overlap at {extent.at}")
            if extent.at > result.size:
                chart.add(result.size, extent.at, "none", "no extent covers this range")
            _write(source, extent, place.fd)
            for start, end, proof, why in _unreadable(source, extent):
                chart.add(start, end, proof, why)
            result.size = extent.at + extent.length
            if progress:
                progress(result.size, 0)
        os.ftruncate(place.fd, result.size)
        result.proof, result.unknown_total = chart.proof, chart.total
        result.unknown = chart.kept()
        if chart.total:
            result.map = f"{output}.map"
            result.code = Exit.LOST
            _write_map(result.map, source, chart, force)
        result.notes = place.notes
    return result


def _write(source: Source, extent: Extent, fd: int) -> None:
    """Copy one extent; its zeroes (and the source's holes) stay holes of the output."""
    if extent.data is not None:
        if len(extent.data) != extent.length:
            raise AssertionError(f"an extent of {extent.length} bytes has {len(extent.data)} of data")
        pwrite_all(fd, extent.data, extent.at)
        return
    if extent.origin is None or extent.proof == "none":
        return
    origin = extent.origin
    if origin.length != extent.length:
        raise AssertionError(f"an extent of {extent.length} bytes has an origin of {origin.length}")
    for span in source.data_ranges(origin.member, origin.start):
        if span.start >= origin.end:
            break
        at, end = span.start, min(span.end, origin.end)
        while at < end:
            data = source.read(at, min(COPY, end - at), origin.member)
            if not data or source.shrunk:
                raise SourceError(f"{source.label}: {source.changed or 'ended early'}", "extract from a copy")
            if not only_zeroes(data):  # a device knows no holes; the output is to have them
                pwrite_all(fd, data, extent.at + at - origin.start)
            at += len(data)


def _unreadable(source: Source, extent: Extent) -> Iterator[tuple[int, int, str, str]]:
    """The extent's range of the output with its proof; what the medium did not deliver has none."""
    at, end = extent.at, extent.at + extent.length
    if extent.origin is not None and extent.data is None and extent.proof != "none":
        for span in source.unreadable.within(extent.origin):
            start, stop = (extent.at + one - extent.origin.start for one in (span.start, span.end))
            if start > at:
                yield at, start, extent.proof, extent.why
            yield start, stop, "none", "the medium could not deliver these bytes"
            at = stop
    if at < end:
        yield at, end, extent.proof, extent.why


class _Chart:
    """Runs of known and unknown bytes in order, neighbours joined; the runs go to a spool, however many they are."""

    def __init__(self, keep: int, spool: IO[str]) -> None:
        self.proof = dict.fromkeys(("sealed", "derived", "placed", "none"), 0)
        self.total = 0
        self._spool = spool
        self._run = (0, 0, True)
        self._half = max(1, keep // 2)
        self._first: list[Unknown] = []
        self._last: deque[Unknown] = deque(maxlen=self._half)

    def add(self, start: int, end: int, proof: str, why: str) -> None:
        self.proof[proof] += end - start
        known = proof != "none"
        if self._run[2] == known and self._run[1] == start:
            self._run = (self._run[0], end, known)
        else:
            self._close()
            self._run = (start, end, known)
        if not known:
            self._unknown(start, end, why)

    def lines(self) -> Iterator[str]:
        """A GNU ddrescue mapfile of the output: + rescued, - bad (GNU ddrescue manual, "Mapfile structure")."""
        self._close()
        yield f"# Mapfile. Created by inspector {__version__}\n"
        yield "# current_pos  current_status  current_pass\n"
        yield f"0x{self._run[1]:08X}     +               1\n"
        yield "#      pos        size  status\n"
        self._spool.seek(0)
        yield from self._spool

    def _close(self) -> None:
        start, end, known = self._run
        if end > start:
            self._spool.write(f"0x{start:08X}  0x{end - start:08X}  {'+' if known else '-'}\n")
            self._run = (end, end, known)

    def _unknown(self, start: int, end: int, why: str) -> None:
        kept = self._last or self._first
        if kept and kept[-1][1] == start and kept[-1][2] == why:
            kept[-1] = (kept[-1][0], end, why)
            return
        self.total += 1
        if len(self._first) < self._half:
            self._first.append((start, end, why))
        else:
            self._last.append((start, end, why))

    def kept(self) -> list[Unknown]:
        return [*self._first, *self._last]


def _write_map(path: str, source: Source, chart: _Chart, force: bool) -> None:
    with place_file(path, source, 0, force, mode=MODE) as place:
        at = 0
        for line in chart.lines():
            pwrite_all(place.fd, line.encode(), at)
            at += len(line)
