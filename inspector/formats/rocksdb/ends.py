"""Where a block that begins here may end, told from its content alone; checksums decide afterwards.

Every function looks at untrusted bytes: it returns None where they do not fit and its work is linear in them.
"""

import bz2
import re
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from typing import Final

from msgspec import Struct

from inspector.formats.rocksdb import codecs
from inspector.formats.rocksdb.coding import MalformedError, u16, u32, varint

_COUNT: Final = (1 << 28) - 1
_HASH_INDEX: Final = 1 << 31
_FLAGS: Final = 0xB  # the high nibbles that a block's last word may have, but for the escape bit 30
_SIZE: Final = rb"(?:[\x80-\xff]{1,3}[\x01-\x7f]|[\x10-\x7f])"  # uncompressed bytes of a block, as a varint
_FIRST: Final = rb"\x00[\x08-\xff]"  # the first key shares nothing and has 8 bytes at least
_LZ4_START: Final = rb"(?:[\x30-\xef]|[\xf0-\xff]\xff{0,8}[\x00-\xfe])" + _FIRST
# the first byte of a deflate stream: its first block is stored, or has fixed or dynamic codes; 3 is no kind
_DEFLATE_START: Final = b"[" + b"".join(b"\\x%02x" % byte for byte in range(256) if byte & 6 != 6) + b"]"
_SNAPPY_START: Final = rb"(?:[\x08\x0c\x10-\xec]|\xf0.|\xf4..)" + _FIRST
# a type byte, its checksum, and what a neighbour of the same table begins with; then the type byte alone
_LZ4_TYPES: Final = (
    re.compile(rb"[\x04\x05](?=.{4}(?:" + _FIRST + rb"|" + _SIZE + _LZ4_START + rb"))", re.DOTALL),
    re.compile(rb"[\x04\x05]"),
)
_SNAPPY_TYPES: Final = (
    re.compile(rb"\x01(?=.{4}(?:" + _FIRST + rb"|" + _SIZE + _SNAPPY_START + rb"))", re.DOTALL),
    re.compile(rb"\x01"),
)
MOST_ALIKE: Final = 1000  # keys of a block that add nothing to the one before: ingested range deletes alone may do so
# behind so many places (30 kB of noise) at which no stream decodes, a try costs so many times as much: bytes made to
# look like streams are not worth what others are
VAIN: Final = 15_000
DEAR: Final = 8
Walk = Callable[[bytes, int, int, int, "Meter"], int | None]
# the least end in [at, until) of what begins where a block is due, behind which this type and its checksum stand, or -1
Sealed = Callable[[int, int, int], int]
_ZSTD_MAGIC: Final = b"\x28\xb5\x2f\xfd"
_LZ4_RATIO: Final = 255  # a byte of an LZ4 block stands for at most this many (lz4_Block_format.md)
WALK_ABOVE: Final = 128 << 10  # larger lz4 and snappy blocks are walked, smaller ones tried at every type byte

# the low three bytes of the last word of an uncompressed block of fewer than 65,536 restarts, then type 0
_PLAIN_WORDS: Final = re.compile(rb"(?<=\0[\x00\x10\x20\x30\x80\x90\xa0\xb0])\0")


class Meter(Struct):
    """What a search may still cost, in nanoseconds as measured for plain Python; hostile bytes end it, not the user."""

    left: int
    vain: int = 0  # streams in a row that do not decode

    def step(self, count: int = 1) -> None:
        self.left -= 300 * count

    def call(self, hashed: int = 0) -> None:
        self.left -= 1000 + hashed // 8

    def doubt(self, alike: int) -> None:
        """Bytes made to look like endless blocks are not worth what others are."""
        if alike >= MOST_ALIKE:
            self.left //= 8


