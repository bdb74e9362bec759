# cython: language_level=3, boundscheck=False, wraparound=False
"""Properties of records that verify but will trouble a reader, compiled: the twin of `plain_oddities`."""

from array import array as _array

from cpython cimport array
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

cdef extern from "gossip_oddities.h" nogil:
    struct oddities_version:
        uint32_t unknown_flags, completed
        size_t update_least, ended_least
    struct oddities_columns:
        const uint64_t *starts
        const uint16_t *kinds
        const uint16_t *flags
        const uint8_t *marks
        uint64_t end
    int oddities_tiles(const oddities_columns *columns, size_t count, const uint8_t *window, uint64_t at,
                       uint64_t length, const oddities_version *version, uint8_t *out)

cdef array.array _U8 = _array("B")


def oddities(batch not None, const uint8_t[::1] window not None, uint64_t at, uint32_t unknown_flags,
             uint32_t completed, size_t update_least, size_t ended_least):
    """One byte of bits per tile; only tiles that verify are judged. The arguments are told in `plain_oddities`."""
    cdef const uint64_t[::1] starts = batch.starts
    cdef const uint16_t[::1] kinds = batch.kinds, flags = batch.flags
    cdef const uint8_t[::1] marks = batch.marks
    cdef Py_ssize_t count = starts.shape[0]
    cdef array.array found = array.clone(_U8, count, zero=True)
    cdef oddities_columns columns
    cdef oddities_version version
    cdef uint64_t length = window.shape[0]
    cdef const uint8_t *data = &window[0] if length else NULL
    cdef uint8_t *out = found.data.as_uchars
    cdef int state
    if not count == kinds.shape[0] == flags.shape[0] == marks.shape[0]:
        raise ValueError("a batch's columns have one length")
    if count == 0:
        return found
    columns.starts, columns.kinds, columns.flags, columns.marks = &starts[0], &kinds[0], &flags[0], &marks[0]
    columns.end = batch.end
    version.unknown_flags, version.completed = unknown_flags, completed
    version.update_least, version.ended_least = update_least, ended_least
    with nogil:
        state = oddities_tiles(&columns, count, data, at, length, &version, out)
    if state < 0:
        raise ValueError("the batch's records are not in this window")
    return found


def count_kinds(const uint16_t[::1] kinds not None):
    """How many tiles there are of each kind."""
    cdef uint32_t[65536] table
    cdef Py_ssize_t i, count = kinds.shape[0]
    with nogil:
        for i in range(65536):
            table[i] = 0
        for i in range(count):
            table[kinds[i]] += 1
    found = {}
    for i in range(65536):
        if table[i]:
            found[i] = table[i]
    return found
