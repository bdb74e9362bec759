/* The walk past damage, over one window: the C of plain_gossip.py, where the rules are told. */
#ifndef INSPECTOR_GOSSIP_WALK_H
#define INSPECTOR_GOSSIP_WALK_H

#include <stdlib.h>

#include "gossip_columns.h"

/* As in gossip_tiles.py; a test holds them against each other. */
enum { ROLE_UNIT = 1, ROLE_GAP = 4 };
enum { OK, BAD_CHECKSUM, BAD_LENGTH, TOO_SHORT, ANCHORED, GAP, TORN_HEADER, TORN_BODY };
enum { HEADER = 12, LONGEST_RECORD = 65547, HOPS = 64, REACH = 917504, UNSEEN = 4096 };

enum { DIRECT = 2048 }; /* longer bodies are checksummed with an eye on what has been spent */
enum { GRID = 64 };     /* bytes between two known prefix checksums */
enum { SEEN = 1024 };   /* places whose hop is remembered */

/* What a step says: the bytes that decide are not in this window, no, yes, the columns are full. */
enum { MORE = -1, NO = 0, YES = 1, ROOM = 2 };

struct gossip_tile {
    uint64_t start;
    uint32_t time;
    uint16_t kind, flags;
    uint8_t role, mark;
    struct gossip_names names;
};

struct gossip_walk {
    /* across windows; offsets of the file */
    int gap_open;
    struct gossip_tile gap;
    uint64_t ends[GOSSIP_EXTENSIONS]; /* where the record that the gap began with could end by its type */
    int end_count;
    int torn; /* that record's header is plausible and its body runs past the end of the file */
    uint64_t suspect_end;         /* what lies before it may be the body of a damaged record */
    uint64_t trusted;             /* claimed ends up to here are confirmed */
    /* of this window; offsets relative to it */
    const uint8_t *data;
    uint64_t base, length, size, at;
    int final;
    uint64_t wasted, slots;
    uint32_t *prefixes;
    int remembers;
    struct {
        uint64_t place; /* one more than the offset: 0 is empty */
        int64_t hop;
    } seen[SEEN];
    struct gossip_columns out;
};

static inline uint64_t gossip_least(uint64_t a, uint64_t b) { return a < b ? a : b; }
static inline uint64_t gossip_most(uint64_t a, uint64_t b) { return a > b ? a : b; }

/* Checksums of the window's first 0, GRID, 2 * GRID ... bytes up to `end`; NO without memory for them. */
static int walk_prefix_to(struct gossip_walk *w, uint64_t end)
{
    if (w->slots == 0) {
        void *room = realloc(w->prefixes, (w->length / GRID + 1) * sizeof *w->prefixes);
        if (room == NULL)
            return NO;
        w->prefixes = room;
        w->prefixes[0] = 0;
        w->slots = 1;
    }
    for (; w->slots <= end / GRID; w->slots++)
        w->prefixes[w->slots] = crc_update(w->data + (w->slots - 1) * GRID, GRID, w->prefixes[w->slots - 1]);
    return YES;
}

static uint32_t walk_prefix(const struct gossip_walk *w, uint64_t at)
{
    return crc_update(w->data + at / GRID * GRID, at % GRID, w->prefixes[at / GRID]);
}

/* Whether [start, end) continues `seed` to the stored checksum.
 *
 * Directly, until what did not match adds up to the window's length; from then on by the prefixes' checksums, so
 * that bytes made to be checksummed again and again cost a constant each time. */
static int walk_matches(struct gossip_walk *w, uint64_t start, uint64_t end, uint32_t seed, uint32_t stored)
{
    uint64_t length = end - start;
    if (length > 8 * GRID && w->wasted > w->length && walk_prefix_to(w, end))
        return (walk_prefix(w, end) ^ crc_after_zeros(walk_prefix(w, start) ^ ~seed, length)) == ~stored;
    int found = crc_update(w->data + start, length, ~seed) == ~stored;
    w->wasted += found ? 0 : length;
    return found;
}

static int walk_plausible(const struct gossip_walk *w, uint64_t at, uint64_t after)
{
    uint64_t body = at + HEADER;
    return gossip_plausible(w->data + body, after - body, gossip_least(after, w->size) - body);
}

/* 0 if a record verifies here, the claimed end of a damaged but plausible one, -1 if neither, -2 for more bytes. */
static int64_t walk_hop(struct gossip_walk *w, uint64_t here, uint64_t limit)
{
    const uint8_t *head = w->data + here;
    limit = gossip_least(limit, w->size);
    if (here + HEADER + 2 > limit)
        return -1;
    if (here + HEADER + 2 > w->length)
        return -2;
    uint64_t length = gossip_u16(head + 2), after = here + HEADER + length;
    if (length < 2 || after > limit)
        return -1;
    if (after > w->length)
        return -2;
    if (!w->remembers) {
        memset(w->seen, 0, sizeof w->seen);
        w->remembers = 1;
    }
    size_t slot = here * 0x9E3779B97F4A7C15ull >> 54; /* the multiplier spreads places that lie close together */
    if (w->seen[slot].place != here + 1) {
        w->seen[slot].place = here + 1;
        if (walk_matches(w, here + HEADER, after, gossip_u32(head + 8), gossip_u32(head + 4)))
            w->seen[slot].hop = 0;
        else
            w->seen[slot].hop = walk_plausible(w, here, after) ? (int64_t)after : -1;
    }
    return w->seen[slot].hop;
}

