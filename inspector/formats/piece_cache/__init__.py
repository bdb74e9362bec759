"""`piece_cache.bin` of a Subspace farmer: elements of 1,048,712 bytes, each a piece and its BLAKE3 digest.

Element i lies at i * 1,048,712; all zero is empty. The commitments inside a piece are not verified: that needs the
trusted setup of the chain. Reading order: layout, hunting, elements, views (with
rules), merging.
"""

from __future__ import annotations

from inspector.catalogue import LaterSequence, later
from inspector.format import Format, Traits
from inspector.formats.piece_cache.elements import BAD, KINDS, claim, open_cache, walk
from inspector.formats.piece_cache.rules import RULES
from inspector.private import Private

_COUNT = {"type": "integer"}
SCHEMA = {
    "type": "object",
    "required": ["elements", "good", "empty", "bad"],
    "properties": {
        "elements": _COUNT,
        "good": _COUNT,
        "empty": _COUNT,
        "bad": _COUNT,
        "cut_bytes": _COUNT,
        "bad_elements": {"type": "array", "items": _COUNT},
        "moved": _COUNT,
    },
}


def _traits() -> Traits:
    from inspector.formats.piece_cache.units import TRAITS

    return TRAITS


FORMAT = Format(
    name="piece-cache",
    title="piece_cache.bin of a Subspace farmer",
    kinds=KINDS,
    rules=RULES,
    layouts=LaterSequence("inspector.formats.piece_cache.layout", "LAYOUTS"),
    claim=claim,
    open=open_cache,
    check=later("inspector.formats.piece_cache.views", "check"),
    answer=later("inspector.formats.piece_cache.views", "answer"),
    walk=walk,
    damaged=frozenset({BAD}),
    records=later("inspector.formats.piece_cache.views", "records"),
    show=later("inspector.formats.piece_cache.views", "show"),
    items=later("inspector.formats.piece_cache.views", "items"),
    plan=later("inspector.formats.piece_cache.views", "plan"),
    merge=later("inspector.formats.piece_cache.merging", "merge"),
    identities=later("inspector.formats.piece_cache.merging", "identities"),
    filters=frozenset({"kinds", "damaged", "start", "end"}),
    wishes=frozenset(),
    brief=("element", "piece_index"),
    names=("piece_cache.bin",),
    schema=SCHEMA,
    splices=True,
    private=Private(files=("piece_cache.bin",)),  # pieces of the chain, which is public
    traits=_traits,
)
