"""Blocks of RocksDB tables in plain Python: the twin of `_rocksdb`, and the measure of what it must say.

A run goes on while all is well. What is wrong with a block is judged by the caller, who looks at it alone.
"""

from __future__ import annotations

import re
from array import array
from collections import Counter
from typing import Any, Final

import cramjam
import lz4.block
import xxhash

from inspector.crc32c import crc32c

STORED = frozenset((0, 1, 2, 7, 0x11, 0x14, 0x16, 0x18))  # as in formats/rocksdb/keys.py: types of entries
NONE, CRC32C, XXHASH, XXHASH64, XXH3 = range(5)
TRAILER: Final = 5
MAX_CONTENT: Final = 64 << 20
_M32: Final = 0xFFFFFFFF
_M64: Final = (1 << 64) - 1
_HASH_INDEX: Final = 1 << 31
_CLOSER: Final = 5 << 28  # an unknown feature, or values kept apart from keys
_PAIR, _MAX_SPENT = 112, 64 << 20  # as in formats/rocksdb/block.py: what the entries of a block may cost
# of an uncompressed block the type byte stands behind a count of fewer than 65,536 restarts, with its flags
_TYPES: Final = {kind: re.compile(b"\\x%02x" % kind) for kind in range(1, 8)} | {
    0: re.compile(rb"(?<=\0[\x00\x10\x20\x30\x80\x90\xa0\xb0])\0")
}
_PLAIN: Final = frozenset({1, 2, 3, 4, 9, 10, 130})  # records of a log whose header repeats no number
_COUNT: Final = (1 << 28) - 1


class _WrongError(Exception):
    """A block that needs a closer look."""


def checksum_of(kind: int, body: bytes) -> int:
    """The checksum of a payload with its type byte."""
    if not body:
        raise ValueError("a block has a type byte")
    if kind == CRC32C:
        crc = crc32c(body)
        return ((crc >> 15 | crc << 17) + 0xA282EAD8) & _M32
    if kind == XXH3:
        return int(xxhash.xxh3_64_intdigest(body[:-1])) & _M32 ^ body[-1] * 0x6B9083D9 & _M32
    if kind == XXHASH:
        return int(xxhash.xxh32_intdigest(body))
    return int(xxhash.xxh64_intdigest(body)) & _M32 if kind == XXHASH64 else 0


def _varint(data: bytes, at: int, end: int, bits: int = 32) -> tuple[int, int]:
    value = shift = 0
    while at < end and shift < bits:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if value >> bits:
                break
            return value, at
        shift += 7
    raise _WrongError


class BlockRun:
    """Blocks in a row: sums over their entries; stops before the first one that needs a closer look."""

    def __init__(self, checksum: int, base: int, sized: bool, ordered: bool, stop_type: int = -1) -> None:
        self._checksum, self._base, self._sized = checksum, base, sized
        self._ordered, self._stop_type = ordered, stop_type
        self.entries = self.max_tag = 0
        self.types: dict[int, int] = {}
        self.first_key: bytes | None = None
        self.last_key: bytes | None = None
        self.needs_codec = False
        self.wrong = b""  # of the last call: 1 for each block that was passed over

    def blocks(
        self,
        window: bytes | memoryview,
        start: int,
        offsets: array[int],
        sizes: array[int],
        first: int,
        last: int,
        decode: bool = True,
        through: bool = False,
    ) -> tuple[int, array[int], array[int]]:
        """(the first block that was not done, stored and computed checksums of those that were)

        With `through` blocks whose checksum fails are passed over, and noted in `wrong`.
        """
        if last > len(offsets) or last > len(sizes) or first > last:
            raise IndexError("blocks beyond the table's")
        stored, computed = array("I"), array("I")
        window = bytes(window)  # keys are put together from it
        self.needs_codec = False
        wrong, done = bytearray(), last
        for i in range(first, last):
            at, size = offsets[i] - start, sizes[i]
            apart = i > first and offsets[i] != offsets[i - 1] + sizes[i - 1] + TRAILER
            if at < 0 or at + size + TRAILER > len(window) or apart:
                done = i
                break
            found = int.from_bytes(window[at + size + 1 : at + size + TRAILER], "little")
            right = (checksum_of(self._checksum, window[at : at + size + 1]) + self._context(offsets[i])) & _M32
            bad = self._checksum != NONE and found != right
            if bad and not through:
                done = i
                break
            if decode and not bad:
                content = self._content(window[at + size], window[at : at + size])
                if content is None or not self.content(content):
                    self.needs_codec = content is None
                    done = i
                    break
            stored.append(found)
            computed.append(right)
            wrong.append(bad)
        self.wrong = bytes(wrong) if through else b""
        return done, stored, computed

    def _context(self, offset: int) -> int:
        return self._base ^ ((offset + (offset >> 32)) & _M32) if self._base else 0

    def _content(self, kind: int, payload: bytes) -> bytes | None:
        """None where it takes another codec, or a closer look."""
        if kind == 0:
            return payload
        if kind != 1 and not (kind in (4, 5) and self._sized):
            return None
        try:
            size, at = _varint(payload, 0, min(5, len(payload)))
            if not 8 <= size <= MAX_CONTENT:
                return None
            if kind == 1:
                out = bytes(cramjam.snappy.decompress_raw(payload, output_len=size))
            else:
                out = bytes(lz4.block.decompress(payload[at:], uncompressed_size=size))
        except (_WrongError, lz4.block.LZ4BlockError, cramjam.DecompressionError):
            return None
        return out if len(out) == size else None

    def content(self, data: bytes) -> bool:
        """Take in a block's decompressed content; False where something is wrong with it."""
        try:
            keys = _keys(data)
        except _WrongError:
            return False
        types = Counter(key[-8] for key in keys)
        if not keys or (self._stop_type >= 0 and types[self._stop_type]):
            return False
        if self._checksum == NONE and not types.keys() <= STORED:
            return False
        if self._ordered:
            order = [(key[:-8], -int.from_bytes(key[-8:], "little")) for key in keys]
            if self.last_key is not None:
                order.insert(0, (self.last_key[:-8], -int.from_bytes(self.last_key[-8:], "little")))
            if len(set(order)) < len(order) or order != sorted(order):
                return False
        self.first_key = keys[0] if self.first_key is None else self.first_key
        self.last_key = keys[-1]
        self.entries += len(keys)
        self.max_tag = max(self.max_tag, *(int.from_bytes(key[-8:], "little") for key in keys))
        for kind, count in types.items():
            self.types[kind] = self.types.get(kind, 0) + count
        return True


