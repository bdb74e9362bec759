"""The compiled inner loops and their plain twins.

`GossipWalker` and `GossipOwners` are the compiled ones where the extension was built, else the plain ones; `WHICH`
says which. The environment variable INSPECTOR_KERNEL forces `plain` or `compiled`.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, Literal

from inspector.kernels.gossip_tiles import (
    AMOUNT_WITHOUT_ANNOUNCEMENT,
    ANCHORED,
    ANNOUNCEMENT_WITHOUT_AMOUNT,
    BAD_ALIAS,
    BAD_CHECKSUM,
    BAD_LENGTH,
    CLOSED_CHANNEL_LIVE,
    DUPLICATE_ANNOUNCEMENT,
    GAP,
    INCOMPLETE,
    NODE_DUPLICATE,
    NODE_UNKNOWN,
    OK,
    PAIR_FLAG_MISMATCH,
    ROLE_FRAME,
    ROLE_FREE,
    ROLE_GAP,
    ROLE_OPAQUE,
    ROLE_UNIT,
    SHORT,
    SPECIAL,
    TOO_SHORT,
    TORN_BODY,
    TORN_HEADER,
    UNKNOWN_FLAGS,
    UNKNOWN_TYPE,
    UPDATE_SUPERSEDED,
    UPDATE_UNKNOWN_CHANNEL,
    Batch,
)

__all__ = [
    "AMOUNT_WITHOUT_ANNOUNCEMENT",
    "ANCHORED",
    "ANNOUNCEMENT_WITHOUT_AMOUNT",
    "BAD_ALIAS",
    "BAD_CHECKSUM",
    "BAD_LENGTH",
    "CLOSED_CHANNEL_LIVE",
    "DUPLICATE_ANNOUNCEMENT",
    "GAP",
    "INCOMPLETE",
    "NODE_DUPLICATE",
    "NODE_UNKNOWN",
    "OK",
    "PAIR_FLAG_MISMATCH",
    "ROLE_FRAME",
    "ROLE_FREE",
    "ROLE_GAP",
    "ROLE_OPAQUE",
    "ROLE_UNIT",
    "SHORT",
    "SPECIAL",
    "TOO_SHORT",
    "TORN_BODY",
    "TORN_HEADER",
    "UNKNOWN_FLAGS",
    "UNKNOWN_TYPE",
    "UPDATE_SUPERSEDED",
    "UPDATE_UNKNOWN_CHANNEL",
    "WHICH",
    "Batch",
    "GossipKnown",
    "GossipLines",
    "GossipOwners",
    "GossipWalker",
    "count_kinds",
    "hardware_crc",
    "oddities",
]


def _which(wanted: str) -> Literal["compiled", "plain"]:
    if wanted not in ("", "plain", "compiled"):
        raise ImportError(f"INSPECTOR_KERNEL is {wanted!r}; it may be plain or compiled")
    if wanted == "plain":
        return "plain"
    try:
        import_module("inspector.kernels._gossip")
        import_module("inspector.kernels._gossip_owners")
        import_module("inspector.kernels._gossip_oddities")
        import_module("inspector.kernels._gossip_known")
        import_module("inspector.kernels._gossip_lines")
    except ImportError as reason:
        if wanted == "compiled":
            raise ImportError(f"INSPECTOR_KERNEL=compiled, but the extension was not built: {reason}") from reason
        return "plain"
    return "compiled"


WHICH: Final = _which(os.environ.get("INSPECTOR_KERNEL", ""))

GossipLines: Any = None  # has no plain twin: without it the records are written one by one, to the same bytes

if TYPE_CHECKING or WHICH == "plain":
    from inspector.kernels.plain_gossip import GossipWalker, hardware_crc
    from inspector.kernels.plain_known import GossipKnown
    from inspector.kernels.plain_oddities import count_kinds, oddities
    from inspector.kernels.plain_owners import GossipOwners
else:
    from inspector.kernels._gossip import GossipWalker, hardware_crc
    from inspector.kernels._gossip_known import GossipKnown
    from inspector.kernels._gossip_lines import GossipLines
    from inspector.kernels._gossip_oddities import count_kinds, oddities
    from inspector.kernels._gossip_owners import GossipOwners
