/* LZ4 blocks and snappy streams: decoding into a given size, and where a stream of that size ends,
 * which adds what it cost to `spent`, in nanoseconds, about.
 *
 * Whatever is refused here is judged again by the libraries, so a refusal costs time and nothing else. Every length is
 * held against both ends before it is used. Formats: lz4_Block_format.md, snappy format_description.txt. */
#ifndef INSPECTOR_ROCKS_CODECS_H
#define INSPECTOR_ROCKS_CODECS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define SLACK 32 /* bytes behind an output buffer that copies in steps may write to */

/* copies that may run over by less than 16 bytes on both sides; only where there is room for that */
static inline void wild_copy(uint8_t *to, const uint8_t *from, size_t length)
{
    uint8_t *end = to + length;
    do {
        memcpy(to, from, 16);
        to += 16;
        from += 16;
    } while (to < end);
}

/* a match of `length` bytes from `distance` back; `to` has SLACK bytes behind it */
static inline void copy_match(uint8_t *to, size_t distance, size_t length)
{
    const uint8_t *from = to - distance;
    if (distance >= 16) {
        wild_copy(to, from, length);
        return;
    }
    for (; length >= 4 && distance >= 4; length -= 4, to += 4, from += 4)
        memcpy(to, from, 4);
    while (length--)
        *to++ = *from++;
}

static inline int lz4_long(const uint8_t **at, const uint8_t *end, size_t *length)
{
    uint8_t more;
    do {
        if (*at >= end || *length > (1u << 30))
            return 0;
        more = *(*at)++;
        *length += more;
    } while (more == 255);
    return 1;
}

/* 1 where [at, end) is an LZ4 block of exactly `size` bytes; `out` has SLACK bytes more */
static int lz4_decode(const uint8_t *at, const uint8_t *end, uint8_t *out, size_t size)
{
    uint8_t *to = out, *stop = out + size;
    for (;;) {
        if (at >= end)
            return 0;
        unsigned token = *at++;
        size_t length = token >> 4;
        if (length == 15 && !lz4_long(&at, end, &length))
            return 0;
        if (length > (size_t)(end - at) || length > (size_t)(stop - to))
            return 0;
        if ((size_t)(end - at) >= length + 16)
            wild_copy(to, at, length);
        else
            memcpy(to, at, length);
        at += length;
        to += length;
        if (at == end)
            return to == stop;
        /* a match must be followed by 5 literals, and begin 12 bytes before the end */
        if (end - at < 2 + 1 + 5 || stop - to < 12)
            return 0;
        size_t distance = at[0] | (size_t)at[1] << 8;
        at += 2;
        length = token & 15;
        if (length == 15 && !lz4_long(&at, end, &length))
            return 0;
        length += 4;
        if (!distance || distance > (size_t)(to - out) || length + 5 > (size_t)(stop - to))
            return 0;
        copy_match(to, distance, length);
        to += length;
    }
}

/* where an LZ4 block that gives `size` bytes ends, or NULL */
static const uint8_t *lz4_end(const uint8_t *at, const uint8_t *end, size_t size, int64_t *spent)
{
    size_t out = 0;
    for (; at < end; *spent += 4) {
        unsigned token = *at++;
        size_t length = token >> 4;
        if (length == 15 && !lz4_long(&at, end, &length))
            return NULL;
        if (length > (size_t)(end - at))
            return NULL;
        at += length;
        out += length;
        if (out >= size)
            return out == size ? at : NULL;
        if (end - at < 2)
            return NULL;
        at += 2;
        length = token & 15;
        if (length == 15 && !lz4_long(&at, end, &length))
            return NULL;
        out += length + 4;
    }
    return NULL;
}

/* one element of a snappy stream: 1 and what it is, or 0; a literal has distance 0 and its bytes at `at` */
static inline int snappy_step(const uint8_t **at, const uint8_t *end, size_t *length, size_t *distance)
{
    const uint8_t *p = *at;
    unsigned tag = *p++;
    *distance = 0;
    switch (tag & 3) {
    case 0: {
        size_t count = tag >> 2;
        if (count >= 60) {
            unsigned extra = count - 59;
            if ((size_t)(end - p) < extra)
                return 0;
            count = 0;
            for (unsigned i = 0; i < extra; i++)
                count |= (size_t)p[i] << 8 * i;
            p += extra;
        }
        *length = count + 1;
        if (*length > (size_t)(end - p))
            return 0;
        break;
    }
    case 1:
        if (p >= end)
            return 0;
        *length = (tag >> 2 & 7) + 4;
        *distance = (size_t)(tag >> 5) << 8 | *p++;
        break;
    default: {
        unsigned wide = (tag & 3) == 2 ? 2 : 4;
        if ((size_t)(end - p) < wide)
            return 0;
        *length = (tag >> 2) + 1;
        for (unsigned i = 0; i < wide; i++)
            *distance |= (size_t)p[i] << 8 * i;
        p += wide;
    }
    }
    *at = p;
    return (tag & 3) == 0 || *distance > 0;
}

static int snappy_decode(const uint8_t *at, const uint8_t *end, uint8_t *out, size_t size)
{
    uint8_t *to = out, *stop = out + size;
    while (at < end) {
        size_t length, distance;
        if (!snappy_step(&at, end, &length, &distance) || length > (size_t)(stop - to))
            return 0;
        if (distance) {
            if (distance > (size_t)(to - out))
                return 0;
            copy_match(to, distance, length);
        } else {
            if ((size_t)(end - at) >= length + 16)
                wild_copy(to, at, length);
            else
                memcpy(to, at, length);
            at += length;
        }
        to += length;
    }
    return to == stop;
}

static const uint8_t *snappy_end(const uint8_t *at, const uint8_t *end, size_t size, int64_t *spent)
{
    size_t out = 0;
    for (; at < end && out < size; *spent += 4) {
        size_t length, distance;
        if (!snappy_step(&at, end, &length, &distance))
            return NULL;
        if (!distance)
            at += length;
        out += length;
    }
    return out == size ? at : NULL;
}

/* the end of a zstd frame from its block headers (RFC 8878, section 3.1.1), or NULL */
static const uint8_t *zstd_end(const uint8_t *at, const uint8_t *end)
{
    if (end - at < 6 || memcmp(at, "\x28\xb5\x2f\xfd", 4))
        return NULL;
    unsigned descriptor = at[4], single = descriptor >> 5 & 1;
    static const uint8_t ids[4] = {0, 1, 2, 4}, sizes[4] = {0, 2, 4, 8};
    size_t skip = 5 + !single + ids[descriptor & 3] + (descriptor >> 6 ? sizes[descriptor >> 6] : single);
    if ((size_t)(end - at) < skip)
        return NULL;
    at += skip;
    while (end - at >= 3) {
        uint32_t head = at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16;
        size_t length = 3 + ((head >> 1 & 3) == 1 ? 1 : head >> 3) + (head & 1 ? 4 * (descriptor >> 2 & 1) : 0);
        if ((size_t)(end - at) < length)
            return NULL;
        at += length;
        if (head & 1)
            return at;
    }
    return NULL;
}

#endif
