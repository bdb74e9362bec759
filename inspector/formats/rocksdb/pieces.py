"""Tables that a file system kept in several extents: the blocks that its tail's index names tell where the others are.

An extent moves by whole file-system blocks, so one block of the missing part is tried at every such place: its type
byte first, then its checksum. What joins two extents is the block that their border cuts: its checksum holds only with
the right halves. All tables are looked for in one pass, one more for each further extent, so that the work
is linear in the bytes; more than MOST tables or ROUNDS extents are not looked for.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from inspector.account import Progress
from inspector.formats.rocksdb import checksums
from inspector.formats.rocksdb.carve import Read
from inspector.formats.rocksdb.extent import Piece
from inspector.formats.rocksdb.footer import TRAILER, Handle
from inspector.formats.rocksdb.opening import open_table
from inspector.formats.rocksdb.table import Table
from inspector.search import Area, Window, search
from inspector.source import Source
from inspector.windowed import Windowed

STEP: Final = 4096  # bytes of a block of the file system
MOST: Final = 64  # tables that are looked for
ROUNDS: Final = 8
MOST_BLOCKS: Final = 50_000  # of one table
LARGEST: Final = 1 << 20  # bytes of a block that is tried
NEAREST: Final = 4  # copies of a block whose neighbours are looked at
_KINDS: Final = re.compile(rb"[\x00-\x07]")  # compression types


class Split(Struct):
    """A table whose head does not lie before its tail; the first `lead` blocks of it are not found yet."""

    source: Source
    size: int
    end: int
    table: Table
    rest: list[Handle]  # blocks behind the data blocks
    lead: int
    pieces: list[Piece]

    def read(self, at: int, n: int) -> bytes:
        """Bytes of the file as its pieces tell."""
        out = bytearray()
        for piece in self.pieces:
            if piece.low <= at < piece.high and n > 0:
                part = self.source.read(at + piece.shift, min(n, piece.high - at))
                out += part
                at, n = at + len(part), n - len(part)
        return bytes(out)

    def block(self, i: int) -> Handle:
        beyond = i - self.table.data_blocks
        return self.table.data_handle(i) if beyond < 0 else self.rest[beyond]

    def holds(self, handle: Handle, raw: bytes) -> bool:
        return self.table.judge(handle, raw, compressed=False).ok

    def probe(self) -> int:
        """The block to look for: the last one that no border cuts; -1 where there is none."""
        return self.lead - 2 if self.lead >= 2 and self.block(self.lead - 2).size <= LARGEST else -1

    def extend(self, shift: int) -> bool:
        """Takes in what verifies at this place, if the block that both extents share proves that they are one table's.

        Tables of one layout have blocks of the same sizes at the same offsets: what verifies may be another's.
        """
        border = self._border(shift, self.block(self.lead - 1))
        if not border:
            return False
        first = self.lead - 2
        while first and self._lies(first - 1, shift):
            first -= 1
        after = self.pieces[0]
        self.pieces[:1] = [Piece(0, border, shift), Piece(border, after.high, after.shift)]
        self.lead = first
        return True

    def _at(self, shift: int, low: int, high: int) -> bytes:
        return self.source.read(low + shift, high - low) if low + shift >= 0 else b""

    def _lies(self, i: int, shift: int) -> bool:
        handle = self.block(i)
        return self.holds(handle, self._at(shift, handle.offset, handle.end))

    def _border(self, shift: int, handle: Handle) -> int:
        """Where the block that two extents share is cut; 0 where it verifies in no two parts, or in one."""
        after = self.pieces[0].shift
        for border in range(handle.offset - handle.offset % STEP + STEP, handle.end, STEP):
            raw = self._at(shift, handle.offset, border) + self._at(after, border, handle.end)
            if self.holds(handle, raw):
                return border
        return 0


def split(source: Source, read: Read, start: int, end: int) -> Split | None:
    """A table that ends at `end` and whose first blocks do not verify before it; None where nothing can be done.

    `start` is where its offset 0 would lie, perhaps before the source; `read` takes places of the source.
    """
    size = end - start
    table = open_table(Windowed(lambda at, n: _shifted(read, start, at, min(n, size - at))), size, search=False)
    if not table.whole_index or not 0 < table.data_blocks <= MOST_BLOCKS or table.context.checksum == checksums.NONE:
        return None
    rest = sorted((handle for _, handle in table.tail), key=lambda handle: handle.offset)
    one = Split(source, size, end, table, rest, 0, [Piece(0, size, start)])
    bad = [i for i in range(table.data_blocks + len(rest)) if not table.load(one.block(i), compressed=False).ok]
    if not bad:
        return None
    first = next((k for k, i in enumerate(bad) if k != i), len(bad))
    one.lead = first or bad[-1] + 1  # another table's head may lie before the tail: then it is what is bad up to there
    return one if one.lead < table.data_blocks + len(rest) else None


def _shifted(read: Read, start: int, at: int, n: int) -> bytes:
    return read(start + at, n) if start + at >= 0 else b""


class _Probe(Struct, frozen=True):
    """A block of one of the tables, and the places where it was found."""

    split: Split
    handle: Handle

    def look(self, window: Window) -> list[int]:
        """The shift of each place in the window where the block verifies."""
        want = (self.split.pieces[0].shift + self.handle.offset) % STEP
        first, size = (want - window.start) % STEP, self.handle.size
        last = window.stop - window.start
        found = []
        for match in _KINDS.finditer(window.data[first + size : last + size : STEP]):
            at = first + match.start() * STEP
            if self.split.holds(self.handle, window.data[at : at + size + TRAILER]):
                found.append(window.start + at - self.handle.offset)
        return found


def gathered(area: Area, splits: Sequence[Split], progress: Progress | None) -> list[Split]:
    """Those tables of which every block was found."""
    left = list(splits[:MOST])
    for _ in range(ROUNDS):
        left = [one for one in left if not one.lead or one.probe() >= 0]
        probes = [_Probe(one, one.block(one.probe())) for one in left if one.lead]
        if not probes:
            break
        near = _located(area, probes, progress)
        for probe, shifts in zip(probes, near, strict=True):
            if not any(probe.split.extend(shift) for shift in shifts):
                left.remove(probe.split)
    return [one for one in left if not one.lead]


def tries(size: int) -> float:
    """How many random blocks of `size` bytes are checksummed for one table, at most: one in 32 has a type."""
    return ROUNDS * size / STEP / 32


def _located(area: Area, probes: list[_Probe], progress: Progress | None) -> list[list[int]]:
    """For each block the places where it verifies that are nearest to its table's tail."""

    def look(window: Window) -> list[list[int]]:
        return [probe.look(window) for probe in probes]

    near: list[list[int]] = [[] for _ in probes]
    overlap = max(probe.handle.size for probe in probes) + TRAILER
    for _, found in search(area, look, overlap, progress):
        for i, shifts in enumerate(found):
            if shifts:
                here = probes[i].split.pieces[0].shift
                near[i] = sorted({*near[i], *shifts}, key=lambda shift, here=here: abs(shift - here))[:NEAREST]  # type: ignore[misc]
    return near
