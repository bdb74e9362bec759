"""Which records of a store belong together: they carry the same short channel id, or are of one node."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from inspector.formats.gossip_store import versions
from inspector.formats.gossip_store.layout import layout_for
from inspector.formats.gossip_store.walk import Store

_NAMES = ("scid", "node_id")


def kin(store: Store, raw: bytes) -> Iterator[bytes]:
    """The bytes by which other records know the channel or the node of this one."""
    body = raw[versions.header_size(store.version) :]
    if len(body) < 2:
        return
    layout = layout_for(body[0] << 8 | body[1], len(body))
    values: Mapping[str, Any] = (layout.parse(body) if layout else None) or {}
    for name in _NAMES:
        value = values.get(name)
        if isinstance(value, int):
            yield value.to_bytes(8, "big")
        elif isinstance(value, bytes):
            yield value
