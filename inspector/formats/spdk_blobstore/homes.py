"""Metadata pages that lie in a wrong place, while nothing of use lies in theirs: each is put back.

A first page's id names the page that it belongs to, and its checksum covers the id. An extent page names its volume,
or one of its family, and its first cluster. An older copy that went astray is such a page, too: it is taken only where
what lies in its place is none, where it is the only one, and where no volume loses by it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator

from msgspec import Struct

from inspector.formats.spdk_blobstore import layout as lay
from inspector.formats.spdk_blobstore import masks as mk
from inspector.formats.spdk_blobstore import page as pg
from inspector.formats.spdk_blobstore.disk import ID_TOP, Disk
from inspector.formats.spdk_blobstore.region import Region
from inspector.formats.spdk_blobstore.store import Store

MOST = 32  # pages for which the store is built anew, to see whether it is better so
MOST_LOOSE = 1000  # extent pages of no volume that are looked at
BEFORE = 16 << 20  # bytes before the metadata in which pages are looked for
Build = Callable[[], Store]
Found = tuple[int, int | None, bytes]  # where a page lies, which of the metadata pages that is, its bytes


class Strayed(Struct, frozen=True):
    """A sealed page at `at`, counted from the store's start: in metadata page `page`, None where it is in none.

    `back` belongs at `at` and lay in `home`; None where what lay there belongs nowhere.
    """

    at: int
    page: int | None
    home: int
    data: bytes
    back: bytes | None
    sealed: bool  # what lies at home is a metadata page, if not this one
    what: str


def put_back(store: Store, build: Build) -> tuple[Store, list[Strayed]]:
    """The store as it is with its strayed pages in their places; `build` makes it anew from the same disk and region.

    The disk reads the pages so from then on, and the region names them.
    """
    found: list[Strayed] = []
    faults = _faults(store)  # counted before the region is changed, which both stores read
    for search, least in ((_roots, 0), (_extents, 1)):
        for one in list(search(store))[:MOST]:
            if any(one.home == other.home or (other.back and one.home == other.page) for other in found):
                # put there with another one
                continue
            undo = _place(store.disk, store.region, store, one)
            after = build()
            mutual = one.back is not None and _is_root(one.back, one.page)
            left = _faults(after)
            if faults - left >= (least if mutual or not one.sealed else 1):
                store, faults = after, left
                found.append(one)
            else:
                undo()
    return store, found


def _roots(store: Store) -> Iterator[Strayed]:
    """First pages that lie elsewhere than where they belong, of which there is one each."""
    region, g = store.region, store.geometry
    found: dict[int, list[Found]] = {}
    for row in region.rows(pg.STRAY):
        page, home = region.index[row], region.id[row] & 0xFFFFFFFF
        if region.id[row] == pg.root_id(home) and home < g.md_len:
            found.setdefault(home, []).append((g.md_at(page), page, store.read_page(page)))
    for at, data in _before_them(store):
        home = int.from_bytes(data[:4], "little")
        if home < g.md_len and _is_root(data, home):
            found.setdefault(home, []).append((at, None, data))
    for home, ones in sorted(found.items()):
        one = _judged(store, ones[0], home) if len(ones) == 1 else None
        if one is not None:
            yield one


def _extents(store: Store) -> Iterator[Strayed]:
    """Extent pages that a volume needs, of which there is one in no volume, or in the place of another."""
    g, wanted = store.geometry, store.extent_faults[:MOST]
    if not wanted:
        return
    loose = [
        *store.orphan_extents[:MOST_LOOSE],
        *(f.page for f in wanted if store.region.state_of(f.page) == pg.EXTENT),
    ]
    there: list[Found] = [(g.md_at(page), page, store.read_page(page)) for page in sorted(set(loose))]
    for at, data in _before_them(store):
        head = pg.parse(data)
        if head.computed == head.stored and pg.classify(head, 0) == pg.EXTENT:
            there.append((at, None, data))
    for fault in wanted:
        family = _family(store, fault.blob)
        rivals = [f for f in wanted if f.at == fault.at and f.blob in family]
        fits = [one for one in there if one[1] != fault.page and _serves(one[2], fault.at, family)]
        if all(_let_go(store, one, fault.page) for one in fits):
            continue
        if len(rivals) == len(fits) == 1 and fault.page < g.md_len:
            at, page, data = fits[0]
            kind = store.region.state_of(fault.page)
            back = store.read_page(fault.page) if kind in (pg.CONT, pg.EXTENT) and page is not None else None
            what = f"an extent page of {store.blobs[fault.blob].name}"
            yield Strayed(at, page, fault.page, data, back, kind in (pg.CONT, pg.EXTENT, pg.STRAY), what)


def _serves(data: bytes, first: int, family: set[int]) -> bool:
    return pg.read_body(data).extent_start == first and pg.parse(data).id in family


def _let_go(store: Store, found: Found, home: int) -> bool:
    """Whether a page may be what a deleted volume left: nothing that lies elsewhere was exchanged with it.

    The clusters of a deleted volume are free in the masks of a store that was unloaded.
    """
    at, page, data = found
    there = store.read_page(home)
    if (at == 0 and there.startswith(lay.SIGNATURE)) or any(page == fault.page for fault in store.extent_faults):
        return False
    mask = next((d for d in mk.compare(store) if d.kind == mk.CLUSTERS and d.header_ok), None)
    marked = set(mask.extra) if mask is not None and store.geometry.clean == 1 else set()
    return not all(word in marked for word in pg.read_body(data).extent if word)


def _family(store: Store, blob: int) -> set[int]:
    """A volume, its snapshots and theirs, and those that stand on them: a page keeps the id of its first writer."""
    found, level = {blob}, [blob]
    while level and len(found) < MOST_LOOSE:
        parents = (store.blobs[one].parent for one in level if one in store.blobs)
        near = [p for p in parents if p is not None]
        near += [child for one in level for child in store.children.get(one, ())]
        level = [one for one in near if one not in found]
        found.update(level)
    return found


def _before_them(store: Store) -> Iterator[tuple[int, bytes]]:
    """Pages in the masks, or where the super block should be; nobody looks while the metadata contradicts nothing."""
    g = store.geometry
    bad = any(True for _ in store.region.runs(pg.BAD, pg.UNREADABLE))
    if not (bad or store.extent_faults or store.orphan_chains or _erased(store)):
        return
    yield from store.disk.named(min(g.md_at(0), BEFORE))


def _is_root(data: bytes, page: int | None) -> bool:
    if page is None or data[4:8] != ID_TOP:
        return False
    head = pg.parse(data)
    return head.computed == head.stored and pg.classify(head, page) == pg.ROOT


def _judged(store: Store, found: Found, home: int) -> Strayed | None:
    """What is to be done with a stray; None where its place is taken, or holds what is left of the page itself."""
    at, page, data = found
    state = store.region.state_of(home)
    there = store.read_page(home)
    left = there[:12] == data[:12] and there[lay.DESCRIPTORS_AT] == data[lay.DESCRIPTORS_AT]
    if state == pg.ROOT or left or (state == pg.ZERO and home not in _erased(store)):
        return None
    sealed = state in (pg.CONT, pg.EXTENT, pg.STRAY)
    belongs = page is not None and (state in (pg.CONT, pg.EXTENT) or _is_root(there, page))
    what = f"the first page of blob 0x{pg.root_id(home):x}"
    return Strayed(at, page, home, data, there if sealed and belongs else None, sealed, what)


def _erased(store: Store) -> set[int]:
    """Zero pages that the masks of a store that was unloaded name as the roots of volumes."""
    if store.geometry.clean != 1:
        return set()
    named = next((d for d in mk.compare(store) if d.kind == mk.BLOBS and d.header_ok), None)
    return {bit for bit in (named.extra if named else ()) if store.region.state_of(bit) == pg.ZERO}


def _place(disk: Disk, region: Region, store: Store, one: Strayed) -> Callable[[], None]:
    """Lay the pages where they belong; gives what takes that back."""
    mended, rows = dict(disk.mended), [_row(region, page) for page in (one.home, one.page) if page is not None]
    _lay(disk, region, store, one.home, one.data)
    if one.page is not None and one.back is not None:
        _lay(disk, region, store, one.page, one.back)

    def undo() -> None:
        disk.mended = mended
        for page, row in rows:
            at = region.row(page)
            if at is not None:
                region.remove(at)
            if row is not None:
                region.insert(bisect_left(region.index, page), page, *row)

    return undo


def _row(region: Region, page: int) -> tuple[int, tuple[int, tuple[int, int, int]] | None]:
    at = region.row(page)
    if at is None:
        return page, None
    return page, (region.kind[at], (region.id[at], region.sequence[at], region.next[at]))


def _lay(disk: Disk, region: Region, store: Store, page: int, data: bytes) -> None:
    at = region.row(page)
    if at is not None:
        region.remove(at)
    head = pg.parse(data)
    where = bisect_left(region.index, page)
    region.insert(where, page, pg.classify(head, page), (head.id, head.sequence, head.next))
    disk.mended[store.geometry.md_at(page)] = data


def _faults(store: Store) -> int:
    """How much of a store contradicts the rest of it."""
    blobs = store.blobs.values()
    lost = sum(blob.parent is not None and blob.parent not in store.blobs for blob in blobs)
    bad = sum(bool(blob.broken or blob.refused or blob.problems) for blob in blobs)
    top = store.geometry.super_blob
    headless = top != lay.NO_BLOB and top not in store.blobs
    loose = len(store.orphan_extents) + sum(len(pages) for pages in store.orphan_chains.values())
    gone = len(_erased(store))
    return (
        lost + bad + headless + loose + gone + len(store.extent_faults) + store.shared_count + len(store.out_of_range)
    )
