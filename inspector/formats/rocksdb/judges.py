"""Judges of corrected units: whether a block or a log record is as its writer makes it, and fits its neighbours.

A judge looks at a whole unit (a block with its trailer, a log record with its header) and answers for any bytes.
It vouches for a corrected byte only if it rejects the unit without that correction (`correct.noticed_by`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice, pairwise
from typing import Any, Final

from msgspec import Struct

from inspector.formats.rocksdb import batch, blob, block, edit, keys, properties
from inspector.formats.rocksdb.codecs import decompress
from inspector.formats.rocksdb.coding import MalformedError
from inspector.formats.rocksdb.footer import TRAILER, Handle, read_handle
from inspector.formats.rocksdb.log import FRAGMENT, FULL, header_size
from inspector.formats.rocksdb.table import Table, role_of

CONTENT: Final = 4 << 20  # a block that claims to be longer uncompressed is not taken for sound
_MAX_EDGES: Final = 1 << 17  # data blocks of one table whose edges are looked at for its index
_DICTIONARY_BLOCKS: Final = 32

Judge = Callable[[bytes], bool]


class Bounds(Struct, frozen=True):
    """What is known of a data block from outside: user keys before and after it, and the newest sequence number."""

    order: keys.Order | None = bytes
    low: bytes | None = None
    high: bytes | None = None
    newest: int = keys.MAX_SEQUENCE


UNBOUNDED = Bounds()


def guarded(judge: Callable[[bytes], bool]) -> Judge:
    """The judge, with bytes that make no sense as a plain no."""

    def answer(unit: bytes) -> bool:
        try:
            return judge(unit)
        except (MalformedError, IndexError):
            return False

    return answer


def reads(version: int, dictionary: bytes = b"", bounds: Bounds = UNBOUNDED, kinds: Any = keys.TYPE_NAMES) -> Judge:
    """A judge of blocks of internal keys: entries, restarts, order, types, and the bounds."""

    def judge(unit: bytes) -> bool:
        content = decompress(unit[-TRAILER], unit[:-TRAILER], version, dictionary, CONTENT)
        places = block.places(content)
        found = [key for key, *_ in places]
        if not found or min(map(len, found)) < 8 or not _restarts_fit(content, [start for _, start, *_ in places]):
            return False
        for key, _, value_at, value_end, _ in places:
            sequence, kind = keys.tag_of(key)
            if kind not in kinds or sequence > bounds.newest or not _value_fits(kind, content[value_at:value_end]):
                return False
        return _ordered(found, bounds)

    return guarded(judge)


def _value_fits(kind: int, value: bytes) -> bool:
    if kind == keys.BLOB_INDEX:
        blob.index(value)
    return not (value and kind in keys.REMOVES)


def _ordered(found: list[bytes], bounds: Bounds) -> bool:
    order = bounds.order
    if order is None:
        return len(set(found)) == len(found)
    ranks = [(order(key[:-8]), -int.from_bytes(key[-8:], "little")) for key in found]
    if any(not one < two for one, two in pairwise(ranks)):
        return False
    return (bounds.low is None or not ranks[0][0] < order(bounds.low)) and (
        bounds.high is None or not order(bounds.high) < ranks[-1][0]
    )


def _restarts_fit(content: bytes, starts: list[int]) -> bool:
    restarts = block.restart_points(content, block.frame(content))
    return not restarts or (restarts[0] == 0 and set(starts or [0]).issuperset(restarts))


def raw_block(unit: bytes) -> bool:
    """Of a filter or a dictionary nothing can be said but that it is stored as it is."""
    return unit[-TRAILER] == 0


def index_judge(table: Table, top: bool = False) -> Judge:
    """Handles of an index lead to the blocks that are here, and its keys lie between theirs."""
    known = {table.offsets[i]: table.sizes[i] for i in range(table.data_blocks)} if not top else {}
    edges: dict[int, tuple[bytes, bytes]] = {}

    def edges_of(at: int) -> tuple[bytes, bytes] | None:
        if at not in edges:
            loaded = table.load(Handle(at, known[at]))
            found = block.entries(loaded.content) if loaded.ok else []
            edges[at] = (found[0][0], found[-1][0]) if found else (b"", b"")
        return edges[at] if edges[at][1] else None

    def judge(unit: bytes) -> bool:
        content = decompress(unit[-TRAILER], unit[:-TRAILER], table.context.version, b"", CONTENT)
        steps = list(block.index_steps(content, table.shape))
        if not steps or not _restarts_fit(content, [start for start, *_ in steps]):
            return False
        for (_, _, one), (_, _, two) in pairwise(steps):
            if not one.end <= two.offset < one.end + (1 if table.whole_index or top else 4096):
                return False
        if top:
            return all(table.load(handle, compressed=False).ok for _, _, handle in steps)
        rank = _index_rank(table)
        last: bytes | None = None
        for _, key, handle in steps:
            if not _is_here(table, handle, known):
                return False
            if len(steps) > _MAX_EDGES or handle.offset not in known or (edge := edges_of(handle.offset)) is None:
                last = None
                continue
            if rank(edge[1], True) > rank(key, False) or (last is not None and rank(last, False) > rank(edge[0], True)):
                return False
            last = key
        return True

    return guarded(judge)


def _index_rank(table: Table) -> Callable[[bytes, bool], Any]:
    """How keys of the index compare with internal keys of entries; all alike where the order is not known."""
    name = table.properties.text("comparator") if table.properties else None
    order = keys.order_of(name or keys.BYTEWISE)

    def rank(key: bytes, internal: bool) -> Any:
        if order is None:
            return 0
        if table.shape.user_keys:
            return order(key[:-8] if internal else key)
        return order(key[:-8]), -int.from_bytes(key[-8:], "little")

    return rank


def _is_here(table: Table, handle: Handle, known: dict[int, int]) -> bool:
    if known.get(handle.offset) == handle.size:
        return True
    inside = any(start <= handle.offset and handle.end <= end for start, end in table.gaps)
    return handle.offset not in known and inside


def metaindex_judge(table: Table, at: int) -> Judge:
    """Names that a table has, each with the handle of a block that verifies, or that ends where another begins."""

    def judge(unit: bytes) -> bool:
        content = unit[:-TRAILER]
        places = block.places(content)
        names = [key for key, *_ in places]
        if unit[-TRAILER] or not names or names != sorted(set(names)):
            return False
        if not _restarts_fit(content, [start for _, start, *_ in places]):
            return False
        handles: list[Handle] = []
        for name, _, value_at, end, _ in places:
            handle, stop = read_handle(content, value_at, end)
            role = role_of(name)
            if stop != end or role == "other" or (role == "filter" and not name.endswith(b"Filter")):
                return False
            handles.append(handle)
        begins = {at, *(handle.offset for handle in handles)}
        return all(table.load(handle, compressed=False).ok or handle.end in begins for handle in handles)

    return guarded(judge)


def properties_judge(entries: int | None) -> Judge:
    """Properties in order, their restart in place, and the entries counted as they are; `entries` None is unknown."""

    def judge(unit: bytes) -> bool:
        content = unit[:-TRAILER]
        places = block.places(content)
        names = [key for key, *_ in places]
        if unit[-TRAILER] or names != sorted(set(names)):
            return False
        if not _restarts_fit(content, [start for _, start, *_ in places]):
            return False
        found = properties.parse(content)
        ranges = found.number("num.range-deletions") or 0
        return entries is None or found.number("num.entries") in (entries, entries + ranges)

    return guarded(judge)


def dictionary_judge(table: Table) -> Judge:
    """Blocks that were compressed with it decompress to entries."""

    def sample() -> Iterator[tuple[int, bytes]]:
        for i in range(table.data_blocks):
            handle = table.data_handle(i)
            raw = table.load(handle, compressed=False)
            if raw.ok and raw.type:
                yield raw.type, raw.content

    chosen = list(islice(sample(), _DICTIONARY_BLOCKS))

    def judge(unit: bytes) -> bool:
        if unit[-TRAILER] or not chosen:
            return not unit[-TRAILER]
        for kind, payload in chosen:
            found = block.entries(decompress(kind, payload, table.context.version, unit[:-TRAILER], CONTENT))
            if not found or any(len(key) < 8 or key[-8] not in keys.TYPE_NAMES for key, _ in found):
                return False
        return True

    return guarded(judge)


def record_judge(manifest: bool, kinds: frozenset[int], sequences: tuple[int, int] | None = None) -> Judge:
    """A log record whose type the log has, and whose content, where it is whole, makes sense.

    `sequences`: the first number that is due here, and that of the record behind it.
    """

    def judge(unit: bytes) -> bool:
        kind = unit[6]
        if kind not in kinds or header_size(kind) > len(unit):
            return False
        if FRAGMENT.get(kind) != FULL:
            return True
        data = unit[header_size(kind) :]
        if manifest:
            edit.decode(data)
            return True
        first, count = batch.header(data)
        for _ in batch.operations(data):
            pass
        return sequences is None or (first, first + count) == sequences

    return guarded(judge)
