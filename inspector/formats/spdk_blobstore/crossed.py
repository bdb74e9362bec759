"""Extent pages of two volumes that changed places: each carries the id of the other one's volume.

A page's id is the volume that wrote it first, which a snapshot's pages do not change: one strange id tells nothing.
Two that cross, for the same clusters of volumes that share no snapshots, are left by no operation.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from inspector.formats.spdk_blobstore import layout as lay
from inspector.formats.spdk_blobstore.store import Store


class Crossed(Struct, frozen=True):
    """Two extent pages, and the volumes whose tables name them."""

    page: int
    other: int
    blob: int  # its table names `page`
    holder: int  # and the one that names `other`


def crossed(store: Store) -> Iterator[Crossed]:
    """Each pair once, by the lower page."""
    strange: dict[tuple[int, int, int], list[tuple[int, int]]] = {}  # (family, writer's, start) -> (page, volume)
    found = sorted(_strangers(store))
    pairs = {(mine, theirs) for mine, theirs, _, _ in found}
    for mine, theirs, page, blob in found:
        if (theirs, mine) in pairs:
            start = store.extent_body(page).extent_start or 0
            strange.setdefault((mine, theirs, start), []).append((page, blob))
    for (mine, theirs, start), one in strange.items():
        two = strange.get((theirs, mine, start), [])
        if mine < theirs and len(one) == len(two) == 1:
            (page, blob), (other, holder) = sorted((*one, *two))
            yield Crossed(page, other, blob, holder)


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
