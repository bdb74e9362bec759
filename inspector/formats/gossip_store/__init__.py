"""Core Lightning's gossip_store: one version byte, then records to the end of the file.

A record is a 12-byte header (flags, length, CRC-32C, timestamp; big-endian) and a body that begins with its
type. There is no index, no padding and no magic: a wrong length desynchronises every sequential reader.

Reading order: versions, layout, structure, walk (and legacy), oddities, check (with evidence, over_start, rules),
loader, signed, known, exchanged (with borders), correction (with vouching, fills), mending, verifying, survey, twice,
words, records (with holding, for capsules), items, plan (with conversion, placing), merging (with merge_order, healing,
merge_facts, merge_owners).
"""

from __future__ import annotations

from inspector.catalogue import LaterMapping, LaterSequence, later
from inspector.format import Format, Traits
from inspector.formats.gossip_store.kinds import KINDS
from inspector.formats.gossip_store.private import PRIVATE
from inspector.formats.gossip_store.rules import RULES
from inspector.formats.gossip_store.walk import DAMAGED, claim, open_store, walk


def _traits() -> Traits:
    from inspector.formats.gossip_store.units import TRAITS

    return TRAITS


FORMAT = Format(
    name="gossip-store",
    title="Core Lightning gossip_store, gossip_store.corrupt (store versions 2 to 16)",
    kinds=KINDS,
    rules=RULES,
    layouts=LaterSequence("inspector.formats.gossip_store.layout", "LAYOUTS"),
    claim=claim,
    open=open_store,
    walk=walk,
    check=later("inspector.formats.gossip_store.survey", "check"),
    answer=later("inspector.formats.gossip_store.words", "answer"),
    damaged=DAMAGED,
    records=later("inspector.formats.gossip_store.records", "records"),
    lines=later("inspector.formats.gossip_store.lines", "lines"),
    show=later("inspector.formats.gossip_store.records", "show"),
    items=later("inspector.formats.gossip_store.channels", "items"),
    plan=later("inspector.formats.gossip_store.plan", "plan"),
    busy=later("inspector.formats.gossip_store.placing", "busy"),
    filters=frozenset({"kinds", "flags", "damaged", "deleted", "start", "end", "scid", "node", "dump"}),
    wishes=frozenset({"release", "to_version", "compact", "accept", "no_correct", "verify_signatures"}),
    brief=("scid", "direction", "alias", "node_id", "satoshis", "uuid", "flags", "node_id_1", "node_id_2", "timestamp"),
    names=("gossip_store", "gossip_store.*", "*.gossip_store"),
    compare=later("inspector.formats.gossip_store.words", "compare"),
    appends=True,
    follow=later("inspector.formats.gossip_store.follow", "follow"),
    merge=later("inspector.formats.gossip_store.merging", "merge"),
    identities=later("inspector.formats.gossip_store.identities", "identities"),
    schema=LaterMapping("inspector.formats.gossip_store.words", "SCHEMA"),
    splices=True,
    kin=later("inspector.formats.gossip_store.kin", "kin"),
    mask=later("inspector.formats.gossip_store.masking", "mask"),
    private=PRIVATE,
    traits=_traits,
)
