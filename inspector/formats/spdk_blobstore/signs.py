"""What a sound page or super block usually shows beyond its structure, and a flipped bit takes away.

A sign is evidence only where the corrected page shows it: see `inspector.correct.noticed_by`.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from inspector.formats.spdk_blobstore import layout as lay
from inspector.formats.spdk_blobstore import page as pg
from inspector.formats.spdk_blobstore import superblock as sb
from inspector.formats.spdk_blobstore.bits import Bits
from inspector.formats.spdk_blobstore.disk import Disk
from inspector.formats.spdk_blobstore.region import Region
from inspector.formats.spdk_blobstore.superblock import Geometry

MOST = 1 << 16  # clusters of one page that are looked up one by one
KNOWN = 1 << 23  # clusters that are looked at in masks and maps: a mebibyte of bits
METADATA_FLAGS = 7  # read-only, and two bits of how clusters are cleared (lib/blob/blobstore.h)
PAGES = 2048  # of which the clusters are gathered: a second of work
Sign = Callable[[bytes], bool]
_UUID = re.compile(rb"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\0*")
_NAME = re.compile(rb"[ -~]+\0*")
_KNOWN_NAMES = frozenset({b"name", b"uuid", b"SNAP", b"SNAPTMP", b"SNAPRM", b"EXTSNAP", b"esnap_id", b"BLOB_ESNAP"})


def page_signs(disk: Disk, geometry: Geometry, region: Region) -> tuple[Sign, ...]:
    """Of a metadata page: known flags and attributes, clusters that are there, in use, and in no other page."""
    marked = _marks(disk, geometry) if geometry.clean == 1 else None
    others = _others(disk, geometry, region)
    return (
        _dense,
        _flags,
        _tabled,
        _referring,
        _named,
        _texts,
        lambda data: _extents(data, region),
        lambda data: _clusters(data, disk, geometry),
        lambda data: _in_use(data, marked),
        lambda data: _apart(data, others),
    )


def super_signs(disk: Disk) -> tuple[Sign, ...]:
    """Of a super block: it describes this disk, as the code that makes one lays it out."""
    return (
        lambda data: sb.parse(data).bstype == sb.LVOLSTORE,
        lambda data: sb.parse(data).size == disk.size,
        lambda data: sb.parse(data).cluster_size.bit_count() == 1,
        lambda data: sb.parse(data).io_unit_size.bit_count() == 1,
        lambda data: sb.parse(data).version == 3,
        lambda data: sb.parse(data).md_page_size in (0, lay.PAGE),
        lambda data: _in_a_row(sb.parse(data)),
        lambda data: _one_page_a_cluster(sb.parse(data), disk.size),
        lambda data: _owner_there(disk, sb.parse(data)),
    )


def _dense(data: bytes) -> bool:
    """Descriptors in a row, zeroes behind them: padding that has a length is read over, and never written."""
    at, head = lay.DESCRIPTORS_AT, lay.DESCRIPTOR.fast()
    while at + head.size <= lay.DESCRIPTORS_END:
        kind, length = head.unpack_from(data, at)
        if kind == lay.PADDING:
            return not any(data[at : lay.DESCRIPTORS_END])
        at += head.size + length
    return True


def _flags(data: bytes) -> bool:
    """Flags that the lvol layer sets."""
    flags = pg.read_body(data).flags
    known = (lay.KNOWN_INVALID_FLAGS, lay.READ_ONLY, METADATA_FLAGS)
    return flags is not None and not any(value & ~mask for value, mask in zip(flags, known, strict=True))


def _tabled(data: bytes) -> bool:
    """A table of extents on the only page of a blob, where the flags say so."""
    body = pg.read_body(data)
    alone = body.flags is not None and pg.parse(data).next == lay.NO_PAGE
    return body.flags is not None and alone and bool(body.flags[0] & lay.HAS_TABLE) == (body.table_clusters is not None)


def _referring(data: bytes) -> bool:
    """A parent or none, as the flags say, on the only page of a blob."""
    body = pg.read_body(data)
    alone = body.flags is not None and pg.parse(data).next == lay.NO_PAGE
    return body.flags is not None and alone and bool(body.flags[0] & lay.HAS_INTERNAL) == bool(body.internal)


def _named(data: bytes) -> bool:
    """All attributes have names that the lvol layer gives."""
    body = pg.read_body(data)
    return {*body.xattrs, *body.internal} <= _KNOWN_NAMES


def _texts(data: bytes) -> bool:
    """Attributes are text, and a uuid is one."""
    body = pg.read_body(data)
    if not all(_NAME.fullmatch(value) for name, value in body.xattrs.items() if name in (b"name", b"uuid")):
        return False
    return b"uuid" not in body.xattrs or _UUID.fullmatch(body.xattrs[b"uuid"]) is not None


def _named_clusters(data: bytes) -> list[tuple[int, int]]:
    """(first, count) of the runs of clusters that a page names."""
    body = pg.read_body(data)
    runs = [(cluster, 1) for cluster in body.extent if cluster]
    if body.rle is not None:
        runs += [(first, count) for first, count in zip(body.rle[::2], body.rle[1::2], strict=False) if first]
    return sorted(runs)


def _extents(data: bytes, region: Region) -> bool:
    """Every extent page that a table names is one."""
    table = pg.read_body(data).table
    pages = [(first, count) for first, count in zip(table[::2], table[1::2], strict=False) if first]
    if sum(count for _, count in pages) > MOST:
        return False
    return all(region.state_of(page) == pg.EXTENT for first, count in pages for page in range(first, first + count))


def _clusters(data: bytes, disk: Disk, geometry: Geometry) -> bool:
    """Every cluster named lies in the data of the store, and none twice."""
    end, total = geometry.first_data_cluster, geometry.total_clusters(disk.size)
    for first, count in _named_clusters(data):
        if first < end or first + count > total:
            return False
        end = first + count
    return True


def _in_use(data: bytes, marked: bytes | None) -> bool:
    """Every cluster named is marked as used; shown only where the masks are up to date."""
    if marked is None:
        return False
    return _each(data, lambda c: c >> 3 < len(marked) and bool(marked[c >> 3] >> (c & 7) & 1))


def _apart(data: bytes, others: Bits | None) -> bool:
    """No cluster named is named by another page; shown only where few enough pages name clusters."""
    return others is not None and _each(data, lambda c: c not in others)


def _each(data: bytes, holds: Callable[[int], bool]) -> bool:
    """Whether something holds for every cluster that a page names, which are not too many."""
    runs = _named_clusters(data)
    if sum(count for _, count in runs) > MOST:
        return False
    return all(holds(cluster) for first, count in runs for cluster in range(first, first + count))


def _others(disk: Disk, geometry: Geometry, region: Region) -> Bits | None:
    """Clusters that sealed pages name."""
    found, total = Bits(), min(KNOWN, geometry.total_clusters(disk.size))
    pages = [page for page, kind in zip(region.index, region.kind, strict=True) if kind != pg.STRAY]
    if len(pages) > PAGES:
        return None
    for page in pages:
        for first, count in _named_clusters(disk.read(geometry.md_at(page), lay.PAGE).ljust(lay.PAGE, b"\0")):
            found.add_range(min(first, total), min(first + count, total))
    return found


def _marks(disk: Disk, geometry: Geometry) -> bytes:
    """The mask of used clusters as it lies there."""
    at = geometry.cluster_mask[0] * geometry.page_size + sb.MASK_HEAD
    return disk.read(at, min(KNOWN // 8, -(-geometry.total_clusters(disk.size) // 8)))


def _in_a_row(g: Geometry) -> bool:
    """Masks and metadata follow each other, as bs_alloc makes them; older ones have no mask of roots."""
    at = 1
    for start, count in (g.page_mask, g.cluster_mask, *([g.blobid_mask] if g.blobid_mask[1] else [])):
        if start != at:
            return False
        at += count
    return at == g.md_start and g.page_mask[1] == sb.mask_pages(g.md_len, g.page_size)


def _one_page_a_cluster(g: Geometry, device: int) -> bool:
    """spdk_bs_init makes one metadata page for each cluster, unless it is told otherwise."""
    return g.md_len == g.total_clusters(device)


def _owner_there(disk: Disk, g: Geometry) -> bool:
    """The page of the blob that holds the store's name is sealed and says so."""
    index = g.super_blob & 0xFFFFFFFF
    data = disk.raw(g.md_at(index), lay.PAGE) if index < g.md_len else b""
    if len(data) != lay.PAGE:
        return False
    page = pg.parse(data)
    return page.stored == page.computed and page.id == g.super_blob and pg.classify(page, index) == pg.ROOT