def _keys(data: bytes) -> list[bytes]:
    """Keys of at least eight bytes of a block's entries."""
    at = len(data) - 4
    if at < 0:
        raise _WrongError
    packed = int.from_bytes(data[at:], "little")
    if packed & _CLOSER:
        raise _WrongError
    if packed & _HASH_INDEX:
        if at < 2:
            raise _WrongError
        at -= 2 + int.from_bytes(data[at - 2 : at], "little")
    count = packed & _COUNT
    end = at - 4 * count
    if end < 0 or (not count and end):
        raise _WrongError
    keys: list[bytes] = []
    key, at, spent = b"", 0, 0
    while at + 3 <= end:
        shared, at = _varint(data, at, end)
        unshared, at = _varint(data, at, end)
        value, at = _varint(data, at, end)
        spent += shared + _PAIR
        if shared > len(key) or at + unshared + value > end or shared + unshared < 8 or spent > _MAX_SPENT:
            raise _WrongError
        key = key[:shared] + data[at : at + unshared]
        keys.append(key)
        at += unshared + value
    if at != end:
        raise _WrongError
    return keys


class LogRun:
    """Whole write batches of a WAL in a row: plainly none is taken, and the reader of logs reads them all."""

    records = operations = highest = 0
    sequences: tuple[int, int] | None = None

    def __init__(self, number: int | None = None) -> None:
        self.families: dict[int, int] = {}
        self.jumps: tuple[int, list[tuple[int, int, int]]] = (0, [])

    def take(self, window: bytes, base: int, at: int) -> tuple[int, array[int], array[int], bytes]:
        """(where it stopped in the window, starts of tiles, their checksums, 1 for each that is a block's trailer)"""
        return at, array("Q"), array("I"), b""


def log_sound(block: bytes, base: int, number: int | None = None) -> tuple[array[int], bytes, array[int], int]:
    """(starts, types, checksums, where the next thing begins) of a log's records that verify from a block's start on.

    Plainly, the first one that repeats the log's number ends it.
    """
    starts, kinds, stored = array("Q"), bytearray(), array("I")
    at, view, room = 0, memoryview(block), len(block)
    while at + 11 <= room:
        end, kind = at + 7 + (block[at + 4] | block[at + 5] << 8), block[at + 6]
        if kind not in _PLAIN or end > room:
            break
        crc = crc32c(view[at + 6 : end])
        found = ((crc >> 15 | crc << 17) + 0xA282EAD8) & _M32
        if found != block[at] | block[at + 1] << 8 | block[at + 2] << 16 | block[at + 3] << 24:
            break
        starts.append(base + at)
        kinds.append(kind)
        stored.append(found)
        at = end
    return starts, bytes(kinds), stored, at


def log_relength(block: bytes, at: int, head: int, anchor: int) -> int:
    """The least end at which a record verifies, at the anchor or with one bit of its length turned; 0 where none is."""
    if at + head > len(block):
        return 0
    stored = int.from_bytes(block[at : at + 4], "little")
    claimed = block[at + 4] | block[at + 5] << 8
    ends = {at + head + (claimed ^ 1 << bit) for bit in range(16)} | {anchor}
    view = memoryview(block)
    for end in sorted(ends):
        if at + head <= end <= len(block) and checksum_of(CRC32C, bytes(view[at + 6 : end])) == stored:
            return end
    return 0


