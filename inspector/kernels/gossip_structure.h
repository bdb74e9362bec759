/* How long a gossip message of each type must be and what it names: the C of plain_structure.py, where the
 * sources are. Callers guarantee that [body, body + known) can be read, and nothing past it is. */
#ifndef INSPECTOR_GOSSIP_STRUCTURE_H
#define INSPECTOR_GOSSIP_STRUCTURE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define GOSSIP_EXTENSIONS 64

static inline uint32_t gossip_u16(const uint8_t *at) { return (uint32_t)at[0] << 8 | at[1]; }

static inline uint32_t gossip_u32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static inline uint64_t gossip_u64(const uint8_t *at) { return (uint64_t)gossip_u32(at) << 32 | gossip_u32(at + 4); }

/* The end of the BigSize at `at`, 0 if it does not end by `end`. */
static size_t gossip_big_size(const uint8_t *data, size_t at, size_t end, uint64_t *value)
{
    if (at >= end)
        return 0;
    size_t width = data[at] < 0xFD ? 0 : (size_t)2 << (data[at] - 0xFD);
    if (width > end - at - 1)
        return 0;
    *value = width ? 0 : data[at];
    for (size_t i = 0; i < width; i++)
        *value = *value << 8 | data[at + 1 + i];
    return at + 1 + width;
}

/* The end of the TLV record at `at`, 0 if it does not end by `end`. */
static size_t gossip_after_extension(const uint8_t *data, size_t at, size_t end)
{
    uint64_t value;
    if (!(at = gossip_big_size(data, at, end, &value)) || !(at = gossip_big_size(data, at, end, &value)))
        return 0;
    return value > end - at ? 0 : at + (size_t)value;
}

static int gossip_node_plausible(const uint8_t *body, size_t length, size_t known)
{
    if (length < 142)
        return 0;
    if (known < 68)
        return 1;
    size_t at = 142 + gossip_u16(body + 66);
    if (at > length)
        return 0;
    if (known < at)
        return 1;
    at += gossip_u16(body + at - 2);
    if (at >= length || known < length)
        return at <= length;
    for (int i = 0; i < GOSSIP_EXTENSIONS; i++) {
        at = gossip_after_extension(body, at, length);
        if (at == 0 || at == length)
            return at != 0;
    }
    return 0;
}

static int gossip_plausible(const uint8_t *body, size_t length, size_t known)
{
    if (known < 2 || length < 2)
        return 0;
    switch (gossip_u16(body)) {
    case 256:
        return length >= 432 && (known < 260 || length == 432 + gossip_u16(body + 258));
    case 257:
        return gossip_node_plausible(body, length, known);
    case 258:
        return length == 138 || length == 130;
    case 3503:
        return length >= 53 && (known < 53 || length == 53 + gossip_u16(body + 51));
    case 4101:
    case 4103:
        return length == 10;
    case 4102:
        return (length == 134 || length == 142) && (known < 4 || gossip_u16(body + 2) == length - 4) &&
               (known < 6 || gossip_u16(body + 4) == 258);
    case 4104:
        return length >= 444 && (known < 12 || gossip_u16(body + 10) == length - 12) &&
               (known < 14 || gossip_u16(body + 12) == 256) &&
               (known < 272 || length == 444 + gossip_u16(body + 270));
    case 4105:
        return length == 10 || length == 42;
    case 4106:
        return length == 14;
    case 4107:
        return length == 34;
    }
    return 0;
}

static int gossip_node_lengths(const uint8_t *body, size_t known, uint32_t *out)
{
    int count = 0;
    if (known < 68)
        return 0;
    size_t at = 142 + gossip_u16(body + 66);
    if (at > known || (at += gossip_u16(body + at - 2)) > known)
        return 0;
    while (at && count < GOSSIP_EXTENSIONS) {
        out[count++] = (uint32_t)at;
        at = gossip_after_extension(body, at, known);
    }
    return count;
}

/* The lengths that this body may have by its type, shortest first, into out[GOSSIP_EXTENSIONS]. */
static int gossip_lengths(const uint8_t *body, size_t known, uint32_t *out)
{
    int count = 0;
    if (known > 0xFFFF)
        known = 0xFFFF;
    if (known < 2)
        return 0;
    switch (gossip_u16(body)) {
    case 256:
        if (known >= 260)
            out[count++] = 432 + gossip_u16(body + 258);
        break;
    case 257:
        return gossip_node_lengths(body, known, out);
    case 258:
        out[count++] = 130;
        out[count++] = 138;
        break;
    case 3503:
        if (known >= 53)
            out[count++] = 53 + gossip_u16(body + 51);
        break;
    case 4101:
    case 4103:
        out[count++] = 10;
        break;
    case 4102:
        if (known >= 6 && gossip_u16(body + 4) == 258) {
            out[count++] = 134;
            out[count++] = 142;
        }
        break;
    case 4104:
        if (known >= 272 && gossip_u16(body + 12) == 256)
            out[count++] = 444 + gossip_u16(body + 270);
        break;
    case 4105:
        out[count++] = 10;
        out[count++] = 42;
        break;
    case 4106:
        out[count++] = 14;
        break;
    case 4107:
        out[count++] = 34;
        break;
    }
    while (count && out[count - 1] > known)
        count--;
    return count;
}

