"""What tells two blobstores apart: volumes by name, and the clusters of each by their number in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from inspector.comparing import Described, Identities, Row, digest_of, key_of, pack
from inspector.formats.spdk_blobstore import layout as lay
from inspector.formats.spdk_blobstore.blobs import Blob
from inspector.formats.spdk_blobstore.merging import volume_of
from inspector.formats.spdk_blobstore.names import item_ids
from inspector.formats.spdk_blobstore.state import State
from inspector.formats.spdk_blobstore.store import Store
from inspector.holes import WINDOW
from inspector.span import Span

VOLUME, CLUSTER = 1, 2
_BATCH = 4096


def identities(state: State) -> Identities:
    """Each volume with its metadata, each cluster of its own (not of its snapshots) with its content."""
    store = state.ready()
    counts = {"unknown_clusters": 0}
    blobs = list(store.blobs.values()) if store is not None else []
    ids = _names(store) if store is not None else {}

    def rows() -> Iterator[list[bytes]]:
        if store is None:
            return
        for number, blob in enumerate(blobs):
            span = _root(state, store, blob)
            words = repr(sorted(_words(store, blob, ids).items())).encode()
            key = key_of(VOLUME, ids[blob.id].encode())
            yield [pack(key, digest_of(words), span.start, span.end, number << 32)]
            yield from _clusters(state, store, blob, ids[blob.id], number, counts)

    def describe(row: Row) -> Described:
        assert store is not None
        blob = blobs[row.extra >> 32]
        name, span = ids[blob.id], Span(row.start, row.end)
        if row.kind == VOLUME:
            return Described(name, span, _words(store, blob, ids))
        return Described(f"{name} {row.extra & 0xFFFFFFFF}", span, {"content": row.digest.hex()})

    return Identities({VOLUME: "volume", CLUSTER: "cluster"}, rows(), describe, counts)


def _names(store: Store) -> dict[int, str]:
    """The volumes' ids without what tells one replica from another, where that leaves them unique."""
    ids = item_ids(store)
    short = {blob: volume_of(name) for blob, name in ids.items()}
    times = Counter(short.values())
    named = {blob: short[blob] if times[short[blob]] == 1 else name for blob, name in ids.items()}
    return named | ({store.geometry.super_blob: "(store)"} if store.geometry.super_blob in ids else {})


def _root(state: State, store: Store, blob: Blob) -> Span:
    at = store.page_at(blob.root)
    return state.disk.span(at, at + lay.PAGE)


def _words(store: Store, blob: Blob, ids: dict[int, str]) -> dict[str, Any]:
    parent = blob.parent
    told: dict[str, Any] = {
        "uuid": blob.text(b"uuid"),
        "clusters": blob.clusters,
        "allocated": store.allocated(blob),
        "parent": ids.get(parent, f"0x{parent:x}") if parent is not None else None,
        "thin": blob.thin,
        "read_only": blob.read_only,
    }
    for name, value in sorted(blob.xattrs.items()):
        if name not in (b"name", b"uuid"):
            told[name.decode("utf-8", "backslashreplace")] = value.hex()
    return told


def _clusters(
    state: State, store: Store, blob: Blob, name: str, number: int, counts: dict[str, int]
) -> Iterator[list[bytes]]:
    size = store.geometry.cluster_size
    found: list[bytes] = []
    for run in store.own(blob):
        if run.cluster < 0:
            counts["unknown_clusters"] += run.count
        for i in range(run.count if run.cluster > 0 else 0):
            at = store.geometry.cluster_at(run.cluster + i)
            parts = (store.disk.read(at + step, min(WINDOW, size - step)) for step in range(0, size, WINDOW))
            key = key_of(CLUSTER, f"{name}\0{run.at + i}".encode())
            span = state.disk.span(at, min(at + size, state.disk.size))
            found.append(pack(key, digest_of(*parts), span.start, span.end, number << 32 | run.at + i))
            if len(found) >= _BATCH:
                yield found
                found = []
    yield found
