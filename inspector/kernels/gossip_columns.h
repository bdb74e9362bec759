/* The columns of a batch while they are filled, and the two builds of the healthy path. */
#ifndef INSPECTOR_GOSSIP_COLUMNS_H
#define INSPECTOR_GOSSIP_COLUMNS_H

#include "crc32c.h"
#include "gossip_structure.h"

/* Before they are filled marks, aux and nodes are zero and all roles "unit". */
struct gossip_columns {
    size_t count, room;
    uint64_t *starts, *owners, *nodes_a, *nodes_b;
    uint32_t *times;
    uint16_t *kinds, *flags;
    uint8_t *roles, *marks, *aux;
};

enum { RUN_AHEAD = 4096 }; /* bytes between what is read and what is fetched: measured */

#if CRC_HARDWARE
CRC_TARGET static inline uint32_t crc_hardware_138(const uint8_t *at, uint32_t seed)
{
    CRC_WIDE reg = seed;
#pragma GCC unroll 17
    for (int i = 0; i < 17; i++)
        reg = CRC_8(reg, crc_load(at + 8 * i));
    return crc_last(at + 138, 2, reg);
}

#define RUN_NAME gossip_run_hardware
#define RUN_TARGET CRC_TARGET
#define RUN_CRC crc_hardware
#define RUN_CRC_138 crc_hardware_138
#include "gossip_run.h"
#endif

#define RUN_NAME gossip_run_portable
#define RUN_TARGET
#define RUN_CRC crc_portable
#define RUN_CRC_138(at, reg) crc_portable((at), 138, (reg))
#include "gossip_run.h"

/* Appends the records of [at, end) that verify, up to the first that does not, is longer than `longest` or finds
 * no room; returns where it stopped. */
static uint64_t gossip_run(const uint8_t *data, uint64_t at, uint64_t end, uint64_t longest, uint64_t base,
                           struct gossip_columns *out)
{
#if CRC_HARDWARE
    if (crc_has_hardware)
        return gossip_run_hardware(data, at, end, longest, base, out);
#endif
    return gossip_run_portable(data, at, end, longest, base, out);
}

#endif
