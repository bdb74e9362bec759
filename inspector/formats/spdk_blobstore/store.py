"""A store as its metadata tells it: blobs, the snapshot tree, who owns each page and cluster, what nobody owns."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field

from inspector.formats.spdk_blobstore import blobs as bl
from inspector.formats.spdk_blobstore import layout as lay
from inspector.formats.spdk_blobstore import page as pg
from inspector.formats.spdk_blobstore.bits import Bits
from inspector.formats.spdk_blobstore.clustermap import HOLE, UNKNOWN, Run, Slot, own_runs, resolve
from inspector.formats.spdk_blobstore.disk import Disk
from inspector.formats.spdk_blobstore.region import Region
from inspector.formats.spdk_blobstore.superblock import Geometry

KEEP = 10_000  # double claims, bad entries: counted exactly, this many kept
CACHE = 512  # extent pages held decoded


@dataclass(frozen=True, slots=True)
class ExtentFault:
    """An extent page that a blob needs and that cannot be used; `at` is the first of its 512 clusters."""

    blob: int
    page: int
    at: int
    why: str


@dataclass(frozen=True, slots=True)
class Shared:
    """A cluster that two maps claim."""

    cluster: int
    owners: tuple[int, ...]


@dataclass(slots=True)
class Store:
    disk: Disk
    geometry: Geometry
    region: Region
    blobs: dict[int, bl.Blob] = field(default_factory=dict)
    owner: dict[int, int] = field(default_factory=dict)  # chain page -> blob
    left_out: int = 0
    children: dict[int, list[int]] = field(default_factory=dict)
    extent_owners: dict[int, list[int]] = field(default_factory=dict)
    extent_faults: list[ExtentFault] = field(default_factory=list)
    out_of_range: list[tuple[int, int, int]] = field(default_factory=list)  # blob, its cluster, cluster on disk
    thick_holes: list[int] = field(default_factory=list)  # blobs
    used: Bits = field(default_factory=Bits)  # clusters, those of the metadata included
    pages: Bits = field(default_factory=Bits)  # roots, chains, extent pages in use
    shared: list[Shared] = field(default_factory=list)
    shared_count: int = 0
    orphan_extents: list[int] = field(default_factory=list)
    orphan_chains: dict[int, list[int]] = field(default_factory=dict)  # blob id -> pages by sequence
    overclaimed: list[int] = field(default_factory=list)  # blobs whose run-length map names more than there is
    total: int = 0  # clusters, those of the metadata included
    first_data: int = 0
    _cache: dict[int, pg.Body] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.total = self.geometry.total_clusters(self.disk.size)
        self.first_data = self.geometry.first_data_cluster

    def in_range(self, cluster: int) -> bool:
        return self.first_data <= cluster < self.total

    def page_at(self, index: int) -> int:
        return self.geometry.md_at(index)

    def read_page(self, index: int) -> bytes:
        return self.disk.read(self.page_at(index), lay.PAGE).ljust(lay.PAGE, b"\0")

    def extent_body(self, index: int) -> pg.Body:
        body = self._cache.get(index)
        if body is None:
            if len(self._cache) >= CACHE:
                self._cache.clear()
            body = self._cache[index] = pg.read_body(self.read_page(index))
        return body

    def slots(self, blob: bl.Blob) -> Iterator[Slot | Run]:
        """The blob's map as stored: runs of its run-length list, or extent pages in order."""
        at = 0
        for first, count in zip(blob.runs[::2], blob.runs[1::2], strict=False):
            if blob.mapping == "rle":
                yield Run(at, count, first)
                at += count
            elif first == 0:
                yield Run(at, count * lay.PER_EXTENT_PAGE, HOLE)
                at += count * lay.PER_EXTENT_PAGE
            else:
                yield self.slot(first, at)
                at += lay.PER_EXTENT_PAGE

    def slot(self, page: int, at: int) -> Slot:
        state = self.region.state_of(page) if page < self.geometry.md_len else -1
        if state != pg.EXTENT:
            what = "lies outside the metadata" if state < 0 else f"is not an extent page ({pg.STATE_NAMES[state]})"
            return Slot(at, page, None, f"extent page {page} {what}")
        body = self.extent_body(page)
        if body.extent_start != at or body.problems:
            why = f"extent page {page} is for clusters from {body.extent_start}, not {at}"
            return Slot(at, page, None, body.problems[0] if body.problems else why)
        return Slot(at, page, body.extent)

    def own(self, blob: bl.Blob) -> Iterator[Run]:
        """The blob's own clusters in runs, without its parents'."""
        return own_runs(blob, self.slots, self.in_range)

    def size_of(self, blob: bl.Blob) -> int:
        """Clusters of the blob; where its size is lost, those that its map still names."""
        if blob.clusters is not None:
            return blob.clusters
        return sum(blob.runs[1::2]) * (1 if blob.mapping == "rle" else lay.PER_EXTENT_PAGE)

    def chain(self, blob: bl.Blob) -> tuple[list[bl.Blob], str]:
        """The blob and its parents, and why what the last one lacks is unknown ("" where it is zeroes)."""
        found, seen = [blob], {blob.id}
        while True:
            last = found[-1]
            if last.external is not None:
                return found, "it lies in an external snapshot"
            if last.broken and not last.attached and bl.SNAP not in last.internal and last.thin:
                return found, f"the page that may name the parent of {last.name} is lost"
            parent = last.parent
            if parent is None:
                return found, ""
            if parent in seen:
                return found, f"the chain of snapshots runs in a circle at 0x{parent:x}"
            following = self.blobs.get(parent)
            if following is None:
                return found, f"its snapshot 0x{parent:x} is lost"
            found.append(following)
            seen.add(parent)

    def circles(self) -> set[int]:
        """Blobs whose chain of parents leads back to themselves; linear in their number."""
        found: set[int] = set()
        done: set[int] = set()
        for start in self.blobs:
            path: dict[int, int] = {}
            at: int | None = start
            while at is not None and at in self.blobs and at not in done and at not in path:
                path[at] = len(path)
                at = self.blobs[at].parent
            if at is not None and at in path:
                found.update(blob for blob, place in path.items() if place >= path[at])
            done.update(path)
        return found

    def content(self, blob: bl.Blob) -> Iterator[Run]:
        """The logical content in runs of clusters, resolved through the chain."""
        chain, bottom = self.chain(blob)
        sizes = [self.size_of(b) for b in chain]
        return resolve([lambda b=b: self.own(b) for b in chain], sizes, bottom)  # type: ignore[misc]

    def allocated(self, blob: bl.Blob) -> int:
        return sum(run.count for run in self.own(blob) if run.cluster > 0)


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
    store.used.add_range(0, min(store.first_data, store.total))
    twice = Bits()
    budget = 2 * store.total + (1 << 14)  # a healthy store names each cluster once, a half-done snapshot twice
    for blob in store.blobs.values():
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
    for number, cluster in enumerate(slot.words):
        if low <= cluster < high:
            if add(cluster):
                twice.add(cluster)
        elif cluster:
            _note_bad(store, blob, slot.at + number, cluster)


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
    for row, kind in enumerate(store.region.kind):
        page = store.region.index[row]
        if kind == pg.EXTENT and page not in store.extent_owners:
            store.orphan_extents.append(page)
        elif kind == pg.CONT and page not in store.owner:
            spare.setdefault(store.region.id[row], []).append((store.region.sequence[row], page))
    store.orphan_chains = {blob: [page for _, page in sorted(found)] for blob, found in spare.items()}


def runs_of(words: array[int]) -> Iterator[tuple[int, int]]:
    """(first cluster, count) of ascending runs in an extent page, holes left out."""
    start, length = 0, len(words)
    while start < length:
        stop = start + 1
        while stop < length and words[start] and words[stop] == words[start] + stop - start:
            stop += 1
        if words[start]:
            yield words[start], stop - start
        start = stop


__all__ = ["HOLE", "UNKNOWN", "ExtentFault", "Run", "Shared", "Store", "build", "runs_of"]
