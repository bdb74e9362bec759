"""A table whose index does not cover it: the bytes that no known block claims are carved and told apart."""

from __future__ import annotations

from array import array
from typing import Final

from msgspec.structs import replace

from inspector.formats.rocksdb import block, properties
from inspector.formats.rocksdb.carve import Carver, Found
from inspector.formats.rocksdb.coding import MalformedError
from inspector.formats.rocksdb.footer import Handle, read_handle
from inspector.formats.rocksdb.guess import guess_context
from inspector.formats.rocksdb.keys import RANGE_DELETE, TYPE_NAMES
from inspector.formats.rocksdb.opening import read_dictionary, read_properties
from inspector.formats.rocksdb.table import Role, Table, Trouble, role_of

_DICTIONARY_TRIES: Final = 16
_RUN: Final = 32  # data blocks in a row after which no other block is expected before them
_TAIL: Final = 256  # blocks at the end among which metaindex and properties are looked for


def complete(table: Table) -> None:
    """Carve whatever no known block covers; sets data blocks, tail blocks, properties and gaps."""
    if table.footer is None:
        context = guess_context(table.read, table.size, table.leveldb)
        if isinstance(context, str):
            table.gaps.append((0, table.size))
            table.declined, table.sought = "no table as far as it was looked into (no block verifies)", context
            return
        table.context = context
    known = sorted({(h.offset, h.end): (role, h) for role, h in table.blocks()}.items())
    end = table.footer.start if table.footer else table.size
    found: list[Found] = []
    at = 0
    for (start, stop), _ in [*known, ((end, end), None)]:
        if start > at:
            found += _carve(table, at, start)
        at = max(at, stop)
    table.carved = any(f.size is not None for f in found)
    if table.carved:
        table.sought = ""  # its footer says the right one, whatever else is wrong in it
    _sort_in(table, found)


def _carve(table: Table, start: int, end: int) -> list[Found]:
    if end - start < 8:
        return [Found(start, end, None)]
    carver = Carver(table.read, start, end, table.context)
    found = list(carver.blocks())
    table.context = replace(table.context, base=carver.context.base, moves=carver.context.moves)
    return found


def _data_end(table: Table) -> int:
    """Before here all blocks are data, as far as the tail and the properties tell.

    A footer names the index and the metaindex the rest: without the footer the index may stand before all the others.
    """
    number = table.properties.number if table.properties else lambda name: None
    stated = number("tail.start.offset")
    if not any("index" in role for role, _ in table.tail if role != "metaindex"):
        return min(stated or number("data.size") or 0, table.size)
    tail = [h.offset for _, h in table.tail if h.offset]
    return min([*tail, stated or table.size, table.size])


def _sort_in(table: Table, found: list[Found]) -> None:
    """Tell carved blocks apart: first those that say what they are, then the rest by what they hold."""
    unknown: list[Handle] = []
    data = [table.data_handle(i) for i in range(table.data_blocks)]
    for piece in found:
        if piece.size is None:
            if not (table.carved and _alignment(table, piece)):
                table.gaps.append((piece.offset, piece.end))
            if not piece.searched:
                table.unsearched.append((piece.offset, piece.end))
            continue
        unknown.append(Handle(piece.offset, piece.size))
    if table.properties is None or not table.meta:
        unknown = _take_meta(table, unknown)
    data_end = _data_end(table)
    offsets = {h.offset for h in (*unknown, *data)}
    certain = 0  # data blocks come first: after a run of them, seen from the end, only data is left
    for handle in reversed(unknown):
        asked = certain < _RUN and (handle.offset >= data_end or not table.meta)
        role = _kind(table, handle, offsets) if asked else "data"
        certain = certain + 1 if role == "data" else 0
        if role == "data":
            data.append(handle)
        else:
            table.tail.append((role, handle))
    data.sort(key=lambda h: h.offset)
    table.offsets = array("Q", [h.offset for h in data])
    table.sizes = array("Q", [h.size for h in data])


def _alignment(table: Table, piece: Found) -> bool:
    """Zeroes shorter than a page before a page boundary: the writer aligned its blocks."""
    return (
        piece.end % 4096 == 0
        and piece.end - piece.offset < 4096
        and not any(table.read(piece.offset, piece.end - piece.offset))
    )