/* Whether claimed lengths, followed from the claimed end, meet a record that verifies, or the file's end. */
static int walk_confirmed(struct gossip_walk *w, uint64_t at, uint64_t claimed)
{
    uint64_t here = claimed;
    if (w->base + at < w->trusted)
        return YES;
    for (int i = 0; i <= HOPS; i++) {
        int64_t hop = 0;
        if (here == w->size) {
            if (i == 0 && !walk_plausible(w, at, claimed))
                return NO;
        } else if ((hop = walk_hop(w, here, at + REACH)) < 0) {
            return hop == -2 ? MORE : NO;
        }
        if (hop == 0) {
            w->trusted = w->base + here;
            return YES;
        }
        here = (uint64_t)hop;
    }
    return NO;
}

static int walk_all_zero(const uint8_t *head)
{
    static const uint8_t zeros[HEADER];
    return memcmp(head, zeros, HEADER) == 0;
}

/* The mark of a record whose header does not verify, and its end; GAP where the next anchor has to tell. */
static int walk_damaged(struct gossip_walk *w, uint64_t at, uint32_t length, uint64_t *after)
{
    const uint8_t *head = w->data + at;
    uint32_t lengths[GOSSIP_EXTENSIONS], time = gossip_u32(head + 8), stored = gossip_u32(head + 4);
    uint64_t body = at + HEADER;
    int count = gossip_lengths(w->data + body, w->size - body, lengths);
    for (int i = 0; i < count; i++) {
        *after = body + lengths[i];
        if (lengths[i] != length && walk_matches(w, body, *after, time, stored)) {
            w->trusted = 0;
            return BAD_LENGTH;
        }
    }
    *after = body + length;
    int told = length <= UNSEEN || walk_plausible(w, at, *after);
    if (told && *after <= w->size && !walk_all_zero(head)) {
        int state = walk_confirmed(w, at, *after);
        if (state != NO)
            return state == MORE ? MORE : length >= 2 ? BAD_CHECKSUM : TOO_SHORT;
    }
    w->end_count = 0;
    for (int i = 0; i < count; i++)
        if (lengths[i] != length)
            w->ends[w->end_count++] = w->base + body + lengths[i];
    return GAP;
}

static void walk_put(struct gossip_walk *w, const struct gossip_tile *tile)
{
    size_t i = w->out.count++;
    w->out.starts[i] = tile->start;
    w->out.roles[i] = tile->role;
    w->out.marks[i] = tile->mark;
    w->out.kinds[i] = tile->kind;
    w->out.flags[i] = tile->flags;
    w->out.times[i] = tile->time;
    w->out.owners[i] = tile->names.owner;
    w->out.nodes_a[i] = tile->names.node_a;
    w->out.nodes_b[i] = tile->names.node_b;
    w->out.aux[i] = tile->names.aux;
}

/* A unit [at, after), or the torn header that ends the file. */
static void walk_tile(struct gossip_walk *w, uint64_t after, int role, int mark)
{
    const uint8_t *head = w->data + w->at;
    struct gossip_tile tile = {.start = w->base + w->at, .role = (uint8_t)role, .mark = (uint8_t)mark};
    if (role == ROLE_UNIT) {
        tile.kind = mark == TOO_SHORT ? 0 : (uint16_t)gossip_u16(head + HEADER);
        tile.flags = (uint16_t)gossip_u16(head);
        tile.time = gossip_u32(head + 8);
        gossip_name(head + HEADER, after - w->at - HEADER, tile.kind, &tile.names);
    }
    walk_put(w, &tile);
    w->at = after;
}

static void walk_open_gap(struct gossip_walk *w, uint32_t length)
{
    const uint8_t *head = w->data + w->at;
    uint64_t after = w->at + HEADER + length;
    w->gap = (struct gossip_tile){.start = w->base + w->at, .role = ROLE_GAP, .mark = GAP};
    w->torn = 0;
    if (w->at + HEADER + 2 <= w->size) {
        w->gap.flags = (uint16_t)gossip_u16(head);
        w->gap.time = gossip_u32(head + 8);
        w->gap.kind = (uint16_t)gossip_u16(head + HEADER);
        if (w->end_count) /* whatever a record names lies within the shortest of its type's lengths */
            gossip_name(head + HEADER, w->ends[0] - w->base - w->at - HEADER, w->gap.kind, &w->gap.names);
        size_t inside = gossip_believable(head + HEADER, length, w->size - w->at - HEADER);
        if (inside)
            w->suspect_end = gossip_most(w->suspect_end, w->base + w->at + HEADER + inside);
        w->torn = after > w->size && walk_plausible(w, w->at, after);
    }
    w->gap_open = 1;
    w->at++;
}

