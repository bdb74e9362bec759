# cython: language_level=3, boundscheck=False, wraparound=False
"""Lines of a block of text and those that hold a word, compiled: the twin of `plain_lines`."""

from array import array as _array

from cpython cimport array
from libc.stdint cimport uint64_t
from libc.string cimport memchr

cdef extern from "string.h" nogil:
    void *memmem(const void *haystack, size_t length, const void *needle, size_t needle_length)

cdef array.array EMPTY = _array("Q")


def line_starts(bytes data, uint64_t at):
    cdef const unsigned char *text = data
    cdef size_t size = len(data), count = 0, i, place = 0, line = 0
    cdef const unsigned char *found
    with nogil:
        for i in range(size):  # a plain loop: the compiler makes it wide
            count += text[i] == 10
    if size and text[size - 1] != 10:
        count += 1
    cdef array.array starts = array.clone(EMPTY, count, zero=False)
    cdef uint64_t *out = starts.data.as_ulonglongs
    with nogil:
        while line < count:
            out[line] = at + place
            line += 1
            found = <const unsigned char *>memchr(text + place, 10, size - place)
            if found is NULL:
                break
            place = found - text + 1
    return starts


def lines_with(bytes data, array.array starts, uint64_t at, tuple needles):
    cdef const unsigned char *text = data
    cdef size_t size = len(data), count = len(starts), place, low, high, middle
    cdef const uint64_t *begin = <const uint64_t *>starts.data.as_ulonglongs
    cdef const unsigned char *hit
    cdef const unsigned char *word
    cdef size_t length
    cdef bytes needle
    found = set()
    for needle in needles:
        word, length, place = needle, len(needle), 0
        while place < size:
            with nogil:
                hit = <const unsigned char *>memmem(text + place, size - place, word, length)
            if hit is NULL:
                break
            place = hit - text
            low, high = 0, count
            while low < high:  # the last line that starts at or before the hit
                middle = (low + high) // 2
                if begin[middle] <= at + place:
                    low = middle + 1
                else:
                    high = middle
            found.add(low - 1)
            if low >= count:
                break
            place = begin[low] - at
    return found