def plain(buf: bytes, start: int, end: int, meter: Meter) -> int | None:
    """The end of an uncompressed block of entries: they run on until the restart array, whose first word is 0."""
    at, key, alike = start, 0, 0
    while at + 8 <= end and meter.left > 0 and alike < MOST_ALIKE:
        meter.left -= 600
        if buf[at] == 0 and buf[at + 1] == 0 and not buf[at + 2] | buf[at + 3]:
            return restarts_end(buf, at, end, at - start, meter)
        shared, unshared, length = buf[at], buf[at + 1], buf[at + 2]
        if (shared | unshared | length) < 0x80:
            at += 3
        else:
            try:
                shared, at = varint(buf, at, end, 32)
                unshared, at = varint(buf, at, end, 32)
                length, at = varint(buf, at, end, 32)
            except MalformedError:
                return None
        if shared > key:
            return None
        key = shared + unshared
        alike += not unshared
        at += unshared + length
    meter.doubt(alike)
    return None


def delta_index(buf: bytes, start: int, end: int, meter: Meter) -> int | None:
    """The end of an uncompressed index block whose handles are delta-coded: its entries carry no value length."""
    at, key, alike = start, 0, 0
    try:
        while at + 8 <= end and meter.left > 0 and alike < MOST_ALIKE:
            meter.left -= 3000
            if buf[at] == 0 and buf[at + 1] == 0 and not buf[at + 2] | buf[at + 3]:
                return restarts_end(buf, at, end, at - start, meter)
            shared, at = varint(buf, at, end, 32)
            unshared, at = varint(buf, at, end, 32)
            if shared > key:
                return None
            key = shared + unshared
            alike += not unshared
            at += unshared
            _, at = varint(buf, at, end)
            if not shared:
                _, at = varint(buf, at, end)
    except MalformedError:
        return None
    meter.doubt(alike)
    return None


def restarts_end(buf: bytes, at: int, end: int, length: int, meter: Meter) -> int | None:
    """The end of a block whose restart array begins at `at`, after `length` bytes of entries."""
    count, last, pos = 0, -1, at
    while pos + 4 <= end:
        word = u32(buf, pos)
        if count and word & _COUNT == count and (word >> 28) & ~_FLAGS == 0 and not word & _HASH_INDEX:
            return pos + 4
        if not last < word <= length:
            break
        count, last, pos = count + 1, word, pos + 4
    meter.left -= 300 * count + 10_000
    for restarts in range(count, max(0, count - 3), -1):  # bytes of a hash index may look like restarts
        buckets = at + 4 * restarts
        needle = (restarts | _HASH_INDEX).to_bytes(4, "little")
        found = buf.find(needle, buckets, min(end, buckets + (1 << 16) + 6))
        if found >= buckets + 2 and u16(buf, found - 2) == found - 2 - buckets:
            return found + 4
    return None


def zstd_frame(buf: bytes, start: int, end: int) -> int | None:
    """The end of a zstd frame, from its block headers (RFC 8878, section 3.1.1)."""
    if buf[start : start + 4] != _ZSTD_MAGIC or start + 6 > end:
        return None
    descriptor = buf[start + 4]
    single, checksum = descriptor >> 5 & 1, descriptor >> 2 & 1
    at = start + 5 + (0 if single else 1) + (0, 1, 2, 4)[descriptor & 3]
    at += (single, 2, 4, 8)[descriptor >> 6]
    while at + 3 <= end:
        head = buf[at] | buf[at + 1] << 8 | buf[at + 2] << 16
        at += 3 + (1 if head >> 1 & 3 == 1 else head >> 3)
        if head & 1:
            at += 4 * checksum
            return at if at <= end else None
    return None


def lz4_stream(buf: bytes, at: int, end: int, size: int, meter: Meter) -> int | None:
    """The end of an LZ4 block that gives `size` bytes."""
    out = 0
    while at < end and meter.left > 0:
        meter.left -= 400
        token = buf[at]
        at += 1
        literals = token >> 4
        if literals == 15:
            while at < end and buf[at] == 255:
                literals, at = literals + 255, at + 1
            if at >= end:
                return None
            literals, at = literals + buf[at], at + 1
        at, out = at + literals, out + literals
        if out >= size:
            return at if out == size and at <= end else None
        at += 2
        match = token & 15
        if match == 15:
            while at < end and buf[at] == 255:
                match, at = match + 255, at + 1
            if at >= end:
                return None
            match, at = match + buf[at], at + 1
        out += match + 4
    return None


