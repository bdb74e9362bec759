/* XXH32, XXH64 and XXH3 (64 bits), seed 0, as RocksDB uses them for blocks. Specification and constants:
 * Yann Collet, xxHash (doc/xxhash_spec.md, BSD 2-clause). Held against the xxhash package in the tests. */
#ifndef INSPECTOR_XXH_H
#define INSPECTOR_XXH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#define XXH_WIDE 1 /* eight lanes in two registers where the processor has AVX2, told at run time */
#elif defined(__SSE2__)
#include <emmintrin.h>
#endif

#define P32_1 0x9E3779B1u
#define P32_2 0x85EBCA77u
#define P32_3 0xC2B2AE3Du
#define P32_4 0x27D4EB2Fu
#define P32_5 0x165667B1u
#define P64_1 0x9E3779B185EBCA87ull
#define P64_2 0xC2B2AE3D27D4EB4Full
#define P64_3 0x165667B19E3779F9ull
#define P64_4 0x85EBCA77C2B2AE63ull
#define P64_5 0x27D4EB2F165667C5ull

static const uint8_t xxh_secret[192] = {
    0xb8, 0xfe, 0x6c, 0x39, 0x23, 0xa4, 0x4b, 0xbe, 0x7c, 0x01, 0x81, 0x2c, 0xf7, 0x21, 0xad, 0x1c,
    0xde, 0xd4, 0x6d, 0xe9, 0x83, 0x90, 0x97, 0xdb, 0x72, 0x40, 0xa4, 0xa4, 0xb7, 0xb3, 0x67, 0x1f,
    0xcb, 0x79, 0xe6, 0x4e, 0xcc, 0xc0, 0xe5, 0x78, 0x82, 0x5a, 0xd0, 0x7d, 0xcc, 0xff, 0x72, 0x21,
    0xb8, 0x08, 0x46, 0x74, 0xf7, 0x43, 0x24, 0x8e, 0xe0, 0x35, 0x90, 0xe6, 0x81, 0x3a, 0x26, 0x4c,
    0x3c, 0x28, 0x52, 0xbb, 0x91, 0xc3, 0x00, 0xcb, 0x88, 0xd0, 0x65, 0x8b, 0x1b, 0x53, 0x2e, 0xa3,
    0x71, 0x64, 0x48, 0x97, 0xa2, 0x0d, 0xf9, 0x4e, 0x38, 0x19, 0xef, 0x46, 0xa9, 0xde, 0xac, 0xd8,
    0xa8, 0xfa, 0x76, 0x3f, 0xe3, 0x9c, 0x34, 0x3f, 0xf9, 0xdc, 0xbb, 0xc7, 0xc7, 0x0b, 0x4f, 0x1d,
    0x8a, 0x51, 0xe0, 0x4b, 0xcd, 0xb4, 0x59, 0x31, 0xc8, 0x9f, 0x7e, 0xc9, 0xd9, 0x78, 0x73, 0x64,
    0xea, 0xc5, 0xac, 0x83, 0x34, 0xd3, 0xeb, 0xc3, 0xc5, 0x81, 0xa0, 0xff, 0xfa, 0x13, 0x63, 0xeb,
    0x17, 0x0d, 0xdd, 0x51, 0xb7, 0xf0, 0xda, 0x49, 0xd3, 0x16, 0x55, 0x26, 0x29, 0xd4, 0x68, 0x9e,
    0x2b, 0x16, 0xbe, 0x58, 0x7d, 0x47, 0xa1, 0xfc, 0x8f, 0xf8, 0xb8, 0xd1, 0x7a, 0xd0, 0x31, 0xce,
    0x45, 0xcb, 0x3a, 0x8f, 0x95, 0x16, 0x04, 0x28, 0xaf, 0xd7, 0xfb, 0xca, 0xbb, 0x4b, 0x40, 0x7e,
};

static inline uint64_t le64(const uint8_t *at)
{
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    uint64_t value = 0;
    for (int i = 7; i >= 0; i--)
        value = value << 8 | at[i];
    return value;
#else
    uint64_t value;
    memcpy(&value, at, 8);
    return value;
#endif
}

