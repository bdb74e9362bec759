"""A table into which bytes were put, or out of which some are missing: what is behind them stands beside its place.

The footer tells how far: it follows the metaindex, or is sealed with its own offset (version 6 and 7). Everything that
names a place names the one that was written; a block verifies at its place, or as far behind it as the footer stands.
"""

from __future__ import annotations

from itertools import islice, pairwise
from typing import Final

from msgspec.structs import replace

from inspector.formats.rocksdb import block, checksums, codecs, index
from inspector.formats.rocksdb import footer as footers
from inspector.formats.rocksdb.coding import MalformedError, u32
from inspector.formats.rocksdb.footer import TRAILER, Footer, Handle
from inspector.formats.rocksdb.table import Table, Trouble

_NEAR: Final = 8  # blocks that are asked where the one that was chosen verifies at neither place
_KEYS: Final = 200_000  # of an index that are held
_SCAN: Final = 4096  # blocks behind the last one at its place, of which the first moved one is looked for


def moved_footer(table: Table, tail: bytes) -> Footer | None:
    """The footer of a table whose end stands beside its place, with handles to where its blocks are now.

    None where its metaindex or index does not verify there. Sets how far that is.
    """
    try:
        found = footers.decode(tail, table.size)
    except MalformedError:
        return None
    by = found.start - written_start(found, tail)
    if not by:
        return None
    before = table.context
    table.context = replace(before, checksum=found.checksum, base=found.base, version=found.version)
    metaindex = Handle(found.start - by - TRAILER - found.metaindex.size, found.metaindex.size)
    metaindex = metaindex if found.index is None else found.metaindex
    table.by = by
    if not any(_holds(table, handle, by) for handle in (metaindex, found.index) if handle) or (
        _holds(table, metaindex, by) and not _leads(table, metaindex, found.start - by)
    ):
        table.context, table.by = before, 0
        return None
    where = f"it stands {abs(by):,} bytes {'behind' if by > 0 else 'before'} the place that it was written for"
    table.troubles.append(Trouble("footer", found.start, table.size, where))
    named = found.index and placed(table, found.index)
    return replace(found, metaindex=placed(table, metaindex), index=named, problems=())


def written_start(found: Footer, tail: bytes) -> int:
    """Where a footer was written, by its own words."""
    if found.index is not None:
        return max(found.metaindex.end, found.index.end)
    data = tail[-footers.SIZE :]
    added = u32(data, 5) - checksums.block_checksum(found.checksum, data[:5] + bytes(4) + data[9:]) & 0xFFFFFFFF
    return added ^ found.base if found.base else found.start  # of a file below 4 GiB


def _holds(table: Table, handle: Handle, by: int) -> bool:
    """Whether the block that was written for this handle verifies as far from there."""
    at = handle.offset + by
    if at < 0 or handle.end + by > table.size or handle.size > codecs.MAX_BLOCK or not table.context.checksum:
        return False
    raw = table.read(at, handle.size + TRAILER)
    if len(raw) < handle.size + TRAILER:
        return False
    right = checksums.block_checksum(table.context.checksum, memoryview(raw)[: handle.size + 1])
    right += checksums.modifier(table.context.base or 0, handle.offset)
    return u32(raw, handle.size + 1) == right & 0xFFFFFFFF


def _leads(table: Table, handle: Handle, end: int) -> bool:
    try:
        pairs = block.entries(table.read(handle.offset + table.by, handle.size))
        found = [(footers.read_handle(value, 0, len(value)), len(value)) for _, value in pairs]
    except MalformedError:
        return False
    return all(at == size and place.end <= end for (place, at), size in found)


def placed(table: Table, handle: Handle) -> Handle:
    """Where a block of the table's end is now; one that verifies at neither place may lie around what moved it."""
    here = Handle(handle.offset + table.by, handle.size)
    if _holds(table, handle, table.by):
        table.context = table.context.moved(here.offset, table.by)
        return here
    if _holds(table, handle, 0):
        return handle
    if handle.size + TRAILER + table.by <= 0 and table.context.shift(here.offset) != table.by:
        return Handle(table.size, handle.size)  # nothing of it is left
    if handle.size + table.by > 0 and table.context.shift(here.offset) != table.by:
        return Handle(handle.offset, handle.size + table.by)
    return here if here.offset >= 0 else handle


def settle(table: Table) -> None:
    """Turn the places of data blocks from those that the index names into those where they are now."""
    offsets, sizes, count, by = table.offsets, table.sizes, table.data_blocks, table.by
    keys = separators(table) if not table.context.placed else []
    last = _last_at_home(table, count, keys)
    start = table.data_handle(last).end if last >= 0 else 0
    near = (i for i in range(last + 1, min(count, last + 1 + _SCAN)) if offsets[i] + by >= start)
    first = next((i for i in near if is_block(table, i, by, keys)), count)
    table.edge = offsets[first] if first < count else table.data_handle(count - 1).end if count else 0
    end = table.edge + by
    table.offsets, table.sizes = offsets[: last + 1], sizes[: last + 1]
    if first - last == 2 and end - start > TRAILER:  # bytes were put into this block, or lost from it
        table.offsets.append(start)
        table.sizes.append(end - start - TRAILER)
    table.vanished = first - last - 1 if end == start else 0
    if first < count:
        table.context = table.context.moved(end, by)
        table.offsets.extend(at + by for at in offsets[first:])
        table.sizes.extend(sizes[first:])
    table.whole_index = False  # between there may be bytes that no block claims


def separators(table: Table) -> list[bytes]:
    """User keys of the index where they are in the order of bytes, else none: blocks of one size have no other name."""
    found = [key if table.shape.user_keys else key[:-8] for key, _ in islice(index.separators(table), _KEYS)]
    in_order = all(a <= b for a, b in pairwise(found))
    return found if in_order and len(found) == table.data_blocks else []


def is_block(table: Table, i: int, by: int, keys: list[bytes]) -> bool:
    """Whether data block `i` stands there: it verifies, and where its checksum knows no place it has its keys."""
    handle = table.data_handle(i)
    if not _holds(table, handle, by):
        return False
    if not keys:
        return True
    loaded = table.judge(handle, table.read(handle.offset + by, handle.size + TRAILER))
    try:
        pairs = block.entries(loaded.content) if loaded.ok else []
    except MalformedError:
        return True
    return not pairs or (pairs[-1][0][:-8] <= keys[i] and (not i or keys[i - 1] <= pairs[0][0][:-8]))


def _last_at_home(table: Table, count: int, keys: list[bytes]) -> int:
    """The last data block that verifies at its place; -1 where none does."""
    low, high = -1, count
    while high - low > 1:
        middle = (low + high) // 2
        near = range(middle, min(high, middle + _NEAR))
        home = next((i for i in near if is_block(table, i, 0, keys)), None)
        low, high = (low, middle) if home is None else (home, high)
    return low