/* Where the TLV stream of a body from `at` on ends, at most at `length`, which it has where `left` ends first. */
static size_t gossip_extended(const uint8_t *body, size_t at, size_t length, size_t left)
{
    uint64_t kind, value, before = 0;
    size_t known = length < left ? length : left;
    for (int i = 0; i < GOSSIP_EXTENSIONS; i++) {
        if (at >= known)
            return length;
        size_t next = gossip_big_size(body, at, known, &kind);
        if (next && (kind % 2 == 0 || kind <= before))
            return at;
        if (!next || !(next = gossip_big_size(body, next, known, &value)))
            return length;
        if (value > 0xFFFF)
            return at;
        before = kind;
        at = next + (size_t)value;
    }
    return at < length ? at : length;
}

/* How much of the length that a damaged record claims its own bytes bear out; the file has `left` bytes from it on. */
static size_t gossip_believable(const uint8_t *body, size_t length, size_t left)
{
    uint32_t lengths[GOSSIP_EXTENSIONS];
    size_t told = gossip_lengths(body, left, lengths) ? lengths[0] : 0;
    if (told && told < length && gossip_u16(body) == 257)
        return gossip_extended(body, told, length, left);
    return gossip_plausible(body, length, length < left ? length : left) ? length : 0;
}

struct gossip_names {
    uint64_t owner, node_a, node_b;
    uint8_t aux;
};

/* A node id is a compressed point: 02 or 03, then 32 bytes. */
static inline uint64_t gossip_fingerprint(const uint8_t *id) { return gossip_u64(id + 1) ^ id[0]; }

static inline void gossip_announced(const uint8_t *body, size_t length, struct gossip_names *names)
{
    if (length < 260)
        return;
    size_t at = 292 + gossip_u16(body + 258);
    if (at + 8 <= length)
        names->owner = gossip_u64(body + at);
    if (at + 41 <= length)
        names->node_a = gossip_fingerprint(body + at + 8);
    if (at + 74 <= length)
        names->node_b = gossip_fingerprint(body + at + 41);
}

/* What a body names; 0 for what it is too short to hold. */
static inline void gossip_name(const uint8_t *body, size_t length, uint32_t kind, struct gossip_names *names)
{
    size_t at;
    memset(names, 0, sizeof *names);
    switch (kind) {
    case 258:
    case 4102:
        at = kind == 258 ? 98 : 102;
        if (length >= at + 8)
            names->owner = gossip_u64(body + at);
        if (length >= at + 14)
            names->aux = body[at + 13];
        break;
    case 256:
        gossip_announced(body, length, names);
        break;
    case 4104:
        if (length >= 12)
            gossip_announced(body + 12, length - 12, names);
        break;
    case 257:
        if (length >= 68 && (at = 72 + gossip_u16(body + 66)) + 33 <= length)
            names->node_a = gossip_fingerprint(body + at);
        break;
    case 3503:
    case 4103:
    case 4106:
        if (length >= 10)
            names->owner = gossip_u64(body + 2);
        break;
    }
}

/* The first place in [at, stop) where two bytes are a known type, else stop; reads up to and with data[stop].
 * Blocks without branches, so that the compiler makes vectors of them: zeroes and noise pass at memory speed. */
static size_t gossip_next_type(const uint8_t *data, size_t at, size_t stop)
{
#define GOSSIP_TYPE(a, b)                                                                                              \
    (((a) == 1) & ((b) <= 2)) | (((a) == 16) & ((uint8_t)((b)-5) <= 6)) | (((a) == 13) & ((b) == 0xAF))
    for (; at + 64 <= stop; at += 64) {
        uint8_t any = 0;
        for (int i = 0; i < 64; i++)
            any |= GOSSIP_TYPE(data[at + i], data[at + i + 1]);
        if (any)
            break;
    }
    for (; at < stop; at++)
        if (GOSSIP_TYPE(data[at], data[at + 1]))
            return at;
    return stop;
#undef GOSSIP_TYPE
}

#endif
