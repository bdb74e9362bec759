/* CRC-32C by the processor's instruction where it has one, told at run time, else eight tables.
 *
 * Everything works on the raw register (no inversion before or after): crc32c(body, seed) is
 * ~crc_update(body, length, ~seed). Bit 31 is x^0. */
#ifndef INSPECTOR_CRC32C_H
#define INSPECTOR_CRC32C_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define CRC_POLYNOMIAL 0x82F63B78u

#if defined(__x86_64__)
#include <nmmintrin.h>
#define CRC_HARDWARE 1
#define CRC_TARGET __attribute__((target("sse4.2")))
#define CRC_8(reg, value) _mm_crc32_u64((reg), (value))
#define CRC_WIDE uint64_t /* the instruction's own type: a narrower one costs a step between any two */
#define CRC_1(reg, value) _mm_crc32_u8((reg), (value))
#elif defined(__aarch64__) && (defined(__APPLE__) || defined(__linux__))
#include <arm_acle.h>
#if defined(__linux__)
#include <sys/auxv.h>
#endif
#define CRC_HARDWARE 1
#if defined(__clang__)
#define CRC_TARGET __attribute__((target("crc")))
#else
#define CRC_TARGET __attribute__((target("+crc")))
#endif
#define CRC_8(reg, value) __crc32cd((reg), (value))
#define CRC_WIDE uint32_t
#define CRC_1(reg, value) __crc32cb((reg), (value))
#else
#define CRC_HARDWARE 0
#endif

static uint32_t crc_tables[8][256];
static uint32_t crc_zeros[65536]; /* x^(8n): what n zero bytes multiply a register by */
static int crc_has_hardware;

static inline uint64_t crc_load(const uint8_t *at)
{
    uint64_t value;
    memcpy(&value, at, 8); /* both hardware paths are little-endian */
    return value;
}

static uint32_t crc_portable(const uint8_t *at, size_t length, uint32_t reg)
{
    for (; length >= 8; at += 8, length -= 8) {
        reg ^= at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
        reg = crc_tables[7][reg & 255] ^ crc_tables[6][reg >> 8 & 255] ^ crc_tables[5][reg >> 16 & 255] ^
              crc_tables[4][reg >> 24] ^ crc_tables[3][at[4]] ^ crc_tables[2][at[5]] ^ crc_tables[1][at[6]] ^
              crc_tables[0][at[7]];
    }
    for (; length; at++, length--)
        reg = reg >> 8 ^ crc_tables[0][(reg ^ *at) & 255];
    return reg;
}

#if CRC_HARDWARE
/* The last `count` (0 to 7) of the bytes before `end`, of which at least 8 exist, without a branch to foresee: a
 * register of zero stays zero over leading zeros, so the register is folded into the bytes, or what they are too few
 * for comes out at the other side. */
CRC_TARGET static inline uint32_t crc_last(const uint8_t *end, size_t count, CRC_WIDE reg)
{
    uint64_t last = crc_load(end - 8) >> 1 >> (63 - 8 * count);
    return (uint32_t)(CRC_8(0, (last ^ reg) << 1 << (63 - 8 * count)) ^ (uint64_t)reg >> 8 * count);
}

CRC_TARGET static inline uint32_t crc_hardware(const uint8_t *at, size_t length, uint32_t seed)
{
    const uint8_t *end = at + length;
    CRC_WIDE reg = seed;
    if (length < 8) {
        while (at < end)
            reg = CRC_1((uint32_t)reg, *at++);
        return (uint32_t)reg;
    }
    for (; end - at >= 32; at += 32) {
        reg = CRC_8(reg, crc_load(at));
        reg = CRC_8(reg, crc_load(at + 8));
        reg = CRC_8(reg, crc_load(at + 16));
        reg = CRC_8(reg, crc_load(at + 24));
    }
    for (; end - at >= 8; at += 8)
        reg = CRC_8(reg, crc_load(at));
    return crc_last(end, (size_t)(end - at), reg);
}
#endif

static inline uint32_t crc_update(const uint8_t *at, size_t length, uint32_t reg)
{
#if CRC_HARDWARE
    if (crc_has_hardware)
        return crc_hardware(at, length, reg);
#endif
    return crc_portable(at, length, reg);
}

static inline uint32_t crc_times(uint32_t a, uint32_t b)
{
    uint32_t product = 0;
    for (int i = 0; i < 32; i++) {
        product ^= b & (0u - (a >> 31));
        a <<= 1;
        b = b >> 1 ^ (CRC_POLYNOMIAL & (0u - (b & 1)));
    }
    return product;
}

/* The register after `length` (at most 65535) zero bytes. */
static inline uint32_t crc_after_zeros(uint32_t reg, size_t length)
{
    return crc_times(crc_zeros[length], reg);
}

static void crc_prepare(int allow_hardware)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t value = i;
        for (int bit = 0; bit < 8; bit++)
            value = value >> 1 ^ (CRC_POLYNOMIAL & (0u - (value & 1)));
        crc_tables[0][i] = value;
    }
    for (int k = 1; k < 8; k++)
        for (int i = 0; i < 256; i++)
            crc_tables[k][i] = crc_tables[k - 1][i] >> 8 ^ crc_tables[0][crc_tables[k - 1][i] & 255];
    crc_zeros[0] = 0x80000000u;
    for (int n = 1; n < 65536; n++)
        crc_zeros[n] = crc_zeros[n - 1] >> 8 ^ crc_tables[0][crc_zeros[n - 1] & 255];
    crc_has_hardware = 0;
#if defined(__x86_64__)
    __builtin_cpu_init();
    crc_has_hardware = __builtin_cpu_supports("sse4.2") != 0;
#elif defined(__aarch64__) && defined(__APPLE__)
    crc_has_hardware = 1;
#elif defined(__aarch64__) && defined(__linux__)
    crc_has_hardware = (getauxval(AT_HWCAP) & (1 << 7)) != 0; /* HWCAP_CRC32 */
#endif
    crc_has_hardware &= allow_hardware;
}

#endif
