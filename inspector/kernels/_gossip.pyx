# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The walk over a gossip store, compiled: the twin of `plain_gossip`, where the rules are told.

The inner loops are C (gossip_walk.h and what it includes); here is what touches Python objects.
"""

from array import array as _array

from cpython cimport PyObject, array
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memset

from inspector.kernels.gossip_tiles import Batch

from inspector.kernels.gossip_walk cimport (
    ANCHORED,
    MORE,
    OK,
    ROLE_GAP,
    ROLE_UNIT,
    ROOM,
    crc_has_hardware,
    crc_prepare,
    gossip_columns,
    gossip_walk,
    walk_put_back,
    walk_window,
)

cdef array.array _U64 = _array("Q")
cdef tuple _columns = tuple(_array(code) for code in "QBBHHIQQQB")  # in the order of a Batch

crc_prepare(1)


def hardware_crc():
    """Whether the processor's CRC-32C instruction is used."""
    return bool(crc_has_hardware)


def use_hardware_crc(wanted):
    """Turns the instruction off, or on again where there is one: for tests of the portable path."""
    crc_prepare(1 if wanted else 0)
    return bool(crc_has_hardware)


cdef class GossipWalker:
    """Tiles [start, size) from windows that the caller reads at `want`."""

    cdef readonly array.array ribbon
    cdef readonly uint64_t want
    cdef readonly bint done
    cdef uint64_t file_size, sliced, buckets
    cdef list lent  # columns of the last batches
    cdef gossip_walk walk

    def __cinit__(self, uint64_t size, uint64_t start=1, uint64_t buckets=0):
        memset(&self.walk, 0, sizeof(self.walk))
        self.file_size = self.sliced = size
        self.want = start
        self.buckets = buckets
        self.done = start >= size
        self.lent = []
        self.ribbon = array.clone(_U64, 4 * buckets, zero=True)

    def __dealloc__(self):
        free(self.walk.prefixes)

    def feed(self, const uint8_t[::1] window not None, bint final):
        """The tiles that this window settles; `window` begins at `want`, `final` says that it reaches the end."""
        cdef gossip_walk *walk = &self.walk
        cdef list columns = self.free_columns()
        cdef int state = ROOM
        self.begin(window.shape[0], final)
        walk.data = &window[0] if walk.length else NULL
        while state == ROOM:
            self.widen(columns)
            with nogil:
                state = walk_window(walk)
        walk.data = NULL  # the caller's memory: gone after this
        if state == MORE:
            walk_put_back(walk)
            self.want = walk.base + walk.at
        else:
            self.done = True
            self.want = walk.base + walk.size
        end = self.next_start()
        if self.buckets and walk.out.count:
            self.fill_ribbon(end)
        for column in columns:
            array.resize_smart(column, walk.out.count)  # may move it: walk.out is stale from here on
        return Batch(end, *columns)

    def skip(self, uint64_t to):
        """Go on at `to` where a gap is open; only zeroes may lie in [want, to + HEADER), where no record's type is."""
        if not self.walk.gap_open or self.done or not self.want < to < self.file_size:
            return False
        self.want = to
        return True

    cdef list free_columns(self):
        """The columns of an earlier batch if nobody else holds one any more, else new ones.

        Memory that goes back to the system after each batch costs as much as the checksums.
        """
        cdef list columns
        cdef PyObject *column
        for columns in self.lent:
            for item in columns:
                column = <PyObject *> item
                if column.ob_refcnt > 2:  # the list's and the loop's
                    break
            else:
                return columns
        columns = [array.clone(template, 0, zero=False) for template in _columns]
        self.lent.append(columns)
        if len(self.lent) > 2:
            del self.lent[0]
        return columns

    cdef begin(self, uint64_t length, bint final):
        cdef gossip_walk *walk = &self.walk
        walk.base = self.want
        walk.length = min(length, self.file_size - self.want) if self.file_size > self.want else 0
        if final:
            self.file_size = walk.base + walk.length
        walk.size = self.file_size - walk.base if self.file_size > walk.base else 0
        walk.final = walk.length == walk.size
        walk.at = walk.wasted = walk.slots = 0
        walk.remembers = False
        walk.out.count = walk.out.room = 0

    cdef uint64_t next_start(self):
        """Where the next batch's first tile begins."""
        return self.walk.gap.start if self.walk.gap_open else self.walk.base + self.walk.at

    cdef widen(self, list columns):
        """Room for more tiles: first for what a healthy store needs, then twice as many each time."""
        cdef gossip_columns *out = &self.walk.out
        cdef size_t had = out.room
        cdef size_t room = 2 * had if had else self.walk.length // 128 + 64
        cdef array.array column
        for column in columns:
            array.resize_smart(column, room)
        out.room = room
        out.starts = <uint64_t *> (<array.array> columns[0]).data.as_ulonglongs
        out.roles = (<array.array> columns[1]).data.as_uchars
        out.marks = (<array.array> columns[2]).data.as_uchars
        out.kinds = (<array.array> columns[3]).data.as_ushorts
        out.flags = (<array.array> columns[4]).data.as_ushorts
        out.times = <uint32_t *> (<array.array> columns[5]).data.as_uints
        out.owners = <uint64_t *> (<array.array> columns[6]).data.as_ulonglongs
        out.nodes_a = <uint64_t *> (<array.array> columns[7]).data.as_ulonglongs
        out.nodes_b = <uint64_t *> (<array.array> columns[8]).data.as_ulonglongs
        out.aux = (<array.array> columns[9]).data.as_uchars
        memset(out.roles + had, ROLE_UNIT, room - had)
        memset(out.marks + had, 0, room - had)
        memset(out.aux + had, 0, room - had)
        memset(out.nodes_a + had, 0, (room - had) * sizeof(uint64_t))
        memset(out.nodes_b + had, 0, (room - had) * sizeof(uint64_t))

    cdef fill_ribbon(self, uint64_t end):
        """Adds these tiles' bytes, live, deleted, damaged and in gaps, to each equal slice of the file."""
        cdef gossip_columns *out = &self.walk.out
        cdef uint64_t *ribbon = <uint64_t *> self.ribbon.data.as_ulonglongs
        cdef uint64_t at = out.starts[0], after
        cdef uint64_t bucket = at * self.buckets // self.sliced
        cdef uint64_t edge = (bucket + 1) * self.sliced // self.buckets
        cdef size_t i
        cdef int kind
        for i in range(out.count):
            after = out.starts[i + 1] if i + 1 < out.count else end
            if out.roles[i] == ROLE_GAP:
                kind = 3
            elif out.marks[i] != OK and out.marks[i] != ANCHORED:
                kind = 2
            else:
                kind = (out.flags[i] & 0x8000) >> 15
            while after > edge:
                ribbon[4 * bucket + kind] += edge - at
                at = edge
                bucket += 1
                edge = (bucket + 1) * self.sliced // self.buckets
            ribbon[4 * bucket + kind] += after - at
            at = after
