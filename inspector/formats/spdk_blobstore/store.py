"""A store as its metadata tells it: blobs, the snapshot tree, who owns each page and cluster, what nobody owns."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct, field

from inspector.formats.spdk_blobstore import blobs as bl
from inspector.formats.spdk_blobstore import layout as lay
from inspector.formats.spdk_blobstore import page as pg
from inspector.formats.spdk_blobstore.bits import Bits
from inspector.formats.spdk_blobstore.clustermap import HOLE, NO_LIMIT, UNKNOWN, Run, Slot, own_runs, resolve
from inspector.formats.spdk_blobstore.disk import Disk
from inspector.formats.spdk_blobstore.region import Region
from inspector.formats.spdk_blobstore.superblock import Geometry

KEEP = 10_000  # double claims, bad entries: counted exactly, this many kept
EXTERNAL = "it lies in an external snapshot"  # why content is unknown that another device has
CACHE = 512  # extent pages held decoded


class ExtentFault(Struct, frozen=True):
    """An extent page that a blob needs and that cannot be used; `at` is the first of its 512 clusters."""

    blob: int
    page: int
    at: int
    why: str


class Shared(Struct, frozen=True):
    """A cluster that two maps claim."""

    cluster: int
    owners: tuple[int, ...]


class Store(Struct):
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
    _lineage: dict[int, tuple[int, str]] = field(default_factory=dict)

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
        """Clusters of the blob; where its size is lost, the best guess: what a lost page, its map or its tree says."""
        if blob.clusters is not None:
            return blob.clusters
        known = sum(blob.runs[1::2]) * (1 if blob.mapping == "rle" else lay.PER_EXTENT_PAGE)
        for page in blob.resumed:
            known = max(known, pg.read_body(self.read_page(page)).table_clusters or 0)
        family = [self.blobs.get(other) for other in (blob.parent or 0, *self.children.get(blob.id, ())[:64])]
        return max(1, known, *(other.clusters or 0 for other in family if other is not None))

    def chain(self, blob: bl.Blob) -> tuple[list[bl.Blob], str]:
        """The blob and its parents, and why what the last one lacks is unknown ("" where it is zeroes)."""
        found, seen = [blob], {blob.id}
        while True:
            why = self._ends(found[-1])
            parent = found[-1].parent
            if why or parent is None:
                return found, why
            if parent in seen:
                return found, f"the chain of snapshots runs in a circle at 0x{parent:x}"
            found.append(self.blobs[parent])
            seen.add(parent)

    def _ends(self, last: bl.Blob) -> str:
        """Why nothing is known below a blob."""
        if last.external is not None:
            return EXTERNAL
        if last.broken and not last.attached and bl.SNAP not in last.internal and last.thin:
            return f"the page that may name the parent of {last.name} is lost"
        if last.parent is not None and last.parent not in self.blobs:
            return f"its snapshot 0x{last.parent:x} is lost"
        return ""

    def lineage(self, blob: bl.Blob) -> tuple[int, str]:
        """How many parents a blob has, and what `chain` says about their end; linear over all blobs together."""
        path: list[bl.Blob] = []
        at: bl.Blob | None = blob
        here: set[int] = set()
        depth, why = -1, ""
        while at is not None:
            if at.id in self._lineage:
                depth, why = self._lineage[at.id]
                break
            if at.id in here:
                why = f"the chain of snapshots runs in a circle at 0x{at.id:x}"
                break
            here.add(at.id)
            path.append(at)
            why = self._ends(at)
            at = None if why or at.parent is None else self.blobs[at.parent]
        for one in reversed(path):
            depth += 1
            self._lineage[one.id] = (depth, why)
        return self._lineage[blob.id]

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
        sizes = [self.size_of(blob), *(b.clusters if b.clusters is not None else NO_LIMIT for b in chain[1:])]
        return resolve([lambda b=b: self.own(b) for b in chain], sizes, bottom)  # type: ignore[misc]

    def allocated(self, blob: bl.Blob) -> int:
        return sum(run.count for run in self.own(blob) if run.cluster > 0)


__all__ = ["EXTERNAL", "HOLE", "NO_LIMIT", "UNKNOWN", "ExtentFault", "Run", "Shared", "Store"]
