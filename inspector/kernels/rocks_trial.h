/* All single flipped bits of a block with which its hash has given low 32 bits.
 *
 * XXH3: a block of 1024 bytes only adds to the accumulators before they are scrambled, so one flip changes one sum,
 * and what follows is a scramble and an addition per block. XXH32 and XXH64 have four lanes that meet at the end: one
 * flip changes one of them, and all flips of a word go through the rest of its lane side by side. */
#ifndef INSPECTOR_ROCKS_TRIAL_H
#define INSPECTOR_ROCKS_TRIAL_H

#include <stdlib.h>
#include "xxh.h"

static size_t flips_slow(uint8_t *data, size_t length, int kind, uint32_t wanted, size_t bit, uint32_t *found,
                         size_t room)
{
    size_t count = 0;
    for (; bit < 8 * length && count < room; bit++) {
        data[bit >> 3] ^= 1 << (bit & 7);
        uint32_t hash = kind == 4   ? (uint32_t)xxh3(data, length)
                        : kind == 3 ? (uint32_t)xxh64(data, length)
                                    : xxh32(data, length);
        data[bit >> 3] ^= 1 << (bit & 7);
        if (hash == wanted)
            found[count++] = (uint32_t)bit;
    }
    return count;
}

/* One function for each width: all flips of a word go through the rest of its lane side by side. */
#define FLIPS_OF_LANES(width, kind)                                                                                    \
    static size_t flips_xxh##width(uint8_t *data, size_t length, uint32_t wanted, uint32_t *found, size_t room)        \
    {                                                                                                                  \
        enum { WORD = width / 8, STRIPE = 4 * WORD };                                                                  \
        size_t stripes = length / STRIPE, count = 0;                                                                   \
        const uint8_t *end = data + length, *tail = data + STRIPE * stripes;                                           \
        uint##width##_t before[4], last[4], trial[width], lanes[4];                                                    \
        memcpy(last, xxh##width##_start, sizeof last);                                                                 \
        for (size_t n = 0; n < stripes; n++)                                                                           \
            for (int i = 0; i < 4; i++)                                                                                \
                last[i] = xxh##width##_round(last[i], le##width(data + STRIPE * n + WORD * i) * P##width##_2);         \
        memcpy(before, xxh##width##_start, sizeof before);                                                             \
        for (size_t n = 0; n < stripes; n++)                                                                           \
            for (int i = 0; i < 4; i++) {                                                                              \
                uint##width##_t word = le##width(data + STRIPE * n + WORD * i);                                        \
                for (int bit = 0; bit < width; bit++)                                                                  \
                    trial[bit] = xxh##width##_round(before[i], (word ^ (uint##width##_t)1 << bit) * P##width##_2);     \
                for (size_t m = n + 1; m < stripes; m++) {                                                             \
                    uint##width##_t product = le##width(data + STRIPE * m + WORD * i) * P##width##_2;                  \
                    for (int bit = 0; bit < width; bit++)                                                              \
                        trial[bit] = xxh##width##_round(trial[bit], product);                                          \
                }                                                                                                      \
                memcpy(lanes, last, sizeof lanes);                                                                     \
                for (int bit = 0; bit < width; bit++) {                                                                \
                    lanes[i] = trial[bit];                                                                             \
                    if ((uint32_t)xxh##width##_finish(lanes, tail, end, length) == wanted && count < room)             \
                        found[count++] = (uint32_t)(8 * STRIPE * n + width * i + bit);                                 \
                }                                                                                                      \
                before[i] = xxh##width##_round(before[i], word * P##width##_2);                                        \
            }                                                                                                          \
        return count + flips_slow(data, length, kind, wanted, 8 * STRIPE * stripes, found + count, room - count);      \
    }

FLIPS_OF_LANES(64, 3)
FLIPS_OF_LANES(32, 2)
#undef FLIPS_OF_LANES

typedef struct {
    uint64_t before[8]; /* accumulators when the block begins */
    uint64_t sum[8];    /* what its stripes add */
} trial_block;

static uint32_t trial_end(const trial_block *blocks, size_t count, size_t from, const uint64_t first[8],
                          const uint64_t tail[8], size_t length)
{
    uint64_t acc[8];
    for (int i = 0; i < 8; i++)
        acc[i] = blocks[from].before[i] + first[i];
    for (size_t n = from + 1; n < count; n++) {
        xxh3_scramble(acc);
        for (int i = 0; i < 8; i++)
            acc[i] += blocks[n].sum[i];
    }
    for (int i = 0; i < 8; i++)
        acc[i] += tail[i];
    return (uint32_t)xxh3_merge(acc, length);
}

/* `blocks` has room for (length - 1) / 1024 + 1; longer than 240 bytes */
static size_t flips_xxh3(uint8_t *data, size_t length, uint32_t wanted, trial_block *blocks, uint32_t *found,
                         size_t room)
{
    size_t whole = (length - 1) / XXH3_BLOCK, count = whole + 1, hits = 0, last = length - 64;
    size_t rest = (length - 1 - XXH3_BLOCK * whole) / 64;
    uint64_t acc[8], tail[8] = {0};
    memcpy(acc, xxh3_start, sizeof acc);
    for (size_t n = 0; n < count; n++) {
        memcpy(blocks[n].before, acc, sizeof acc);
        memset(blocks[n].sum, 0, sizeof acc);
        for (size_t i = 0; i < (n < whole ? 16 : rest); i++)
            xxh3_stripe(blocks[n].sum, data + n * XXH3_BLOCK + 64 * i, xxh_secret + 8 * i);
        for (int i = 0; i < 8; i++)
            acc[i] += blocks[n].sum[i];
        xxh3_scramble(acc);
    }
    xxh3_stripe(tail, data + last, xxh_secret + 128 - 7);
    for (size_t bit = 0; bit < 8 * length; bit++) {
        size_t byte = bit >> 3, n = byte / XXH3_BLOCK, stripe = byte % XXH3_BLOCK / 64;
        uint64_t sum[8], end[8];
        memcpy(end, tail, sizeof end);
        if (n > whole)
            n = whole;
        memcpy(sum, blocks[n].sum, sizeof sum);
        if (n < whole || stripe < rest) { /* take the stripe out, and put the flipped one in */
            uint64_t old[8] = {0}, new_[8] = {0};
            const uint8_t *at = data + n * XXH3_BLOCK + 64 * stripe;
            xxh3_stripe(old, at, xxh_secret + 8 * stripe);
            data[byte] ^= 1 << (bit & 7);
            xxh3_stripe(new_, at, xxh_secret + 8 * stripe);
            data[byte] ^= 1 << (bit & 7);
            for (int i = 0; i < 8; i++)
                sum[i] += new_[i] - old[i];
        }
        if (byte >= last) {
            memset(end, 0, sizeof end);
            data[byte] ^= 1 << (bit & 7);
            xxh3_stripe(end, data + last, xxh_secret + 128 - 7);
            data[byte] ^= 1 << (bit & 7);
        }
        if (trial_end(blocks, count, n, sum, end, length) == wanted && hits < room)
            found[hits++] = (uint32_t)bit;
    }
    return hits;
}

#endif
