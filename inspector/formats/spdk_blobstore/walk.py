"""Every byte of the image once: super block, masks, metadata pages, clusters, and what lies between."""

from __future__ import annotations

from array import array
from collections.abc import Iterator

from inspector.format import FRAME, FREE, GAP, OPAQUE, UNIT, Stretch, tile
from inspector.formats.spdk_blobstore import layout as lay
from inspector.formats.spdk_blobstore import page as pg
from inspector.formats.spdk_blobstore import places
from inspector.formats.spdk_blobstore import superblock as sb
from inspector.formats.spdk_blobstore.bits import CHUNK, Bits, set_bits
from inspector.formats.spdk_blobstore.region import Region
from inspector.formats.spdk_blobstore.state import State

FOREIGN, SUPER, MASK, ROOT, CONT, EXTENT, STRAY, BAD, RESERVED, CLUSTER, FREE_CLUSTER, TAIL = range(12)
KINDS = {
    FOREIGN: "outside of the store",
    SUPER: "super block",
    MASK: "mask",
    ROOT: "root page",
    CONT: "continuation page",
    EXTENT: "extent page",
    STRAY: "stray page",
    BAD: "unreadable page",
    RESERVED: "unused metadata",
    CLUSTER: "cluster",
    FREE_CLUSTER: "free cluster",
    TAIL: "tail",
}
# marks of units
SOUND, BAD_CRC, NO_MEDIUM = range(3)
DAMAGED = frozenset({BAD_CRC, NO_MEDIUM})
KIND_OF = {pg.ROOT: ROOT, pg.CONT: CONT, pg.EXTENT: EXTENT, pg.STRAY: STRAY, pg.BAD: BAD, pg.UNREADABLE: BAD}
_MARK_OF = {pg.BAD: BAD_CRC, pg.UNREADABLE: NO_MEDIUM}
BATCH = 1 << 16  # tiles of one stretch


class _Tiles:
    """Collects tiles and hands them out as stretches; adjacent tiles of no unit role are joined."""

    def __init__(self, base: int, limit: int) -> None:
        self._base, self._limit = base, limit
        self._at = self._start = 0
        self._clear()

    def _clear(self) -> None:
        self.starts, self.roles = array("Q"), array("B")
        self.kinds, self.marks = array("H"), array("B")

    def add(self, end: int, role: int, kind: int, mark: int = SOUND) -> None:
        """A tile from the last one's end to `end`, both counted from the store's start."""
        end = min(end, self._limit)
        if end <= self._at:
            return
        joined = role != UNIT and self.roles and self.roles[-1] == role and self.kinds[-1] == kind
        if not joined:
            self.starts.append(self._base + self._at)
            self.roles.append(role)
            self.kinds.append(kind)
            self.marks.append(mark)
        self._at = end

    def units(self, count: int, size: int, kind: int, mark: int) -> None:
        """Units of `size` bytes each, whole ones."""
        at = self._base + self._at
        self.starts.extend(range(at, at + count * size, size))
        self.roles.frombytes(bytes([UNIT]) * count)
        self.kinds.extend(array("H", [kind]) * count)
        self.marks.frombytes(bytes([mark]) * count)
        self._at += count * size

    def take(self) -> Iterator[Stretch]:
        if self.starts:
            yield Stretch(
                self._base + self._start, self._base + self._at, self.starts, self.roles, self.kinds, self.marks
            )
            self._start = self._at
            self._clear()


def walk(state: State) -> Iterator[Stretch]:
    """Tiles from 0 to the end of the source; the metadata is scanned on the way."""
    yield from places.tiles(_walk(state), state.disk, FOREIGN, BAD_CRC)


def _walk(state: State) -> Iterator[Stretch]:
    disk, geometry = state.disk, state.geometry
    if disk.base:
        yield tile(0, disk.base, OPAQUE, FOREIGN)
    tiles = _Tiles(disk.base, disk.size)
    super_role = FRAME if state.how in ("sealed", "mended") else GAP
    tiles.add(lay.PAGE, super_role, SUPER)
    if geometry is None:
        tiles.add(disk.size, OPAQUE, FOREIGN)
        yield from tiles.take()
    else:
        _masks(tiles, state)
        yield from tiles.take()
        for first, last in state.scan():
            _pages(tiles, state.region, first, last, geometry.md_at(0), geometry.page_size)
            yield from tiles.take()
        assert state.store is not None
        tiles.add(geometry.md_at(geometry.md_len), FREE, RESERVED)
        tiles.add(state.store.first_data * geometry.cluster_size, FREE, RESERVED)
        end = min(state.store.total, -(-disk.size // geometry.cluster_size))
        yield from _clusters(tiles, state.store.used, state.store.first_data, end, geometry.cluster_size)
        tiles.add(disk.size, FREE, TAIL)
        yield from tiles.take()
    end = disk.base + disk.size
    if end < disk.source.size:
        yield tile(end, disk.source.size, OPAQUE, FOREIGN)


def _masks(tiles: _Tiles, state: State) -> None:
    geometry = state.geometry
    assert geometry is not None
    page = geometry.page_size
    clusters = geometry.total_clusters(state.disk.size)
    tiles.add(page, FREE, RESERVED)
    for kind, (start, count) in sorted(sb.masks(geometry).items(), key=lambda one: one[1]):
        tiles.add(start * page, FREE, RESERVED)
        bits = clusters if kind == "used cluster" else geometry.md_len
        # of a mask's pages only as many bytes are read as it has bits
        tiles.add(start * page + min(sb.MASK_HEAD + -(-bits // 8), count * page), FRAME, MASK)
    tiles.add(geometry.md_at(0), FREE, RESERVED)


def _pages(tiles: _Tiles, region: Region, first: int, last: int, base: int, size: int) -> None:
    """Tiles of metadata pages [first, last); runs of zero pages are one tile."""
    for start, end, state in _runs_within(region, first, last):
        if state == pg.ZERO:
            tiles.add(base + end * size, FREE, RESERVED)
        else:
            tiles.units(end - start, size, KIND_OF[state], _MARK_OF.get(state, SOUND))


def _runs_within(region: Region, first: int, last: int) -> Iterator[tuple[int, int, int]]:
    at = first
    for run in range(region.run_of(first), len(region.start)):
        end = region.start[run + 1] if run + 1 < len(region.start) else region.scanned
        end = min(end, last)
        if end > at:
            yield at, end, region.state[run]
            at = end
        if at >= last:
            return


def _clusters(tiles: _Tiles, used: Bits, first: int, total: int, size: int) -> Iterator[Stretch]:
    for low, high, owned in bit_runs(used, first, total):
        tiles.add(high * size, OPAQUE if owned else FREE, CLUSTER if owned else FREE_CLUSTER)
        if len(tiles.starts) >= BATCH:
            yield from tiles.take()
        assert low < high


def bit_runs(bits: Bits, first: int, end: int) -> Iterator[tuple[int, int, bool]]:
    """(low, high, set) runs of equal bits in [first, end)."""
    at, value = first, first in bits
    for number in range(first // (8 * CHUNK), -(-end // (8 * CHUNK))):
        chunk = bits.chunk(number)
        base = number * 8 * CHUNK
        whole = int.from_bytes(chunk, "little")
        # a bit of `edges` is set where its bit differs from the one below it
        edges = whole ^ (whole << 1 | int(base > 0 and (base - 1) in bits))
        for edge in set_bits((edges & ((1 << 8 * CHUNK) - 1)).to_bytes(CHUNK, "little"), base):
            if first < edge < end:
                if edge > at:
                    yield at, edge, value
                at, value = edge, edge in bits
    if at < end:
        yield at, end, value
