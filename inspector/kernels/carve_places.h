/* Where hex digits, log records and fixed bytes lie among any bytes: the C of plain_carve.py and plain_places.py. */
#ifndef INSPECTOR_CARVE_PLACES_H
#define INSPECTOR_CARVE_PLACES_H

#include "crc32c.h"

enum { HEX_SHORTEST = 44, HEX_STEP = 22 };

static inline int carve_digit(uint8_t c) { return (uint8_t)(c - '0') < 10 || (uint8_t)((c | 32) - 'a') < 6; }

/* The next run of hex digits, from sample `*at` on; 0 where none begins before `stop`. A run as long as the shortest
 * has digits at two samples in turn, so that only one byte in HEX_STEP is looked at elsewhere. */
static int carve_hex(const uint8_t *data, size_t length, size_t stop, size_t *at, size_t *begin, size_t *end)
{
    while (*at + HEX_STEP < length) {
        size_t here = *at;
        *at += HEX_STEP;
        if (!carve_digit(data[here]) || !carve_digit(data[here + HEX_STEP]))
            continue;
        size_t low = here, high = here;
        while (high < length && carve_digit(data[high]))
            high++;
        if (high <= here + HEX_STEP)
            continue;
        while (low && carve_digit(data[low - 1]))
            low--;
        if (low >= stop)
            return 0;
        *at = (high + HEX_STEP - 1) / HEX_STEP * HEX_STEP;
        if (high - low < HEX_SHORTEST)
            continue;
        *begin = low;
        *end = high;
        return 1;
    }
    return 0;
}

enum { LOG_BLOCK = 32768, LOG_HEAD = 24 }; /* no record is longer; bytes that tell whether one could begin */

/* A write batch at its place: a type that begins a record, a sequence number below 2^48, a count below 2^24, a tag. */
#define LOG_BATCH(d, one, two, n)                                                                                      \
    ((((d)[6] == (one)) | ((d)[6] == (two))) & ((d)[13 + (n)] == 0) & ((d)[14 + (n)] == 0) & ((d)[18 + (n)] == 0) &    \
     ((d)[19 + (n)] <= 0x19))
#define LOG_PACKED(d) (((d)[6] == 9) & ((d)[4] == 4) & ((d)[7] == 7) & ((d)[8] == 0))
#define LOG_ANY(d) (LOG_BATCH(d, 1, 2, 0) | LOG_BATCH(d, 5, 6, 4) | LOG_PACKED(d))

static int carve_log_verifies(const uint8_t *d, size_t left)
{
    size_t length = d[4] | (size_t)d[5] << 8, number = d[6] == 5 || d[6] == 6 ? 4 : 0, end = 7 + number + length;
    uint32_t stored = d[0] | (uint32_t)d[1] << 8 | (uint32_t)d[2] << 16 | (uint32_t)d[3] << 24, crc;
    if (end > left || end > LOG_BLOCK)
        return 0;
    if (d[6] == 9) {
        if (length != 4 || d[9] || d[10])
            return 0;
    } else if (length < 13 || !(d[15 + number] | d[16 + number] | d[17 + number])) {
        return 0;
    }
    crc = ~crc_update(d + 6, end - 6, 0xFFFFFFFFu);
    return stored == (crc >> 15 | crc << 17) + 0xA282EAD8u;
}

/* The next place in [at, stop) at which a record verifies that a log may be read from, else `stop`. */
static size_t carve_log(const uint8_t *data, size_t length, size_t at, size_t stop)
{
    size_t safe = length >= LOG_HEAD ? length - LOG_HEAD + 1 : 0; /* before it all bytes that are looked at exist */
    size_t upto = stop < safe ? stop : safe;
    while (at < upto) {
        for (; at + 64 <= upto; at += 64) {
            uint8_t any = 0;
            for (int i = 0; i < 64; i++)
                any |= LOG_ANY(data + at + i);
            if (any)
                break;
        }
        size_t end = at + 64 < upto ? at + 64 : upto;
        for (; at < end; at++)
            if (LOG_ANY(data + at) && carve_log_verifies(data + at, length - at))
                return at;
    }
    for (; at < stop && at + 11 <= length; at++) { /* at the very end the shortest one still fits */
        uint8_t head[LOG_HEAD] = {0};
        memcpy(head, data + at, length - at < LOG_HEAD ? length - at : LOG_HEAD);
        if (LOG_ANY(head) && carve_log_verifies(data + at, length - at))
            return at;
    }
    return stop;
}

/* The next place from `at` on at which a record of any type verifies, whatever it holds, else `length`. */
static size_t log_anchor(const uint8_t *data, size_t length, size_t at)
{
    for (; at + 7 <= length; at++) {
        const uint8_t *d = data + at;
        unsigned kind = d[6];
        if ((kind - 1u > 10u) & (kind - 130u > 1u))
            continue;
        size_t end = (kind - 5u < 4u || kind == 11 || kind == 131 ? 11 : 7) + (d[4] | (size_t)d[5] << 8);
        if (end > length - at)
            continue;
        uint32_t stored = d[0] | (uint32_t)d[1] << 8 | (uint32_t)d[2] << 16 | (uint32_t)d[3] << 24;
        uint32_t crc = ~crc_update(d + 6, end - 6, 0xFFFFFFFFu);
        if (stored == (crc >> 15 | crc << 17) + 0xA282EAD8u)
            return at;
    }
    return length;
}

/* The next place in [at, stop) of either eight bytes, else `stop`; `one` and `two` begin with two rare bytes. */
static size_t carve_eight(const uint8_t *data, size_t length, size_t at, size_t stop, const uint8_t *one,
                          const uint8_t *two)
{
    size_t upto = length >= 8 ? length - 7 : 0;
    if (stop < upto)
        upto = stop;
    while (at < upto) {
        for (; at + 64 <= upto; at += 64) {
            uint8_t any = 0;
            for (int i = 0; i < 64; i++)
                any |= ((data[at + i] == one[0]) & (data[at + i + 1] == one[1])) |
                       ((data[at + i] == two[0]) & (data[at + i + 1] == two[1]));
            if (any)
                break;
        }
        size_t end = at + 64 < upto ? at + 64 : upto;
        for (; at < end; at++)
            if (memcmp(data + at, one, 8) == 0 || memcmp(data + at, two, 8) == 0)
                return at;
    }
    return stop;
}

#endif
