/* Records that verify as lines of JSON: the C of what `records.entry` and the JSON encoder give, byte for byte. */
#ifndef INSPECTOR_GOSSIP_LINES_H
#define INSPECTOR_GOSSIP_LINES_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { LINES_HEADER = 12, LINES_FEATURES = 128 }; /* bytes of features that are looked at, the last ones */

struct lines_out {
    char *data;
    size_t count, room;
};

static char lines_hex[512];

static void lines_prepare(void)
{
    for (int i = 0; i < 256; i++) {
        lines_hex[2 * i] = "0123456789abcdef"[i >> 4];
        lines_hex[2 * i + 1] = "0123456789abcdef"[i & 15];
    }
}

/* Room for `more` bytes; 0 where memory ran out. */
static int lines_room(struct lines_out *out, size_t more)
{
    if (out->room - out->count >= more)
        return 1;
    size_t room = 2 * out->room + more;
    char *data = realloc(out->data, room);
    if (data == NULL)
        return 0;
    out->data = data;
    out->room = room;
    return 1;
}

static inline void lines_put(struct lines_out *out, const char *text, size_t length)
{
    memcpy(out->data + out->count, text, length);
    out->count += length;
}

#define LINES_TEXT(out, text) lines_put(out, text, sizeof(text) - 1)

static inline void lines_bytes(struct lines_out *out, const uint8_t *data, size_t length)
{
    char *to = out->data + out->count;
    for (size_t i = 0; i < length; i++)
        memcpy(to + 2 * i, lines_hex + 2 * data[i], 2);
    out->count += 2 * length;
}

static inline void lines_number(struct lines_out *out, uint64_t value)
{
    char digits[20];
    int at = 20;
    do
        digits[--at] = (char) ('0' + value % 10);
    while (value /= 10);
    lines_put(out, digits + at, (size_t) (20 - at));
}

static inline uint64_t lines_big(const uint8_t *data, int length)
{
    uint64_t value = 0;
    for (int i = 0; i < length; i++)
        value = value << 8 | data[i];
    return value;
}

static inline void lines_scid(struct lines_out *out, const uint8_t *data)
{
    LINES_TEXT(out, ",\"scid\":\"");
    lines_number(out, lines_big(data, 3));
    LINES_TEXT(out, "x");
    lines_number(out, lines_big(data + 3, 3));
    LINES_TEXT(out, "x");
    lines_number(out, lines_big(data + 6, 2));
    LINES_TEXT(out, "\"");
}

/* ,"name":"hex"; the name comes with its punctuation. */
#define LINES_BYTES(out, name, data, length) \
    do { \
        LINES_TEXT(out, ",\"" name "\":\""); \
        lines_bytes(out, data, length); \
        LINES_TEXT(out, "\""); \
    } while (0)
#define LINES_NUMBER(out, name, value) \
    do { \
        LINES_TEXT(out, ",\"" name "\":"); \
        lines_number(out, value); \
    } while (0)

static void lines_features(struct lines_out *out, const uint8_t *data, size_t length)
{
    size_t skipped = length > LINES_FEATURES ? length - LINES_FEATURES : 0, first = out->count;
    LINES_TEXT(out, ",\"features\":[");
    first = out->count;
    for (size_t i = length; i > skipped; i--)
        for (unsigned bit = 0; bit < 8; bit++)
            if (data[i - 1] >> bit & 1) {
                if (out->count > first)
                    LINES_TEXT(out, ",");
                lines_number(out, 8 * (length - i) + bit);
            }
    LINES_TEXT(out, "]");
}

static void lines_announcement(struct lines_out *out, const uint8_t *body)
{
    size_t flen = lines_big(body + 258, 2);
    const uint8_t *rest = body + 260 + flen;
    LINES_BYTES(out, "node_signature_1", body + 2, 64);
    LINES_BYTES(out, "node_signature_2", body + 66, 64);
    LINES_BYTES(out, "bitcoin_signature_1", body + 130, 64);
    LINES_BYTES(out, "bitcoin_signature_2", body + 194, 64);
    lines_features(out, body + 260, flen);
    LINES_BYTES(out, "chain_hash", rest, 32);
    lines_scid(out, rest + 32);
    LINES_BYTES(out, "node_id_1", rest + 40, 33);
    LINES_BYTES(out, "node_id_2", rest + 73, 33);
    LINES_BYTES(out, "bitcoin_key_1", rest + 106, 33);
    LINES_BYTES(out, "bitcoin_key_2", rest + 139, 33);
}

