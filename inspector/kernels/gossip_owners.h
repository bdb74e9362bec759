/* Which live records contradict each other: the C of plain_owners.py, where the rules are told. */
#ifndef INSPECTOR_GOSSIP_OWNERS_H
#define INSPECTOR_GOSSIP_OWNERS_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* As in gossip_tiles.py and plain_owners.py; a test holds them against each other. */
enum {
    DUPLICATE_ANNOUNCEMENT = 1,
    ANNOUNCEMENT_WITHOUT_AMOUNT,
    AMOUNT_WITHOUT_ANNOUNCEMENT,
    PAIR_FLAG_MISMATCH,
    UPDATE_UNKNOWN_CHANNEL,
    UPDATE_SUPERSEDED,
    NODE_UNKNOWN,
    NODE_DUPLICATE,
    CLOSED_CHANNEL_LIVE
};
enum { MARK_OK = 0, MARK_ANCHORED = 4, DELETED = 0x8000 };
enum { ANNOUNCED = 0, UPDATED = 1, FORGOTTEN = 3, NAMED = 4, NODE = 5 };
enum { PARTITIONS = 16 };

/* Values in threes. `failed` is set where memory ran out, and nothing is added from then on. */
struct owners_list {
    uint64_t *values;
    size_t count, room;
    int failed;
};

/* A channel: its announcement and an update each way. A node: its announcement, and whether a channel names it.
 * Places are one more than the offset, 0 is "none"; owner 0 is an empty slot. */
struct owners_slot {
    uint64_t owner, at[3];
};

struct owners_table {
    struct owners_slot *slots;
    size_t count, room; /* room is a power of two */
    uint64_t key;       /* random, so that nobody can make owners that all meet in one place */
};

struct owners_state {
    struct owners_table channels, nodes;
    size_t limit;
    uint64_t level; /* how often these facts were spilled before: each time other owners share a file */
    uint64_t live_channels, live_nodes;
    struct owners_list events, spilled[PARTITIONS];
    int failed;
};

struct owners_columns {
    const uint64_t *starts, *owners, *nodes_a, *nodes_b;
    const uint16_t *kinds, *flags;
    const uint8_t *marks, *aux;
};

static void owners_add(struct owners_list *list, uint64_t a, uint64_t b, uint64_t c)
{
    if (list->room - list->count < 3) {
        size_t room = list->room ? 2 * list->room : 192;
        void *values = list->failed ? NULL : realloc(list->values, room * sizeof *list->values);
        if (values == NULL) {
            list->failed = 1;
            return;
        }
        list->values = values;
        list->room = room;
    }
    list->values[list->count++] = a;
    list->values[list->count++] = b;
    list->values[list->count++] = c;
}

static inline uint64_t owners_hash(uint64_t owner, uint64_t key)
{
    owner ^= key;
    owner = (owner ^ owner >> 32) * 0x9E3779B97F4A7C15ull;
    owner = (owner ^ owner >> 29) * 0xBF58476D1CE4E5B9ull;
    return owner ^ owner >> 32;
}

static struct owners_slot *owners_find(const struct owners_table *table, uint64_t owner)
{
    size_t i = owners_hash(owner, table->key) & (table->room - 1);
    while (table->slots[i].owner && table->slots[i].owner != owner)
        i = (i + 1) & (table->room - 1);
    return &table->slots[i];
}

static int owners_grow(struct owners_table *table)
{
    struct owners_table wider = {NULL, table->count, table->room ? 2 * table->room : 1024, table->key};
    wider.slots = calloc(wider.room, sizeof *wider.slots);
    if (wider.slots == NULL)
        return 0;
    for (size_t i = 0; i < table->room; i++)
        if (table->slots[i].owner)
            *owners_find(&wider, table->slots[i].owner) = table->slots[i];
    free(table->slots);
    *table = wider;
    return 1;
}

/* The owner's slot, NULL if it is new and the tables are full (its facts go to the files from the first on). */
static struct owners_slot *owners_slot_of(struct owners_state *s, struct owners_table *table, uint64_t owner)
{
    if (3 * (table->count + 1) > 2 * table->room && !owners_grow(table)) {
        s->failed = 1;
        return NULL;
    }
    struct owners_slot *slot = owners_find(table, owner);
    if (slot->owner == 0) {
        if (s->channels.count + s->nodes.count >= s->limit)
            return NULL;
        slot->owner = owner;
        table->count++;
    }
    return slot;
}

