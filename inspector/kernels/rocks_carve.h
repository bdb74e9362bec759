/* Blocks that lie one after another without an index, and the handles of an index. */
#ifndef INSPECTOR_ROCKS_CARVE_H
#define INSPECTOR_ROCKS_CARVE_H

#include "rocks_block.h"

/* the end of a restart array that begins at `begin`, after `length` bytes of entries, or NULL */
static const uint8_t *restarts_end(const uint8_t *begin, const uint8_t *end, size_t length, int64_t *spent)
{
    const uint8_t *at = begin;
    uint32_t count = 0;
    int64_t last = -1;
    for (; end - at >= 4; at += 4, count++) {
        uint32_t word = le32(at);
        if (count && (word & 0x0FFFFFFF) == count && !(word >> 28 & ~0xBu) && !(word & 0x80000000u))
            return at + 4;
        if ((int64_t)word <= last || word > length)
            break;
        last = word;
    }
    *spent += 2 * (int64_t)count;
    /* a hash index: buckets of a byte, their number as u16, then the last word; some may look like restarts */
    for (uint32_t restarts = count; restarts > 0 && restarts + 3 > count; restarts--) {
        const uint8_t *buckets = begin + 4 * (size_t)restarts;
        if (end - buckets < 6)
            continue;
        size_t most = (size_t)(end - buckets) - 6, n;
        most = most > 0xFFFF ? 0xFFFF : most;
        for (n = 0; n <= most; n++)
            if ((buckets[n] | (size_t)buckets[n + 1] << 8) == n && le32(buckets + n + 2) == (restarts | 0x80000000u))
                return buckets + n + 6;
        *spent += (int64_t)most;
    }
    return NULL;
}

/* the end of an uncompressed block of entries: they run on until the restart array, whose first word is 0 */
static const uint8_t *plain_end(const uint8_t *begin, const uint8_t *end, int64_t *spent)
{
    const uint8_t *at = begin;
    size_t key = 0;
    for (; end - at >= 8; *spent += 3) {
        if (!(at[0] | at[1] | at[2] | at[3]))
            return restarts_end(at, end, (size_t)(at - begin), spent);
        uint32_t shared = at[0], unshared = at[1], value = at[2];
        if ((shared | unshared | value) < 0x80)
            at += 3;
        else if (!read_varint(&at, end, &shared) || !read_varint(&at, end, &unshared) || !read_varint(&at, end, &value))
            return NULL;
        if (shared > key || unshared > (size_t)(end - at) || value > (size_t)(end - at) - unshared)
            return NULL;
        key = (size_t)shared + unshared;
        at += (size_t)unshared + value;
    }
    return NULL;
}

/* what a block's checksum needs: its kind, the table's base, and where the block lies in the file */
typedef struct {
    int checksum, sized;
    uint32_t base, types; /* `types` is a mask of compression types */
} table_kind;

static int seals(const uint8_t *begin, const uint8_t *stop, const uint8_t *end, uint64_t offset, const table_kind *kind,
                 int64_t *spent)
{
    if (!stop || end - stop < TRAILER_SIZE || *stop > 31 || !(kind->types >> *stop & 1))
        return 0;
    *spent += (stop - begin) / 4;
    uint32_t right = block_sum(kind->checksum, begin, (size_t)(stop - begin) + 1) + context_of(kind->base, offset);
    return le32(stop + 1) == right;
}

/* the payload's end of the block that begins here, or NULL; `spent` grows by its cost in nanoseconds, about */
static const uint8_t *block_end(const uint8_t *at, const uint8_t *end, uint64_t offset, const table_kind *kind,
                                int64_t *spent)
{
    const uint8_t *stop, *p = at;
    uint32_t size, types = kind->types;
    if (end - at < 8 + TRAILER_SIZE)
        return NULL;
    if ((types & 1) && !*at && seals(at, stop = plain_end(at, end, spent), end, offset, kind, spent))
        return stop;
    if (!read_varint(&p, end - at > 5 ? at + 5 : end, &size))
        return NULL;
    if (kind->sized && (types & 0x80) && seals(at, stop = zstd_end(p, end), end, offset, kind, spent))
        return stop;
    if (size < 8 || size > MAX_CONTENT)
        return NULL;
    if (kind->sized && (types & 0x30) && seals(at, stop = lz4_end(p, end, size, spent), end, offset, kind, spent))
        return stop;
    if ((types & 2) && seals(at, stop = snappy_end(p, end, size, spent), end, offset, kind, spent))
        return stop;
    return NULL;
}

/* whether an entry that shares nothing, as the first of a block must be, begins here */
static inline int begins_entry(const uint8_t *at, const uint8_t *end)
{
    return end - at >= 2 && !at[0] && at[1] >= 8;
}

/* a first literal of an lz4 block or a snappy stream that holds the head of such an entry */
static inline int begins_stream(const uint8_t *at, const uint8_t *end, int lz4)
{
    if (end - at < 16)
        return 0;
    if (lz4) {
        if (*at < 0x30)
            return 0;
        if (*at++ >= 0xF0)
            for (int i = 0; i < 8 && *at++ == 255; i++)
                ;
        return begins_entry(at, end);
    }
    unsigned tag = *at++;
    if (tag & 3 || (tag >> 2) > 61 || tag < 8)
        return 0;
    return begins_entry(at + ((tag >> 2) > 59 ? (tag >> 2) - 59 : 0), end);
}

/* The nearest block that begins in [at, until): its payload's end, or NULL. `budget` is time in nanoseconds, about, and
 * ends the search where it is used up; blocks are at most `largest` bytes uncompressed. */
