"""Geometry when the super block is lost: it has no copy, but the pages and masks around it bear it out.

Roots name their own index, so the start of the metadata region is where most of them agree. Masks that were
ever written give its length and the number of clusters. Without masks every cluster size is tried: its layout
must put the metadata where it is, its clusters must hold what the maps name, and a snapshot's CRC-64 decides.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from msgspec import Struct, field
from msgspec.structs import replace

from inspector.counted import counted
from inspector.formats.spdk_blobstore import layout as lay
from inspector.formats.spdk_blobstore import page as pg
from inspector.formats.spdk_blobstore import superblock as sb
from inspector.formats.spdk_blobstore.assemble import build
from inspector.formats.spdk_blobstore.blobs import Blob
from inspector.formats.spdk_blobstore.clustermap import Run
from inspector.formats.spdk_blobstore.disk import Disk
from inspector.formats.spdk_blobstore.region import Region, scan
from inspector.formats.spdk_blobstore.store import Store
from inspector.formats.spdk_blobstore.superblock import Geometry
from inspector.formats.spdk_blobstore.verify import verify_snapshot

PAGE_SIZES = (4096, 8192, 16384, 32768, 65536)
CLUSTER_SIZES = tuple(1 << n for n in range(12, 31))
IO_UNIT = 4096  # what Longhorn's aio disks have; NVMe disks may have 512, which nothing else on disk tells
PREFERRED = (1 << 20, 4 << 20)  # Longhorn's disks; SPDK's default
FIRST_LOOK = 16 << 20  # bytes searched for roots by a claim
DEEP_LOOK = 1 << 30  # bytes searched where the first look found nothing: masks of a store with tiny clusters
PROBE = 64 << 10
MAX_PROBED = 32 << 20  # bytes of clusters in use that are looked at for each geometry of a disk without holes
MAX_CHECKED = 1 << 30  # bytes of snapshots checksummed to tell geometries apart


class Candidate(Struct):
    """A geometry that fits, and what speaks for it; `proved` by a checksum over its clusters or by masks."""

    geometry: Geometry
    because: list[str] = field(default_factory=list)
    proved: bool = False
    outside: int = 0  # bytes of data that no map explains
    empty: int = 0  # bytes of clusters in use that are holes
    failed: int = 0  # snapshots whose checksum does not hold
    strange: int = 0  # pages of the metadata, behind all in use, that hold something else: data, if it is shorter
    apart: int = 0  # clusters between the metadata and the first in use; the lowest free one is always taken next

    @property
    def usual(self) -> bool:
        """Whether one page of metadata per cluster, as programs make stores by default, explains what is there."""
        return not self.strange and (not self.apart or self.geometry.cluster_size in PREFERRED)

    @property
    def rank(self) -> tuple[bool, int, int, bool, int, int]:
        size = self.geometry.cluster_size
        return (
            not self.proved,
            self.failed,
            self.strange,
            not self.usual,
            self.outside + self.empty,
            PREFERRED.index(size) if size in PREFERRED else len(PREFERRED),
        )


def find_roots(disk: Disk, limit: int) -> dict[int, int]:
    """Sealed root pages in the first `limit` bytes: place -> the page index that its id claims."""
    found: dict[int, int] = {}
    for at, piece in disk.named(limit):
        if piece[8:12] != b"\0\0\0\0" or piece[lay.DESCRIPTORS_AT] != lay.FLAGS:
            continue
        if pg.checksum(piece) == int.from_bytes(piece[lay.BODY :], "little"):
            found[at] = int.from_bytes(piece[:4], "little")
    return found


def md_start(roots: dict[int, int]) -> tuple[int, int] | None:
    """(byte where the metadata starts, page size) that most roots agree on."""
    votes: Counter[tuple[int, int]] = Counter()
    for at, index in roots.items():
        for size in PAGE_SIZES:
            base = at - index * size
            if base > 0 and base % size == 0:
                votes[base, size] += 1
    if not votes:
        return None
    best = max(votes.values())
    return min((key for key, count in votes.items() if count == best), key=lambda key: (key[1], key[0]))


def candidates(disk: Disk, wanted: int | None = None) -> list[Candidate]:
    """Every geometry that fits, the best first; `wanted` is a cluster size that the user gives."""
    roots = find_roots(disk, FIRST_LOOK) or find_roots(disk, DEEP_LOOK)
    start = md_start(roots)
    if start is None:
        return []
    base, page = start
    bare = Geometry(
        3,
        0,
        lay.NO_BLOB,
        0,
        (1, 0),
        (0, 0),
        base // page,
        0,
        bytes(16),
        (0, 0),
        disk.size,
        IO_UNIT,
        0 if page == lay.PAGE else page,
    )
    masked = list(_from_masks(disk, bare, wanted))
    found = masked or list(_from_layout(disk, bare, wanted))
    highest = max(index for at, index in roots.items() if at == base + index * page)
    fitting = [c for c in found if c.geometry.md_len > highest and _fits(disk, c)]
    if not any(_from_masks(disk, bare, None)) and not any(c.usual for c in fitting):
        sizes = {c.geometry.cluster_size for c in fitting}
        other = (c for c in _from_ratio(disk, bare, wanted) if c.geometry.cluster_size not in sizes)
        fitting += [c for c in other if _fits(disk, c)]
    if any(c.proved for c in fitting):
        fitting = [c for c in fitting if c.proved]
    return sorted(fitting, key=lambda c: c.rank)


def _from_masks(disk: Disk, bare: Geometry, wanted: int | None) -> Iterator[Candidate]:
    """The masks say how many pages and clusters there are; only one power of two gives that many clusters."""
    page = bare.page_size
    kind, md_len = _mask_head(disk, page)
    pages = sb.mask_pages(md_len, page)
    if kind != 0 or not md_len or 1 + 2 * pages > bare.md_start:
        return
    kind, total = _mask_head(disk, (1 + pages) * page)
    ids, id_bits = _mask_head(disk, (bare.md_start - pages) * page)
    if kind != 1 or not total or ids != 2 or id_bits != md_len:
        return
    for size in [wanted] if wanted else CLUSTER_SIZES:
        if size >= page and disk.size // size == total:
            yield Candidate(
                _complete(bare, size, md_len, total), [f"masks name {md_len} pages, {total} clusters"], True
            )


def _mask_head(disk: Disk, at: int) -> tuple[int, int]:
    data = disk.read(at, sb.MASK_HEAD).ljust(sb.MASK_HEAD, b"\0")
    kind, length = lay.MASK_HEADER.fast().unpack(data)
    return int(kind), int(length)


def _from_layout(disk: Disk, bare: Geometry, wanted: int | None) -> Iterator[Candidate]:
    for size in [wanted] if wanted else CLUSTER_SIZES:
        total = disk.size // size
        if size < bare.page_size or size % bare.page_size or not total:
            continue
        geometry = _complete(bare, size, total, total)  # lvolstores have one metadata page per cluster
        if (bare.md_start + total) * bare.page_size > disk.size:
            continue  # with clusters as small as pages, that is all the disk has
        if geometry.cluster_mask[0] + geometry.cluster_mask[1] + geometry.blobid_mask[1] == bare.md_start:
            yield Candidate(geometry, [f"clusters of {size} bytes put the metadata at page {bare.md_start}"])


def _from_ratio(disk: Disk, bare: Geometry, wanted: int | None) -> Iterator[Candidate]:
    """Stores made with another number of metadata pages per cluster: they end before the first cluster in use."""
    page = bare.page_size
    here = (min(disk.size, FIRST_LOOK) - bare.md_at(0)) // page
    region, all_here = Region(), replace(bare, cluster_size=page, md_len=max(1, here))
    for _ in scan(disk, all_here, region):
        pass
    store = build(disk, all_here, region)
    lowest = _lowest_used(store)
    for size in [wanted] if wanted else CLUSTER_SIZES:
        total = disk.size // size
        if size < page or size % page or not total or not lowest:
            continue
        for pages in range(1, (bare.md_start - 1) // 3 + 1):  # of a mask over the metadata
            md_len = min(lowest * size // page - bare.md_start, (pages * page - sb.MASK_HEAD) * 8)
            reserved = 2 * pages + max(pages, sb.mask_pages(total, page))
            if md_len > _last_used(store) and sb.mask_pages(md_len, page) == pages and reserved + 1 == bare.md_start:
                because = f"clusters of {size} bytes leave {md_len} pages for the metadata before the first in use"
                yield Candidate(_complete(bare, size, md_len, total), [because])


def _lowest_used(store: Store) -> int:
    """The lowest cluster that a map names; 0 where none names any. Maps made to cost much are not asked."""
    refused = set(store.overclaimed)
    mapped = (blob for blob in store.blobs.values() if blob.id not in refused)
    return min((c for blob in mapped for c in _first_clusters(store, blob)), default=0)


def _first_clusters(store: Store, blob: Blob) -> Iterator[int]:
    """The lowest cluster of each part of a map, whatever the store has."""
    for part in store.slots(blob):
        named = [part.cluster] if isinstance(part, Run) else part.words or ()
        if lowest := min((cluster for cluster in named if cluster > 0), default=0):
            yield lowest


def _last_used(store: Store) -> int:
    """The highest page of metadata that a blob needs."""
    return max(max(store.owner, default=-1), max(store.extent_owners, default=-1))


def _complete(bare: Geometry, cluster_size: int, md_len: int, total: int) -> Geometry:
    page = bare.page_size
    pages = sb.mask_pages(md_len, page)
    return Geometry(
        3, 0, bare.super_blob, cluster_size, (1, pages), (1 + pages, sb.mask_pages(total, page)), bare.md_start, md_len,
        bare.bstype, (bare.md_start - pages, pages), bare.size, bare.io_unit_size, bare.md_page_size,
    )  # fmt: skip


def _fits(disk: Disk, candidate: Candidate) -> bool:
    """Scan under this geometry: no map may name what it does not have; snapshots may prove it. Completes it."""
    region = Region()
    for _ in scan(disk, candidate.geometry, region):
        pass
    store = build(disk, candidate.geometry, region)
    beyond = any(fault.page >= candidate.geometry.md_len for fault in store.extent_faults)
    if not store.blobs or store.out_of_range or store.overclaimed or beyond:
        return False
    candidate.geometry = _name(candidate.geometry, store)
    candidate.outside, candidate.empty = _data_against_use(store)
    behind = _last_used(store) + 1
    candidate.strange = sum(max(0, end - max(start, behind)) for start, end, _ in region.runs(pg.BAD))
    candidate.apart = max(0, _lowest_used(store) - store.first_data)
    verdicts = [v for blob in store.blobs.values() if (v := verify_snapshot(store, blob, MAX_CHECKED)) is not None]
    if any(v.ok for v in verdicts):
        candidate.proved = True
        candidate.because.append(f"the checksum of {counted(sum(v.ok for v in verdicts), 'snapshot')} holds")
    elif verdicts:
        candidate.because.append(f"the checksum of {counted(len(verdicts), 'snapshot')} does not hold")
        candidate.failed = len(verdicts)
    if candidate.apart:
        candidate.because.append(f"{candidate.apart} clusters before the first in use are free")
    if candidate.strange:
        candidate.because.append(f"{candidate.strange} pages at the end of its metadata hold something else")
    candidate.because.append(
        f"{candidate.outside} bytes of data lie outside the clusters in use, {candidate.empty} bytes in use are empty"
    )
    return True


def _name(geometry: Geometry, store: Store) -> Geometry:
    """The super blob is the root with name and uuid that has no clusters; it is lost where only volumes have both."""
    for blob in store.blobs.values():
        if {b"name", b"uuid"} <= blob.xattrs.keys() and blob.clusters == 0 and not blob.thin:
            return replace(geometry, super_blob=blob.id, bstype=sb.LVOLSTORE)
    if any({b"name", b"uuid"} <= blob.xattrs.keys() for blob in store.blobs.values()):
        return replace(geometry, super_blob=pg.root_id(0), bstype=sb.LVOLSTORE)  # which is made first
    return geometry


def _data_against_use(store: Store) -> tuple[int, int]:
    """Bytes of data in clusters that nobody uses, and of clusters in use that are empty; without holes only these."""
    size = store.geometry.cluster_size
    begin, end = store.first_data * size, store.disk.size
    if next(iter(store.disk.data_ranges(begin, end)), None) == (begin, end):
        return 0, _zeroes_in_use(store)
    outside, filled, seen = 0, 0, -1
    for low, high in store.disk.data_ranges(store.first_data * size, store.disk.size):
        first, last = low // size, -(-high // size)
        if last - first > 1 << 20:
            return 0, 0  # a device that knows no holes tells nothing
        for cluster in range(first, last):
            if cluster not in store.used:
                outside += min(high, (cluster + 1) * size) - max(low, cluster * size)
            elif cluster != seen:
                filled, seen = filled + 1, cluster
    return outside, (store.used.count - min(store.first_data, store.total) - filled) * size


def _zeroes_in_use(store: Store) -> int:
    """Bytes of the first clusters in use that hold nothing but zeroes."""
    size, left, empty = store.geometry.cluster_size, MAX_PROBED, 0
    for run in (run for blob in store.blobs.values() for run in store.own(blob) if run.cluster > 0):
        for cluster in range(run.cluster, run.cluster + run.count):
            start = store.geometry.cluster_at(cluster)
            for at in range(start, start + size, PROBE):
                if left <= 0:
                    return empty
                data = store.disk.read(at, min(PROBE, start + size - at))
                left -= len(data) or PROBE
                if data.count(0) < len(data):
                    break
            else:
                empty += size
    return empty