def _take_meta(table: Table, blocks: list[Handle]) -> list[Handle]:
    """Find metaindex, properties and dictionary among carved blocks, from the end; the blocks that are left."""
    left = list(blocks)
    for handle in reversed(blocks[-_TAIL:]):
        pairs = _pairs(table, handle)
        if not pairs:
            continue
        if all(role_of(name) != "other" for name, _ in pairs) and _all_handles(pairs):
            table.meta = {name: read_handle(value, 0, len(value))[0] for name, value in pairs}
            table.tail.append(("metaindex", handle))
            left.remove(handle)
            break
    names = {h.offset: role_of(name) for name, h in table.meta.items()}
    last = left[-_TAIL].offset if len(left) > _TAIL else 0
    for handle in list(left):
        role = names.get(handle.offset)
        if role is None and handle.offset >= last and table.properties is None and _is_properties(table, handle):
            role = "properties"
        if role == "properties":
            read_properties(table, handle)
        if role == "dictionary":
            read_dictionary(table, handle)
        if role:
            table.tail.append((role, handle))
            left.remove(handle)
    if table.properties and (version := table.properties.number("format.version")):
        table.context = replace(table.context, version=max(version, table.context.version, 0))
    if not table.context.dictionary:
        _try_dictionaries(table, left)
    return left


def _pairs(table: Table, handle: Handle) -> list[block.Pair]:
    loaded = table.load(handle)
    try:
        return block.entries(loaded.content) if loaded.ok else []
    except MalformedError:
        return []


def _is_properties(table: Table, handle: Handle) -> bool:
    pairs = _pairs(table, handle)
    return len(pairs) > 3 and sum(k.startswith(properties.PREFIX) for k, _ in pairs) > len(pairs) // 2


def _all_handles(pairs: list[block.Pair]) -> bool:
    try:
        return all(read_handle(value, 0, len(value))[1] == len(value) for _, value in pairs)
    except MalformedError:
        return False


def _try_dictionaries(table: Table, blocks: list[Handle]) -> None:
    """Without a metaindex a dictionary has no name: it is the raw block with which a data block decompresses."""
    compressed = next((h for h in blocks if table.read(h.offset + h.size, 1) != b"\0"), None)
    if compressed is None or _reads(table, compressed):
        return
    plain = [h for h in blocks if table.load(h, compressed=False).type == 0 and not _pairs(table, h)]
    bare = table.context
    for handle in plain[-_DICTIONARY_TRIES:]:
        read_dictionary(table, handle)
        if _reads(table, compressed):
            table.tail.append(("dictionary", handle))
            blocks.remove(handle)
            return
    table.context = bare
    table.troubles.append(
        Trouble("dictionary", table.size, table.size, "blocks need a compression dictionary that could not be found")
    )


def _reads(table: Table, handle: Handle) -> bool:
    """Whether a block gives internal keys: with the wrong dictionary it may decompress to nonsense."""
    pairs = _pairs(table, handle)
    return bool(pairs) and all(len(key) >= 8 and key[-8] in TYPE_NAMES for key, _ in pairs)


def _kind(table: Table, handle: Handle, offsets: set[int]) -> Role:
    """What a block without a name is, from its content."""
    loaded = table.load(handle)
    if not loaded.ok:
        return "data"  # a compressed block that verifies: only data and index blocks are compressed
    try:
        pairs = block.entries(loaded.content)
    except MalformedError:
        return "index" if _is_index(table, loaded.content, offsets) else "filter"
    if pairs and _leads(pairs[0][1], offsets) and _is_index(table, loaded.content, offsets):
        return "index"
    if not pairs or any(len(key) < 8 for key, _ in pairs):
        return "other"
    types = {key[-8] for key, _ in pairs}
    if types == {RANGE_DELETE}:
        return "range-deletes"
    return "data" if types <= TYPE_NAMES.keys() else "other"


def _leads(value: bytes, offsets: set[int]) -> bool:
    """Whether a value begins like the handle of a block that is here."""
    try:
        return read_handle(value, 0, len(value))[0].offset in offsets
    except MalformedError:
        return False


def _is_index(table: Table, content: bytes, offsets: set[int]) -> bool:
    """Whether every entry is a handle of a block that is here, in one of the shapes of an index."""
    for delta in (False, True):
        for first in (False, True):
            shape = block.IndexShape(delta, False, first)
            try:
                handles = [h for _, h in block.index_entries(content, shape)]
            except MalformedError:
                continue
            if handles and sum(h.offset in offsets for h in handles) * 2 > len(handles):
                return True
    return False
