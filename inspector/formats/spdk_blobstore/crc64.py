"""CRC-64/ISO as Longhorn computes it over a snapshot's clusters, on big integers and without a table.

The polynomial x^64 + x^4 + x^3 + x + 1 has so few terms that squaring keeps it sparse: for any power of two s,
x^(64 s) = x^(4 s) + x^(3 s) + x^s + 1. A message is folded with four shifts per step until 64 bits are left.
"""

from __future__ import annotations

_ONES = (1 << 64) - 1
_CHUNK = 1 << 20  # folding costs a few passes over a chunk; a bounded chunk keeps them in the cache


def crc64(data: bytes | memoryview, start: int = 0) -> int:
    """The checksum of `data`, going on from `start` (reflected, initial value and final XOR all ones)."""
    view = memoryview(data)
    for at in range(0, len(view), _CHUNK):
        start = _fold(view[at : at + _CHUNK], start)
    return start


def _fold(data: memoryview, start: int) -> int:
    # bit 0 of the integer is the highest power of x; 64 zero bits stand for the multiplication by x^64
    length = 8 * len(data) + 64
    bits = int.from_bytes(data, "little") ^ start ^ _ONES
    while length > 64:
        s = 1 << ((length - 1) // 64).bit_length() - 1
        if s > 1 and length < 80 * s:  # a smaller step that removes much beats a larger one that removes little
            s //= 2
        head = min(length - 64 * s, 60 * s)  # so that the shift by 4 s stays inside the next 64 s bits
        high = bits & ((1 << head) - 1)
        room = 64 * s - head
        bits >>= head
        bits ^= (high << room) ^ (high << room - s) ^ (high << room - 3 * s) ^ (high << room - 4 * s)
        length -= head
    return bits ^ _ONES
