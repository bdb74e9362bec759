"""Core Lightning's gossip_store: one version byte, then records to the end of the file.

A record is a 12-byte header (flags, length, CRC-32C, timestamp; big-endian) and a body that begins with its
type. There is no index, no padding and no magic: a wrong length desynchronises every sequential reader.

Reading order: versions, layout, structure, walk (and legacy), oddities, check (with evidence, rules), loader,
signed, known, correction (with vouching, fills), mending, verifying, survey, words, records, items, plan (with
conversion, placing), merging (with merge_order, healing, merge_facts, merge_owners).
"""

from __future__ import annotations

from inspector.catalogue import later
from inspector.format import Format, Traits
from inspector.formats.gossip_store.channels import items
from inspector.formats.gossip_store.follow import follow
from inspector.formats.gossip_store.kin import kin
from inspector.formats.gossip_store.layout import KINDS, LAYOUTS
from inspector.formats.gossip_store.lines import lines
from inspector.formats.gossip_store.masking import mask
from inspector.formats.gossip_store.placing import busy
from inspector.formats.gossip_store.plan import plan
from inspector.formats.gossip_store.private import PRIVATE
from inspector.formats.gossip_store.records import records, show
from inspector.formats.gossip_store.rules import RULES
from inspector.formats.gossip_store.survey import check
from inspector.formats.gossip_store.walk import DAMAGED, claim, open_store, walk
from inspector.formats.gossip_store.words import SCHEMA, answer, compare


def _traits() -> Traits:
    from inspector.formats.gossip_store.units import TRAITS

    return TRAITS


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
    lines=lines,
    show=show,
    items=items,
    plan=plan,
    busy=busy,
    filters=frozenset({"kinds", "flags", "damaged", "deleted", "start", "end", "scid", "node", "dump"}),
    wishes=frozenset({"release", "to_version", "compact", "accept", "no_correct", "verify_signatures"}),
    brief=("scid", "direction", "alias", "node_id", "satoshis", "uuid", "flags", "node_id_1", "node_id_2", "timestamp"),
    names=("gossip_store", "gossip_store.*", "*.gossip_store"),
    compare=compare,
    appends=True,
    follow=follow,
    merge=later("inspector.formats.gossip_store.merging", "merge"),
    identities=later("inspector.formats.gossip_store.identities", "identities"),
    schema=SCHEMA,
    splices=True,
    kin=kin,
    mask=mask,
    private=PRIVATE,
    traits=_traits,
)
