"""Content against checksums: Longhorn's `checksum` attribute of a snapshot, or one CRC-64 per cluster (type 7)."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterator
from itertools import accumulate

from msgspec import Struct

from inspector.formats.spdk_blobstore.blobs import Blob
from inspector.formats.spdk_blobstore.crc64 import crc64
from inspector.formats.spdk_blobstore.store import Store
from inspector.holes import WINDOW

CHECKSUM = b"checksum"


class Verdict(Struct, frozen=True):
    """Of a whole snapshot (`cluster` None) or one cluster of a blob, by its number in the blob."""

    blob: int
    stored: int
    computed: int
    cluster: int | None = None
    place: int = 0  # cluster on disk

    @property
    def ok(self) -> bool:
        return self.stored == self.computed


def verify_snapshot(store: Store, blob: Blob, limit: int | None = None) -> Verdict | None:
    """The `checksum` attribute covers the snapshot's own clusters in logical order; None where it cannot be held."""
    value = blob.xattrs.get(CHECKSUM)
    if value is None or len(value) != 8 or not blob.read_only or blob.refused:
        return None
    size, state, done = store.geometry.cluster_size, 0, 0
    for run in store.own(blob):
        if run.cluster < 0:
            return None
        for number in range(run.count if run.cluster else 0):
            if limit is not None and done > limit:
                return None
            state = _cluster(store, run.cluster + number, state)
            done += size
    return Verdict(blob.id, int.from_bytes(value, "little"), state)


def verify_clusters(store: Store, blob: Blob) -> Iterator[Verdict]:
    """Each allocated cluster against its entry of a type-7 descriptor."""
    if not blob.checksums:
        return
    ends = [*accumulate(count for _, count in blob.checksums)]
    for run in store.own(blob):
        for number in range(run.count if run.cluster > 0 else 0):
            at, place = run.at + number, run.cluster + number
            entry = bisect(ends, at)
            value = blob.checksums[entry][0] if entry < len(ends) else 0
            if value:
                yield Verdict(blob.id, value, _cluster(store, place, 0), at, place)


def _cluster(store: Store, cluster: int, state: int) -> int:
    size = store.geometry.cluster_size
    at = store.geometry.cluster_at(cluster)
    for offset in range(0, size, WINDOW):
        state = crc64(store.disk.read(at + offset, min(WINDOW, size - offset)), state)
    return state
