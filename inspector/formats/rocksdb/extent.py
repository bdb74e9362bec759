"""Where a table lies whose footer was found among other bytes: the footer's handles lead back to its offset 0.

The blocks of a table's tail lie back to back, so the place of one of them in the file and in the source tells where
the file begins. The metaindex must then verify; from version 6 on its checksum also proves the offset.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from typing import Final

from msgspec import Struct

from inspector.formats.rocksdb import block, footer
from inspector.formats.rocksdb.coding import MalformedError
from inspector.formats.rocksdb.footer import LEGACY_SIZE, SIZE, TRAILER
from inspector.formats.rocksdb.opening import open_table, proves
from inspector.formats.rocksdb.table import Table
from inspector.windowed import Windowed

Read = Callable[[int, int], bytes]  # offset in the source, count
Spend = Callable[[int], bool]  # bytes of work; False when there has been too much
MAGICS: Final = (footer.MAGIC.to_bytes(8, "little"), footer.LEGACY_MAGIC.to_bytes(8, "little"))
MAX_META: Final = 4 << 20  # bytes of a metaindex that is looked at; real ones have a few hundred
_FAR: Final = 1 << 62  # stands for the unknown size of the file


class Piece(Struct, frozen=True):
    """Bytes [low, high) of a table lie at [low + shift, high + shift) of the source."""

    low: int
    high: int
    shift: int


class TableAt(Struct, frozen=True):
    """A table [start, end) of the source. `blocks` were verified, `bad` were not; `why` when it is not whole."""

    start: int
    end: int
    blocks: int
    bad: int
    why: str
    number: int  # of the file, as its writer noted; 0 where it did not
    database: str  # identity of the database that wrote it; "" where it did not say
    digest: bytes = b""
    pieces: tuple[Piece, ...] = ()  # where it lies in several; [start, end) is the last of them

    @property
    def size(self) -> int:
        return self.pieces[-1].high if self.pieces else self.end - self.start

    @property
    def whole(self) -> bool:
        return not self.why


def extent(read: Read, end: int, spend: Spend) -> tuple[int, int] | None:
    """(start, end) of the table whose footer ends at `end`; start < 0 where its head is missing. None: no table."""
    tail = read(max(0, end - SIZE), min(SIZE, end))
    try:
        found = footer.decode(tail, _FAR)
        size = LEGACY_SIZE if found.legacy else SIZE
        if found.version >= 6:
            before = _before_metaindex(read, end - SIZE, found.metaindex.size, spend)
            begins = before + found.metaindex.size + TRAILER
        else:
            assert found.index is not None
            begins = max(found.metaindex.end, found.index.end)
    except MalformedError:
        return None
    start = end - size - begins
    meta = found.metaindex.size
    if begins >= 1 << 48 or meta > MAX_META or not spend(meta + 64):
        return None
    if start < 0:  # the blocks of the tail are there all the same, and prove that it was a table
        shifted = Table(lambda at, n: read(at + start, n) if at + start >= 0 else b"", end - start)
    else:
        shifted = Table(lambda at, n: read(at + start, n), end - start)
    try:
        sure = proves(shifted, footer.decode(tail, end - start))
    except MalformedError:
        return None
    return (start, end) if sure else None


def _before_metaindex(read: Read, footer_at: int, size: int, spend: Spend) -> int:
    """The offset in the file at which the metaindex begins: where the last block before it ends."""
    at = footer_at - TRAILER - size
    if at < 0 or size > MAX_META or not spend(size):
        raise MalformedError("no room for the metaindex")
    handles = [footer.read_handle(value, 0, len(value))[0] for _, value in block.entries(read(at, size))]
    if not handles:
        raise MalformedError("a metaindex without a handle")
    return max(handle.end for handle in handles)


def verified(read: Read, start: int, end: int) -> TableAt:
    """Every block of the table held to its checksum, and a digest of the whole."""
    windowed = Windowed(lambda at, n: read(start + at, min(n, end - start - at)))
    table = open_table(windowed, end - start, search=False)
    good = bad = 0
    at = 0
    for _, handle in table.blocks():
        at = max(at, handle.end)
        loaded = table.load(handle, compressed=False)
        good, bad = good + loaded.ok, bad + (not loaded.ok)
    why = ""
    if table.troubles:
        why = f"{table.troubles[0].role}: {table.troubles[0].why}"
    elif bad:
        why = f"{bad} of {good + bad} blocks do not verify"
    elif not table.data_blocks and not table.whole_index:
        why = "its index was not read"
    known = table.properties
    digest = blake2b(digest_size=16)
    for low in range(0, end - start, 1 << 20):
        digest.update(read(start + low, min(1 << 20, end - start - low)))
    number = (known.number("original.file.number") or 0) if known else 0
    identity = (known.text("creating.db.identity") or "") if known else ""
    return TableAt(start, end, good, bad, why, number if number < 1 << 63 else 0, identity, digest.digest())