static const uint8_t *find_block(const uint8_t **at, const uint8_t *until, const uint8_t *end, uint64_t offset,
                                 const table_kind *kind, uint32_t largest, int64_t *budget)
{
    const uint8_t *p = *at, *begin = p;
    size_t reach = (size_t)largest + largest / 4 + 64;
    uint32_t types = kind->types;
    int64_t spent = 0;
    for (; p < until && spent < *budget; p++) {
        const uint8_t *stop, *q = p, *far = (size_t)(end - p) > reach ? p + reach : end;
        uint32_t size = 0;
        table_kind tried = *kind;
        tried.types = (types & 1) && begins_entry(p, end);
        spent++;
        if (types & ~1u && read_varint(&q, end - p > 5 ? p + 5 : end, &size) && size >= 8 && size <= largest) {
            if (kind->sized && (types & 0x80) && end - q >= 4 && !memcmp(q, "\x28\xb5\x2f\xfd", 4))
                tried.types |= 0x80;
            if (kind->sized && (types & 0x30) && begins_stream(q, end, 1))
                tried.types |= types & 0x30;
            if ((types & 2) && begins_stream(q, end, 0))
                tried.types |= 2;
        }
        if (!tried.types)
            continue;
        spent += 20;
        stop = block_end(p, far, offset + (uint64_t)(p - begin), &tried, &spent);
        if (stop) {
            *budget -= spent;
            *at = p;
            return stop;
        }
    }
    *budget -= spent;
    *at = p;
    return NULL;
}

/* The least end in [at, until) of a payload from `begin` on behind which a type and the right checksum stand, or -1. Of
 * type 0 only ends are tried whose last word counts restarts that fit. `left` is time in nanoseconds as measured for
 * plain Python, and ends the search where it is used up. */
static int64_t sealed_end(const uint8_t *data, size_t room, size_t begin, size_t at, size_t until, int type,
                          int checksum, uint32_t modifier, int64_t *left)
{
    if (room < TRAILER_SIZE || begin > at)
        return -1;
    if (until > room - TRAILER_SIZE + 1)
        until = room - TRAILER_SIZE + 1;
    for (size_t stop = at; stop < until; stop++) {
        if (data[stop] != type)
            continue;
        if (!type) {
            if (stop < begin + 8 || data[stop - 2] || data[stop - 1] & 0x4F)
                continue;
            uint32_t restarts = le32(data + stop - 4) & 0x0FFFFFFF;
            if (!restarts || restarts > (stop - begin) / 4)
                continue;
        }
        *left -= 1000 + (int64_t)((stop - begin) / 8);
        if (*left < 0)
            return -1;
        if (block_sum(checksum, data + begin, stop - begin + 1) + modifier == le32(data + stop + 1))
            return (int64_t)stop;
    }
    return -1;
}

/* The least beginning in [at, until) of a payload that ends at `stop`, where its type and the right checksum stand, or -1;
 * the first byte was written for the place `start`. */
static int64_t sealed_begin(const uint8_t *data, size_t room, size_t at, size_t until, size_t stop, int checksum,
                            uint32_t base, uint64_t start, int64_t *left)
{
    if (room < TRAILER_SIZE || stop > room - TRAILER_SIZE)
        return -1;
    for (uint32_t stored = le32(data + stop + 1); at < until && at < stop; at++) {
        *left -= 1000 + (int64_t)((stop - at) / 8);
        if (*left < 0)
            return -1;
        if (block_sum(checksum, data + at, stop - at + 1) + context_of(base, start + at) == stored)
            return (int64_t)at;
    }
    return -1;
}

static inline int read_varint64(const uint8_t **at, const uint8_t *end, uint64_t *value)
{
    *value = 0;
    for (int shift = 0; shift < 64 && *at < end; shift += 7) {
        uint8_t byte = *(*at)++;
        if (shift == 63 && byte > 1)
            return 0;
        *value |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80)
            return 1;
    }
    return 0;
}

/* handles of an index block's entries [at, end): how many, or -1 where something does not fit; all end by `limit` */
static int64_t index_handles(const uint8_t *at, const uint8_t *end, int delta, int first_key, uint64_t limit,
                             uint64_t *offsets, uint64_t *sizes, int *ordered)
{
    size_t key = 0;
    uint64_t behind = 0; /* where the block before ends */
    int64_t count = 0;
    uint64_t offset = 0, size = 0, step;
    while (at < end) {
        uint32_t shared, unshared, value = 0, length;
        const uint8_t *stop = end;
        if (!read_varint(&at, end, &shared) || !read_varint(&at, end, &unshared))
            return -1;
        if (!delta && !read_varint(&at, end, &value))
            return -1;
        if (shared > key || unshared > (size_t)(end - at))
            return -1;
        key = (size_t)shared + unshared;
        at += unshared;
        if (!delta) {
            if (value > (size_t)(end - at))
                return -1;
            stop = at + value;
        }
        if (delta && shared) {
            if (!read_varint64(&at, stop, &step))
                return -1;
            offset += size + TRAILER_SIZE;
            size += (step >> 1) ^ (0 - (step & 1));
        } else if (!read_varint64(&at, stop, &offset) || !read_varint64(&at, stop, &size))
            return -1;
        if (first_key) {
            if (!read_varint(&at, stop, &length) || length > (size_t)(stop - at))
                return -1;
            at += length;
        }
        if ((!delta && at != stop) || size > limit || offset > limit || size + TRAILER_SIZE > limit - offset)
            return -1;
        *ordered &= offset >= behind;
        behind = offset + size + TRAILER_SIZE;
        offsets[count] = offset;
        sizes[count++] = size;
    }
    return count;
}

#endif
