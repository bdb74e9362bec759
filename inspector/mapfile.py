"""GNU ddrescue mapfiles: which bytes of an image were really read from the medium (manual, "Mapfile structure").

Only `+` (finished) is known. All else, and what the map does not speak of, is unknown: it reads as zeroes here, is
listed as unreadable, and is never searched or counted as empty.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from inspector import __version__
from inspector.errors import UsageError
from inspector.source import Source
from inspector.span import Span
from inspector.view import View

MAX_MAP = 512 << 20  # bytes of a mapfile
STATES = frozenset("?*/-+")
CURRENT = frozenset("?*/-FG+")  # what ddrescue is doing
FEW: Final = 16  # gaps in one read that are blanked one by one; more, and the whole read at once
BLOCK: Final = 64 << 10  # bytes of which it is worked out once where the gaps are, and how many such are held
BLOCKS: Final = 64


class Rescued(View):
    """A source of one member of which only some ranges are known; the source below is closed with it."""

    unread_because = "the mapfile does not list these bytes as read, or reading them failed again"

    def __init__(self, below: Source, starts: array[int], ends: array[int]) -> None:
        super().__init__(below)
        self.owns = True
        self._starts, self._ends = starts, ends
        self._noted = bytearray(len(starts) + 1)  # never-read ranges that are in `unreadable`, by the one behind them
        self._known_bytes = lru_cache(BLOCKS)(self._mask)
        self.unknown = below.size - sum(span.length for span in self._known(0, below.size))

    def read(self, at: int, n: int, member: str = "") -> bytes:
        data = self.below.read(at, n, member)
        self.shrunk, self.changed = self.below.shrunk, self.below.changed
        numbers = self._numbers(at, at + len(data))
        fresh = self._noted.find(0, numbers.start, numbers.stop)
        while fresh >= 0:
            self._noted[fresh] = 1
            if gap := self._gap(fresh):
                self.unreadable.note(gap)
            fresh = self._noted.find(0, fresh, numbers.stop)
        return self._blanked(data, at, numbers)

    def _blanked(self, data: bytes, at: int, numbers: range) -> bytes:
        """These bytes from `at` on with zeroes in the gaps of these numbers."""
        if len(numbers) > FEW:
            end, parts = at + len(data), []
            for start in range(at - at % BLOCK, end, BLOCK):
                parts.append(self._known_bytes(start)[max(0, at - start) : end - start])
            known = int.from_bytes(b"".join(parts), "little")
            return (int.from_bytes(data, "little") & known).to_bytes(len(data), "little")
        out: bytearray | None = None
        for gap in filter(None, map(self._gap, numbers)):
            out = out if out is not None else bytearray(data)
            low, high = max(gap.start, at), min(gap.end, at + len(data))
            out[low - at : high - at] = bytes(high - low)
        return data if out is None else bytes(out)

    def _mask(self, start: int) -> bytes:
        """FF for each known byte of the block at `start`, 00 for the others."""
        out = bytearray(BLOCK)
        for span in self._known(start, start + BLOCK):
            out[span.start - start : span.end - start] = b"\xff" * span.length
        return bytes(out)

    @property
    def failed(self) -> int:
        """Bytes that could not be read now, those apart that never were."""
        noted = sum(gap.length for i, gap in self._gaps(0, self.size) if self._noted[i])
        return sum(span.length for span in self.unreadable) - noted

    def data_ranges(self, member: str = "", start: int = 0) -> Iterator[Span]:
        for span in self.below.data_ranges(member, start):
            yield from self._known(span.start, span.end)

    def _gaps(self, start: int, end: int) -> Iterator[tuple[int, Span]]:
        """Never-read ranges that touch [start, end), whole, each with the number of the known range behind it."""
        for i in self._numbers(start, end):
            if gap := self._gap(i):
                yield i, gap

    def _numbers(self, start: int, end: int) -> range:
        """The numbers of the gaps that touch [start, end): of each, how many known ranges are before it."""
        return range(bisect_right(self._starts, start), bisect_left(self._ends, end) + 1) if start < end else range(0)

    def _gap(self, i: int) -> Span | None:
        """The gap between two known ranges, or before the first or behind the last; None where there is none."""
        low = self._ends[i - 1] if i else 0
        high = min(self._starts[i] if i < len(self._starts) else self.below.size, self.below.size)
        return Span(low, high) if low < high else None

    def _known(self, start: int, end: int) -> Iterator[Span]:
        i = bisect_right(self._ends, start)
        while i < len(self._starts) and self._starts[i] < end:
            yield Span(max(start, self._starts[i]), min(end, self._ends[i]))
            i += 1


def unknown_ranges(source: Source, start: int, end: int) -> Iterator[Span]:
    """What no mapfile vouches for; nothing where there is no mapfile."""
    if isinstance(source, Rescued):
        for _, gap in source._gaps(start, end):
            yield Span(max(gap.start, start), min(gap.end, end))


def rescued(source: Source, path: str) -> Source:
    """`source` as the mapfile at `path` says that it was read."""
    from inspector.source import open_source

    if source.kind == "folder":
        raise UsageError(f"{source.label}: a folder", "--mapfile belongs to one image")
    with open_source(path) as file:
        if file.kind == "folder" or file.size > MAX_MAP:
            raise UsageError(f"{path}: not a ddrescue mapfile of at most {MAX_MAP >> 20} MiB")
        text = file.read(0, file.size)
    return Rescued(source, *parse(text, path))


def parse(text: bytes, label: str) -> tuple[array[int], array[int]]:
    """Starts and ends of the ranges that were read, joined, in order; raises UsageError for what is no mapfile."""
    starts, ends = array("Q"), array("Q")
    at, seen = 0, False
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith(b"#"):
            continue
        if not seen:  # the status line: where ddrescue is, what it does, which pass
            seen = True
            if len(words) not in (2, 3) or words[1].decode("latin-1") not in CURRENT:
                raise UsageError(f"{label}: line {number} is not the status line of a ddrescue mapfile")
            continue
        start, size, state = _block(words, f"{label}: line {number}")
        if start < at:
            raise UsageError(f"{label}: line {number} begins before {at}, where the last one ends")
        at = start + size
        if state == "+" and size:
            if ends and ends[-1] == start:
                ends[-1] = at
            else:
                starts.append(start)
                ends.append(at)
    if not seen:
        raise UsageError(f"{label}: no status line: not a ddrescue mapfile")
    return starts, ends


def _block(words: list[bytes], where: str) -> tuple[int, int, str]:
    try:
        start, size = int(words[0], 0), int(words[1], 0)
        state = words[2].decode("latin-1")
    except (ValueError, IndexError):
        raise UsageError(f"{where} is not: position, size, status") from None
    if len(words) != 3 or state not in STATES or not 0 <= start < 1 << 63 or not 0 <= size < 1 << 63:
        raise UsageError(f"{where} is not: position, size, status")
    return start, size, state


def lines(ranges: Iterator[tuple[int, int, str]]) -> Iterator[str]:
    """A mapfile of these (start, end, status) in order; neighbours of one status are joined."""
    yield f"# Mapfile. Created by inspector {__version__}\n"
    yield "# current_pos  current_status  current_pass\n"
    yield "0x00000000     +               1\n"
    yield "#      pos        size  status\n"
    begin, last, state = 0, 0, ""
    for start, end, now in ranges:
        if now != state or start != last:
            if last > begin:
                yield f"0x{begin:08X}  0x{last - begin:08X}  {state}\n"
            begin, state = start, now
        last = end
    if last > begin:
        yield f"0x{begin:08X}  0x{last - begin:08X}  {state}\n"
