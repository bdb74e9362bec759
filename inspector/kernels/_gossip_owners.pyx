# cython: language_level=3, boundscheck=False, wraparound=False
"""Which live records contradict each other, compiled: the twin of `plain_owners`, where the rules are told."""

from array import array as _array
from os import urandom

from cpython cimport array
from libc.stdint cimport uint8_t, uint16_t, uint64_t
from libc.string cimport memcpy, memset

from inspector.kernels.spill import EventRuns, Spill

cdef extern from "gossip_owners.h" nogil:
    enum:
        PARTITIONS
    struct owners_list:
        uint64_t *values
        size_t count, room
        bint failed
    struct owners_table:
        uint64_t key
    struct owners_state:
        owners_table channels, nodes
        size_t limit
        uint64_t level, live_channels, live_nodes
        owners_list events
        owners_list *spilled
        bint failed
    struct owners_columns:
        const uint64_t *starts
        const uint64_t *owners
        const uint64_t *nodes_a
        const uint64_t *nodes_b
        const uint16_t *kinds
        const uint16_t *flags
        const uint8_t *marks
        const uint8_t *aux
    void owners_tiles(owners_state *s, const owners_columns *columns, size_t count)
    void owners_facts(owners_state *s, const uint64_t *facts, size_t count)
    void owners_forget(owners_state *s)
    void owners_free(owners_state *s)

cdef array.array _U64 = _array("Q")


cdef class GossipOwners:
    """Live records against each other. `limit` owners are held in memory, the others' facts in files in `spill`."""

    cdef readonly uint64_t channels, nodes
    cdef readonly bint spilled
    cdef object folder, files
    cdef owners_state state

    def __cinit__(self, limit=1_000_000, spill=None):
        memset(&self.state, 0, sizeof(self.state))
        if limit < 1:
            raise ValueError("at least one owner must fit in memory")
        self.state.limit = limit
        self.state.channels.key = self.state.nodes.key = int.from_bytes(urandom(8), "little")
        self.folder = spill
        self.files = Spill(spill)

    def __dealloc__(self):
        owners_free(&self.state)

    def feed(self, batch not None):
        """Flat triples (offset, code, other offset; 0 for the codes that have none), by offset."""
        cdef const uint64_t[::1] starts = batch.starts, owners = batch.owners
        cdef const uint64_t[::1] nodes_a = batch.nodes_a, nodes_b = batch.nodes_b
        cdef const uint16_t[::1] kinds = batch.kinds, flags = batch.flags
        cdef const uint8_t[::1] marks = batch.marks, aux = batch.aux
        cdef Py_ssize_t count = starts.shape[0]
        cdef owners_columns columns
        if count == 0:
            return array.clone(_U64, 0, zero=False)
        if not count == owners.shape[0] == nodes_a.shape[0] == nodes_b.shape[0] == kinds.shape[0] == flags.shape[0] \
                == marks.shape[0] == aux.shape[0]:
            raise ValueError("a batch's columns have one length")
        columns.starts, columns.owners = &starts[0], &owners[0]
        columns.nodes_a, columns.nodes_b = &nodes_a[0], &nodes_b[0]
        columns.kinds, columns.flags = &kinds[0], &flags[0]
        columns.marks, columns.aux = &marks[0], &aux[0]
        with nogil:
            owners_tiles(&self.state, &columns, count)
        self.spilled |= self.spill(self.files)
        self.channels = self.state.live_channels
        self.nodes = self.state.live_nodes
        return self.events()

    def finish(self):
        """The events of owners that were spilled, by offset, in batches. Nothing can be fed afterwards."""
        cdef array.array facts
        found = EventRuns()
        waiting = [self.files.take()]
        while waiting:
            partition = next(waiting[len(waiting) - 1], None)  # here an index from the end is none
            if partition is None:
                waiting.pop()
                continue
            again, more = Spill(self.folder), False
            owners_forget(&self.state)
            self.state.level = len(waiting)
            for facts in partition:
                owners_facts(&self.state, <uint64_t *> facts.data.as_ulonglongs, len(facts))
                more |= self.spill(again)
                found.extend(self.events())
            self.channels += self.state.live_channels
            self.nodes += self.state.live_nodes
            if more:
                waiting.append(again.take())
        owners_forget(&self.state)
        return found.batches()

    cdef array.array events(self):
        """Takes the events out."""
        cdef owners_list *events = &self.state.events
        if events.failed or self.state.failed:
            raise MemoryError
        cdef array.array out = array.clone(_U64, events.count, zero=False)
        memcpy(out.data.as_chars, events.values, events.count * sizeof(uint64_t))
        events.count = 0
        return out

    cdef bint spill(self, files) except? True:
        """Takes out the facts that found no room; whether there were any."""
        cdef owners_list *facts
        cdef array.array out
        cdef bint any = False
        for slot in range(PARTITIONS):
            facts = &self.state.spilled[<int> slot]
            if facts.failed:
                raise MemoryError
            if facts.count:
                any = True
                out = array.clone(_U64, facts.count, zero=False)
                memcpy(out.data.as_chars, facts.values, facts.count * sizeof(uint64_t))
                facts.count = 0
                files.add(slot, out)
        return any
