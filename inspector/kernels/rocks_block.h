/* Blocks of a RocksDB table: checksum, decompression, entries and their order, in one pass without an object each.
 *
 * A run goes on while all is well and stops before the first block that needs a closer look, which the plain code
 * then takes: what is damaged is judged in one place only. */
#ifndef INSPECTOR_ROCKS_BLOCK_H
#define INSPECTOR_ROCKS_BLOCK_H

#include <stdlib.h>
#include "crc32c.h"
#include "rocks_codecs.h"
#include "xxh.h"

enum { SUM_NONE, SUM_CRC32C, SUM_XXH32, SUM_XXH64, SUM_XXH3 };
enum { RUN_ON, RUN_CODEC, RUN_WRONG };
#define MAX_CONTENT (64u << 20)
#define TRAILER_SIZE 5
#define STORED 0x01520087u /* bits 0, 1, 2, 7, 0x11, 0x14, 0x16, 0x18: the types of entries (formats/rocksdb/keys.py) */

typedef struct {
    uint8_t *data;
    size_t length, room;
} bytes_of;

typedef struct {
    int checksum, sized, ordered, stop_type;
    uint32_t base;
    uint64_t entries, max_tag, types[256];
    bytes_of first, last, key, content;
    int has_first, has_last, why;
} block_run;

static int make_room(bytes_of *held, size_t length)
{
    if (held->room >= length)
        return 1;
    size_t room = length + length / 2 + 256;
    uint8_t *grown = realloc(held->data, room);
    if (!grown)
        return 0;
    held->data = grown;
    held->room = room;
    return 1;
}

static void run_free(block_run *run)
{
    free(run->first.data);
    free(run->last.data);
    free(run->key.data);
    free(run->content.data);
}

#if CRC_HARDWARE
/* three stretches side by side, because the instruction answers after three steps and takes one at each */
CRC_TARGET static uint32_t crc_beside(const uint8_t *at, size_t length, uint32_t seed)
{
    CRC_WIDE reg = seed;
    while (length >= 768) {
        size_t part = length / 24 * 8;
        part = part > 65528 ? 65528 : part;
        CRC_WIDE two = 0, three = 0;
        for (const uint8_t *end = at + part; at < end; at += 8) {
            reg = CRC_8(reg, crc_load(at));
            two = CRC_8(two, crc_load(at + part));
            three = CRC_8(three, crc_load(at + 2 * part));
        }
        reg = crc_after_zeros((uint32_t)reg, part) ^ (uint32_t)two;
        reg = crc_after_zeros((uint32_t)reg, part) ^ (uint32_t)three;
        at += 2 * part;
        length -= 3 * part;
    }
    return length ? crc_hardware(at, length, (uint32_t)reg) : (uint32_t)reg;
}
#endif

static inline uint32_t crc_whole(const uint8_t *at, size_t length)
{
#if CRC_HARDWARE
    if (crc_has_hardware)
        return ~crc_beside(at, length, 0xFFFFFFFFu);
#endif
    return ~crc_portable(at, length, 0xFFFFFFFFu);
}

static inline uint32_t block_sum(int kind, const uint8_t *body, size_t length)
{
    switch (kind) { /* `length` counts the type byte, which XXH3 folds in apart (table/format.cc) */
    case SUM_CRC32C: {
        uint32_t crc = crc_whole(body, length);
        return ((crc >> 15) | (crc << 17)) + 0xA282EAD8u;
    }
    case SUM_XXH32:
        return xxh32(body, length);
    case SUM_XXH64:
        return (uint32_t)xxh64(body, length);
    case SUM_XXH3:
        return (uint32_t)xxh3(body, length - 1) ^ body[length - 1] * 0x6B9083D9u;
    default:
        return 0;
    }
}

static inline uint32_t context_of(uint32_t base, uint64_t offset)
{
    return base ? base ^ (uint32_t)(offset + (offset >> 32)) : 0;
}

static inline int read_varint(const uint8_t **at, const uint8_t *end, uint32_t *value)
{
    uint64_t found = 0;
    for (int shift = 0; shift < 32 && *at < end; shift += 7) {
        uint8_t byte = *(*at)++;
        found |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) {
            *value = (uint32_t)found;
            return !(found >> 32);
        }
    }
    return 0;
}

/* whether an internal key may follow `old`, both with at least 8 bytes; the first `shared` bytes are alike */
static inline int follows(const uint8_t *old, size_t old_length, const uint8_t *key, size_t length, size_t shared)
{
    size_t left = old_length - 8, right = length - 8, both = left < right ? left : right;
    if (shared < both) {
        int order = memcmp(old + shared, key + shared, both - shared);
        if (order)
            return order < 0;
    }
    if (left != right)
        return left < right;
    return le64(old + left) > le64(key + right); /* newer ones come first, and none stands twice */
}

/* as objects the entries of a block may cost so much and not more (MAX_SPENT and _PAIR in formats/rocksdb/block.py) */
#define MAX_SPENT ((uint64_t)64 << 20)
#define PAIR 112

