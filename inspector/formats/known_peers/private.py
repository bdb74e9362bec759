"""Which peers a node knows, and where, is its own."""

from __future__ import annotations

from typing import Final

from inspector.catalogue import later
from inspector.private import DIGEST, ITEM, Private, from_items

_FIELDS: Final = {
    ITEM: "peer",
    "peer": "peer",
    "address": "address",
    "digest": DIGEST,
    "stored": DIGEST,
    "computed": DIGEST,
}
PRIVATE: Final = Private(
    fields=_FIELDS,
    texts=((r"/(?:ip4|ip6|dns[46]?|dnsaddr)/[^\s,;]+", "address"),),
    files=("known_addresses.bin",),
    originals=from_items(later("inspector.formats.known_peers.views", "items"), _FIELDS),
)