static inline uint32_t le32(const uint8_t *at)
{
    return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static inline uint64_t rotl64(uint64_t value, int by)
{
    return value << by | value >> (64 - by);
}

static inline uint32_t rotl32(uint32_t value, int by)
{
    return value << by | value >> (32 - by);
}

static inline uint64_t fold128(uint64_t a, uint64_t b)
{
#if defined(__SIZEOF_INT128__)
    __extension__ unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
#else
    uint64_t low = (a & 0xFFFFFFFF) * (b & 0xFFFFFFFF), left = (a >> 32) * (b & 0xFFFFFFFF);
    uint64_t right = (a & 0xFFFFFFFF) * (b >> 32), high = (a >> 32) * (b >> 32);
    uint64_t cross = (low >> 32) + (left & 0xFFFFFFFF) + right;
    return ((cross << 32) | (low & 0xFFFFFFFF)) ^ (high + (left >> 32) + (cross >> 32));
#endif
}

static inline uint32_t xxh32_round(uint32_t lane, uint32_t product)
{
    return rotl32(lane + product, 13) * P32_1;
}

/* what is left after the whole stripes of 16 bytes; without one the lanes are not looked at */
static uint32_t xxh32_finish(const uint32_t lane[4], const uint8_t *at, const uint8_t *end, size_t length)
{
    uint32_t hash = P32_5;
    if (length >= 16)
        hash = rotl32(lane[0], 1) + rotl32(lane[1], 7) + rotl32(lane[2], 12) + rotl32(lane[3], 18);
    hash += (uint32_t)length;
    for (; end - at >= 4; at += 4)
        hash = rotl32(hash + le32(at) * P32_3, 17) * P32_4;
    for (; at < end; at++)
        hash = rotl32(hash + *at * P32_5, 11) * P32_1;
    hash = (hash ^ hash >> 15) * P32_2;
    hash = (hash ^ hash >> 13) * P32_3;
    return hash ^ hash >> 16;
}

static const uint32_t xxh32_start[4] = {P32_1 + P32_2, P32_2, 0, 0u - P32_1};

static uint32_t xxh32(const uint8_t *at, size_t length)
{
    const uint8_t *end = at + length;
    uint32_t lane[4];
    memcpy(lane, xxh32_start, sizeof lane);
    for (; end - at >= 16; at += 16)
        for (int i = 0; i < 4; i++)
            lane[i] = xxh32_round(lane[i], le32(at + 4 * i) * P32_2);
    return xxh32_finish(lane, at, end, length);
}

static inline uint64_t xxh64_avalanche(uint64_t hash)
{
    hash = (hash ^ hash >> 33) * P64_2;
    hash = (hash ^ hash >> 29) * P64_3;
    return hash ^ hash >> 32;
}

static inline uint64_t xxh64_round(uint64_t lane, uint64_t product)
{
    return rotl64(lane + product, 31) * P64_1;
}

static uint64_t xxh64_finish(const uint64_t lane[4], const uint8_t *at, const uint8_t *end, size_t length)
{
    uint64_t hash = P64_5;
    if (length >= 32) {
        hash = rotl64(lane[0], 1) + rotl64(lane[1], 7) + rotl64(lane[2], 12) + rotl64(lane[3], 18);
        for (int i = 0; i < 4; i++)
            hash = (hash ^ xxh64_round(0, lane[i] * P64_2)) * P64_1 + P64_4;
    }
    hash += length;
    for (; end - at >= 8; at += 8)
        hash = rotl64(hash ^ xxh64_round(0, le64(at) * P64_2), 27) * P64_1 + P64_4;
    if (end - at >= 4) {
        hash = rotl64(hash ^ le32(at) * P64_1, 23) * P64_2 + P64_3;
        at += 4;
    }
    for (; at < end; at++)
        hash = rotl64(hash ^ *at * P64_5, 11) * P64_1;
    return xxh64_avalanche(hash);
}

static const uint64_t xxh64_start[4] = {P64_1 + P64_2, P64_2, 0, 0ull - P64_1};

static uint64_t xxh64(const uint8_t *at, size_t length)
{
    const uint8_t *end = at + length;
    uint64_t lane[4];
    memcpy(lane, xxh64_start, sizeof lane);
    for (; end - at >= 32; at += 32)
        for (int i = 0; i < 4; i++)
            lane[i] = xxh64_round(lane[i], le64(at + 8 * i) * P64_2);
    return xxh64_finish(lane, at, end, length);
}

static inline uint64_t xxh3_avalanche(uint64_t hash)
{
    hash = (hash ^ hash >> 37) * 0x165667919E3779F9ull;
    return hash ^ hash >> 32;
}

static inline uint64_t xxh3_mix(const uint8_t *at, const uint8_t *secret)
{
    return fold128(le64(at) ^ le64(secret), le64(at + 8) ^ le64(secret + 8));
}

static uint64_t xxh3_short(const uint8_t *at, size_t length)
{
    const uint8_t *s = xxh_secret;
    if (length > 8) {
        uint64_t low = le64(at) ^ le64(s + 24) ^ le64(s + 32), high = le64(at + length - 8) ^ le64(s + 40) ^ le64(s + 48);
        uint64_t swapped = 0;
        for (int i = 0; i < 8; i++)
            swapped |= (low >> 8 * i & 255) << (56 - 8 * i);
        return xxh3_avalanche(length + swapped + high + fold128(low, high));
    }
    if (length >= 4) {
        uint64_t hash = (le32(at + length - 4) + ((uint64_t)le32(at) << 32)) ^ le64(s + 8) ^ le64(s + 16);
        hash ^= rotl64(hash, 49) ^ rotl64(hash, 24);
        hash *= 0x9FB21C651E98DF25ull;
        hash ^= (hash >> 35) + length;
        hash *= 0x9FB21C651E98DF25ull;
        return hash ^ hash >> 28;
    }
    if (length) {
        uint32_t both = (uint32_t)at[0] << 16 | (uint32_t)at[length >> 1] << 24 | at[length - 1] | (uint32_t)length << 8;
        return xxh64_avalanche((uint64_t)both ^ (le32(s) ^ le32(s + 4)));
    }
    return xxh64_avalanche(le64(s + 56) ^ le64(s + 64));
}

static uint64_t xxh3_middle(const uint8_t *at, size_t length)
{
    const uint8_t *s = xxh_secret, *end = at + length;
    uint64_t acc = length * P64_1;
    if (length <= 128) {
        for (int i = (int)(length - 1) / 32; i >= 0; i--)
            acc += xxh3_mix(at + 16 * i, s + 32 * i) + xxh3_mix(end - 16 * (i + 1), s + 32 * i + 16);
        return xxh3_avalanche(acc);
    }
    for (int i = 0; i < 8; i++)
        acc += xxh3_mix(at + 16 * i, s + 16 * i);
    acc = xxh3_avalanche(acc);
    for (int i = 8; i < (int)length / 16; i++)
        acc += xxh3_mix(at + 16 * i, s + 16 * (i - 8) + 3);
    return xxh3_avalanche(acc + xxh3_mix(end - 16, s + 136 - 17));
}

static int xxh_wide;

static void xxh_prepare(int allow_wide)
{
    xxh_wide = 0;
#if XXH_WIDE
    __builtin_cpu_init();
    xxh_wide = allow_wide && __builtin_cpu_supports("avx2");
#endif
}

#define XXH3_BLOCK 1024 /* bytes between two scrambles: 16 stripes of 64 */

static const uint64_t xxh3_start[8] = {P32_3, P64_1, P64_2, P64_3, P64_4, P32_2, P64_5, P32_1};

static inline void xxh3_stripe(uint64_t acc[8], const uint8_t *at, const uint8_t *secret)
{
#if defined(__SSE2__)
    __m128i *lanes = (__m128i *)acc;
    for (int i = 0; i < 4; i++) {
        __m128i data = _mm_loadu_si128((const __m128i *)at + i);
        __m128i key = _mm_xor_si128(data, _mm_loadu_si128((const __m128i *)secret + i));
        __m128i product = _mm_mul_epu32(key, _mm_shuffle_epi32(key, _MM_SHUFFLE(0, 3, 0, 1)));
        __m128i sum = _mm_add_epi64(_mm_loadu_si128(lanes + i), _mm_shuffle_epi32(data, _MM_SHUFFLE(1, 0, 3, 2)));
        _mm_storeu_si128(lanes + i, _mm_add_epi64(sum, product));
    }
#else
    for (int i = 0; i < 8; i++) {
        uint64_t data = le64(at + 8 * i), key = data ^ le64(secret + 8 * i);
        acc[i ^ 1] += data;
        acc[i] += (key & 0xFFFFFFFF) * (key >> 32);
    }
#endif
}

static inline void xxh3_scramble(uint64_t acc[8])
{
    for (int i = 0; i < 8; i++)
        acc[i] = (acc[i] ^ acc[i] >> 47 ^ le64(xxh_secret + 128 + 8 * i)) * P32_1;
}

static inline uint64_t xxh3_merge(const uint64_t acc[8], size_t length)
{
    uint64_t hash = length * P64_1;
    for (int i = 0; i < 4; i++)
        hash += fold128(acc[2 * i] ^ le64(xxh_secret + 11 + 16 * i), acc[2 * i + 1] ^ le64(xxh_secret + 19 + 16 * i));
    return xxh3_avalanche(hash);
}

#if XXH_WIDE
__attribute__((target("avx2"))) static inline __m256i xxh3_lanes(__m256i acc, const uint8_t *at, const uint8_t *secret)
{
    __m256i data = _mm256_loadu_si256((const __m256i *)at);
    __m256i key = _mm256_xor_si256(data, _mm256_loadu_si256((const __m256i *)secret));
    __m256i product = _mm256_mul_epu32(key, _mm256_srli_epi64(key, 32));
    return _mm256_add_epi64(product, _mm256_add_epi64(acc, _mm256_shuffle_epi32(data, _MM_SHUFFLE(1, 0, 3, 2))));
}

__attribute__((target("avx2"))) static inline __m256i xxh3_scrambled(__m256i acc, const uint8_t *secret)
{
    __m256i prime = _mm256_set1_epi32((int)P32_1);
    __m256i mixed = _mm256_xor_si256(acc, _mm256_srli_epi64(acc, 47));
    mixed = _mm256_xor_si256(mixed, _mm256_loadu_si256((const __m256i *)secret));
    __m256i high = _mm256_mul_epu32(_mm256_srli_epi64(mixed, 32), prime);
    return _mm256_add_epi64(_mm256_mul_epu32(mixed, prime), _mm256_slli_epi64(high, 32));
}

/* as xxh3_long, without a lane in memory between two stripes */
__attribute__((target("avx2"))) static uint64_t xxh3_wide(const uint8_t *at, size_t length)
{
    uint64_t acc[8];
    __m256i low = _mm256_loadu_si256((const __m256i *)xxh3_start);
    __m256i high = _mm256_loadu_si256((const __m256i *)(xxh3_start + 4));
    size_t blocks = (length - 1) / XXH3_BLOCK, stripes = (length - 1 - XXH3_BLOCK * blocks) / 64;
    const uint8_t *last = at + length - 64;
    for (size_t n = 0; n <= blocks; n++) {
        size_t count = n < blocks ? 16 : stripes;
        for (size_t i = 0; i < count; i++, at += 64) {
            low = xxh3_lanes(low, at, xxh_secret + 8 * i);
            high = xxh3_lanes(high, at + 32, xxh_secret + 8 * i + 32);
        }
        if (n < blocks) {
            low = xxh3_scrambled(low, xxh_secret + 128);
            high = xxh3_scrambled(high, xxh_secret + 160);
        }
    }
    low = xxh3_lanes(low, last, xxh_secret + 128 - 7);
    high = xxh3_lanes(high, last + 32, xxh_secret + 128 - 7 + 32);
    _mm256_storeu_si256((__m256i *)acc, low);
    _mm256_storeu_si256((__m256i *)(acc + 4), high);
    return xxh3_merge(acc, length);
}
#endif

static uint64_t xxh3_long(const uint8_t *at, size_t length)
{
    uint64_t acc[8];
    memcpy(acc, xxh3_start, sizeof acc);
    size_t blocks = (length - 1) / XXH3_BLOCK, stripes = (length - 1 - XXH3_BLOCK * blocks) / 64;
    for (size_t n = 0; n < blocks; n++, xxh3_scramble(acc))
        for (int i = 0; i < 16; i++)
            xxh3_stripe(acc, at + n * XXH3_BLOCK + 64 * i, xxh_secret + 8 * i);
    for (size_t i = 0; i < stripes; i++)
        xxh3_stripe(acc, at + blocks * XXH3_BLOCK + 64 * i, xxh_secret + 8 * i);
    xxh3_stripe(acc, at + length - 64, xxh_secret + 128 - 7);
    return xxh3_merge(acc, length);
}

static uint64_t xxh3(const uint8_t *at, size_t length)
{
    if (length <= 16)
        return xxh3_short(at, length);
    if (length <= 240)
        return xxh3_middle(at, length);
#if XXH_WIDE
    if (xxh_wide)
        return xxh3_wide(at, length);
#endif
    return xxh3_long(at, length);
}

#endif
