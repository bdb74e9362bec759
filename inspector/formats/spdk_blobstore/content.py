"""What a volume holds: extents with their proof, the first bytes, a manifest of checksums."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from inspector.format import Extent, Proof
from inspector.formats.spdk_blobstore.blobs import Blob
from inspector.formats.spdk_blobstore.clustermap import HOLE, UNKNOWN, Run
from inspector.formats.spdk_blobstore.crc64 import crc64
from inspector.formats.spdk_blobstore.lost import find_lost
from inspector.formats.spdk_blobstore.names import find
from inspector.formats.spdk_blobstore.state import State
from inspector.formats.spdk_blobstore.store import Store
from inspector.formats.spdk_blobstore.verify import Verdict, verify_snapshot

MAX_MANIFEST = 1 << 16  # lines


def extents(state: State, wanted: str) -> Iterator[Extent]:
    """The logical content of an item, in runs from 0 to its size."""
    store = state.ready()
    if store is None:
        return
    blob = find(store, wanted)
    if blob is not None:
        proof = _proofs(state, store)
        for run in _split(store.content(blob), _contested(state, store)):
            yield from _extents(state, store, run, proof)
        return
    lost = next((found for found in find_lost(store) if found.id == wanted), None)
    if lost is not None:
        for run in lost.runs:
            yield from _extents(state, store, run, lambda owner: ("placed", lost.why))


def _extents(state: State, store: Store, run: Run, proof: Callable[[int], tuple[Proof, str]]) -> Iterator[Extent]:
    """The run's content; of one that the end of the image cuts in two the part that is here is as good as any."""
    size = store.geometry.cluster_size
    start, length = run.at * size, run.count * size
    if run.cluster == HOLE:
        yield Extent(start, length, None, "derived")
        return
    if run.cluster < 0:
        yield Extent(start, length, None, "none", run.why)
        return
    at = store.geometry.cluster_at(run.cluster)
    here = min(length, max(0, state.disk.size - at))
    if here:
        how, why = proof(run.owner)
        yield Extent(start, here, state.disk.span(at, at + here), how, why)
    if here < length:
        yield Extent(start + here, length - here, None, "none", "it lies beyond the end of the image")


def _proofs(state: State, store: Store) -> Callable[[int], tuple[Proof, str]]:
    """How well each owner's clusters are proved; snapshots with a checksum are read and verified once."""
    known: dict[int, tuple[Proof, str]] = {}

    def proof(owner: int) -> tuple[Proof, str]:
        if owner not in known:
            known[owner] = _judge(state, store, owner)
        return known[owner]

    return proof


def _contested(state: State, store: Store) -> dict[int, str]:
    """Clusters that two volumes name without a half-done snapshot between them, and why they prove nothing."""
    if "unsealed" in state.wishes.accept:
        return {}
    pairs = {frozenset((half.blob, half.other)) for half in state.half}
    found = {}
    for shared in store.shared:
        if frozenset(shared.owners) not in pairs:
            names = " and ".join(store.blobs[owner].name for owner in dict.fromkeys(shared.owners))
            found[shared.cluster] = f"cluster {shared.cluster} is in the maps of {names} (--accept unsealed)"
    return found


def _split(runs: Iterator[Run], contested: dict[int, str]) -> Iterator[Run]:
    """The same runs, with the contested clusters as unknown runs of their own."""
    for run in runs:
        inside = list(_clusters_of(run, contested)) if run.cluster > 0 and contested else []
        at = run.cluster
        for cluster in sorted(inside):
            if cluster > at:
                yield Run(run.at + at - run.cluster, cluster - at, at, "", run.owner)
            yield Run(run.at + cluster - run.cluster, 1, UNKNOWN, contested[cluster], run.owner)
            at = cluster + 1
        if not inside:
            yield run
        elif at < run.cluster + run.count:
            yield Run(run.at + at - run.cluster, run.cluster + run.count - at, at, "", run.owner)


def _clusters_of(run: Run, contested: dict[int, str]) -> Iterator[int]:
    end = run.cluster + run.count
    if run.count < len(contested):
        return (c for c in range(run.cluster, end) if c in contested)
    return (c for c in contested if run.cluster <= c < end)


def _judge(state: State, store: Store, owner: int) -> tuple[Proof, str]:
    blob = store.blobs[owner]
    if not state.trusted:
        return "none", "the cluster size is not certain (--cluster-size)"
    if (blob.refused or blob.id in store.overclaimed) and "unsealed" not in state.wishes.accept:
        return "none", f"the metadata of {blob.name} contradicts itself (--accept unsealed)"
    verdict: Verdict | None = verify_snapshot(store, blob)
    if verdict is None:
        return "placed", ""
    return ("sealed", "") if verdict.ok else ("placed", "the snapshot does not match its checksum")


def reader(store: Store, blob: Blob) -> Callable[[int, int], bytes]:
    """Reads of the first clusters of a volume's content; zeroes where nothing is known."""
    size = store.geometry.cluster_size
    head: list[Run] = []
    for run in store.content(blob):
        head.append(run)
        if run.end * size >= 1 << 17 or len(head) >= 64:
            break

    def read(at: int, n: int) -> bytes:
        for run in head:
            if run.at * size <= at < run.end * size and run.cluster > 0:
                return store.disk.read(store.geometry.cluster_at(run.cluster) + at - run.at * size, n)
        return bytes(n)

    return read


def manifest_unit(clusters: int) -> int:
    """Clusters per line of a manifest: 1, or the power of two that keeps it within MAX_MANIFEST lines."""
    return 1 << max(0, -(-clusters // MAX_MANIFEST) - 1).bit_length()


def manifest(store: Store, blob: Blob) -> Iterator[tuple[int, int]]:
    """(first cluster, CRC-64) for each unit that is not zero; unknown clusters are left out.

    A unit of one cluster has the CRC-64 of its content, as Longhorn computes it. A larger one has it over each
    cluster that is not zero, its number (8 bytes, little-endian) before its content.
    """
    size, unit = store.geometry.cluster_size, manifest_unit(store.size_of(blob))
    first, state = -1, 0
    for run in store.content(blob):
        for number in range(run.count if run.cluster > 0 else 0):
            data = store.disk.read(store.geometry.cluster_at(run.cluster + number), size)
            if data.count(0) == len(data):
                continue
            cluster = run.at + number
            if cluster // unit * unit != first:
                if first >= 0:
                    yield first, state
                first, state = cluster // unit * unit, 0
            state = crc64(data) if unit == 1 else crc64(data, crc64(cluster.to_bytes(8, "little"), state))
    if first >= 0:
        yield first, state
