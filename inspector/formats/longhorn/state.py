"""What `open` makes of a blobstore: its replicas, and what was said about them."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from inspector.format import Claim, Wishes
from inspector.formats.longhorn.memory import Memory, read
from inspector.formats.longhorn.names import Named, understand
from inspector.formats.longhorn.replicas import Replica, collect
from inspector.formats.spdk_blobstore import State as Lower
from inspector.formats.spdk_blobstore.store import Store
from inspector.source import Source


class State(Struct):
    lower: Lower
    store: Store | None  # None where no geometry could be found
    replicas: dict[str, Replica]
    named: dict[int, Named]
    memory: Memory | None = None


def claim(source: Source, lower: Any) -> Claim:
    """A blobstore is Longhorn's when a volume on it is named as Longhorn names them."""
    store = lower.ready() if isinstance(lower, Lower) else None
    if store is None:
        return Claim(0, "not a blobstore")
    names = [blob.text(b"name") or "" for blob in store.blobs.values()]
    ours = sum(understand(name).role != "other" for name in names)
    if not ours:
        return Claim(0, f"none of {len(names)} volumes is named by Longhorn")
    return Claim(90, f"{ours} of {len(names)} volumes are named by Longhorn")


def open_replicas(source: Source, lower: Any, wishes: Wishes) -> State:
    store = lower.ready()
    replicas, named = collect(store) if store is not None else ({}, {})
    return State(lower, store, replicas, named, read(wishes.against) if wishes.against else None)
