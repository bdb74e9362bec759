/* What is strange about records that verify: the C of plain_oddities.py, where the bits are told. */
#ifndef INSPECTOR_GOSSIP_ODDITIES_H
#define INSPECTOR_GOSSIP_ODDITIES_H

#include <stddef.h>
#include <stdint.h>

/* As in gossip_tiles.py; a test holds them against each other. */
enum { SHORT = 1, UNKNOWN_TYPE = 2, UNKNOWN_FLAGS = 4, INCOMPLETE = 8, BAD_ALIAS = 16, SPECIAL = 32 };

struct oddities_version {
    uint32_t unknown_flags, completed;
    size_t update_least, ended_least;
};

static inline size_t oddities_u16(const uint8_t *at) { return (size_t)at[0] << 8 | at[1]; }

/* The length of the UTF-8 sequence at `at` (RFC 3629: no overlong forms, no surrogates), 0 if it is none. */
static size_t oddities_sequence(const uint8_t *at, size_t left)
{
    uint8_t lowest = 0x80, highest = 0xBF;
    size_t length = at[0] < 0x80 ? 1 : at[0] < 0xC2 ? 0 : at[0] < 0xE0 ? 2 : at[0] < 0xF0 ? 3 : at[0] < 0xF5 ? 4 : 0;
    if (length > left)
        return 0;
    if (at[0] == 0xE0)
        lowest = 0xA0;
    else if (at[0] == 0xED)
        highest = 0x9F;
    else if (at[0] == 0xF0)
        lowest = 0x90;
    else if (at[0] == 0xF4)
        highest = 0x8F;
    for (size_t i = 1; i < length; i++, lowest = 0x80, highest = 0xBF)
        if (at[i] < lowest || at[i] > highest)
            return 0;
    return length;
}

static int oddities_utf8(const uint8_t *text, size_t length)
{
    while (length && text[length - 1] == 0)
        length--;
    for (size_t at = 0, step; at < length; at += step)
        if ((step = oddities_sequence(text + at, length - at)) == 0)
            return 0;
    return 1;
}

static int oddities_node(const uint8_t *body, size_t length)
{
    if (length < 142)
        return SHORT;
    size_t at = 140 + oddities_u16(body + 66);
    if (length < at + 2 || length < at + 2 + oddities_u16(body + at))
        return SHORT;
    return oddities_utf8(body + at - 32, 32) ? 0 : BAD_ALIAS;
}

/* A body that needs `least` bytes, and as many more as the 16 bits at `at` say. */
static inline int oddities_inner(const uint8_t *body, size_t length, size_t least, size_t at)
{
    return length < least + (length >= at + 2 ? oddities_u16(body + at) : 0) ? SHORT : 0;
}

static int oddities_body(const uint8_t *body, size_t length, uint32_t kind, const struct oddities_version *version)
{
    switch (kind) {
    case 256:
        return oddities_inner(body, length, 432, 258);
    case 257:
        return oddities_node(body, length);
    case 258:
        return length < version->update_least ? SHORT : 0;
    case 3503:
        return oddities_inner(body, length, 53, 51);
    case 4096:
        return oddities_inner(body, length, 12, 2);
    case 4097:
    case 4098:
    case 4100:
    case 4102:
        return oddities_inner(body, length, 4, 2);
    case 4099:
    case 4101:
    case 4103:
        return length < 10 ? SHORT : 0;
    case 4104:
        return oddities_inner(body, length, 12, 10);
    case 4105:
        return SPECIAL | (length < version->ended_least ? SHORT : 0);
    case 4106:
        return length < 14 ? SHORT : 0;
    case 4107:
        return SPECIAL | (length < 34 ? SHORT : 0);
    }
    return UNKNOWN_TYPE;
}

struct oddities_columns {
    const uint64_t *starts;
    const uint16_t *kinds, *flags;
    const uint8_t *marks;
    uint64_t end;
};

/* 0, or -1 where a record that verifies does not lie in the window. */
static int oddities_tiles(const struct oddities_columns *in, size_t count, const uint8_t *window, uint64_t at,
                          uint64_t length, const struct oddities_version *version, uint8_t *out)
{
    for (size_t i = 0; i < count; i++) {
        if (in->marks[i] != 0 && in->marks[i] != 4)
            continue;
        uint64_t end = i + 1 < count ? in->starts[i + 1] : in->end, body = in->starts[i] + 12;
        if (in->starts[i] < at || end < body || end - at > length)
            return -1;
        int bits = oddities_body(window + (body - at), end - body, in->kinds[i], version);
        if (in->flags[i] & version->unknown_flags)
            bits |= UNKNOWN_FLAGS;
        if ((in->flags[i] & version->completed) != version->completed)
            bits |= INCOMPLETE;
        out[i] = (uint8_t)bits;
    }
    return 0;
}

#endif
