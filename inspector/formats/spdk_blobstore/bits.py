"""Bit sets that cost memory only where bits are set, and the masks of a store."""

from __future__ import annotations

from array import array
from collections.abc import Iterator

CHUNK = 4096  # bytes: 32,768 bits


class Bits:
    """A set of small integers, as the bits of a mask: bit i lies in byte i // 8, lowest first."""

    def __init__(self) -> None:
        self._chunks: dict[int, bytearray] = {}
        self.count = 0

    def add(self, bit: int) -> bool:
        """Set a bit; True when it was set before."""
        chunk = self._chunks.get(bit >> 15)
        if chunk is None:
            chunk = self._chunks[bit >> 15] = bytearray(CHUNK)
        at, value = (bit & 0x7FFF) >> 3, 1 << (bit & 7)
        if chunk[at] & value:
            return True
        chunk[at] |= value
        self.count += 1
        return False

    def add_range(self, start: int, end: int) -> None:
        bit = start
        while bit < end:
            if bit % (8 * CHUNK) == 0 and bit + 8 * CHUNK <= end and bit >> 15 not in self._chunks:
                self._chunks[bit >> 15] = bytearray(b"\xff" * CHUNK)
                self.count += 8 * CHUNK
                bit += 8 * CHUNK
            else:
                self.add(bit)
                bit += 1

    def take(self, start: int, end: int) -> bool:
        """Set [start, end) if none of it is set; else set nothing, and return False."""
        parts = []
        at = start
        while at < end:
            stop = min(end, (at >> 15) + 1 << 15)
            chunk = self._chunks.get(at >> 15) or bytearray(CHUNK)
            low, high = (at & 0x7FFF) >> 3, (stop - 1 & 0x7FFF) + 8 >> 3
            value = int.from_bytes(chunk[low:high], "little")
            mask = (1 << stop - at) - 1 << (at & 7)
            if value & mask:
                return False
            parts.append((at >> 15, chunk, low, high, (value | mask).to_bytes(high - low, "little")))
            at = stop
        for number, chunk, low, high, data in parts:
            chunk[low:high] = data
            self._chunks[number] = chunk
        self.count += end - start
        return True

    def __contains__(self, bit: int) -> bool:
        chunk = self._chunks.get(bit >> 15)
        return chunk is not None and bool(chunk[(bit & 0x7FFF) >> 3] >> (bit & 7) & 1)

    def covers(self, words: array[int]) -> bool:
        """Whether each number that is not 0 is set."""
        high = max(words, default=0)
        low = min(filter(None, words), default=high)
        if high - low < 8 * CHUNK and self._covers_range(low, high + 1):  # more than asked, at a few operations
            return True
        chunks = self._chunks
        for word in words:  # __contains__, without a call for each
            if word:
                chunk = chunks.get(word >> 15)
                if chunk is None or not chunk[(word & 0x7FFF) >> 3] >> (word & 7) & 1:
                    return False
        return True

    def _covers_range(self, start: int, end: int) -> bool:
        """Whether every number of [start, end) is set."""
        at = start
        while at < end:
            stop = min(end, (at >> 15) + 1 << 15)
            chunk = self._chunks.get(at >> 15)
            low, high = (at & 0x7FFF) >> 3, (stop - 1 & 0x7FFF) + 8 >> 3
            mask = (1 << stop - at) - 1 << (at & 7)
            if chunk is None or int.from_bytes(chunk[low:high], "little") & mask != mask:
                return False
            at = stop
        return True

    def chunk(self, number: int) -> bytes:
        found = self._chunks.get(number)
        return bytes(found) if found is not None else bytes(CHUNK)

    def __iter__(self) -> Iterator[int]:
        for number in sorted(self._chunks):
            yield from set_bits(self._chunks[number], number << 15)

    def to_bytes(self, bits: int) -> Iterator[bytes]:
        """The mask's bits in pieces, `bits` of them."""
        left = -(-bits // 8)
        number = 0
        while left > 0:
            yield self.chunk(number)[:left]
            left -= CHUNK
            number += 1


def set_bits(data: bytes | bytearray | memoryview, base: int = 0) -> Iterator[int]:
    """Numbers of the set bits, each plus `base`."""
    for at in range(0, len(bytes(data).rstrip(b"\0")), 8):  # most of a mask is a tail of zeroes
        value = int.from_bytes(data[at : at + 8], "little")
        while value:
            low = value & -value
            yield base + 8 * at + low.bit_length() - 1
            value ^= low


def differing(left: bytes, right: bytes, base: int) -> Iterator[tuple[int, bool]]:
    """(bit, it is set in `left`) for each bit that differs."""
    if left == right:
        return
    for at in range(0, len(left), 64):
        a, b = left[at : at + 64], right[at : at + 64]
        if a != b:
            mixed = bytes(x ^ y for x, y in zip(a, b, strict=True))
            for bit in set_bits(mixed):
                yield base + at * 8 + bit, bool(a[bit >> 3] >> (bit & 7) & 1)
