# cython: language_level=3, boundscheck=False, wraparound=False
"""What is looked for among any bytes, compiled: the twin of `plain_carve` and `plain_places`, where the rules are."""

from array import array as _array

from cpython cimport array
from libc.stdint cimport UINT64_MAX, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memset

from inspector.kernels.carve_columns import Finds

from inspector.kernels.gossip_walk cimport ROOM, crc_prepare, gossip_columns, gossip_walk

cdef extern from "gossip_carve.h" nogil:
    enum:
        HEADER
    struct gossip_carve:
        gossip_walk walk
        uint64_t stop, first_suspect, suspect_end
        uint32_t *sizes
    int carve_window(gossip_carve *c)
    void carve_free(gossip_carve *c)

cdef extern from "carve_places.h" nogil:
    bint carve_hex(const uint8_t *data, size_t length, size_t stop, size_t *at, size_t *begin, size_t *end)
    size_t carve_log(const uint8_t *data, size_t length, size_t at, size_t stop)
    size_t log_anchor_c "log_anchor"(const uint8_t *data, size_t length, size_t at)
    size_t carve_eight(const uint8_t *data, size_t length, size_t at, size_t stop, const uint8_t *one,
                       const uint8_t *two)

cdef tuple _columns = tuple(_array(code) for code in "QIHHIQQQBBB")  # in the order of Finds, then roles

crc_prepare(1)


def gossip_records(const uint8_t[::1] window not None, uint64_t at, uint64_t stop, uint64_t base):
    cdef gossip_carve carve
    cdef list columns = [array.clone(template, 0, zero=False) for template in _columns]
    cdef int state = ROOM
    cdef uint64_t size = window.shape[0]
    memset(&carve, 0, sizeof(carve))
    carve.first_suspect = UINT64_MAX
    carve.walk.base, carve.walk.length, carve.walk.size, carve.walk.at = base, size, size, at
    carve.stop = min(stop, size - HEADER - 1 if size > HEADER + 1 else 0)  # a header and a type must be readable
    carve.walk.data = &window[0] if size else NULL
    try:
        while state == ROOM:
            _widen(&carve, columns)
            with nogil:
                state = carve_window(&carve)
    finally:
        carve_free(&carve)
    for column in columns:
        array.resize_smart(column, carve.walk.out.count)
    return Finds(*columns[:10], carve.first_suspect if carve.suspect_end else -1, carve.suspect_end)


cdef _widen(gossip_carve *carve, list columns):
    cdef gossip_columns *out = &carve.walk.out
    cdef size_t room = 2 * out.room if out.room else 256
    cdef array.array column
    for column in columns:
        array.resize_smart(column, room)
    out.room = room
    out.starts = <uint64_t *> (<array.array> columns[0]).data.as_ulonglongs
    carve.sizes = <uint32_t *> (<array.array> columns[1]).data.as_uints
    out.kinds = (<array.array> columns[2]).data.as_ushorts
    out.flags = (<array.array> columns[3]).data.as_ushorts
    out.times = <uint32_t *> (<array.array> columns[4]).data.as_uints
    out.owners = <uint64_t *> (<array.array> columns[5]).data.as_ulonglongs
    out.nodes_a = <uint64_t *> (<array.array> columns[6]).data.as_ulonglongs
    out.nodes_b = <uint64_t *> (<array.array> columns[7]).data.as_ulonglongs
    out.aux = (<array.array> columns[8]).data.as_uchars
    out.marks = (<array.array> columns[9]).data.as_uchars
    out.roles = (<array.array> columns[10]).data.as_uchars


def hex_places(const uint8_t[::1] window not None, size_t stop):
    cdef size_t at = 0, begin, end, size = window.shape[0]
    cdef bint more = size > 0
    found = []
    while more:
        with nogil:
            more = carve_hex(&window[0], size, stop, &at, &begin, &end)
        if more:
            found.append((begin, end))
    return found


def log_places(const uint8_t[::1] window not None, size_t stop):
    cdef size_t at = 0, size = window.shape[0]
    stop = min(stop, size)
    found = []
    while at < stop:
        with nogil:
            at = carve_log(&window[0], size, at, stop)
        if at < stop:
            found.append(at)
            at += 1
    return found


def log_anchor(const uint8_t[::1] window not None, size_t at):
    cdef size_t size = window.shape[0]
    if at < size:
        with nogil:
            at = log_anchor_c(&window[0], size, at)
    return min(at, size)


def eight_places(const uint8_t[::1] window not None, size_t stop, bytes one not None, bytes two not None):
    cdef size_t at = 0, size = window.shape[0]
    cdef const uint8_t *first = one
    cdef const uint8_t *second = two
    if len(one) != 8 or len(two) != 8:
        raise ValueError("eight bytes each")
    stop = min(stop, size)
    found = []
    while at < stop:
        with nogil:
            at = carve_eight(&window[0], size, at, stop, first, second)
        if at < stop:
            found.append(at)
            at += 1
    return found
