/* Gossip records among any bytes: the C of plain_carve.py, where the rules are told. */
#ifndef INSPECTOR_GOSSIP_CARVE_H
#define INSPECTOR_GOSSIP_CARVE_H

#include "gossip_walk.h"

/* Where the carver stands, and the suspects that it met: records that look right twice over and do not verify. */
struct gossip_carve {
    struct gossip_walk walk;
    uint64_t stop; /* no record is looked for from here on; relative to the window */
    uint64_t first_suspect, suspect_end;
    uint32_t *sizes;
};

static void carve_free(struct gossip_carve *c) { free(c->walk.prefixes); }

/* Whether a record that does not verify has a second witness for its shape: the time that its message repeats. */
static int carve_suspect(const uint8_t *head)
{
    const uint8_t *body = head + HEADER;
    switch (gossip_u16(body)) {
    case 256:
        return 1; /* two lengths of 16 bits agree */
    case 257:
        return gossip_u32(head + 8) == gossip_u32(body + 68 + gossip_u16(body + 66));
    case 258:
        return gossip_u32(head + 8) == gossip_u32(body + 106);
    }
    return 0;
}

/* Fills the columns with the records that begin before `stop`; YES at the end, ROOM when the columns are full. */
static int carve_window(struct gossip_carve *c)
{
    struct gossip_walk *w = &c->walk;
    while (w->at < c->stop) {
        if (w->out.count == w->out.room)
            return ROOM;
        w->at = gossip_next_type(w->data, w->at + HEADER, c->stop + HEADER) - HEADER;
        if (w->at == c->stop)
            break;
        const uint8_t *head = w->data + w->at;
        uint64_t length = gossip_u16(head + 2), after = w->at + HEADER + length;
        if (length < 2 || after > w->length || !gossip_plausible(head + HEADER, length, length)) {
            w->at++;
            continue;
        }
        if (!walk_matches(w, w->at + HEADER, after, gossip_u32(head + 8), gossip_u32(head + 4))) {
            if (carve_suspect(head)) {
                c->first_suspect = gossip_least(c->first_suspect, w->base + w->at);
                c->suspect_end = gossip_most(c->suspect_end, w->base + after);
            }
            w->at++;
            continue;
        }
        struct gossip_tile tile = {.start = w->base + w->at, .role = ROLE_UNIT};
        tile.mark = w->base + after <= c->suspect_end ? ANCHORED : OK;
        tile.kind = (uint16_t)gossip_u16(head + HEADER);
        tile.flags = (uint16_t)gossip_u16(head);
        tile.time = gossip_u32(head + 8);
        gossip_name(head + HEADER, length, tile.kind, &tile.names);
        c->sizes[w->out.count] = (uint32_t)(after - w->at);
        walk_put(w, &tile);
        w->at = after;
    }
    return YES;
}

#endif