def batch_sums(data: bytes) -> tuple[int, dict[int, int], bool] | None:
    """(operations, of each family, whether it is only prepared) of a write batch: plainly None, and the reader of
    batches counts them."""
    return None


def block_entries(data: bytes, end: int, cost: int, most: int, places: bool) -> tuple[list[Any], int, bytes, int]:
    """(entries, where it stopped, the last key, what they cost): plainly none, and each entry is read alone."""
    return [], 0, b"", 0


def sealed_end(
    data: bytes, begin: int, at: int, until: int, kind: int, checksum: int, modifier: int, left: int
) -> tuple[int, int]:
    """(the least end in [at, until) of a payload from `begin` on behind which this type and the right checksum stand,
    or -1; what is left of the time that tries may cost). It stops where nothing is left; of type 0 only an end behind
    a count of restarts is tried."""
    until = max(at, min(until, len(data) - 4))
    for match in _TYPES[kind].finditer(data, at, until) if begin <= at else ():
        stop = match.start()
        if not kind:
            restarts = int.from_bytes(data[stop - 4 : stop], "little") & 0x0FFFFFFF
            if stop < begin + 8 or not 0 < restarts <= (stop - begin) // 4:
                continue
        left -= 1000 + (stop - begin) // 8
        if left < 0:
            break
        found = checksum_of(checksum, data[begin : stop + 1]) + modifier
        if found & _M32 == int.from_bytes(data[stop + 1 : stop + 5], "little"):
            return stop, left
    return -1, left


def sealed_begin(
    data: bytes, at: int, until: int, stop: int, checksum: int, base: int, start: int, left: int
) -> tuple[int, int]:
    """(the least beginning in [at, until) of a payload that ends at `stop` and that the checksum there
    seals, or -1; what is left of the time that tries may cost). `data` was written for the place `start`."""
    stored = int.from_bytes(data[stop + 1 : stop + 5], "little")
    for begin in range(at, min(until, stop)) if stop + 5 <= len(data) else ():
        left -= 1000 + (stop - begin) // 8
        if left < 0:
            break
        place = start + begin & _M64
        modifier = base ^ (place + (place >> 32) & _M32) if base else 0
        if checksum_of(checksum, data[begin : stop + 1]) + modifier & _M32 == stored:
            return begin, left
    return -1, left


def chain(
    window: bytes, start: int, at: int, checksum: int, base: int, types: int, sized: bool
) -> tuple[array[int], array[int], bytes, int]:
    """(offsets, sizes, types, where it stopped): plainly nothing is chained, and each block is found alone."""
    return array("Q"), array("Q"), b"", at


FOUND_TYPES = 0  # compression types whose blocks `find_block` finds


def find_block(
    window: bytes,
    start: int,
    at: int,
    until: int,
    checksum: int,
    base: int,
    types: int,
    sized: bool,
    largest: int,
    budget: int,
) -> tuple[tuple[int, int, int] | None, int]:
    """Plainly nothing is found: the search looks at each beginning itself."""
    return None, budget


def index_handles(
    data: bytes, end: int, delta: bool, first_key: bool, limit: int
) -> tuple[array[int], array[int], bool] | None:
    """Offsets and sizes of an index's entries, and whether each lies behind the one before; None where one misfits."""
    if end > len(data):
        return None
    offsets, sizes = array("Q"), array("Q")
    key = at = offset = size = behind = 0
    ordered = True
    try:
        while at < end:
            shared, at = _varint(data, at, end)
            unshared, at = _varint(data, at, end)
            value = 0
            if not delta:
                value, at = _varint(data, at, end)
            if shared > key or at + unshared > end:
                return None
            key = shared + unshared
            at += unshared
            stop = end if delta else at + value
            if stop > end:
                return None
            if delta and shared:
                step, at = _varint(data, at, stop, 64)
                offset += size + TRAILER
                size += step >> 1 ^ -(step & 1)
            else:
                offset, at = _varint(data, at, stop, 64)
                size, at = _varint(data, at, stop, 64)
            if first_key:
                length, at = _varint(data, at, stop)
                at += length
            if at > stop or (not delta and at != stop) or size < 0 or offset + size + TRAILER > limit:
                return None
            ordered = ordered and offset >= behind
            behind = offset + size + TRAILER
            offsets.append(offset)
            sizes.append(size)
    except _WrongError:
        return None
    return offsets, sizes, ordered


def flips(data: bytes, kind: int, wanted: int) -> list[int]:
    """Bits whose flip gives the bytes the wanted low half of their hash (2 XXH32, 3 XXH64, 4 XXH3)."""
    whole = {XXHASH: xxhash.xxh32_intdigest, XXHASH64: xxhash.xxh64_intdigest, XXH3: xxhash.xxh3_64_intdigest}[kind]
    trial, found = bytearray(data), []
    for bit in range(8 * len(data)):
        trial[bit >> 3] ^= 1 << (bit & 7)
        if whole(trial) & _M32 == wanted:
            found.append(bit)
        trial[bit >> 3] ^= 1 << (bit & 7)
    return found
