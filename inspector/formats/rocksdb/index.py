"""The index of a table: which blocks it names, in every shape that an index has."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Final

from inspector.formats.rocksdb import block, properties
from inspector.formats.rocksdb.coding import MalformedError
from inspector.formats.rocksdb.footer import TRAILER, Handle
from inspector.formats.rocksdb.table import STATES, Role, Table, Trouble
from inspector.kernels.rocksdb import index_handles

if TYPE_CHECKING:
    from inspector.formats.rocksdb import displaced
else:
    from inspector.postponed import Postponed

    displaced = Postponed("inspector.formats.rocksdb.displaced")

MAX_TAIL_BLOCKS: Final = 1 << 20


MAX_MISPLACED: Final = 1000  # handles of one index that are told one by one


def read_index(table: Table) -> None:
    """Take in the index, if it can be read: data blocks, the index's own parts and those of a filter."""
    assert table.footer
    handle = table.footer.index or table.meta.get(b"rocksdb.index")  # where it is now
    if handle is None:
        return
    two_level = table.properties is not None and table.properties.index_type == properties.TWO_LEVEL
    top = read_index_block(table, handle, "top-index" if two_level else "index")
    if top is not None and table.properties is None and _looks_two_level(table, top):
        two_level = True
    if top is None and handle is table.footer.index and not _abuts(table, handle):
        return  # an unprotected handle that leads nowhere: the index is looked for like any lost block
    if table.by and handle.end > table.size:
        return
    table.tail.append(("top-index" if two_level else "index", handle))
    if top is None:
        return
    whole = True
    if two_level:
        for _, partition in islice(block.index_entries(top, table.shape), MAX_TAIL_BLOCKS):
            partition = displaced.placed(table, partition) if table.by else partition
            table.tail.append(("index", partition))
            part = read_index_block(table, partition, "index")
            whole = whole and part is not None and _add_data(table, part)
    else:
        whole = _add_data(table, top)
    table.whole_index = whole and not any(t.role == "metaindex" for t in table.troubles)
    if table.by:
        displaced.settle(table)
    _read_filter_partitions(table)


def _read_filter_partitions(table: Table) -> None:
    """A partitioned filter is named by an index over its parts, coded as the table's own index is."""
    handle = next((h for name, h in table.meta.items() if name.startswith(b"partitionedfilter.")), None)
    if handle is None:
        return
    top = read_index_block(table, handle, "filter")
    if top is None:
        table.whole_index = False  # the parts have no name now: they are told from data by carving
        return
    for _, part in islice(block.index_entries(top, table.shape), MAX_TAIL_BLOCKS):
        table.tail.append(("filter", displaced.placed(table, part) if table.by else part))


def _abuts(table: Table, handle: Handle) -> bool:
    """Whether a block ends where another known block of the tail, or the footer, begins: handles lie back to back."""
    assert table.footer
    return handle.end in {table.footer.start, *(h.offset for _, h in table.tail)}


def _looks_two_level(table: Table, top: bytes) -> bool:
    """Without properties: a top index points at blocks that are index blocks themselves."""
    first = next(block.index_entries(top, table.shape), None)
    if first is None or first[1].offset == 0:
        return False
    loaded = table.load(first[1])
    try:
        return loaded.ok and any(True for _ in block.index_entries(loaded.content, table.shape))
    except MalformedError:
        return False


def read_index_block(table: Table, handle: Handle, role: Role) -> bytes | None:
    """The content of an index block whose every entry decodes; with lost properties its shape is found by trying."""
    loaded = table.load(handle)
    why = loaded.why or STATES[loaded.state]
    if loaded.ok:
        shapes = [table.shape]
        if table.properties is None and not table.leveldb:
            flags = (True, False)
            shapes = [block.IndexShape(delta, user, first) for delta in flags for user in flags for first in flags]
        for shape in shapes:
            try:
                limit = table.written
                fits = handles(loaded.content, shape, limit) is not None
                if fits or all(h.end <= limit for _, h in block.index_entries(loaded.content, shape)):
                    table.shape = shape
                    return loaded.content
                why = "a handle leads beyond the file"
            except MalformedError as error:
                why = str(error)
    table.troubles.append(Trouble(role, handle.offset, min(handle.end, table.size), why, loaded))
    return None


def handles(content: bytes, shape: block.IndexShape, limit: int) -> tuple[array[int], array[int], bool] | None:
    """Offsets and sizes of all handles of an index, and whether they are in order; None where it takes a closer look.

    That is so where one leads beyond `limit`, too.
    """
    parts = block.frame(content)
    if parts.values is not None:
        return None
    return index_handles(content, parts.end, shape.delta, shape.first_key, limit)


def _add_data(table: Table, content: bytes) -> bool:
    """Take in the data blocks of one index block; False where a handle is out of place, which carving then settles."""
    at = table.offsets[-1] + table.sizes[-1] + TRAILER if table.offsets else 0
    found = handles(content, table.shape, table.written)
    if found:
        offsets, sizes, ordered = found
        if ordered and offsets and offsets[0] >= at:
            table.offsets += offsets
            table.sizes += sizes
            return True
    misplaced, why = 0, ""
    try:
        for _, handle in block.index_entries(content, table.shape):
            if handle.offset < at:
                misplaced += 1
                if misplaced <= MAX_MISPLACED:
                    why = f"handle [{handle.offset}, {handle.end}) is out of place"
                    table.troubles.append(Trouble("index", at, at, why))
                continue
            table.offsets.append(handle.offset)
            table.sizes.append(handle.size)
            at = handle.end
    except MalformedError as error:  # keys that are too large to be put together
        why = str(error)
        table.troubles.append(Trouble("index", at, at, why))
    return not why


def separators(table: Table) -> Iterator[tuple[bytes, Handle]]:
    """The index entries again, for those who must name the keys that a lost block covered."""
    for role, handle in table.tail:
        if role == "index" and (loaded := table.load(handle)).ok:
            try:
                for key, named in block.index_entries(loaded.content, table.shape):
                    moved = table.by if named.offset >= table.edge else 0
                    yield key, Handle(named.offset + moved, named.size) if moved else named
            except MalformedError:
                continue  # said as a trouble when the table was opened
