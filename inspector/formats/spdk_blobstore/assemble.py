"""From a scanned region to a store: blobs, then who claims each page and cluster, then what nobody claims.

Each extent page is read once, however many blobs name it; work is linear in the metadata.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from itertools import filterfalse

from inspector.formats.spdk_blobstore import blobs as bl
from inspector.formats.spdk_blobstore import page as pg
from inspector.formats.spdk_blobstore.bits import Bits
from inspector.formats.spdk_blobstore.clustermap import HOLE, Run, Slot
from inspector.formats.spdk_blobstore.disk import Disk
from inspector.formats.spdk_blobstore.region import Region
from inspector.formats.spdk_blobstore.store import KEEP, ExtentFault, Shared, Store
from inspector.formats.spdk_blobstore.superblock import Geometry


def build(disk: Disk, geometry: Geometry, region: Region, accept: frozenset[str] = frozenset()) -> Store:
    """The store of a scanned region. `anchored` attaches pages that were found by id and sequence alone."""
    store = Store(disk, geometry, region)
    store.blobs, store.owner, store.left_out = bl.collect(disk, geometry, region)
    if "anchored" in accept:
        for blob in store.blobs.values():
            if blob.resumed:
                bl.attach(disk, geometry, blob)
                store.owner.update(dict.fromkeys(blob.pages, blob.id))
    for blob in store.blobs.values():
        if blob.parent is not None:
            store.children.setdefault(blob.parent, []).append(blob.id)
    for page in store.owner:
        store.pages.add(page)
    _claim_clusters(store)
    _find_orphans(store)
    return store


def _claim_clusters(store: Store) -> None:
    there = -(-store.disk.size // store.geometry.cluster_size)  # a super block may claim more than the disk has
    store.used.add_range(0, min(store.first_data, store.total, there))
    twice = Bits()
    budget = 2 * store.total + (1 << 14)  # a healthy store names each cluster once, a half-done snapshot twice
    pages = 2 * store.geometry.md_len + (1 << 10)  # and each page of its metadata once
    for blob in store.blobs.values():
        named = sum(map(bool, blob.runs[::2])) if blob.mapping == "table" else 0
        if named > min(store.geometry.md_len, pages):
            store.overclaimed.append(blob.id)
            continue
        pages -= named
        budget = _claim_blob(store, blob, twice, budget)
    store.shared_count = twice.count
    if twice.count:
        store.shared = _who_shares(store, twice)


def _claim_blob(store: Store, blob: bl.Blob, twice: Bits, budget: int) -> int:
    runs = zip(blob.runs[::2], blob.runs[1::2], strict=False) if blob.mapping == "rle" else ()
    if sum(count for cluster, count in runs if cluster) > min(store.total, budget):
        store.overclaimed.append(blob.id)
        return budget
    for part in store.slots(blob):
        if isinstance(part, Run):
            if part.cluster == HOLE:
                if part.count and part.at < store.size_of(blob):
                    _note_hole(store, blob)
            elif not store.in_range(part.cluster) or not store.in_range(part.cluster + part.count - 1):
                _note_bad(store, blob, part.at, part.cluster)
            else:
                budget -= part.count
                _mark(store, range(part.cluster, part.cluster + part.count), twice)
        elif part.words is None:
            store.extent_faults.append(ExtentFault(blob.id, part.page, part.at, part.why))
        else:
            owners = store.extent_owners.setdefault(part.page, [])
            if len(owners) < 8:
                owners.append(blob.id)
            if len(owners) == 1:
                store.pages.add(part.page)
                _claim_extent(store, blob, part, twice)
            else:
                _mark(store, (c for c in part.words if c and store.in_range(c)), twice)
    return budget


def _claim_extent(store: Store, blob: bl.Blob, slot: Slot, twice: Bits) -> None:
    assert slot.words is not None
    if not blob.thin and 0 in slot.words[: max(0, (blob.clusters or 0) - slot.at)]:
        _note_hole(store, blob)
    low, high, add = store.first_data, store.total, store.used.add
    if _one_run(slot.words, low, high) and store.used.take(slot.words[0], slot.words[-1] + 1):
        return
    for number, cluster in enumerate(slot.words):
        if low <= cluster < high:
            if add(cluster):
                twice.add(cluster)
        elif cluster:
            _note_bad(store, blob, slot.at + number, cluster)


def _one_run(words: array[int], low: int, high: int) -> bool:
    """Clusters that follow each other, as a volume gets that is written from its start to its end."""
    if not words or not low <= words[0] <= words[-1] < high or words[-1] - words[0] != len(words) - 1:
        return False
    return words == array("I", range(words[0], words[-1] + 1))


def _mark(store: Store, clusters: Iterator[int] | range, twice: Bits) -> None:
    for cluster in clusters:
        if store.used.add(cluster):
            twice.add(cluster)


def _note_hole(store: Store, blob: bl.Blob) -> None:
    if not blob.thin and (not store.thick_holes or store.thick_holes[-1] != blob.id):
        store.thick_holes.append(blob.id)


def _note_bad(store: Store, blob: bl.Blob, at: int, cluster: int) -> None:
    if len(store.out_of_range) < KEEP:
        store.out_of_range.append((blob.id, at, cluster))


def _who_shares(store: Store, twice: Bits) -> list[Shared]:
    owners: dict[int, list[int]] = {}
    wanted = set()
    for cluster in twice:
        wanted.add(cluster)
        if len(wanted) >= KEEP:
            break
    for blob in store.blobs.values():
        for run in store.own(blob):
            if run.cluster > 0:
                low = run.cluster
                hits = wanted if run.count > len(wanted) else range(low, low + run.count)
                for cluster in hits:
                    if low <= cluster < low + run.count and cluster in wanted:
                        found = owners.setdefault(cluster, [])
                        if len(found) < 8:
                            found.append(blob.id)
    return [Shared(cluster, tuple(owners.get(cluster, ()))) for cluster in sorted(wanted)]


def _find_orphans(store: Store) -> None:
    spare: dict[int, list[tuple[int, int]]] = {}
    region = store.region
    pages = map(region.index.__getitem__, region.rows(pg.EXTENT))
    store.orphan_extents = list(filterfalse(store.extent_owners.__contains__, pages))
    for row in region.rows(pg.CONT):
        if region.index[row] not in store.owner:
            spare.setdefault(region.id[row], []).append((region.sequence[row], region.index[row]))
    store.orphan_chains = {blob: [page for _, page in sorted(found)] for blob, found in spare.items()}
