# cython: language_level=3, boundscheck=False, wraparound=False
"""Metadata pages of a blobstore, compiled: the twin of `plain_blobstore`."""

from array import array as _array

from cpython cimport array
from libc.stdint cimport uint8_t, uint32_t, uint64_t

cdef extern from "blobstore_pages.h" nogil:
    enum:
        PAGE_BYTES, PAGE_BODY, PAGE_ZERO, PAGE_BAD
    int crc_has_hardware
    void crc_prepare(int allow_hardware)
    uint32_t page_u32(const uint8_t *at)
    uint64_t page_u64(const uint8_t *at)
    int page_state(const uint8_t *page, uint32_t index)

crc_prepare(1)
cdef array.array BYTES = _array("B"), WORDS = _array("I"), LONGS = _array("Q")


def hardware_crc():
    """Whether the processor's CRC-32C instruction is used; here because this is the smallest kernel to load."""
    return bool(crc_has_hardware)


def page_states(const uint8_t[::1] data, size_t size, uint32_t first):
    cdef size_t count = data.shape[0] // size, i, sealed = 0
    if size < PAGE_BYTES or count * size != <size_t>data.shape[0]:
        raise ValueError("whole pages are needed")
    cdef array.array states = array.clone(BYTES, count, zero=False), kinds = array.clone(BYTES, count, zero=False)
    cdef array.array index = array.clone(WORDS, count, zero=False), sequences = array.clone(WORDS, count, zero=False)
    cdef array.array following = array.clone(WORDS, count, zero=False), ids = array.clone(LONGS, count, zero=False)
    cdef uint8_t *state = states.data.as_uchars
    cdef uint8_t *kind = kinds.data.as_uchars
    cdef uint32_t *number = <uint32_t *>index.data.as_uints
    cdef uint32_t *sequence = <uint32_t *>sequences.data.as_uints
    cdef uint32_t *after = <uint32_t *>following.data.as_uints
    cdef uint64_t *id = <uint64_t *>ids.data.as_ulonglongs
    cdef const uint8_t *page
    if count:
        with nogil:
            for i in range(count):
                page = &data[i * size]
                state[i] = page_state(page, first + <uint32_t>i)
                if state[i] != PAGE_ZERO and state[i] != PAGE_BAD:
                    kind[sealed] = state[i]
                    number[sealed] = first + <uint32_t>i
                    id[sealed] = page_u64(page)
                    sequence[sealed] = page_u32(page + 8)
                    after[sealed] = page_u32(page + PAGE_BODY - 4)
                    sealed += 1
    for column in (index, kinds, ids, sequences, following):
        array.resize(column, sealed)
    return states, (index, kinds, ids, sequences, following)