def snappy_stream(buf: bytes, at: int, end: int, size: int, meter: Meter) -> int | None:
    """The end of a snappy stream, after its length, that gives `size` bytes."""
    out = 0
    while at < end and out < size and meter.left > 0:
        meter.left -= 400
        tag = buf[at]
        kind = tag & 3
        if kind == 0:
            length, extra = (tag >> 2) + 1, 0
            if length > 60:
                extra = length - 60
                if at + 1 + extra > end:
                    return None
                length = int.from_bytes(buf[at + 1 : at + 1 + extra], "little") + 1
            at += 1 + extra + length
        else:
            length = (tag >> 2 & 7) + 4 if kind == 1 else (tag >> 2) + 1
            at += (0, 2, 3, 5)[kind]
        out += length
    return at if out == size and at <= end else None


def _stream_end(kind: int, buf: bytes, at: int, end: int, size: int) -> int | None:
    """The end of a deflate or bzip2 stream of `size` bytes, found by decoding it."""
    if kind == codecs.ZLIB and at + 5 <= end and not buf[at] & 6 and u16(buf, at + 1) ^ u16(buf, at + 3) != 0xFFFF:
        return None  # a stored block says its length twice
    window = buf[at : min(end, at + size + size // 8 + 1024)]
    try:
        if kind == codecs.ZLIB:
            deflate = zlib.decompressobj(-14)
            out = deflate.decompress(window, size + 1)
            done, unused = deflate.eof, len(deflate.unused_data)
        else:
            bunzip = bz2.BZ2Decompressor()
            out = bunzip.decompress(window, size + 1)
            done, unused = bunzip.eof, len(bunzip.unused_data)
    except (zlib.error, OSError, ValueError):
        return None
    return at + len(window) - unused if done and len(out) == size else None


def candidates(
    buf: bytes,
    start: int,
    end: int,
    types: frozenset[int],
    sized: bool,
    reach: int,
    largest: int,
    meter: Meter,
    sealed: Sealed | None = None,
) -> Iterator[int]:
    """Payload ends worth a checksum for a block at `start`; `sized` is whether codecs carry a size before them.

    `reach` bounds the tries for content whose own structure does not tell its end, and with 0 there are none of those,
    nor of indexes; `largest` bounds the uncompressed size. With `sealed`, of ends that only their type byte tells no
    more come than hold.
    """
    if start + 8 > end:
        return
    plainly = min(end, start + largest + largest // 4)  # entries, and restarts after them
    if 0 in types and buf[start] == 0 and (found := plain(buf, start, plainly, meter)):
        yield found
    if len(types) > 1 or 0 not in types:
        yield from _compressed(buf, start, end, types, sized, largest, meter, sealed)
    if 0 in types and buf[start] == 0 and reach:
        if found := delta_index(buf, start, plainly, meter):
            yield found
        meter.left -= reach
        if sealed is not None:
            if (stop := sealed(start + 8, min(end, start + reach), codecs.NO_COMPRESSION)) >= 0:
                yield stop
            return
        for word in _PLAIN_WORDS.finditer(buf, start + 8, min(end, start + reach)):
            if 0 < u32(buf, word.start() - 4) & _COUNT <= (word.start() - start) // 4:
                yield word.start()


def _compressed(
    buf: bytes,
    start: int,
    end: int,
    types: frozenset[int],
    sized: bool,
    largest: int,
    meter: Meter,
    sealed: Sealed | None,
) -> Iterator[int]:
    try:
        size, at = varint(buf, start, min(end, start + 5), 32)
    except MalformedError:
        size, at = 0, start
    stream = at if sized else start
    if buf.startswith(_ZSTD_MAGIC, stream) and (found := zstd_frame(buf, stream, end)):
        yield found
    if not 8 <= size <= largest:
        return
    if codecs.SNAPPY in types:
        kinds = types & {codecs.SNAPPY}
        yield from _tried(buf, at, end, size, kinds, _SNAPPY_TYPES, snappy_stream, meter, sealed)
    if not sized:
        return
    if codecs.LZ4 in types or codecs.LZ4HC in types:
        kinds = types & {codecs.LZ4, codecs.LZ4HC}
        yield from _tried(buf, at, end, size, kinds, _LZ4_TYPES, lz4_stream, meter, sealed)
    for kind in (codecs.ZLIB, codecs.BZIP2):
        if kind not in types or (kind == codecs.ZLIB and at < end and buf[at] & 6 == 6):
            continue
        meter.left -= (7000 + size) * (DEAR if meter.vain > VAIN else 1)
        meter.vain += 1
        if found := _stream_end(kind, buf, at, end, size):
            meter.vain = 0
            yield found


def _tried(
    buf: bytes,
    at: int,
    end: int,
    size: int,
    kinds: frozenset[int],
    types: tuple[re.Pattern[bytes], ...],
    walk: Walk,
    meter: Meter,
    sealed: Sealed | None,
) -> Iterator[int]:
    """Every type byte where the codec could have ended; a large block is walked instead, once."""
    if size > WALK_ABOVE:
        if found := walk(buf, at, end, size, meter):
            yield found
        return
    last = min(end + 1, at + size + size // 6 + 64)  # the type byte itself stands at the payload's end
    meter.left -= 2 * max(0, last - at)
    if sealed is not None:
        yield from (stop for kind in sorted(kinds) if (stop := sealed(at + size // _LZ4_RATIO, last, kind)) >= 0)
        return
    for pattern in types:
        for byte in pattern.finditer(buf, at + size // _LZ4_RATIO, min(len(buf), last)):
            yield byte.start()


class Beginnings(Struct, frozen=True):
    """Where `form` matches.

    A form that holds an `anchor`, 1 to `reach` bytes behind its beginning, is tried only before anchors: most of a
    table is then passed over as fast as a literal is searched for.
    """

    form: re.Pattern[bytes]
    anchor: re.Pattern[bytes] | None = None
    reach: int = 0

    def places(self, buf: bytes, at: int, until: int) -> Iterator[int]:
        """Places in [at, until), in order; what begins there may go on behind `until`."""
        if self.anchor is None:
            yield from self._within(buf, at, until)
            return
        low = high = at  # [low, high): before anchors, and not yet looked at
        for found in self.anchor.finditer(buf, at, min(len(buf), until + self.reach + _ANCHOR)):
            place = found.start()
            if place - self.reach > high or high - low > _RUN:
                yield from self._within(buf, low, min(high, until))
                low = max(high, place - self.reach)
            high = place
        yield from self._within(buf, low, min(high, until))

    def _within(self, buf: bytes, low: int, high: int) -> Iterator[int]:
        for match in self.form.finditer(buf, low, min(len(buf), high + _LONGEST)):
            if match.start() >= high:
                return
            yield match.start()


_ANCHOR: Final = 4  # bytes of the longest anchor
_LONGEST: Final = 20  # bytes of the longest form: a size, a token with its length, two bytes of an entry
_RUN: Final = 4096  # bytes before anchors in a row that are looked at together
_ENTRY: Final = re.compile(rb"\x00(?=[\x08-\xff])")


@cache
def starts(kind: int, sized: bool) -> Beginnings:
    """Where a block of this compression type may begin."""
    size = _SIZE if sized else b""
    if kind == codecs.NO_COMPRESSION:
        return Beginnings(_ENTRY)
    if kind == codecs.ZLIB:  # its first byte is matched, not looked ahead at: so most others are passed over quickly
        ahead = rb"(?=[\x80-\xff]{0,2}[\x01-\x7f]" + _DEFLATE_START + rb")"
        return Beginnings(re.compile(rb"[\x80-\xff]" + ahead, re.DOTALL))
    form, anchor, reach = {
        codecs.ZSTD: (size + re.escape(_ZSTD_MAGIC), re.compile(re.escape(_ZSTD_MAGIC)), 4),
        codecs.LZ4: (size + _LZ4_START, _ENTRY, 14),
        codecs.SNAPPY: (_SIZE + _SNAPPY_START, _ENTRY, 7),
        codecs.BZIP2: (size + rb"BZh[1-9]1AY", re.compile(rb"BZh"), 4),
    }[kind]
    if not sized and anchor is not _ENTRY:  # it begins with its anchor
        return Beginnings(re.compile(form))
    return Beginnings(re.compile(rb"(?=" + form + rb")", re.DOTALL), anchor, reach)
