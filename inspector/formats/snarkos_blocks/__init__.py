"""CDN block files of snarkOS: `A.B.blocks` (a bincode vector of blocks) and `latest.json`.

No checksum protects them; a node recomputes every hash. Reading order: layout, walk, rules, check, plan, records.
"""

from __future__ import annotations

from inspector.format import Format, Traits
from inspector.formats.snarkos_blocks.check import SCHEMA, answer, check, compare
from inspector.formats.snarkos_blocks.layout import DAMAGED, KINDS, LAYOUTS
from inspector.formats.snarkos_blocks.plan import plan
from inspector.formats.snarkos_blocks.records import items, records, show
from inspector.formats.snarkos_blocks.rules import RULES
from inspector.formats.snarkos_blocks.walk import claim, open_file, walk
from inspector.private import Private


def _traits() -> Traits:
    from inspector.formats.snarkos_blocks.units import TRAITS

    return TRAITS


FORMAT = Format(
    name="snarkos-blocks",
    title="snarkOS CDN block files (A.B.blocks) and latest.json",
    kinds=KINDS,
    rules=RULES,
    layouts=LAYOUTS,
    claim=claim,
    open=open_file,
    walk=walk,
    check=check,
    answer=answer,
    damaged=DAMAGED,
    records=records,
    show=show,
    items=items,
    plan=plan,
    filters=frozenset({"damaged", "start", "end"}),
    wishes=frozenset({"max_unit"}),
    names=("*.blocks", "latest.json"),
    compare=compare,
    schema=SCHEMA,
    splices=True,
    private=Private(files=("[0-9]*.[0-9]*.blocks", "latest.json")),  # the chain is public
    traits=_traits,
)
