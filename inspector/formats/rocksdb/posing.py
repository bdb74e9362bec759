"""Blocks that verify in a data block's place and hold no entries: of an index, properties, range deletes, filters.

A checksum below format version 6 does not know its place, and where the index is lost nothing names a block at all. An
index is the dangerous one: its separators look like keys and its handles like values. One is told from data by what no
writer gives an entry: the highest sequence number, which a separator that was made shorter gets (dbformat.h,
FindShortestSeparator); or handles of this very table, each with a key that lies between that block and the next one,
where in a table in order no entry of a third block can be.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from inspector.formats.rocksdb import block, keys, properties
from inspector.formats.rocksdb.block import Pair
from inspector.formats.rocksdb.coding import MalformedError, prefixed, varint
from inspector.formats.rocksdb.footer import Handle, read_handle

if TYPE_CHECKING:
    from inspector.formats.rocksdb.table import Role, Table

_PROOFS: Final = 16  # handles of one block that are followed
_LONGEST: Final = 20  # bytes of two varints, of which a handle is made
_KEPT: Final = 1 << 13  # blocks whose edges are kept
_MAX_KEY: Final = 4096  # bytes of a key that is kept
_BLOOM: Final = 64  # bytes of a line of a filter
_BLOOM_END: Final = 5  # bytes behind them


class Edges(Struct, frozen=True):
    """The hash of a block's content, its first internal key and its last."""

    hash: int
    first: bytes
    last: bytes


class Places(Struct, frozen=True):
    """Where data blocks stand, and those that are not told apart yet: offsets, rising, and sizes."""

    offsets: array[int]
    sizes: array[int]

    def __contains__(self, offset: object) -> bool:
        return isinstance(offset, int) and self.size_at(offset) is not None

    def size_at(self, offset: int) -> int | None:
        """The size of the block that begins at an offset, if one does."""
        i = bisect_left(self.offsets, offset)
        return self.sizes[i] if i < len(self.offsets) and self.offsets[i] == offset else None

    def count(self, start: int, end: int) -> int:
        """How many blocks begin in [start, end)."""
        return bisect_left(self.offsets, end) - bisect_left(self.offsets, start)


def role_within(table: Table, content: bytes, places: Places) -> Role | None:
    """What a block holds where that is no entries; None of entries, and of what cannot be told."""
    if not odd(content):
        return None
    try:
        pairs = block.entries(content)
    except MalformedError:
        return "filter" if _is_bloom(content) else None
    if not pairs:
        return None
    types = {key[-8] for key, _ in pairs if len(key) >= 8}
    if types == {keys.RANGE_DELETE} and all(len(key) >= 8 for key, _ in pairs):
        return "range-deletes"
    if types.isdisjoint(keys.TYPE_NAMES) and (named := _named(pairs)):
        return named
    return "index" if _is_index(table, pairs, content, places) else None


def odd(content: bytes) -> bool:
    """Whether the first entry may be none, so that the others are looked at; cheap, and False of nearly all data."""
    try:
        at, end = 0, len(content)
        if content[-1] & 0x10:  # values kept apart: only whole entries tell (block.py, _SEPARATED)
            return True
        _, at = varint(content, at, end, 32)
        unshared, at = varint(content, at, end, 32)
        length, at = varint(content, at, end, 32)
        key, value = content[at : at + unshared], content[at + unshared : at + unshared + length]
        if len(key) < 8 or key[-8] not in keys.STORED or len(value) < length:
            return True
        return _handle(value) is not None
    except (MalformedError, IndexError):
        return True


def _named(pairs: list[Pair]) -> Role | None:
    """Properties or a metaindex, whose keys are names."""
    from inspector.formats.rocksdb.table import role_of  # which asks this module

    if all(role_of(name) != "other" and _handle(value) for name, value in pairs):
        return "metaindex"
    ours = sum(key.startswith(properties.PREFIX) for key, _ in pairs)
    return "properties" if len(pairs) > 3 and ours > len(pairs) // 2 else None


def _is_bloom(content: bytes) -> bool:
    """Whether this is a filter as it is made since format version 5 (filter_policy.cc, FastLocalBloomBitsBuilder)."""
    end = content[-_BLOOM_END:]
    whole = len(content) > _BLOOM_END and not (len(content) - _BLOOM_END) % _BLOOM
    return whole and end[:2] == b"\xff\0" and end[3:] == b"\0\0"


def _handle(value: bytes) -> Handle | None:
    """The handle that a value is, alone or before a first key (IndexValue::DecodeFrom); None where it is none."""
    try:
        handle, at = read_handle(value, 0, min(len(value), _LONGEST))
        if at < len(value):
            key, at = prefixed(value, at, len(value))
            if len(key) < 8:
                return None
    except (MalformedError, IndexError):
        return None
    return handle if at == len(value) and handle.size else None


def _is_index(table: Table, pairs: list[Pair], content: bytes, places: Places) -> bool:
    handles: list[Handle] = []
    for _, value in pairs:
        if (handle := _handle(value)) is None:
            return False
        handles.append(handle)
    if any(len(key) >= 8 and keys.tag_of(key)[0] == keys.MAX_SEQUENCE for key, _ in pairs):
        return True
    here = [i for i, handle in enumerate(handles) if places.size_at(handle.offset) == handle.size]
    if not here:  # what it names is gone: then only that the blocks lie back to back
        chained = len(handles) > 1 and all(one.end == two.offset for one, two in pairwise(handles))
        inside = chained and handles[-1].end <= table.size
        return inside and places.count(handles[0].offset, handles[-1].end) <= 1  # this block itself may stand there
    here = here[:_PROOFS]
    return sum(_closes(table, pairs[i][0], handles[i], content, places) for i in here) * 2 > len(here)


def _closes(table: Table, separator: bytes, handle: Handle, content: bytes, places: Places) -> bool:
    """Whether a separator lies behind all keys of the block that it names, and before those of the next one."""
    named = _edges(table, handle)
    if not named or named.hash == hash(content):
        return False  # a block that names itself
    if separator in (named.last, named.last[:-8]):
        return True
    name = table.properties.text("comparator") if table.properties else None
    order, size = keys.order_of(name or keys.BYTEWISE), places.size_at(handle.end)
    behind = _edges(table, Handle(handle.end, size)) if size else None
    if order is None or not behind:
        return False
    return bool(order(named.last[:-8]) <= order(separator) < order(behind.first[:-8]))


def _edges(table: Table, handle: Handle) -> Edges | None:
    """First and last key of a block, None where it has none; kept, for many blocks may name one."""
    known = (handle.offset, handle.size, table.context)
    if known not in table.edges:
        if len(table.edges) >= _KEPT:
            table.edges.clear()
        table.edges[known] = _read_edges(table, handle)
    return table.edges[known]


def _read_edges(table: Table, handle: Handle) -> Edges | None:
    loaded = table.load(handle)
    try:
        pairs = block.entries(loaded.content) if loaded.ok else []
    except MalformedError:
        return None
    if not pairs:
        return None
    first, last = pairs[0][0], pairs[-1][0]
    fits = all(8 <= len(key) <= _MAX_KEY for key in (first, last))
    return Edges(hash(loaded.content), first, last) if fits else None
