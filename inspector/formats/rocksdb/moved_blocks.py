"""Blocks in the middle of a table that stand beside their places: bytes were put in before them and lost behind them.

The end of the table is where it was written, so that only a search tells: each damaged block is looked for close to
where the index names it, and those behind it as far from their places.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Final

from inspector.finding import Cause
from inspector.formats.rocksdb import block, kinds
from inspector.formats.rocksdb.coding import MalformedError
from inspector.formats.rocksdb.database import Database
from inspector.formats.rocksdb.displaced import is_block, separators
from inspector.formats.rocksdb.facts import Mark
from inspector.formats.rocksdb.footer import TRAILER, Handle
from inspector.formats.rocksdb.table import Table
from inspector.overlay import Piece
from inspector.span import Span

FARTHEST: Final = 4200  # bytes beside its place at which a block is looked for: a page, and a little
TRIED: Final = 6  # damaged blocks of one table that are looked for so far away: some 20 ms each
LARGEST: Final = 1 << 16  # of a block that is looked for
_NEWEST_TYPE: Final = b"\x07"  # of compression
_WHY: Final = "blocks stand {by} bytes {side} their places, and verify when put back"


def found(db: Database, member: str, marks: list[Mark]) -> list[Piece]:
    """What must stand in the place of damaged blocks of a table that has its index; `marks` is the damage of it."""
    table = db.table(member)
    bad = [m.span for m in marks if m.mark == kinds.CHECKSUM and m.kind == kinds.DATA]
    if len(bad) < 2 or table.carved or table.by or table.context.base is None:
        return []
    # checksums that know no place fit any block of this length: then the index must say that its keys belong here
    names = [] if table.context.placed else separators(table)
    if not names and not table.context.placed:
        return []
    pieces: list[Piece] = []
    tried, by = 0, 0
    # one that moved is damaged, and so is its neighbour: a lone one was hit itself
    within = {span.start for span in bad} & {span.end for span in bad}
    for span in sorted(bad, key=lambda span: span.start):
        i = bisect_left(table.offsets, span.start)
        if i >= table.data_blocks or table.data_handle(i).end != span.end:
            continue
        if not by or not _stands(table, i, by, names):
            if not {span.start, span.end} & within or tried >= TRIED or span.length > LARGEST:
                continue
            tried += 1
            by = _search(table, i, names)
        if by:
            why = _WHY.format(by=f"{abs(by):,}", side="behind" if by > 0 else "before")
            pieces.append(Piece(span.start, table.read(span.start + by, span.length), "sealed", why, 1, member))
    return [*_hit(table, bad, pieces, member), *pieces]


def _search(table: Table, i: int, names: list[bytes]) -> int:
    """How far from its place data block `i` verifies, the nearest first; 0 where it does nowhere."""
    handle = table.data_handle(i)
    low = max(0, handle.offset - FARTHEST)
    data = table.read(low, handle.end + FARTHEST - low)
    here = handle.offset - low
    for distance in range(1, FARTHEST + 1):
        for by in (distance, -distance):
            end = here + by + handle.size
            if here + by >= 0 and data[end : end + 1] <= _NEWEST_TYPE and _stands(table, i, by, names):
                return by
    return 0


def _stands(table: Table, i: int, by: int, names: list[bytes]) -> bool:
    """Whether data block `i` stands as far from its place, and holds what a block holds."""
    if not is_block(table, i, by, names):
        return False
    handle = table.data_handle(i)
    return _reads(table, handle, table.read(handle.offset + by, handle.size + TRAILER))


def _reads(table: Table, handle: Handle, raw: bytes) -> bool:
    loaded = table.judge(handle, raw)
    try:
        return loaded.ok and bool(block.entries(loaded.content))
    except MalformedError:
        return False


def _hit(table: Table, bad: list[Span], pieces: list[Piece], member: str) -> list[Piece]:
    """The block into which the bytes were put: it holds without them, as long as all that follows moved by."""
    if not pieces:
        return []
    first = min(pieces, key=lambda piece: piece.start)
    place = next((span for span in bad if span.end == first.start), None)
    by = _by_of(table, first)
    if place is None or not 0 < by <= FARTHEST or place.length > LARGEST:
        return []
    handle = Handle(place.start, place.length - TRAILER)
    raw = table.read(place.start, place.length + by)
    for at in range(place.length + 1):
        whole = raw[:at] + raw[at + by :]
        if table.judge(handle, whole, compressed=False).ok and _reads(table, handle, whole):
            why = f"{by:,} bytes were put in at {place.start + at}, and the block verifies without them"
            return [Piece(place.start, whole, "sealed", why, 1, member)]
    return []


def _by_of(table: Table, piece: Piece) -> int:
    """How far from its place the bytes of a piece stand, behind it."""
    around = table.read(piece.start, len(piece.data) + FARTHEST)  # no block holds itself once more
    return max(0, around.find(piece.data))


def undone(mark: Mark, pieces: list[Piece]) -> Cause | None:
    """What broke a block that a piece puts back."""
    span: Span = mark.span
    piece = next((p for p in pieces if p.start == span.start and p.end == span.end), None)
    return Cause("shifted", "certain", piece.why) if piece is not None else None