static void lines_update(struct lines_out *out, const uint8_t *body, size_t length)
{
    LINES_BYTES(out, "signature", body + 2, 64);
    LINES_BYTES(out, "chain_hash", body + 66, 32);
    lines_scid(out, body + 98);
    LINES_NUMBER(out, "message_flags", body[110]);
    LINES_NUMBER(out, "channel_flags", body[111]);
    LINES_NUMBER(out, "cltv_expiry_delta", lines_big(body + 112, 2));
    LINES_NUMBER(out, "htlc_minimum_msat", lines_big(body + 114, 8));
    LINES_NUMBER(out, "fee_base_msat", lines_big(body + 122, 4));
    LINES_NUMBER(out, "fee_proportional_millionths", lines_big(body + 126, 4));
    if (length != 130)
        LINES_NUMBER(out, "htlc_maximum_msat", lines_big(body + 130, 8));
    LINES_NUMBER(out, "direction", body[111] & 1);
    if (body[111] & 2)
        LINES_TEXT(out, ",\"disabled\":true");
    else
        LINES_TEXT(out, ",\"disabled\":false");
}

/* The groups as Python's ipaddress writes them; 0 for those that its releases write differently. */
static int lines_ipv6(struct lines_out *out, const uint8_t *data)
{
    static const uint8_t mapped[12] = {[10] = 0xFF, [11] = 0xFF};
    int best = -1, longest = 1;
    if (memcmp(data, mapped, 12) == 0)
        return 0;
    for (int i = 0; i < 8; i++) {
        int run = 0;
        while (i + run < 8 && lines_big(data + 2 * (i + run), 2) == 0)
            run++;
        if (run > longest) {
            longest = run;
            best = i;
        }
        i += run;
    }
    for (int i = 0; i < 8; i++) {
        if (i == best) {
            LINES_TEXT(out, "::");
            i += longest - 1;
            continue;
        }
        if (i && i != best + (best < 0 ? 0 : longest))
            LINES_TEXT(out, ":");
        unsigned group = (unsigned) lines_big(data + 2 * i, 2);
        for (int shift = 12; shift >= 0; shift -= 4)
            if (shift == 0 || group >> shift)
                lines_put(out, lines_hex + 2 * (group >> shift & 15) + 1, 1);
    }
    return 1;
}

static void lines_base32(struct lines_out *out, const uint8_t *data, size_t length)
{
    uint64_t bits = 0;
    int held = 0;
    for (size_t i = 0; i < length; i++) {
        bits = bits << 8 | data[i];
        for (held += 8; held >= 5; held -= 5)
            lines_put(out, "abcdefghijklmnopqrstuvwxyz234567" + (bits >> (held - 5) & 31), 1);
    }
    if (held)
        lines_put(out, "abcdefghijklmnopqrstuvwxyz234567" + (bits << (5 - held) & 31), 1);
}

/* ,"addresses":[...]; 0 (and nothing written that counts) where one needs Python: a name, an unknown type, a short one. */
static int lines_addresses(struct lines_out *out, const uint8_t *data, size_t length)
{
    static const uint8_t sizes[5] = {0, 6, 18, 12, 37};
    LINES_TEXT(out, ",\"addresses\":[");
    for (size_t at = 0; at < length;) {
        size_t kind = data[at], size = kind < 5 ? sizes[kind] : 0;
        const uint8_t *host = data + at + 1;
        if (!size || length - at - 1 < size)
            return 0;
        if (at)
            LINES_TEXT(out, ",");
        LINES_TEXT(out, "\"");
        if (kind == 1) {
            for (int i = 0; i < 4; i++) {
                lines_number(out, host[i]);
                if (i < 3)
                    LINES_TEXT(out, ".");
            }
        } else if (kind == 2) {
            LINES_TEXT(out, "[");
            if (!lines_ipv6(out, host))
                return 0;
            LINES_TEXT(out, "]");
        } else {
            lines_base32(out, host, size - 2);
            LINES_TEXT(out, ".onion");
        }
        LINES_TEXT(out, ":");
        lines_number(out, lines_big(host + size - 2, 2));
        LINES_TEXT(out, "\"");
        at += 1 + size;
    }
    LINES_TEXT(out, "]");
    return 1;
}

/* Bytes of the alias before its padding where they are plain ASCII, -1 where they are not. */
static int lines_alias(const uint8_t *alias)
{
    int length = 32;
    while (length && !alias[length - 1])
        length--;
    for (int i = 0; i < length; i++)
        if (alias[i] < 0x20 || alias[i] > 0x7E || alias[i] == '"' || alias[i] == '\\')
            return -1;
    return length;
}

