/* Metadata pages of a blobstore: zero, damaged or sealed, and what the heads of sealed ones say. */
#ifndef INSPECTOR_BLOBSTORE_PAGES_H
#define INSPECTOR_BLOBSTORE_PAGES_H

#include "crc32c.h"

enum { PAGE_BYTES = 4096, PAGE_BODY = 4092, PAGE_DESCRIPTORS = 16, PAGE_EXTENT = 6 };
enum { PAGE_ZERO, PAGE_ROOT, PAGE_CONT, PAGE_OF_EXTENTS, PAGE_STRAY, PAGE_BAD };

static inline uint32_t page_u32(const uint8_t *at)
{
    return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static inline uint64_t page_u64(const uint8_t *at)
{
    return page_u32(at) | (uint64_t)page_u32(at + 4) << 32;
}

#if CRC_HARDWARE
/* Three parts side by side: the instruction gives a result each cycle, and takes three for one. */
CRC_TARGET static uint32_t page_crc_hardware(const uint8_t *page)
{
    enum { PART = 1360 };
    CRC_WIDE a = 0xFFFFFFFFu, b = 0, c = 0;
    for (size_t i = 0; i < PART; i += 8) {
        a = CRC_8(a, crc_load(page + i));
        b = CRC_8(b, crc_load(page + PART + i));
        c = CRC_8(c, crc_load(page + 2 * PART + i));
    }
    uint32_t both = crc_after_zeros((uint32_t)a, PART) ^ (uint32_t)b;
    both = crc_after_zeros(both, PART) ^ (uint32_t)c;
    return ~crc_hardware(page + 3 * PART, PAGE_BODY - 3 * PART, both);
}
#endif

static uint32_t page_crc(const uint8_t *page)
{
#if CRC_HARDWARE
    if (crc_has_hardware)
        return page_crc_hardware(page);
#endif
    return ~crc_portable(page, PAGE_BODY, 0xFFFFFFFFu);
}

/* The state of page number `index`. */
static int page_state(const uint8_t *page, uint32_t index)
{
    if (!page_u64(page) && !memcmp(page, page + 8, PAGE_BYTES - 8))
        return PAGE_ZERO;
    if (page_crc(page) != page_u32(page + PAGE_BODY))
        return PAGE_BAD;
    if (page_u32(page + 8))
        return PAGE_CONT;
    if (page[PAGE_DESCRIPTORS] == PAGE_EXTENT)
        return PAGE_OF_EXTENTS;
    return page_u64(page) == ((uint64_t)1 << 32 | index) ? PAGE_ROOT : PAGE_STRAY;
}

#endif
