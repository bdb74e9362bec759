"""The compiled inner loops and their plain twins.

`GossipWalker` and `GossipOwners` are the compiled ones where the extension was built, else the plain ones; `WHICH`
says which. The environment variable INSPECTOR_KERNEL forces `plain` or `compiled`.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from importlib.machinery import PathFinder

TYPE_CHECKING = False  # as typing has it, which takes longer to import than all the rest of --version
if TYPE_CHECKING:
    from typing import Any, Final, Literal

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

_COMPILED = ("_gossip", "_gossip_owners", "_gossip_oddities", "_gossip_known", "_gossip_lines")


def _built(name: str) -> bool:
    return sys.modules.get(name, True) is not None and PathFinder.find_spec(name, __path__) is not None


def _which(wanted: str) -> Literal["compiled", "plain"]:
    if wanted not in ("", "plain", "compiled"):
        raise ImportError(f"INSPECTOR_KERNEL is {wanted!r}; it may be plain or compiled")
    if wanted == "plain":
        return "plain"
    try:
        import_module("inspector.kernels._blobstore")  # the smallest: shows that what was built fits this Python
        missing = [name for name in _COMPILED if not _built(f"inspector.kernels.{name}")]
        if missing:
            raise ImportError(f"{missing[0]} is missing")
    except ImportError as reason:
        if wanted == "compiled":
            raise ImportError(f"INSPECTOR_KERNEL=compiled, but the extension was not built: {reason}") from reason
        return "plain"
    return "compiled"


WHICH: Final = _which(os.environ.get("INSPECTOR_KERNEL", ""))

if TYPE_CHECKING:
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
    from inspector.kernels.plain_checksum import hardware_crc
    from inspector.kernels.plain_gossip import GossipWalker
    from inspector.kernels.plain_known import GossipKnown
    from inspector.kernels.plain_oddities import count_kinds, oddities
    from inspector.kernels.plain_owners import GossipOwners

    GossipLines: Any

# name -> modules that hold it, compiled and plain; all others are in gossip_tiles
_HOLDERS = {
    "GossipWalker": ("_gossip", "plain_gossip"),
    "hardware_crc": ("_blobstore", "plain_checksum"),
    "GossipKnown": ("_gossip_known", "plain_known"),
    "GossipOwners": ("_gossip_owners", "plain_owners"),
    "count_kinds": ("_gossip_oddities", "plain_oddities"),
    "oddities": ("_gossip_oddities", "plain_oddities"),
    # has no plain twin: without it the records are written one by one, to the same bytes
    "GossipLines": ("_gossip_lines", ""),
}


def __getattr__(name: str) -> Any:
    """The gossip store's loops are loaded when they are asked for; other formats have theirs in other modules."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    compiled, plain = _HOLDERS.get(name, ("gossip_tiles", "gossip_tiles"))
    holder = compiled if WHICH == "compiled" else plain
    found = getattr(import_module(f"inspector.kernels.{holder}"), name) if holder else None
    globals()[name] = found
    return found
