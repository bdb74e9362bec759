"""Extent pages of two volumes that changed places: each carries the id of the other one's volume.

A page's id is the volume that wrote it first, which a snapshot's pages do not change: one strange id tells nothing.
Two that cross, for the same clusters of volumes that share no snapshots, are left by no operation; nor are more in a
circle, each with the id of the next one's volume, where not all of these share snapshots.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from inspector.formats.spdk_blobstore import layout as lay
from inspector.formats.spdk_blobstore.store import Store

MOST = 64  # pages of one circle


class Crossed(Struct, frozen=True):
    """Two extent pages, and the volumes whose tables name them; of a longer circle one exchange of several."""

    page: int
    other: int
    blob: int  # its table names `page`
    holder: int  # and the one that names `other`
    circle: tuple[int, ...] = ()  # all pages of it, in order, where there are more than two

    def told(self, one: str, two: str) -> tuple[str, str]:
        """What happened to the pages of the volumes of these names, and why that is likely."""
        if self.circle:
            pages = ", ".join(map(str, self.circle))
            text = f"pages {pages} map the same clusters of volumes, each with the id of the next one's: they changed"
            return f"{text} places in a circle", "extent pages carry each other's volumes, and no operation leaves that"
        text = f"pages {self.page} and {self.other} map the same clusters of {one} and {two}, each with the id of"
        because = "two extent pages carry each other's volume, and no operation leaves that"
        return f"{text} the other: they changed places", because


def crossed(store: Store) -> Iterator[Crossed]:
    """Each pair once, by the lower page; the exchanges of a circle in the order in which they undo it."""
    strange: dict[tuple[int, int, int], list[tuple[int, int]]] = {}  # (family, writer's, start) -> (page, volume)
    found = sorted(_strangers(store))
    circles = list(_circles(store, [page for _, _, page, _ in found]))
    for circle in circles:
        (page, blob), *others = circle
        pages = tuple(sorted(page for page, _ in circle))
        yield from (Crossed(page, other, blob, holder, pages) for other, holder in others)
    moved = {page for circle in circles for page, _ in circle}
    pairs = {(mine, theirs) for mine, theirs, page, _ in found if page not in moved}
    for mine, theirs, page, blob in found:
        if (theirs, mine) in pairs and page not in moved:
            start = store.extent_body(page).extent_start or 0
            strange.setdefault((mine, theirs, start), []).append((page, blob))
    for (mine, theirs, start), one in strange.items():
        two = strange.get((theirs, mine, start), [])
        if mine < theirs and len(one) == len(two) == 1:
            (page, blob), (other, holder) = sorted((*one, *two))
            yield Crossed(page, other, blob, holder)


def _circles(store: Store, suspects: list[int]) -> Iterator[list[tuple[int, int]]]:
    """Circles of three pages or more through one of the suspects: pages with their volumes, from the lowest page on.

    What lies in each belongs in the next one's place, whose volume it names.
    """
    slots: dict[tuple[int, int], list[int]] = {}  # (volume, start) -> the pages that its table names for it
    for page, owners in store.extent_owners.items() if len(suspects) > 1 else ():
        if len(owners) == 1:
            slots.setdefault((owners[0], store.extent_body(page).extent_start or 0), []).append(page)
    seen: set[int] = set()
    for page in suspects:
        way: list[int] = []
        at: int | None = page
        while at is not None and at not in seen and len(way) < MOST:
            seen.add(at)
            way.append(at)
            row = store.region.row(at)
            there = (
                slots.get((store.region.id[row], store.extent_body(at).extent_start or 0), [])
                if row is not None
                else []
            )
            at = there[0] if len(there) == 1 else None
        if at == page and len(way) > 2:
            lowest = way.index(min(way))
            yield [(one, store.extent_owners[one][0]) for one in (*way[lowest:], *way[:lowest])]


def _strangers(store: Store) -> Iterator[tuple[int, int, int, int]]:
    """Extent pages that a volume of another family wrote: both families, by their oldest member, page and volume."""
    region, family = store.region, dict[int, int]()
    for page, owners in store.extent_owners.items():
        row = region.row(page)
        writer = region.id[row] if row is not None else owners[0]
        if len(owners) != 1 or writer == owners[0] or writer not in store.blobs:
            continue
        mine, theirs = (_oldest(store, blob, family) for blob in (owners[0], writer))
        if mine != theirs:
            yield mine, theirs, page, owners[0]


def _oldest(store: Store, blob: int, family: dict[int, int]) -> int:
    """The last one of a volume's chain of snapshots that is there; linear over all volumes together."""
    path: list[int] = []
    at = blob
    while at not in family:
        family[at] = at  # ends a chain that leads back to itself
        path.append(at)
        parent = store.blobs[at].parent
        if parent is None or parent not in store.blobs:
            break
        at = parent
    for one in path:
        family[one] = family[at]
    return family[blob]


def put_back(store: Store, pairs: list[Crossed]) -> None:
    """Read the store from now on with these pages in each other's place; it has to be built anew."""
    region, g = store.region, store.geometry
    for pair in pairs:
        places = (g.md_at(pair.page), g.md_at(pair.other))
        first, second = (store.disk.read(at, lay.PAGE) for at in places)
        store.disk.mended[places[0]], store.disk.mended[places[1]] = second, first
        rows = region.row(pair.page), region.row(pair.other)
        assert rows[0] is not None
        assert rows[1] is not None
        region.id[rows[0]], region.id[rows[1]] = region.id[rows[1]], region.id[rows[0]]
