"""`known_addresses.bin` of Subspace nodes and farmers: two slots, each a list of peers and its BLAKE3 digest.

    slot A at 0, slot B at S; a slot is payload | blake3(payload) | slack to S
    payload (v3) = cache_size u32 | timestamp u64 | compact n | n * (peer id, addresses with a failure time)

Reading order: scale, identity, multiaddr (the bytes), payload, slots, place (where and in which state),
loader (what the node does), state, check, plan, merging, views.
"""

from __future__ import annotations

from inspector.catalogue import LaterSequence, later
from inspector.format import Format, Traits
from inspector.formats.known_peers.private import PRIVATE
from inspector.formats.known_peers.rules import RULES
from inspector.formats.known_peers.state import BAD, KINDS, claim, open_state, walk

_NUMBER = {"type": ["integer", "null"]}
_TEXT = {"type": ["string", "null"]}
_SLOT = {
    "type": "object",
    "required": ["slot", "offset", "verdict", "timestamp", "peers", "payload_length", "stored", "computed"],
    "properties": {
        "slot": {"enum": [0, 1]},
        "offset": {"type": "integer"},
        "verdict": {
            "enum": ["good", "bad checksum", "torn", "zero", "never sealed", "cut", "misplaced", "absent"],
        },
        "generation": _TEXT,
        "timestamp": _NUMBER,
        "peers": {"type": "integer"},
        "peers_that_parse": {"type": "integer"},
        "payload_length": {"type": "integer"},
        "stored": _TEXT,
        "computed": _TEXT,
        "torn_at": _NUMBER,
        "flipped": {"type": ["array", "null"], "items": {"type": "integer"}},
    },
}
SCHEMA = {
    "type": "object",
    "required": ["generation", "slots", "winner", "usable_until"],
    "properties": {
        "generation": {"enum": ["v1", "v2", "v3"]},
        "slots": {"type": "array", "items": _SLOT},
        "winner": {
            "type": ["object", "null"],
            "required": ["slot", "timestamp", "peers"],
            "properties": {
                "slot": {"enum": [0, 1]},
                "timestamp": {"type": "integer"},
                "peers": {"type": "integer"},
            },
        },
        "because": {"type": "string"},
        "usable_until": _NUMBER,
        "usable": {"type": "boolean"},
        "old_peers_in_slack": {"type": "integer"},
    },
}


def _traits() -> Traits:
    from inspector.formats.known_peers.units import TRAITS

    return TRAITS


FORMAT = Format(
    name="known-peers",
    title="known_addresses.bin of a Subspace node or farmer",
    kinds=KINDS,
    rules=RULES,
    layouts=LaterSequence("inspector.formats.known_peers.layout", "LAYOUTS"),
    claim=claim,
    open=open_state,
    check=later("inspector.formats.known_peers.check", "check"),
    answer=later("inspector.formats.known_peers.views", "answer"),
    walk=walk,
    damaged=frozenset({BAD}),
    records=later("inspector.formats.known_peers.views", "records"),
    show=later("inspector.formats.known_peers.views", "show"),
    items=later("inspector.formats.known_peers.views", "items"),
    plan=later("inspector.formats.known_peers.plan", "plan"),
    merge=later("inspector.formats.known_peers.merging", "merge"),
    identities=later("inspector.formats.known_peers.merging", "identities"),
    filters=frozenset({"kinds", "damaged", "start", "end"}),
    wishes=frozenset({"at", "accept", "touch"}),
    brief=("slot", "peer", "problem", "timestamp", "peers"),
    names=("known_addresses.bin", "known_addresses*.bin"),
    schema=SCHEMA,
    mask=later("inspector.formats.known_peers.masking", "mask"),
    private=PRIVATE,
    traits=_traits,
)