/* entries of one block's content; nothing of the run changes where something is wrong with them */
static int scan_content(block_run *run, const uint8_t *data, size_t length)
{
    if (length < 4)
        return 0;
    size_t at = length - 4;
    uint32_t packed = le32(data + at), restarts = packed & 0x0FFFFFFF;
    if (packed & 0x50000000u) /* an unknown feature, or values kept apart */
        return 0;
    if (packed & 0x80000000u) {
        if (at < 2)
            return 0;
        size_t buckets = data[at - 2] | (size_t)data[at - 1] << 8;
        if (at - 2 < buckets)
            return 0;
        at -= 2 + buckets;
    }
    if (restarts > at / 4 || (!restarts && at))
        return 0;
    const uint8_t *p = data, *end = data + at - 4 * (size_t)restarts, *previous = run->last.data;
    size_t key_length = 0, previous_length = run->has_last ? run->last.length : 0;
    uint64_t count = 0, spent = 0, max_tag = run->max_tag, types[256] = {0};
    if (!make_room(&run->key, 2 * length + 64))
        return 0;
    uint8_t *key = run->key.data, *first = key + length + 32; /* both fit: no key is longer than the content */
    size_t first_length = 0;
    while (end - p >= 3) {
        uint32_t shared = p[0], unshared = p[1], value = p[2];
        if ((shared | unshared | value) < 0x80)
            p += 3;
        else if (!read_varint(&p, end, &shared) || !read_varint(&p, end, &unshared) || !read_varint(&p, end, &value))
            return 0;
        if (shared > key_length || unshared > (size_t)(end - p) || value > (size_t)(end - p) - unshared)
            return 0;
        size_t now = (size_t)shared + unshared;
        spent += shared + PAIR;
        if (now < 8 || now > length || spent > MAX_SPENT)
            return 0;
        if (count == 0) {
            memcpy(key, p, unshared);
            if (run->ordered && previous_length && !follows(previous, previous_length, key, now, 0))
                return 0;
            first_length = now;
            memcpy(first, key, now);
        } else {
            /* compare before the old key is overwritten: the new one is its head and what stands here */
            if (run->ordered) {
                size_t left = key_length - 8, right = now - 8, both = left < right ? left : right;
                int order = 0;
                uint64_t old_tag = le64(key + left);
                if (shared < both)
                    order = memcmp(key + shared, p, both - shared);
                if (order > 0)
                    return 0;
                if (order == 0) {
                    if (left > right)
                        return 0;
                    memcpy(key + shared, p, unshared);
                    if (left == right && old_tag <= le64(key + right))
                        return 0;
                } else
                    memcpy(key + shared, p, unshared);
            } else
                memcpy(key + shared, p, unshared);
        }
        key_length = now;
        uint64_t tag = le64(key + now - 8);
        types[tag & 255]++;
        max_tag = tag > max_tag ? tag : max_tag;
        p += (size_t)unshared + value;
        count++;
    }
    if (p != end || !count || (run->stop_type >= 0 && types[run->stop_type]))
        return 0;
    if (run->checksum == SUM_NONE) /* what no engine writes is damage, where nothing else would show it */
        for (int i = 0; i < 256; i++)
            if (types[i] && (i >= 32 || !(STORED >> i & 1)))
                return 0;
    if (!run->has_first) {
        if (!make_room(&run->first, first_length))
            return 0;
        memcpy(run->first.data, first, first_length);
        run->first.length = first_length;
        run->has_first = 1;
    }
    if (!make_room(&run->last, key_length))
        return 0;
    memcpy(run->last.data, key, key_length);
    run->last.length = key_length;
    run->has_last = 1;
    run->entries += count;
    run->max_tag = max_tag;
    for (int i = 0; i < 256; i++)
        run->types[i] += types[i];
    return 1;
}

/* content of a block of `size` bytes at `at`; sets why to RUN_CODEC where it takes a library */
static const uint8_t *content_of(block_run *run, const uint8_t *at, size_t size, size_t *length)
{
    unsigned kind = at[size];
    uint32_t claimed;
    const uint8_t *p = at, *end = at + size;
    *length = size;
    if (kind == 0)
        return at;
    run->why = RUN_CODEC;
    if (kind != 1 && !((kind == 4 || kind == 5) && run->sized))
        return NULL;
    if (!read_varint(&p, size > 5 ? at + 5 : end, &claimed) || claimed < 8 || claimed > MAX_CONTENT)
        return NULL;
    if (kind != 1 && claimed > 100 * size) /* how many such there may be is counted in the order of the walk */
        return NULL;
    if (!make_room(&run->content, (size_t)claimed + SLACK))
        return NULL;
    if (kind == 1 ? !snappy_decode(p, end, run->content.data, claimed) : !lz4_decode(p, end, run->content.data, claimed))
        return NULL;
    *length = claimed;
    run->why = RUN_ON;
    return run->content.data;
}

/* blocks [first, last) of a window that begins at `start`; the index of the first one that was not done. With `wrong`
 * those whose checksum fails are noted there and passed over. */
static size_t run_blocks(block_run *run, const uint8_t *window, size_t room, uint64_t start, const uint64_t *offsets,
                         const uint64_t *sizes, size_t first, size_t last, int decode, uint32_t *stored, uint32_t *computed,
                         uint8_t *wrong)
{
    size_t i = first;
    run->why = RUN_ON;
    for (; i < last; i++) {
        uint64_t at = offsets[i] - start;
        if (offsets[i] < start || sizes[i] > room || at > room || room - at < sizes[i] + TRAILER_SIZE ||
            (i > first && offsets[i] != offsets[i - 1] + sizes[i - 1] + TRAILER_SIZE)) {
            run->why = RUN_WRONG;
            break;
        }
        const uint8_t *body = window + at;
        uint32_t found = le32(body + sizes[i] + 1);
        uint32_t right = block_sum(run->checksum, body, sizes[i] + 1) + context_of(run->base, offsets[i]);
        stored[i - first] = found;
        computed[i - first] = right;
        if (run->checksum != SUM_NONE && found != right) {
            if (wrong) {
                wrong[i - first] = 1;
                continue;
            }
            run->why = RUN_WRONG;
            break;
        }
        if (!decode)
            continue;
        size_t length;
        const uint8_t *content = content_of(run, body, sizes[i], &length);
        if (!content)
            break;
        if (!scan_content(run, content, length)) {
            run->why = RUN_WRONG;
            break;
        }
    }
    return i;
}

#endif