static void owners_channel_fact(struct owners_state *s, struct owners_slot *slot, uint64_t code, uint64_t offset)
{
    uint64_t *at = slot->at;
    if (code == ANNOUNCED) {
        if (at[0]) {
            owners_add(&s->events, offset, DUPLICATE_ANNOUNCEMENT, at[0] - 1);
        } else {
            at[0] = offset + 1;
            s->live_channels++;
        }
    } else if (code == FORGOTTEN) {
        if (at[0]) {
            owners_add(&s->events, offset, CLOSED_CHANNEL_LIVE, at[0] - 1);
            s->live_channels--;
        }
        memset(at, 0, sizeof slot->at);
    } else {
        if (!at[0])
            owners_add(&s->events, offset, UPDATE_UNKNOWN_CHANNEL, 0);
        if (at[code])
            owners_add(&s->events, offset, UPDATE_SUPERSEDED, at[code] - 1);
        at[code] = offset + 1;
    }
}

static void owners_node_fact(struct owners_state *s, struct owners_slot *slot, uint64_t code, uint64_t offset)
{
    uint64_t *at = slot->at;
    if (code == NAMED) {
        at[1] = 1;
        return;
    }
    if (!at[1])
        owners_add(&s->events, offset, NODE_UNKNOWN, 0);
    if (at[0])
        owners_add(&s->events, offset, NODE_DUPLICATE, at[0] - 1);
    else
        s->live_nodes++;
    at[0] = offset + 1;
}

static void owners_fact(struct owners_state *s, uint64_t owner, uint64_t code, uint64_t offset)
{
    if (owner == 0)
        return;
    struct owners_slot *slot = owners_slot_of(s, code >= NAMED ? &s->nodes : &s->channels, owner);
    if (slot == NULL)
        owners_add(&s->spilled[owners_hash(owner, s->channels.key + s->level + 1) >> 60], owner, code, offset);
    else if (code >= NAMED)
        owners_node_fact(s, slot, code, offset);
    else
        owners_channel_fact(s, slot, code, offset);
}

static void owners_announce(struct owners_state *s, const struct owners_columns *in, size_t i)
{
    owners_fact(s, in->owners[i], ANNOUNCED, in->starts[i]);
    owners_fact(s, in->nodes_a[i], NAMED, in->starts[i]);
    owners_fact(s, in->nodes_b[i], NAMED, in->starts[i]);
}

static void owners_pair(struct owners_state *s, const struct owners_columns *in, size_t i, size_t count)
{
    size_t after = i + 1;
    int paired = after < count && in->kinds[after] == 4101 &&
                 (in->marks[after] == MARK_OK || in->marks[after] == MARK_ANCHORED);
    if (paired && ((in->flags[i] ^ in->flags[after]) & DELETED))
        owners_add(&s->events, in->starts[i], PAIR_FLAG_MISMATCH, in->starts[after]);
    if (!paired && !(in->flags[i] & DELETED))
        owners_add(&s->events, in->starts[i], ANNOUNCEMENT_WITHOUT_AMOUNT, 0);
}

static void owners_tiles(struct owners_state *s, const struct owners_columns *in, size_t count)
{
    int announced = 0; /* the tile before is an announcement that verifies */
    for (size_t i = 0; i < count; i++) {
        int before = announced, live = !(in->flags[i] & DELETED);
        announced = 0;
        if (in->marks[i] != MARK_OK && in->marks[i] != MARK_ANCHORED)
            continue;
        announced = in->kinds[i] == 256;
        if (live) {
            switch (in->kinds[i]) {
            case 256:
            case 4104:
                owners_announce(s, in, i);
                break;
            case 258:
            case 4102:
                owners_fact(s, in->owners[i], UPDATED + (in->aux[i] & 1), in->starts[i]);
                break;
            case 257:
                owners_fact(s, in->nodes_a[i], NODE, in->starts[i]);
                break;
            case 4101:
                if (!before)
                    owners_add(&s->events, in->starts[i], AMOUNT_WITHOUT_ANNOUNCEMENT, 0);
                break;
            case 4103:
                owners_fact(s, in->owners[i], FORGOTTEN, in->starts[i]);
                break;
            }
        }
        if (announced)
            owners_pair(s, in, i, count);
    }
}

static void owners_facts(struct owners_state *s, const uint64_t *facts, size_t count)
{
    for (size_t i = 0; i + 3 <= count; i += 3)
        owners_fact(s, facts[i], facts[i + 1], facts[i + 2]);
}

static void owners_forget(struct owners_state *s)
{
    free(s->channels.slots);
    free(s->nodes.slots);
    s->channels = (struct owners_table){.key = s->channels.key};
    s->nodes = (struct owners_table){.key = s->nodes.key};
    s->live_channels = s->live_nodes = 0;
}

static void owners_free(struct owners_state *s)
{
    owners_forget(s);
    free(s->events.values);
    for (int i = 0; i < PARTITIONS; i++)
        free(s->spilled[i].values);
}

#endif
