"""A table whose index does not cover it: the bytes that no known block claims are carved and told apart."""

from __future__ import annotations

from array import array
from collections.abc import Container, Set
from itertools import pairwise
from typing import Final

from msgspec.structs import replace

from inspector.formats.rocksdb import block, checksums, properties
from inspector.formats.rocksdb.carve import Carver, Found, expected
from inspector.formats.rocksdb.coding import MalformedError, u32
from inspector.formats.rocksdb.footer import Handle, read_handle
from inspector.formats.rocksdb.guess import guess_context
from inspector.formats.rocksdb.keys import TYPE_NAMES
from inspector.formats.rocksdb.opening import read_dictionary, read_properties
from inspector.formats.rocksdb.posing import Places, odd, role_within
from inspector.formats.rocksdb.table import Role, Table, Trouble, role_of

_DICTIONARY_TRIES: Final = 16
_PROOFS: Final = 32  # compressed blocks that a dictionary must read
_LARGEST: Final = 1 << 20  # bytes of a dictionary that is looked for where only its beginning is known
_SEEK: Final = 200_000_000  # nanoseconds, as measured, for each place at which one may begin
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
    carve_rest(table)


def carve_rest(table: Table, foreign: Set[tuple[int, int]] = frozenset()) -> None:
    """Carve all but the known blocks and what is `foreign`, which is proved to be another table's: gaps of this one."""
    known = {(h.offset, h.end) for _, h in table.blocks()}
    end = table.footer.start if table.footer else table.size
    found: list[Found] = []
    at = 0
    for start, stop in [*sorted(known | foreign), (end, end)]:
        if start > at:
            found += _carve(table, at, start)
        if (start, stop) in foreign:
            found.append(Found(start, stop, None))
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
                begin = table.gaps.pop()[0] if table.gaps and table.gaps[-1][1] == piece.offset else piece.offset
                table.gaps.append((begin, piece.end))
            if not piece.searched:
                table.unsearched.append((piece.offset, piece.end))
            continue
        unknown.append(Handle(piece.offset, piece.size))
    if table.properties is None or not table.meta:
        unknown = _take_meta(table, unknown)
    data_end = _data_end(table)
    known = sorted((*unknown, *data), key=lambda h: h.offset)
    places = Places(array("Q", [h.offset for h in known]), array("Q", [h.size for h in known]))
    certain = 0  # data blocks come first: after a run of them, seen from the end, only data is left
    for handle in reversed(unknown):
        asked = certain < _RUN and (handle.offset >= data_end or not table.meta)
        role = _kind(table, handle, places) if asked else _other_than_data(table, handle, places) or "data"
        if asked or role == "data":
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
    """Without a metaindex a dictionary has no name: it is what follows the index, or the one raw block that fits.

    With another block in its place, a filter say, streams decompress, too, to other bytes: so of several nobody takes
    one, and what does not follow the index must give all keys in order.
    """
    squeezed = [h for h in blocks if table.read(h.offset + h.size, 1) != b"\0"]
    if not squeezed or _reads(table, squeezed[:1]):
        return
    offsets = {h.offset for h in blocks}
    found = {h.end for h in blocks[-_TAIL:] if _holds_index(table, h, offsets)}  # they need no dictionary
    squeezed = [h for h in squeezed[:_PROOFS] if h.end not in found]
    behind = found | {h.end for role, h in table.tail if "index" in role}
    plain = [h for h in blocks if table.load(h, compressed=False).type == 0 and not _pairs(table, h)]
    plain = plain[-_DICTIONARY_TRIES:]
    cut = [h for start, end in table.gaps if start in behind and (h := _sealed_from(table, start, end))]
    fit = [h for h in (*plain, *cut) if h.offset in behind and _fits(table, h, squeezed)]
    fit = fit or [h for h in plain if _fits(table, h, squeezed, ordered=True)]
    if len(fit) != 1:
        why = "blocks need a compression dictionary that could not be found"
        table.troubles.append(Trouble("dictionary", table.size, table.size, why))
        return
    (handle,) = fit
    read_dictionary(table, handle)
    table.tail.append(("dictionary", handle))
    if handle in blocks:
        blocks.remove(handle)
        return
    number = next(i for i, (start, _) in enumerate(table.gaps) if start == handle.offset)
    end = table.gaps[number][1]
    table.gaps[number : number + 1] = [(handle.end, end)] if handle.end < end else []


def _holds_index(table: Table, handle: Handle, offsets: Set[int]) -> bool:
    loaded = table.load(handle)
    return loaded.ok and _is_index(table, loaded.content, offsets)


def _fits(table: Table, handle: Handle, squeezed: list[Handle], ordered: bool = False) -> bool:
    """Whether blocks can be read with this dictionary; the table is left as it was."""
    bare = table.context
    read_dictionary(table, handle)
    fits = _reads(table, squeezed, ordered)
    table.context = bare
    return fits


def _sealed_from(table: Table, start: int, end: int) -> Handle | None:
    """The raw block that begins with a gap, if one does: what came behind it is lost, and with it where it ends.

    Its content tells nothing: every byte that may be its type, which is 0, is tried until a checksum holds.
    """
    context, data, left = table.context, table.read(start, min(end - start, _LARGEST)), _SEEK
    if context.base is None or context.checksum == checksums.NONE:
        return None
    view, at = memoryview(data), 0
    while (at := data.find(0, at + 1, len(data) - 4)) > 0 and left > 0:
        left -= 1000 + at // 8
        if expected(context, view[: at + 1], start) == u32(data, at + 1):
            return Handle(start, at)
    return None


def _reads(table: Table, handles: list[Handle], ordered: bool = False) -> bool:
    """Whether blocks give internal keys, and `ordered` ones: with the wrong dictionary they may give nonsense."""
    last = b""
    for handle in handles:
        pairs = _pairs(table, handle)
        if not pairs or any(len(key) < 8 or key[-8] not in TYPE_NAMES for key, _ in pairs):
            return False
        users = [last, *(key[:-8] for key, _ in pairs)]
        if ordered and any(two < one for one, two in pairwise(users)):
            return False
        last = users[-1]
    return True


def _kind(table: Table, handle: Handle, places: Places) -> Role:
    """What a block without a name is, from its content."""
    if role := _other_than_data(table, handle, places):
        return role
    loaded = table.load(handle)
    if not loaded.ok:
        return "data"  # a compressed block that verifies: only data and index blocks are compressed
    try:
        pairs = block.entries(loaded.content)
    except MalformedError:
        return "filter"
    if not pairs or any(len(key) < 8 for key, _ in pairs):
        return "other"
    return "data" if {key[-8] for key, _ in pairs} <= TYPE_NAMES.keys() else "other"


def _other_than_data(table: Table, handle: Handle, places: Places) -> Role | None:
    """What a block says that it is, wherever it stands, where that is no data block."""
    loaded = table.load(handle)
    if not loaded.ok or not odd(loaded.content):
        return None
    if role := role_within(table, loaded.content, places):
        return role
    try:
        block.entries(loaded.content)
    except MalformedError:
        return "index" if _is_index(table, loaded.content, places) else None
    return None


def _is_index(table: Table, content: bytes, offsets: Container[int]) -> bool:
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
