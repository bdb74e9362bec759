"""CDN block files of snarkOS: `A.B.blocks` (a bincode vector of blocks) and `latest.json`.

No checksum protects them; a node recomputes every hash. Reading order: layout, walk, rules, check, plan,
content, records.
"""

from __future__ import annotations

from inspector.catalogue import LaterMapping, LaterSequence, later
from inspector.format import Format, State, Traits
from inspector.formats.snarkos_blocks.layout import DAMAGED, KINDS
from inspector.formats.snarkos_blocks.rules import RULES
from inspector.formats.snarkos_blocks.walk import claim
from inspector.private import Private


def _traits() -> Traits:
    from inspector.formats.snarkos_blocks.units import TRAITS

    return TRAITS


def _sealed(_: State) -> bool:
    return False


FORMAT = Format(
    name="snarkos-blocks",
    title="snarkOS CDN block files (A.B.blocks) and latest.json",
    kinds=KINDS,
    rules=RULES,
    layouts=LaterSequence("inspector.formats.snarkos_blocks.layout", "LAYOUTS"),
    claim=claim,
    open=later("inspector.formats.snarkos_blocks.walk", "open_file"),
    walk=later("inspector.formats.snarkos_blocks.walk", "walk"),
    check=later("inspector.formats.snarkos_blocks.check", "check"),
    answer=later("inspector.formats.snarkos_blocks.check", "answer"),
    sealed=_sealed,
    damaged=DAMAGED,
    records=later("inspector.formats.snarkos_blocks.records", "records"),
    show=later("inspector.formats.snarkos_blocks.records", "show"),
    items=later("inspector.formats.snarkos_blocks.records", "items"),
    extents=later("inspector.formats.snarkos_blocks.content", "extents"),
    addresses=True,
    plan=later("inspector.formats.snarkos_blocks.plan", "plan"),
    filters=frozenset({"damaged", "start", "end"}),
    wishes=frozenset({"max_unit"}),
    names=("*.blocks", "latest.json"),
    compare=later("inspector.formats.snarkos_blocks.check", "compare"),
    schema=LaterMapping("inspector.formats.snarkos_blocks.check", "SCHEMA"),
    splices=True,
    private=Private(files=("[0-9]*.[0-9]*.blocks", "latest.json")),  # the chain is public
    traits=_traits,
)
