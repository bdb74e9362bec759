"""Inside a block: data entries, index entries, the metaindex and the properties.

Source: table/block_based/block_builder.cc, block.cc, data_block_footer.h, table/format.cc IndexValue.
"""

from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from inspector.formats.rocksdb.coding import MalformedError, prefixed, put_varint, u16, u32, varint, zigzag
from inspector.formats.rocksdb.footer import TRAILER, Handle, read_handle
from inspector.kernels.rocksdb import block_entries

_HASH_INDEX, _EXTENDED, _SEPARATED = 1 << 31, 1 << 30, 1 << 28  # 1 << 29: keys spread evenly, which changes nothing
_RESTARTS: Final = _SEPARATED - 1

Pair = tuple[bytes, bytes]

# what one block may cost when its entries are held as objects: three bytes can name an entry, and with a shared prefix
# of megabytes it costs megabytes; a real block of 64 MiB stays far below
_PLAIN: Final = 1 << 14  # a block of this size cannot cost much whatever it says
_PAIR, _PLACE = 112, 240  # bytes of an entry as objects, besides its key and value
MAX_SPENT: Final = 64 << 20
MAX_COPIED: Final = 2 << 30  # by an index, whose keys are made one after another and not held


class Frame(Struct, frozen=True):
    """Where the parts of a block's content lie: entries [0, end), then values if they are kept apart."""

    end: int
    values: int | None  # offset of the section of values
    values_end: int
    restarts: int


def frame(data: bytes) -> Frame:
    """The parts of a block, from the words at its end."""
    at = len(data) - 4
    if at < 0:
        raise MalformedError("block without a footer word")
    packed = u32(data, at)
    if packed & _EXTENDED:
        raise MalformedError("block footer names a feature that is not known")
    count = packed & _RESTARTS
    values = None
    if packed & _SEPARATED:
        at -= 4
        values = u32(data, at) if at >= 0 else -1
    if packed & _HASH_INDEX:
        at -= 2
        if at < 0:
            raise MalformedError("block without its hash index")
        at -= u16(data, at)
    end = at - 4 * count
    if end < 0 or (count == 0 and end):
        raise MalformedError(f"{count} restarts do not fit into a block of {len(data)} bytes")
    if values is None:
        return Frame(end, None, end, count)
    if not 0 <= values <= end:
        raise MalformedError(f"values begin at {values}, beyond {end}")
    return Frame(values, values, end, count)


def restart_points(data: bytes, parts: Frame) -> list[int]:
    """The offsets that the block names as restarts."""
    at = parts.values_end
    return [u32(data, at + 4 * i) for i in range(parts.restarts)]


def entries(data: bytes) -> list[Pair]:
    """Keys and values of a data block, metaindex or properties block, in file order."""
    parts = frame(data)
    if parts.values is not None:
        return [(key, value) for key, value, *_ in separated(data, parts)]
    end = parts.end
    large = end > _PLAIN
    out, at, key, spent = block_entries(data, end, _PAIR, MAX_SPENT if large else MAX_COPIED, False)
    append = out.append
    while at + 3 <= end:
        shared, unshared, length = data[at], data[at + 1], data[at + 2]
        if (shared | unshared | length) < 0x80:
            at += 3
        else:
            shared, at = varint(data, at, end, 32)
            unshared, at = varint(data, at, end, 32)
            length, at = varint(data, at, end, 32)
        middle = at + unshared
        after = middle + length
        if after > end or shared > len(key):
            raise MalformedError(f"entry at {at} claims {shared}+{unshared} key and {length} value bytes of {end - at}")
        key = key[:shared] + data[at:middle] if shared else data[at:middle]
        if large:
            spent = _spend(spent, shared + _PAIR)
        append((key, data[middle:after]))
        at = after
    if at != end:
        raise MalformedError(f"{end - at} bytes are left after the last entry")
    return out


Place = tuple[bytes, int, int, int, int]


def places(data: bytes) -> list[Place]:
    """Each entry's key, its start, where its value begins and ends, and its own end; for exact spans."""
    parts = frame(data)
    begun = block_entries(data, parts.end if parts.values is None else 0, _PLACE, MAX_SPENT, True)
    return [*begun[0], *_each_place(data, _PLACE, MAX_SPENT, parts, *begun[1:])]


