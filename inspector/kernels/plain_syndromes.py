"""Which flipped bits have a given effect on a CRC-32C: the twin of `_syndromes`."""

from __future__ import annotations

from array import array
from functools import lru_cache

POLYNOMIAL = 0x82F63B78  # Castagnoli, bit-reversed: a byte's lowest bit is processed first


@lru_cache(maxsize=1)
def table() -> tuple[int, ...]:
    """What a CRC-32C is after each single byte, from zero on."""
    rows = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (POLYNOMIAL if value & 1 else 0)
        rows.append(value)
    return tuple(rows)


def grow(effects: array[int], count: int) -> None:
    """Let the effects of the last bits be those of `count` bits at least; there are eight to begin with."""
    after = table()
    for k in range(len(effects) - 8, count - 8):
        value = effects[k]
        effects.append(after[value & 0xFF] ^ value >> 8)


def place(effects: array[int], count: int, wanted: int) -> int:
    """The number of the bit of the last `count` whose effect is `wanted`, or -1."""
    if count > len(effects):
        raise IndexError("more bits than effects")
    try:
        return effects.index(wanted, 0, count)
    except ValueError:  # how an array says that it holds no such value
        return -1


def pairs(effects: array[int], count: int, wanted: int) -> list[tuple[int, int]]:
    """All pairs of bits of the last `count` whose effects together are `wanted`, the lower number first."""
    if count > len(effects):
        raise IndexError("more bits than effects")
    every = set(effects[:count])
    halves = every & {wanted ^ effect for effect in every}
    found = []
    for half in halves:
        one, other = place(effects, count, half), place(effects, count, half ^ wanted)
        if one < other:
            found.append((one, other))
    return sorted(found)
