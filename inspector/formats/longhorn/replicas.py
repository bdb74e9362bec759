"""Replicas as Longhorn would build them from the lvols on disk: head, snapshot tree, active chain."""

from __future__ import annotations

from msgspec import Struct, field

from inspector.formats.longhorn.names import Named, understand
from inspector.formats.spdk_blobstore.blobs import Blob
from inspector.formats.spdk_blobstore.store import Store

OWN: frozenset[str] = frozenset({"snapshot", "system snapshot"})


class Replica(Struct):
    """`chain` is Longhorn's ActiveChain: base (or None), oldest snapshot ... newest, head; empty without a head."""

    name: str
    head: Blob | None = None
    snapshots: list[Blob] = field(default_factory=list)
    leftovers: list[Blob] = field(default_factory=list)  # rebuilding, expired, cloning
    chain: list[Blob | None] = field(default_factory=list)


def collect(store: Store) -> tuple[dict[str, Replica], dict[int, Named]]:
    """Replicas by name, and what the name of each lvol says."""
    replicas: dict[str, Replica] = {}
    named: dict[int, Named] = {}
    for blob in store.blobs.values():
        if blob.id == store.geometry.super_blob:
            continue
        what = named[blob.id] = understand(blob.text(b"name") or "")
        if what.role in ("other", "shard", "backing image", "clone entrypoint"):
            continue
        replica = replicas.setdefault(what.replica, Replica(what.replica))
        if what.role == "head":
            replica.head = replica.head or blob
        elif what.role in OWN:
            replica.snapshots.append(blob)
        else:
            replica.leftovers.append(blob)
    for replica in replicas.values():
        if replica.head is not None:
            replica.chain = _chain(store, named, replica, replica.head)
    return replicas, named


def _chain(store: Store, named: dict[int, Named], replica: Replica, head: Blob) -> list[Blob | None]:
    upward: list[Blob | None] = [head]
    seen, at = {head.id}, head
    base: Blob | None = None
    while at.parent is not None and at.parent in store.blobs and at.parent not in seen:
        at = store.blobs[at.parent]
        seen.add(at.id)
        what = named.get(at.id, Named("other"))
        if what.role not in OWN or what.replica != replica.name:
            base = at  # a backing image or a clone's entry point ends the chain
            break
        upward.append(at)
    return [base, *reversed(upward)]


def short_of(replica: Replica, blob: Blob | None) -> str | None:
    if blob is None:
        return None
    return "volume-head" if blob is replica.head else understand(blob.name).rest or blob.name
