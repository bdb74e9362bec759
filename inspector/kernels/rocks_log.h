/* The log format of a WAL: whole write batches in a row, with sums over their operations.
 *
 * A run stops before the first logical record that is damaged, unknown or unusual; the plain reader goes on there. */
#ifndef INSPECTOR_ROCKS_LOG_H
#define INSPECTOR_ROCKS_LOG_H

#include "rocks_carve.h"

#define LOG_BLOCK 32768
#define LOG_JUMPS 100
#define LOG_FAMILIES 256

typedef struct {
    uint64_t records, operations, first_sequence, next_sequence, highest, jump_count;
    uint64_t families[LOG_FAMILIES];
    uint64_t jump_at[LOG_JUMPS], jump_due[LOG_JUMPS], jump_found[LOG_JUMPS];
    int has_first, recycled;
    uint32_t number; /* the low half of the log's own, which recyclable records repeat */
    bytes_of record;
} log_state;

static inline int log_prefixed(const uint8_t **at, const uint8_t *end)
{
    uint32_t length;
    if (!read_varint(at, end, &length) || length > (size_t)(end - *at))
        return 0;
    *at += length;
    return 1;
}

/* operations of a write batch by family; 0 where it cannot be read to its end or is unusual (db/write_batch.cc): what
 * an operation says of a value in a blob file, 0x10 and 0x11, the plain reader looks at */
static int batch_read(const uint8_t *data, size_t length, uint64_t *families, uint32_t *found, int *prepared)
{
    const uint8_t *at = data + 12, *end = data + length;
    *found = 0;
    if (length < 12)
        return 0;
    while (at < end) {
        unsigned tag = *at++;
        uint32_t family = 0;
        int keys = 1, value = 0, counted = 1;
        switch (tag) {
        case 0x00: case 0x07: break;
        case 0x01: case 0x02: case 0x0F: case 0x16: case 0x18: value = 1; break;
        case 0x04: case 0x08: case 0x05: case 0x06: case 0x0E: case 0x17: case 0x19:
            value = tag != 0x04 && tag != 0x08;
            if (!read_varint(&at, end, &family) || family >= LOG_FAMILIES)
                return 0;
            break;
        case 0x03: case 0x0A: case 0x0B: case 0x0C: counted = 0; break;
        case 0x15: value = 1; counted = 0; break;
        case 0x09: case 0x12: case 0x13: *prepared = 1; keys = 0; counted = 0; break;
        case 0x0D: keys = 0; counted = 0; break;
        default: return 0;
        }
        if ((keys && !log_prefixed(&at, end)) || (value && !log_prefixed(&at, end)))
            return 0;
        if (counted) {
            families[family]++;
            ++*found;
        }
    }
    return 1;
}

static int log_batch(log_state *log, const uint8_t *data, size_t length, uint64_t start)
{
    uint64_t families[LOG_FAMILIES] = {0};
    uint32_t count;
    int prepared = 0;
    if (!batch_read(data, length, families, &count, &prepared) || count != le32(data + 8))
        return 0;
    uint64_t sequence = le64(data);
    if (sequence >> 62)
        return 0;
    if (!log->has_first) {
        log->first_sequence = sequence;
        log->next_sequence = sequence;
        log->has_first = 1;
    }
    /* what is only prepared takes no numbers: those behind it begin there again; and where a batch has one number and
     * not one for each operation (WritePrepared), the next is due before */
    if (count && !prepared && (sequence > log->next_sequence || sequence <= log->highest)) {
        if (log->jump_count < LOG_JUMPS) {
            log->jump_at[log->jump_count] = start;
            log->jump_due[log->jump_count] = log->next_sequence;
            log->jump_found[log->jump_count] = sequence;
        }
        log->jump_count++;
    }
    if (count && !prepared && sequence > log->highest)
        log->highest = sequence;
    if (sequence + count > log->next_sequence)
        log->next_sequence = sequence + count;
    log->records++;
    log->operations += count;
    for (int i = 0; i < LOG_FAMILIES; i++)
        log->families[i] += families[i];
    return 1;
}

/* Records from `at` of a window whose first byte begins a 32 KiB block; tiles of whole logical records only. Returns
 * where it stopped. `starts`, `stored` and `pads` have room for one tile for each 7 bytes of the window. */
