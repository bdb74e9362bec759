"""What volumes without a root left behind: orphan continuation pages and orphan extent pages.

An extent page carries the id of the blob that wrote it first, which after a snapshot is the head and not the
owner; so pages are put together by that id and their start, and the id is a hint, no proof.
"""

from __future__ import annotations

from array import array

from msgspec import Struct

from inspector.formats.spdk_blobstore import layout as lay
from inspector.formats.spdk_blobstore import page as pg
from inspector.formats.spdk_blobstore.blobs import Blob
from inspector.formats.spdk_blobstore.clustermap import HOLE, UNKNOWN, Run, own_runs
from inspector.formats.spdk_blobstore.store import Store

MAX_LOST = 1000


class Lost(Struct, frozen=True):
    """A volume, or a version of one, that no root leads to; `runs` cover it from 0, holes are UNKNOWN."""

    id: str
    writer: int  # the blob whose id the pages carry
    name: str | None
    pages: tuple[int, ...]
    runs: tuple[Run, ...]
    why: str


def find_lost(store: Store) -> list[Lost]:
    """Everything that may be a lost volume, those with a table first; at most MAX_LOST."""
    found: list[Lost] = []
    taken: set[int] = set()
    for blob, pages in store.orphan_chains.items():
        lost = _from_chain(store, blob, pages)
        if lost is not None:
            found.append(lost)
            taken.update(lost.pages)
    groups: dict[int, dict[int, list[int]]] = {}
    for page in store.orphan_extents:
        row = store.region.row(page)
        start = store.extent_body(page).extent_start
        if page not in taken and row is not None and start is not None:
            groups.setdefault(store.region.id[row], {}).setdefault(start, []).append(page)
    for writer, by_start in groups.items():
        if all(len(pages) == 1 for pages in by_start.values()):
            found.append(_from_extents(store, writer, [by_start[start][0] for start in sorted(by_start)]))
        else:
            found += [_from_extents(store, writer, [page]) for pages in by_start.values() for page in pages[:MAX_LOST]]
        if len(found) >= MAX_LOST:
            break
    return found[:MAX_LOST]


def _from_chain(store: Store, blob: int, pages: list[int]) -> Lost | None:
    """Continuation pages that hold a map of their own: order and size are proved by id and sequence."""
    ghost = Blob(blob, list(pages))
    for page in pages:
        body = pg.read_body(store.read_page(page))
        for name, value in body.xattrs.items():
            ghost.xattrs.setdefault(name, value)
        for name, value in body.internal.items():
            ghost.internal.setdefault(name, value)
        if body.table_clusters is not None:
            ghost.mapping, ghost.clusters = "table", body.table_clusters
            ghost.runs.extend(body.table)
        elif body.rle is not None and ghost.mapping != "table":
            ghost.mapping = "rle"
            ghost.runs.extend(body.rle)
    if ghost.mapping == "none" or not any(ghost.runs[::2]) or blob in store.blobs:
        return None
    if ghost.mapping == "rle":
        ghost.clusters = sum(ghost.runs[1::2])
    extents = [page for page in ghost.runs[::2] if page] if ghost.mapping == "table" else []
    why = "its root page is lost, later pages of its chain are there"
    return Lost(f"lost-0x{blob:x}", blob, ghost.text(b"name"), (*pages, *extents), tuple(_open(store, ghost)), why)


def _open(store: Store, ghost: Blob) -> list[Run]:
    """The map with its holes as unknown: whether there is a parent below them was on the lost page."""
    runs = own_runs(ghost, store.slots, store.in_range)
    return [
        run if run.cluster != HOLE else Run(run.at, run.count, UNKNOWN, "what lies below is not known", ghost.id)
        for run in runs
    ]


def _from_extents(store: Store, writer: int, pages: list[int]) -> Lost:
    ghost = Blob(writer, [], mapping="table")
    at = 0
    for page in pages:
        start = store.extent_body(page).extent_start or 0
        if start > at:
            ghost.runs.extend(array("I", [0, (start - at) // lay.PER_EXTENT_PAGE]))
        ghost.runs.extend(array("I", [page, 1]))
        at = start + lay.PER_EXTENT_PAGE
    last = store.extent_body(pages[-1])
    ghost.clusters = (last.extent_start or 0) + len(last.extent)
    blob = store.blobs.get(writer)
    name = f"first written by {blob.name}" if blob else None
    free = all(c == 0 or c not in store.used for page in pages for c in store.extent_body(page).extent)
    why = "only extent pages are left" + ("" if free else "; some of its clusters belong to other volumes now")
    return Lost(f"lost-0x{writer:x}-{pages[0]}", writer, name, tuple(pages), tuple(_open(store, ghost)), why)