def _each_place(
    data: bytes, cost: int, most: int, parts: Frame | None = None, at: int = 0, key: bytes = b"", spent: int = 0
) -> Iterator[Place]:
    parts = parts or frame(data)
    if parts.values is not None:
        for key, value, start, end, at in separated(data, parts):
            yield key, start, at, at + len(value), end
        return
    end = parts.end
    while at < end:
        start = at
        shared, at = varint(data, at, end, 32)
        unshared, at = varint(data, at, end, 32)
        length, at = varint(data, at, end, 32)
        middle, after = at + unshared, at + unshared + length
        if after > end or shared > len(key):
            raise MalformedError(f"entry at {start} runs past the block")
        spent = _spend(spent, shared + cost, most)
        key = key[:shared] + data[at:middle]
        yield key, start, middle, after, after
        at = after


def separated(data: bytes, parts: Frame) -> list[tuple[bytes, bytes, int, int, int]]:
    """Key, value, entry start and end, and value offset, of a block that keeps its values apart.

    Restart entries name their value's offset; the values of the others follow one another.
    """
    assert parts.values is not None
    restarts = set(restart_points(data, parts))
    out = []
    key, at, end, value_at, spent = b"", 0, parts.end, parts.values, 0
    while at < end:
        start = at
        shared, at = varint(data, at, end, 32)
        spent = _spend(spent, shared + _PLACE)
        unshared, at = varint(data, at, end, 32)
        length, at = varint(data, at, end, 32)
        if start in restarts:
            offset, at = varint(data, at, end, 32)
            value_at = parts.values + offset
        if shared > len(key) or at + unshared > end or value_at + length > parts.values_end:
            raise MalformedError(f"entry at {start} claims bytes beyond its block")
        key = key[:shared] + data[at : at + unshared]
        at += unshared
        out.append((key, data[value_at : value_at + length], start, at, value_at))
        spent += length  # values may be named twice
        value_at += length
    return out


def _spend(spent: int, more: int, most: int = MAX_SPENT) -> int:
    spent += more
    if spent > most:
        raise MalformedError(f"the entries of a block take more than {most:,} bytes")
    return spent


class IndexShape(Struct, frozen=True):
    """How a table writes its index; from the properties, or found out by trying."""

    delta: bool = False
    user_keys: bool = False
    first_key: bool = False


def index_entries(data: bytes, shape: IndexShape) -> Iterator[tuple[bytes, Handle]]:
    """Separator keys and the handles of the blocks that they close, one by one: an index may be large."""
    return ((key, handle) for _, key, handle in index_steps(data, shape))


def index_steps(data: bytes, shape: IndexShape) -> Iterator[tuple[int, bytes, Handle]]:
    """Where each entry of an index begins, its key and its handle."""
    if not shape.delta:
        for key, start, value_at, value_end, _ in _each_place(data, 0, MAX_COPIED):
            yield start, key, _whole_value(data[value_at:value_end], shape)
        return
    parts = frame(data)
    if parts.values is not None:
        raise MalformedError("index with values kept apart and delta-coded")
    key, at, end, spent = b"", 0, parts.end, 0
    previous = Handle(0, 0)
    while at < end:
        start = at
        shared, at = varint(data, at, end, 32)
        unshared, at = varint(data, at, end, 32)
        spent = _spend(spent, shared, MAX_COPIED)
        if shared > len(key) or unshared > end - at:
            raise MalformedError("index key claims bytes beyond its block")
        key = key[:shared] + data[at : at + unshared]
        at += unshared
        if shared:  # blocks lie back to back: only the change of size is stored
            delta, at = varint(data, at, end)
            size = previous.size + zigzag(delta)
            if size < 0:
                raise MalformedError("index handle of negative size")
            previous = Handle(previous.offset + previous.size + TRAILER, size)
        else:
            previous, at = read_handle(data, at, end)
        if shape.first_key:
            _, at = prefixed(data, at, end)
        yield start, key, previous


def _whole_value(value: bytes, shape: IndexShape) -> Handle:
    handle, at = read_handle(value, 0, len(value))
    if shape.first_key:
        _, at = prefixed(value, at, len(value))
    if at != len(value):
        raise MalformedError("index value is longer than a handle")
    return handle


def build(pairs: list[Pair], interval: int = 16) -> bytes:
    """A block of these entries, with a restart every `interval` of them."""
    out, restarts = bytearray(), []
    last = b""
    for i, (key, value) in enumerate(pairs):
        shared = 0
        if i % interval == 0:
            restarts.append(len(out))
        else:
            limit = min(len(key), len(last))
            while shared < limit and key[shared] == last[shared]:
                shared += 1
        out += put_varint(shared) + put_varint(len(key) - shared) + put_varint(len(value))
        out += key[shared:] + value
        last = key
    restarts = restarts or [0]
    for at in restarts:
        out += at.to_bytes(4, "little")
    return bytes(out + len(restarts).to_bytes(4, "little"))