static size_t log_run(log_state *log, const uint8_t *window, size_t room, uint64_t base, size_t at, uint64_t *starts,
                      uint32_t *stored, uint8_t *pads, size_t *tiles)
{
    size_t done = at, count = *tiles, length = 0;
    uint64_t begun = 0;
    int open = 0;
    while (at < room) {
        size_t stop = (at / LOG_BLOCK + 1) * LOG_BLOCK, left;
        int full = stop <= room;
        stop = full ? stop : room;
        left = stop - at;
        if (!full && left < 7)
            break;
        if (left < 11) { /* what a writer leaves at the end of a block */
            size_t zeroes = 0;
            while (zeroes < left && !window[at + zeroes])
                zeroes++;
            if (zeroes == left && full) {
                starts[count] = base + at;
                stored[count] = 0;
                pads[count++] = 1;
                at = stop;
                if (!open) {
                    done = at;
                    *tiles = count;
                }
                continue;
            }
            if (left < 7)
                break;
        }
        const uint8_t *record = window + at;
        unsigned kind = record[6];
        size_t head = kind >= 5 ? 11 : 7, body = record[4] | (size_t)record[5] << 8;
        if (kind < 1 || kind > 8 || head + body > left || (kind >= 5 && (!log->recycled || le32(record + 7) != log->number)))
            break;
        uint32_t sum = crc_whole(record + 6, head + body - 6);
        sum = ((sum >> 15) | (sum << 17)) + 0xA282EAD8u;
        if (sum != le32(record))
            break;
        unsigned step = kind >= 5 ? kind - 4 : kind; /* 1 full, 2 first, 3 middle, 4 last */
        if ((step == 1 || step == 2) == open)
            break;
        if (!open) {
            begun = base + at;
            length = 0;
        }
        const uint8_t *whole = record + head;
        if (step != 1) {
            if (length + body > MAX_CONTENT || !make_room(&log->record, length + body + 1))
                break;
            memcpy(log->record.data + length, whole, body);
            whole = log->record.data;
        }
        length += body;
        starts[count] = base + at;
        stored[count] = sum;
        pads[count++] = 0;
        at += head + body;
        open = step == 2 || step == 3;
        if (!open) {
            if (!log_batch(log, whole, length, begun))
                break;
            done = at;
            *tiles = count;
        }
    }
    return done;
}

/* whether a type has the short header: all that repeat no log number */
static inline int log_plain(unsigned kind)
{
    return (kind >= 1 && kind <= 4) || kind == 9 || kind == 10 || kind == 130;
}

static inline int log_recyclable(unsigned kind)
{
    return (kind >= 5 && kind <= 8) || kind == 11 || kind == 131;
}

/* Records that verify from a block's beginning on, whatever they hold, of this log (`number` below 0: it is not known);
 * returns where the next thing begins. There is room for one for each 7 bytes. */
static size_t log_records(const uint8_t *block, size_t room, uint64_t base, int64_t number, uint64_t *starts,
                          uint8_t *kinds, uint32_t *stored, size_t *count)
{
    size_t at = 0, found = 0;
    while (at + 11 <= room) {
        const uint8_t *record = block + at;
        int recycled = log_recyclable(record[6]);
        size_t size = (recycled ? 11 : 7) + (record[4] | (size_t)record[5] << 8);
        if (!(recycled ? number >= 0 && le32(record + 7) == (uint32_t)number : log_plain(record[6])) || size > room - at)
            break;
        uint32_t sum = crc_whole(record + 6, size - 6);
        sum = ((sum >> 15) | (sum << 17)) + 0xA282EAD8u;
        if (sum != le32(record))
            break;
        starts[found] = base + at;
        kinds[found] = record[6];
        stored[found++] = sum;
        at += size;
    }
    *count = found;
    return at;
}

/* The least end at which the record at `at` verifies, with any one bit of its length turned or at the anchor; 0 where
 * none is. Its type is known, its header is there; the bytes are read once whatever the number of ends. */
static size_t log_relength(const uint8_t *block, size_t room, size_t at, size_t head, size_t anchor)
{
    size_t ends[17], claimed = block[at + 4] | (size_t)block[at + 5] << 8, from = at + 6;
    uint32_t reg = 0xFFFFFFFFu, wanted = le32(block + at);
    for (int bit = 0; bit < 17; bit++) {
        size_t end = bit < 16 ? at + head + (claimed ^ (size_t)1 << bit) : anchor;
        int place = bit;
        for (; place > 0 && ends[place - 1] > end; place--)
            ends[place] = ends[place - 1];
        ends[place] = end;
    }
    for (int i = 0; i < 17 && ends[i] <= room; i++) {
        if (ends[i] < at + head)
            continue;
        reg = crc_update(block + from, ends[i] - from, reg);
        from = ends[i];
        uint32_t sum = ~reg;
        if (((sum >> 15) | (sum << 17)) + 0xA282EAD8u == wanted)
            return from;
    }
    return 0;
}

#endif
