"""Checksums of any part of one window, in time that does not grow without limit with the parts' lengths."""

from array import array
from functools import lru_cache
from typing import Final

from inspector.crc32c import crc32c, hardware_based

GRID: Final = 1024
POLYNOMIAL: Final = 0x82F63B78  # Castagnoli, bit-reversed: bit 31 is x^0


def hardware_crc() -> bool:
    """Whether the checksum library uses the processor's instruction."""
    return bool(hardware_based)


def _times_x(value: int, steps: int) -> int:
    for _ in range(steps):
        value = (value >> 1) ^ (POLYNOMIAL if value & 1 else 0)
    return value


_LOW4: Final = tuple(_times_x(value, 4) for value in range(16))


@lru_cache(maxsize=4096)
def _times_zeros(length: int) -> tuple[int, ...]:
    """x^(8 * length) times each polynomial of degree below 4; nibbles are bit-reversed like everything here."""
    factor = 1 << 31
    square = _times_x(1 << 31, 8)
    while length:
        if length & 1:
            factor = _times(_nibbles(square), factor)
        square = _times(_nibbles(square), square)
        length >>= 1
    return _nibbles(factor)


def _nibbles(factor: int) -> tuple[int, ...]:
    eight = factor
    four = _times_x(eight, 1)
    two = _times_x(four, 1)
    one = _times_x(two, 1)
    return tuple(
        (eight if n & 8 else 0) ^ (four if n & 4 else 0) ^ (two if n & 2 else 0) ^ (one if n & 1 else 0)
        for n in range(16)
    )


def _times(nibbles: tuple[int, ...], value: int) -> int:
    result = 0
    for shift in range(0, 32, 4):
        result = (result >> 4) ^ _LOW4[result & 15] ^ nibbles[(value >> shift) & 15]
    return result


class PartChecksums:
    """CRC-32C of parts of one window.

    A part is checksummed directly until the parts that did not match add up to the window's length. From then on
    checksums come from the prefixes' (crc(b) = shift(crc(a), b - a) ^ crc(a..b)), so that bytes made to be
    checksummed again and again cost a constant each time.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._view = memoryview(data)
        self._wasted = 0
        self._prefixes = array("I", [0])

    def matches(self, start: int, end: int, seed: int, stored: int) -> bool:
        """Whether the bytes [start, end) continue `seed` to the stored checksum."""
        length = end - start
        if length <= 2 * GRID or self._wasted <= len(self._data):
            found = crc32c(self._view[start:end], seed) == stored
            self._wasted += 0 if found else length
            return found
        return self._prefix(end) ^ _times(_times_zeros(length), self._prefix(start) ^ seed) == stored

    def _prefix(self, at: int) -> int:
        known = self._prefixes
        slot = at // GRID
        while len(known) <= slot:
            start = (len(known) - 1) * GRID
            known.append(crc32c(self._view[start : start + GRID], known[-1]))
        return crc32c(self._view[slot * GRID : at], known[slot])
