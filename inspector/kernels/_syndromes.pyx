# cython: language_level=3, boundscheck=False, wraparound=False
"""Which flipped bits have a given effect on a CRC-32C, compiled: the twin of `plain_syndromes`.

Takes microseconds and keeps the interpreter's lock, because the effects are shared and may be moved as they grow.
"""

from cpython cimport array
from libc.stdint cimport uint32_t
from libc.stdlib cimport calloc, free

cdef uint32_t TABLE[256]


cdef void prepare() noexcept:
    cdef uint32_t value
    cdef int i, step
    for i in range(256):
        value = <uint32_t>i
        for step in range(8):
            value = value >> 1 ^ (<uint32_t>0x82F63B78 if value & 1 else 0)
        TABLE[i] = value


prepare()


def grow(array.array effects, size_t count):
    """Let the effects of the last bits be those of `count` bits at least; there are eight to begin with."""
    cdef size_t known = len(effects), k
    cdef uint32_t *values
    if known < 8 or count <= known:
        return
    array.resize(effects, count)
    values = <uint32_t *>effects.data.as_uints
    for k in range(known, count):
        values[k] = TABLE[values[k - 8] & 0xFF] ^ values[k - 8] >> 8


def place(array.array effects, size_t count, uint32_t wanted):
    """The number of the bit of the last `count` whose effect is `wanted`, or -1."""
    cdef const uint32_t *values = <const uint32_t *>effects.data.as_uints
    cdef size_t k, found = count
    if count > <size_t>len(effects):
        raise IndexError("more bits than effects")
    for k in range(count):
        if values[k] == wanted:
            found = k
            break
    return -1 if found == count else found


def pairs(array.array effects, size_t count, uint32_t wanted):
    """All pairs of bits of the last `count` whose effects together are `wanted`, the lower number first."""
    cdef const uint32_t *values = <const uint32_t *>effects.data.as_uints
    cdef size_t room = 16, k, slot
    cdef uint32_t other
    cdef uint32_t *slots
    if count > <size_t>len(effects) or count >= <size_t>0xFFFFFFFF:
        raise IndexError("more bits than effects")
    while room < 2 * count:
        room *= 2
    slots = <uint32_t *>calloc(room, 4)  # numbers of bits by their effect, one too high; 0 is an empty slot
    if slots is NULL:
        raise MemoryError
    found = []
    try:
        for k in range(count):
            other = values[k] ^ wanted
            slot = (other * <uint32_t>0x9E3779B1) & (room - 1)
            while slots[slot]:
                if values[slots[slot] - 1] == other:
                    found.append((slots[slot] - 1, k))
                    break
                slot = (slot + 1) & (room - 1)
            slot = (values[k] * <uint32_t>0x9E3779B1) & (room - 1)
            while slots[slot]:
                slot = (slot + 1) & (room - 1)
            slots[slot] = <uint32_t>(k + 1)
    finally:
        free(slots)
    return sorted(found)
