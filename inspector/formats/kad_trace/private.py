"""Peers, and the words of the log's lines, which hold hosts and paths; steps and times are not private."""

from __future__ import annotations

from typing import Final

from inspector.private import CONTENT, Private

PRIVATE: Final = Private(
    fields={"peer": "peer", "local_peers": "peer", "text": CONTENT, "line": CONTENT, "error": CONTENT},
    public=frozenset({"NoKnownPeers"}),  # the program's own word
)
