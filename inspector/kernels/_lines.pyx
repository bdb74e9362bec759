# cython: language_level=3, boundscheck=False, wraparound=False
"""Lines of a block of text and those that hold a word, compiled: the twin of `plain_lines`."""

from array import array as _array

from cpython cimport array
from libc.stdint cimport uint8_t, uint64_t

cdef extern from "text_scan.h" nogil:
    ctypedef struct text_word:
        pass
    text_word text_word_of(const uint8_t *bytes, size_t length)
    size_t text_find(const uint8_t *text, size_t size, size_t at, const text_word *word)
    size_t text_count(const uint8_t *text, size_t size, const text_word *word)
    size_t text_find_never(const uint8_t *text, size_t size, size_t at)
    size_t text_lines(const uint8_t *text, size_t size, uint64_t base, uint64_t *out)

cdef array.array EMPTY = _array("Q")


def line_starts(bytes data, uint64_t at):
    cdef const uint8_t *text = data
    cdef size_t size = len(data), count = 0, i
    with nogil:
        for i in range(size):  # a plain loop: the compiler makes it wide
            count += text[i] == 10
    if size and text[size - 1] != 10:
        count += 1
    cdef array.array starts = array.clone(EMPTY, count, zero=False)
    cdef uint64_t *out = starts.data.as_ulonglongs
    with nogil:
        text_lines(text, size, at, out)
    return starts


cdef size_t line_of(const uint64_t *begin, size_t count, uint64_t place) nogil:
    """One more than the number of the last line that starts at or before a place."""
    cdef size_t low = 0, high = count, middle
    while low < high:
        middle = (low + high) // 2
        if begin[middle] <= place:
            low = middle + 1
        else:
            high = middle
    return low


def lines_with(bytes data, array.array starts, uint64_t at, tuple needles):
    cdef const uint8_t *text = data
    cdef size_t size = len(data), count = len(starts), place, low
    cdef const uint64_t *begin = <const uint64_t *>starts.data.as_ulonglongs
    cdef text_word word
    cdef bytes needle
    found = set()
    for needle in needles:
        if not needle:
            raise ValueError("an empty needle")
        word, place = text_word_of(needle, len(needle)), 0
        while True:
            with nogil:
                place = text_find(text, size, place, &word)
                low = line_of(begin, count, at + place)
            if place >= size:
                break
            found.add(low - 1)
            if low >= count:
                break
            place = begin[low] - at
    return found


def lines_never_text(bytes data, array.array starts, uint64_t at):
    cdef const uint8_t *text = data
    cdef size_t size = len(data), count = len(starts), place = 0, low
    cdef const uint64_t *begin = <const uint64_t *>starts.data.as_ulonglongs
    found = set()
    while True:
        with nogil:
            place = text_find_never(text, size, place)
            low = line_of(begin, count, at + place)
        if place >= size:
            return found
        found.add(low - 1)
        if low >= count:
            return found
        place = begin[low] - at


def occurrences(bytes data, bytes needle):
    if not needle:
        raise ValueError("an empty needle")
    cdef const uint8_t *text = data
    cdef size_t size = len(data), count
    cdef text_word word = text_word_of(needle, len(needle))
    with nogil:
        count = text_count(text, size, &word)
    return count
