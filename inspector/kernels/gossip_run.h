/* The healthy path: records that verify one after the other. Included twice, with and without the processor's
 * CRC instruction, which cannot be inlined across that border.
 *
 * Nothing here waits for a checksum: its comparison is a branch that is foreseen, and the next record's place
 * needs only the length, so the processor has several records' checksums under way at once. What would spoil that
 * is a loop whose number of rounds it cannot foresee, hence the straight line for the commonest length, and memory:
 * a header's place is known only from the one before, which the processor cannot foresee either, so what comes is
 * fetched well before it is needed.
 *
 * RUN_NAME, RUN_TARGET, RUN_CRC(at, length, reg) and RUN_CRC_138 are given by the including file. */

RUN_TARGET static uint64_t RUN_NAME(const uint8_t *data, uint64_t at, uint64_t end, uint64_t longest, uint64_t base,
                                    struct gossip_columns *out)
{
    size_t i = out->count;
    while (i < out->room && at + 14 <= end) {
        const uint8_t *head = data + at, *body = head + 12;
        uint64_t length = gossip_u16(head + 2);
        uint64_t after = at + 12 + length;
        if (length < 2 || length > longest || after > end)
            break;
        for (uint64_t ahead = 0; ahead < length + 12; ahead += 64)
            __builtin_prefetch(head + RUN_AHEAD + ahead);
        uint32_t time = gossip_u32(head + 8);
        uint32_t kind = gossip_u16(body);
        uint32_t reg = length == 138 ? RUN_CRC_138(body, ~time) : RUN_CRC(body, length, ~time);
        if (reg != ~gossip_u32(head + 4))
            break;
        out->starts[i] = base + at;
        out->kinds[i] = (uint16_t)kind;
        out->flags[i] = (uint16_t)gossip_u16(head);
        out->times[i] = time;
        if (kind == 258 && length >= 112) {
            out->owners[i] = gossip_u64(body + 98);
            out->aux[i] = body[111];
        } else if (kind == 4101) {
            out->owners[i] = 0;
        } else {
            struct gossip_names names;
            gossip_name(body, length, kind, &names);
            out->owners[i] = names.owner;
            out->nodes_a[i] = names.node_a;
            out->nodes_b[i] = names.node_b;
            out->aux[i] = names.aux;
        }
        i++;
        at = after;
    }
    out->count = i;
    return at;
}
#undef RUN_NAME
#undef RUN_TARGET
#undef RUN_CRC
#undef RUN_CRC_138