/* At the anchor or the end of the file: it is a record after all if that is where its type lets it end. */
static void walk_close_gap(struct gossip_walk *w)
{
    for (int i = 0; i < w->end_count; i++)
        if (w->ends[i] == w->base + w->at) {
            w->gap.role = ROLE_UNIT;
            w->gap.mark = BAD_LENGTH;
        }
    if (w->gap.role == ROLE_GAP) {
        memset(&w->gap.names, 0, sizeof w->gap.names);
        if (w->torn && w->at == w->size)
            w->gap.mark = TORN_BODY;
        else
            w->gap.kind = 0;
    }
    walk_put(w, &w->gap);
    w->gap_open = 0;
}

/* The tile at a place where the run of good records stopped; NO where a gap was opened. */
static int walk_single(struct gossip_walk *w)
{
    uint64_t at = w->at, after;
    const uint8_t *head = w->data + at;
    if (w->size - at < HEADER) {
        walk_tile(w, w->size, ROLE_GAP, TORN_HEADER);
        return YES;
    }
    if (at + HEADER > w->length)
        return MORE;
    uint32_t length = gossip_u16(head + 2);
    after = at + HEADER + length;
    if (length >= 2 && after <= w->size) {
        if (after > w->length)
            return MORE;
        if (walk_matches(w, at + HEADER, after, gossip_u32(head + 8), gossip_u32(head + 4))) {
            walk_tile(w, after, ROLE_UNIT, w->base + after <= w->suspect_end ? ANCHORED : OK);
            return YES;
        }
    }
    if (gossip_least(w->size, at + LONGEST_RECORD) > w->length)
        return MORE;
    int mark = walk_damaged(w, at, length, &after);
    if (mark == MORE)
        return MORE;
    if (mark == GAP) {
        walk_open_gap(w, length);
        return NO;
    }
    walk_tile(w, after, ROLE_UNIT, mark);
    return YES;
}

/* Moves to the next record of a known, plausible shape that verifies, or to the end of the file. */
static int walk_to_anchor(struct gossip_walk *w)
{
    uint64_t kept = w->final ? HEADER + 1 : LONGEST_RECORD - 1; /* no record, or no whole one, begins in these */
    uint64_t stop = w->length > kept ? w->length - kept : 0;
    for (uint64_t at = w->at; at < stop; at++) {
        at = gossip_next_type(w->data, at + HEADER, stop + HEADER) - HEADER;
        if (at == stop)
            break;
        const uint8_t *head = w->data + at;
        uint64_t length = gossip_u16(head + 2), after = at + HEADER + length;
        if (length < 2 || after > w->size || !gossip_plausible(head + HEADER, length, length))
            continue;
        if (walk_matches(w, at + HEADER, after, gossip_u32(head + 8), gossip_u32(head + 4))) {
            w->at = at;
            return YES;
        }
    }
    w->at = w->final ? w->size : gossip_most(w->at, stop);
    return w->final ? YES : MORE;
}

static void walk_mark_anchored(struct gossip_walk *w, size_t first)
{
    for (size_t i = first; i < w->out.count; i++) {
        uint64_t end = i + 1 < w->out.count ? w->out.starts[i + 1] : w->base + w->at;
        if (end > w->suspect_end)
            return;
        w->out.marks[i] = ANCHORED;
    }
}

/* Tiles this window until its end (MORE), the file's end (YES) or until the columns are full (ROOM). */
static int walk_window(struct gossip_walk *w)
{
    for (;;) {
        if (w->out.room - w->out.count < 3)
            return ROOM;
        if (w->gap_open) {
            if (walk_to_anchor(w) == MORE)
                return MORE;
            walk_close_gap(w);
            continue;
        }
        size_t first = w->out.count;
        w->at = gossip_run(w->data, w->at, w->length, DIRECT, w->base, &w->out);
        if (first < w->out.count && w->out.starts[first] < w->suspect_end)
            walk_mark_anchored(w, first);
        if (w->at >= w->size)
            return YES;
        if (w->out.room - w->out.count < 3)
            return ROOM;
        if (walk_single(w) == MORE)
            return MORE;
    }
}

/* An announcement and its amount come in one batch: one that is last waits for the next window, unless it is known
 * that a gap follows. */
static void walk_put_back(struct gossip_walk *w)
{
    size_t last = w->out.count - 1;
    if (w->gap_open || w->out.count == 0 || w->out.roles[last] != ROLE_UNIT || w->out.kinds[last] != 256)
        return;
    w->out.count = last;
    w->at = w->out.starts[last] - w->base;
}

#endif
