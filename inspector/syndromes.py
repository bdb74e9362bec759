"""Which flipped bits explain a CRC-32C that fails: found from the difference alone, without trying them.

A CRC is linear: flipping a bit changes it by a value that depends only on how far the bit lies from the end. So
one flipped bit is a look-up, and two are a meeting of two look-ups. Everything here is a function of a length and of
the difference (the syndrome) between the stored and the computed checksum.

The polynomial has the factor x + 1, so a syndrome has an odd number of ones exactly where an odd number of bits was
flipped: half of all damage is known to be no single flip, the other half to be no pair, before any look-up.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import Final

from inspector.kernels import syndromes as kernel
from inspector.kernels.plain_syndromes import POLYNOMIAL, table

UNIQUE_PAIRS: Final = 655  # bytes: up to here no two damages of at most two bits have one syndrome (all were compared)
LONGEST: Final = 1 << 20  # bytes of a unit that is corrected

Place = tuple[int, int]  # byte from the start of the covered bytes, bit of it

_TABLE: Final = table()
_BACK: Final = POLYNOMIAL << 1 | 1  # undoes one step of the register that had shifted a one out


def _eight_back(register: int) -> int:
    for _ in range(8):
        register = register << 1 ^ _BACK if register & 0x80000000 else register << 1
    return register


_BACK_8: Final = tuple(_eight_back(top << 24) for top in range(256))
# entry 8 * m + b: what flipping bit b of the byte m before the last one changes the checksum by
_EFFECTS: Final = array("I", (_TABLE[1 << bit] for bit in range(8)))


def effects(length: int) -> array[int]:
    """The effects of all bits of the last `length` bytes or more; grows once and is kept."""
    if len(_EFFECTS) < 8 * length:
        kernel.grow(_EFFECTS, 8 * length)
    return _EFFECTS


def one_flip(length: int, syndrome: int) -> Place | None:
    """The bit of `length` covered bytes whose flip changes the checksum by `syndrome`."""
    if not syndrome.bit_count() & 1:
        return None
    k = kernel.place(effects(length), 8 * length, syndrome)
    return _place(length, k) if k >= 0 else None


def two_flips(length: int, syndrome: int) -> list[tuple[Place, Place]]:
    """All pairs of covered bits whose flips change the checksum by `syndrome`; at most one up to 655 bytes."""
    if syndrome.bit_count() & 1:
        return []
    found = kernel.pairs(effects(length), 8 * length, syndrome)
    return sorted((min(both), max(both)) for both in ((_place(length, j), _place(length, k)) for j, k in found))


def _place(length: int, k: int) -> Place:
    return length - 1 - k // 8, k % 8


def bursts(
    length: int, syndrome: int, width: int = 32, within: tuple[int, int] | None = None
) -> Iterator[tuple[int, bytes]]:
    """Every damage of at most `width` (32 or less) neighbouring bits that explains `syndrome`: (byte, mask).

    There is exactly one 32-bit pattern for each place; one that begins with a sound bit is told where it begins.
    `within` limits the bytes that the damage may touch, half-open. Bits neighbour in the order of the checksum: up
    through a byte, then on to the next byte.
    """
    low, high = within or (0, length)
    # the register as it was so many bits before the end is the pattern of the bits that begin there
    after, back = syndrome, _BACK_8
    beyond = 1 << width + 7 if width <= 24 else 1 << 32
    for byte in range(length - 1, low - 1, -1):
        state = after
        after = (after << 8 & 0xFFFFFFFF) ^ back[after >> 24]
        if after >= beyond:
            continue  # a short pattern at any bit of this byte would only have been shifted since
        for bit in range(7, -1, -1):
            state = state << 1 ^ _BACK if state & 0x80000000 else state << 1
            if not state & 1 or state >> min(8 * (length - byte) - bit, width):
                continue
            mask = state << bit
            size = (mask.bit_length() + 7) // 8
            if byte + size <= high:
                yield byte, mask.to_bytes(size, "little")
