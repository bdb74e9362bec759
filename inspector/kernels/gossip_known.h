/* Where a store's sound announcements, updates and tombstones stand: the C of plain_known.py, where the rules are told. */
#ifndef INSPECTOR_GOSSIP_KNOWN_H
#define INSPECTOR_GOSSIP_KNOWN_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { KNOWN_UPDATES = 4 }; /* the last ones of a channel */

/* `announcement` is one more than the offset, 0 where there is none. */
struct known_channel {
    uint64_t scid, announcement, updates[KNOWN_UPDATES];
    uint32_t count; /* of updates, the oldest first */
    uint32_t closed;
};

struct known_node {
    uint64_t node, announcement;
};

/* Entries in the order of their first record; `slots` holds their numbers from 1, 0 is empty. */
struct known_table {
    uint32_t *slots;
    size_t room; /* of slots, a power of two */
    uint64_t key; /* random, so that nobody can make owners that all meet in one place */
};

struct known_index {
    struct known_table by_scid, by_node;
    struct known_channel *channels;
    struct known_node *nodes;
    size_t channel_count, channel_room, node_count, node_room;
    size_t announced, updated, closed, limit;
};

static inline uint64_t known_hash(uint64_t owner, uint64_t key)
{
    owner ^= key;
    owner = (owner ^ owner >> 32) * 0x9E3779B97F4A7C15ull;
    owner = (owner ^ owner >> 29) * 0xBF58476D1CE4E5B9ull;
    return owner ^ owner >> 32;
}

static struct known_channel *known_channel_of(const struct known_index *k, uint64_t scid)
{
    const struct known_table *table = &k->by_scid;
    if (!table->room)
        return NULL;
    for (size_t i = known_hash(scid, table->key);; i++) {
        uint32_t number = table->slots[i & (table->room - 1)];
        if (!number)
            return NULL;
        if (k->channels[number - 1].scid == scid)
            return &k->channels[number - 1];
    }
}

static struct known_node *known_node_of(const struct known_index *k, uint64_t node)
{
    const struct known_table *table = &k->by_node;
    if (!table->room)
        return NULL;
    for (size_t i = known_hash(node, table->key);; i++) {
        uint32_t number = table->slots[i & (table->room - 1)];
        if (!number)
            return NULL;
        if (k->nodes[number - 1].node == node)
            return &k->nodes[number - 1];
    }
}

static void known_place(struct known_table *table, uint64_t owner, uint32_t number)
{
    size_t i = known_hash(owner, table->key);
    while (table->slots[i & (table->room - 1)])
        i++;
    table->slots[i & (table->room - 1)] = number;
}

/* Twice the entries, and slots for them; 0 where memory ran out. */
static int known_wider(struct known_table *table, void **entries, size_t *room, size_t size)
{
    size_t wider = *room ? 2 * *room : 512;
    uint32_t *slots = calloc(2 * wider, sizeof *slots);
    void *more = slots ? realloc(*entries, wider * size) : NULL;
    if (more == NULL) {
        free(slots);
        return 0;
    }
    free(table->slots);
    table->slots = slots;
    table->room = 2 * wider;
    *entries = more;
    *room = wider;
    return 1;
}

static struct known_channel *known_new_channel(struct known_index *k, uint64_t scid)
{
    if (k->channel_count == k->channel_room) {
        if (!known_wider(&k->by_scid, (void **) &k->channels, &k->channel_room, sizeof *k->channels))
            return NULL;
        for (size_t i = 0; i < k->channel_count; i++)
            known_place(&k->by_scid, k->channels[i].scid, (uint32_t) i + 1);
    }
    struct known_channel *channel = &k->channels[k->channel_count++];
    memset(channel, 0, sizeof *channel);
    channel->scid = scid;
    known_place(&k->by_scid, scid, (uint32_t) k->channel_count);
    return channel;
}

static struct known_node *known_new_node(struct known_index *k, uint64_t node)
{
    if (k->node_count == k->node_room) {
        if (!known_wider(&k->by_node, (void **) &k->nodes, &k->node_room, sizeof *k->nodes))
            return NULL;
        for (size_t i = 0; i < k->node_count; i++)
            known_place(&k->by_node, k->nodes[i].node, (uint32_t) i + 1);
    }
    struct known_node *entry = &k->nodes[k->node_count++];
    *entry = (struct known_node){node, 0};
    known_place(&k->by_node, node, (uint32_t) k->node_count);
    return entry;
}

/* One fact of a channel; what is new when its table is full is not remembered. 0 where memory ran out. */
static int known_channel_fact(struct known_index *k, int kind, uint64_t scid, uint64_t at)
{
    struct known_channel *channel = known_channel_of(k, scid);
    int named = kind == 256 || kind == 4104; /* a private announcement stands for a channel that has no other */
    size_t *count = named ? &k->announced : kind == 258 ? &k->updated : &k->closed;
    int has = channel && (named ? channel->announcement != 0 : kind == 258 ? channel->count : channel->closed);
    if (!has ? *count >= k->limit : kind == 4104)
        return 1;
    if (channel == NULL && (channel = known_new_channel(k, scid)) == NULL)
        return 0;
    *count += !has;
    if (named) {
        channel->announcement = at + 1;
    } else if (kind == 258) {
        if (channel->count == KNOWN_UPDATES)
            memmove(channel->updates, channel->updates + 1, (KNOWN_UPDATES - 1) * sizeof *channel->updates);
        else
            channel->count++;
        channel->updates[channel->count - 1] = at;
    } else {
        channel->closed = 1;
    }
    return 1;
}

static int known_node_fact(struct known_index *k, uint64_t node, uint64_t at)
{
    struct known_node *entry = known_node_of(k, node);
    if (entry == NULL && k->node_count >= k->limit)
        return 1;
    if (entry == NULL && (entry = known_new_node(k, node)) == NULL)
        return 0;
    entry->announcement = at;
    return 1;
}

static int known_fact(struct known_index *k, int kind, uint64_t scid, uint64_t node, uint64_t at)
{
    return kind == 257 ? known_node_fact(k, node, at) : known_channel_fact(k, kind, scid, at);
}

static void known_free(struct known_index *k)
{
    free(k->by_scid.slots);
    free(k->by_node.slots);
    free(k->channels);
    free(k->nodes);
}

#endif
