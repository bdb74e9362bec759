# cython: language_level=3, boundscheck=False, wraparound=False
"""Where a store's sound records stand, by owner, compiled: the twin of `plain_known`, where the rules are told."""

from os import urandom

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memset

cdef extern from "gossip_known.h" nogil:
    struct known_channel:
        uint64_t scid, announcement
        uint64_t *updates
        uint32_t count, closed
    struct known_node:
        uint64_t node, announcement
    struct known_table:
        uint64_t key
    struct known_index:
        known_table by_scid, by_node
        known_channel *channels
        size_t channel_count, limit, announced
    known_channel *known_channel_of(const known_index *k, uint64_t scid)
    known_node *known_node_of(const known_index *k, uint64_t node)
    bint known_fact(known_index *k, int kind, uint64_t scid, uint64_t node, uint64_t at)
    void known_free(known_index *k)


cdef class GossipKnown:
    """Offsets of sound announcements, updates and tombstones by their owner; at most `limit` owners of each."""

    cdef known_index index
    cdef readonly list first
    cdef size_t wanted

    def __cinit__(self, limit=1 << 17, first=32):
        memset(&self.index, 0, sizeof(self.index))
        self.index.limit = limit
        self.index.by_scid.key = self.index.by_node.key = int.from_bytes(urandom(8), "little")
        self.first = []
        self.wanted = first

    def __dealloc__(self):
        known_free(&self.index)

    def feed(self, batch not None):
        """Take in one batch; the numbers of its tiles that are marked."""
        cdef const uint64_t[::1] starts = batch.starts, owners = batch.owners, nodes = batch.nodes_a
        cdef const uint16_t[::1] kinds = batch.kinds
        cdef const uint8_t[::1] marks = batch.marks
        cdef Py_ssize_t i, count = starts.shape[0]
        cdef int kind
        if not count == owners.shape[0] == nodes.shape[0] == kinds.shape[0] == marks.shape[0]:
            raise ValueError("a batch's columns have one length")
        marked = []
        for i in range(count):
            if marks[i]:
                marked.append(i)
                continue
            kind = kinds[i]
            if (kind < 256 or kind > 258) and kind != 4103 and kind != 4104:
                continue
            if not known_fact(&self.index, kind, owners[i], nodes[i], starts[i]):
                raise MemoryError
            if kind < 4103 and <size_t> len(self.first) < self.wanted:
                self.first.append(starts[i])
        return marked

    def announce(self, uint64_t scid, uint64_t at):
        """Take in one announcement."""
        if not known_fact(&self.index, 256, scid, 0, at):
            raise MemoryError

    def announcement(self, uint64_t scid):
        """Offset of a channel's last sound announcement, -1 where there is none."""
        cdef known_channel *channel = known_channel_of(&self.index, scid)
        return <int64_t> channel.announcement - 1 if channel else -1

    def updates(self, uint64_t scid):
        """Offsets of a channel's last sound updates, the oldest first."""
        cdef known_channel *channel = known_channel_of(&self.index, scid)
        return [channel.updates[i] for i in range(channel.count)] if channel else []

    def closed(self, uint64_t scid):
        """Whether a tombstone closes the channel."""
        cdef known_channel *channel = known_channel_of(&self.index, scid)
        return channel != NULL and channel.closed != 0

    def node(self, uint64_t folded):
        """Offset of a node's last sound announcement, -1 where there is none."""
        cdef known_node *entry = known_node_of(&self.index, folded)
        return entry.announcement if entry else -1

    def announced(self):
        """Channels that have an announcement, in the order of their first record."""
        cdef size_t i
        return [self.index.channels[i].scid for i in range(self.index.channel_count)
                if self.index.channels[i].announcement]

    def unannounced(self):
        """Channels that have an update and no announcement, in the order of their first record."""
        cdef size_t i
        return [self.index.channels[i].scid for i in range(self.index.channel_count)
                if self.index.channels[i].count and not self.index.channels[i].announcement]
