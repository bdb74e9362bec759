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

static size_t flips_xxh64(uint8_t *data, size_t length, uint32_t wanted, uint32_t *found, size_t room)
{
    size_t stripes = length / 32, count = 0;
    const uint8_t *end = data + length, *tail = data + 32 * stripes;
    uint64_t before[4], last[4], trial[64], lanes[4];
    memcpy(last, xxh64_start, sizeof last);
    for (size_t n = 0; n < stripes; n++)
        for (int i = 0; i < 4; i++)
            last[i] = xxh64_round(last[i], le64(data + 32 * n + 8 * i) * P64_2);
    memcpy(before, xxh64_start, sizeof before);
    for (size_t n = 0; n < stripes; n++)
        for (int i = 0; i < 4; i++) {
            uint64_t word = le64(data + 32 * n + 8 * i);
            for (int bit = 0; bit < 64; bit++)
                trial[bit] = xxh64_round(before[i], (word ^ 1ull << bit) * P64_2);
            for (size_t m = n + 1; m < stripes; m++) {
                uint64_t product = le64(data + 32 * m + 8 * i) * P64_2;
                for (int bit = 0; bit < 64; bit++)
                    trial[bit] = xxh64_round(trial[bit], product);
            }
            memcpy(lanes, last, sizeof lanes);
            for (int bit = 0; bit < 64; bit++) {
                lanes[i] = trial[bit];
                if ((uint32_t)xxh64_finish(lanes, tail, end, length) == wanted && count < room)
                    found[count++] = (uint32_t)(256 * n + 64 * i + bit);
            }
            before[i] = xxh64_round(before[i], word * P64_2);
        }
    return count + flips_slow(data, length, 3, wanted, 256 * stripes, found + count, room - count);
}

static size_t flips_xxh32(uint8_t *data, size_t length, uint32_t wanted, uint32_t *found, size_t room)
{
    size_t stripes = length / 16, count = 0;
    const uint8_t *end = data + length, *tail = data + 16 * stripes;
    uint32_t before[4], last[4], trial[32], lanes[4];
    memcpy(last, xxh32_start, sizeof last);
    for (size_t n = 0; n < stripes; n++)
        for (int i = 0; i < 4; i++)
            last[i] = xxh32_round(last[i], le32(data + 16 * n + 4 * i) * P32_2);
    memcpy(before, xxh32_start, sizeof before);
    for (size_t n = 0; n < stripes; n++)
        for (int i = 0; i < 4; i++) {
            uint32_t word = le32(data + 16 * n + 4 * i);
            for (int bit = 0; bit < 32; bit++)
                trial[bit] = xxh32_round(before[i], (word ^ 1u << bit) * P32_2);
            for (size_t m = n + 1; m < stripes; m++) {
                uint32_t product = le32(data + 16 * m + 4 * i) * P32_2;
                for (int bit = 0; bit < 32; bit++)
                    trial[bit] = xxh32_round(trial[bit], product);
            }
            memcpy(lanes, last, sizeof lanes);
            for (int bit = 0; bit < 32; bit++) {
                lanes[i] = trial[bit];
                if (xxh32_finish(lanes, tail, end, length) == wanted && count < room)
                    found[count++] = (uint32_t)(128 * n + 32 * i + bit);
            }
            before[i] = xxh32_round(before[i], word * P32_2);
        }
    return count + flips_slow(data, length, 2, wanted, 128 * stripes, found + count, room - count);
}

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
