"""The walk over a gossip store as C declares it, for every module that runs it or stands on its structures."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

cdef extern from "gossip_walk.h" nogil:
    enum:
        ROLE_UNIT, ROLE_GAP, OK, ANCHORED, MORE, ROOM
    struct gossip_columns:
        size_t count, room
        uint64_t *starts
        uint64_t *owners
        uint64_t *nodes_a
        uint64_t *nodes_b
        uint32_t *times
        uint16_t *kinds
        uint16_t *flags
        uint8_t *roles
        uint8_t *marks
        uint8_t *aux
    struct gossip_tile:
        uint64_t start
    struct gossip_walk:
        bint gap_open, final, remembers
        gossip_tile gap
        const uint8_t *data
        uint64_t base, length, size, at, wasted, slots
        uint32_t *prefixes
        gossip_columns out
    int crc_has_hardware
    void crc_prepare(int allow_hardware)
    int walk_window(gossip_walk *w)
    void walk_put_back(gossip_walk *w)
