"""Core Lightning's gossip_store: one version byte, then records to the end of the file.

A record is a 12-byte header (flags, length, CRC-32C, timestamp; big-endian) and a body that begins with its
type. There is no index, no padding and no magic: a wrong length desynchronises every sequential reader.

Reading order: versions, layout, structure, walk (and legacy), oddities, check (with evidence, rules), loader,
signed, known, correction (with vouching, fills), mending, verifying, survey, words, records, items, plan (with
conversion, placing).
"""

from __future__ import annotations

from inspector.format import Format
from inspector.formats.gossip_store.channels import items
from inspector.formats.gossip_store.layout import KINDS, LAYOUTS
from inspector.formats.gossip_store.placing import busy
from inspector.formats.gossip_store.plan import plan
from inspector.formats.gossip_store.records import records, show
from inspector.formats.gossip_store.rules import RULES
from inspector.formats.gossip_store.survey import check
from inspector.formats.gossip_store.walk import DAMAGED, claim, open_store, walk
from inspector.formats.gossip_store.words import SCHEMA, answer, compare

FORMAT = Format(
    name="gossip-store",
    title="Core Lightning gossip_store, gossip_store.corrupt (store versions 2 to 16)",
    kinds=KINDS,
    rules=RULES,
    layouts=LAYOUTS,
    claim=claim,
    open=open_store,
    walk=walk,
    check=check,
    answer=answer,
    damaged=DAMAGED,
    records=records,
    show=show,
    items=items,
    plan=plan,
    busy=busy,
    filters=frozenset({"kinds", "flags", "damaged", "deleted", "start", "end", "scid", "node", "dump"}),
    wishes=frozenset({"release", "to_version", "compact", "accept", "no_correct", "verify_signatures"}),
    brief=("scid", "direction", "alias", "node_id", "satoshis", "uuid", "flags", "node_id_1", "node_id_2", "timestamp"),
    names=("gossip_store", "gossip_store.*", "*.gossip_store"),
    compare=compare,
    schema=SCHEMA,
)