/* Where the parts of a node_announcement lie; 0 where they do not fit. */
struct lines_node {
    size_t flen, addrlen;
    const uint8_t *fixed, *addresses, *tlvs;
};

static int lines_node_parts(struct lines_node *node, const uint8_t *body, size_t length)
{
    if (length < 142)
        return 0;
    node->flen = lines_big(body + 66, 2);
    if (length < 142 + node->flen)
        return 0;
    node->fixed = body + 68 + node->flen;
    node->addrlen = lines_big(node->fixed + 72, 2);
    node->addresses = node->fixed + 74;
    node->tlvs = node->addresses + node->addrlen;
    return length >= 142 + node->flen + node->addrlen;
}

/* Whether a record of this kind and length is one that is written here. */
static int lines_known(unsigned kind, const uint8_t *body, size_t length)
{
    struct lines_node node;
    switch (kind) {
    case 256:
        return length >= 432 && length >= 432 + lines_big(body + 258, 2);
    case 257:
        return lines_node_parts(&node, body, length);
    case 258:
        return length == 130 || length >= 138;
    case 4101:
    case 4103:
        return length >= 10;
    case 4106:
        return length >= 14;
    case 4107:
        return length >= 34;
    }
    return 0;
}

static const char *lines_kind(unsigned kind)
{
    switch (kind) {
    case 256:
        return "channel_announcement";
    case 257:
        return "node_announcement";
    case 258:
        return "channel_update";
    case 4101:
        return "channel_amount";
    case 4103:
        return "delete_chan";
    case 4106:
        return "chan_dying";
    }
    return "uuid";
}

/* `names`: of DELETED, PUSH, 0x2000, ZOMBIE, DYING, each with its quotes. */
static void lines_flags(struct lines_out *out, unsigned flags, const char *const names[5])
{
    static const unsigned bits[5] = {0x8000, 0x4000, 0x2000, 0x1000, 0x0800};
    size_t first = out->count;
    for (int i = 0; i < 5; i++)
        if (flags & bits[i]) {
            if (out->count > first)
                LINES_TEXT(out, ",");
            lines_put(out, names[i], strlen(names[i]));
        }
    if (flags & 0x07FF) {
        uint8_t unknown[2] = {(uint8_t) (flags >> 8 & 7), (uint8_t) flags};
        if (out->count > first)
            LINES_TEXT(out, ",");
        LINES_TEXT(out, "\"0x");
        lines_bytes(out, unknown, 2);
        LINES_TEXT(out, "\"");
    }
}

/* Everything up to the crc. */
static void lines_head(struct lines_out *out, const uint8_t *record, uint64_t start, size_t length, unsigned kind,
                       const char *const names[5])
{
    const uint8_t *body = record + LINES_HEADER, *time = record + 8;
    if (kind == 258)
        time = body + 106;
    else if (kind == 257)
        time = body + 68 + lines_big(body + 66, 2);
    LINES_TEXT(out, "{\"start\":");
    lines_number(out, start);
    LINES_NUMBER(out, "end", start + length);
    LINES_TEXT(out, ",\"kind\":\"");
    lines_put(out, lines_kind(kind), strlen(lines_kind(kind)));
    LINES_TEXT(out, "\",\"state\":\"ok\",\"fields\":{\"length\":");
    lines_number(out, length - LINES_HEADER);
    LINES_TEXT(out, ",\"flags\":[");
    lines_flags(out, (unsigned) lines_big(record, 2), names);
    LINES_TEXT(out, "],\"timestamp\":");
    lines_number(out, lines_big(time, 4));
    LINES_BYTES(out, "crc", record + 4, 4);
}

/* The fields of all kinds but node_announcement, whose strangers' text may need Python. */
static void lines_body(struct lines_out *out, unsigned kind, const uint8_t *body, size_t length)
{
    switch (kind) {
    case 256:
        lines_announcement(out, body);
        break;
    case 258:
        lines_update(out, body, length);
        break;
    case 4101:
        LINES_NUMBER(out, "satoshis", lines_big(body + 2, 8));
        break;
    case 4103:
        lines_scid(out, body + 2);
        break;
    case 4106:
        lines_scid(out, body + 2);
        LINES_NUMBER(out, "blockheight", lines_big(body + 10, 4));
        break;
    case 4107:
        LINES_BYTES(out, "uuid", body + 2, 32);
        break;
    }
}

#endif
