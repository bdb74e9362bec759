"""Snapshot operations that a crash cut in half: which write they stopped after, and what the loader decides.

Create: (1) new root with SNAPTMP, empty; (2) it takes the map and the parent; (3) the original points at it;
(4) SNAPTMP removed. Delete with one child: (1) SNAPRM; (2) the child takes the clusters; (3) the child leaves;
(4) the snapshot's map is cleared; (5) its extent pages are zeroed; (6) its root is zeroed.
Source: spdk lib/blob/blobstore.c, bs_examine_clone, bs_delete_corrupted_blob, bs_update_corrupted_blob.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from inspector.formats.spdk_blobstore.blobs import SNAPRM, SNAPTMP, Blob
from inspector.formats.spdk_blobstore.store import Store

Verdict = Literal["keep", "discard", "stuck"]


class HalfDone(Struct, frozen=True):
    """A snapshot with a mark of an unfinished operation; `other` is the original or the child it names."""

    blob: int
    other: int
    operation: Literal["create", "delete"]
    step: int  # the last write that reached the disk
    verdict: Verdict  # what the loader does; stuck: it cannot open `other` and leaves the mark
    kills: bool  # the loader dies while it discards
    shared: int  # clusters that both maps name


def half_done(store: Store) -> list[HalfDone]:
    """In the order the loader meets them (by root page)."""
    found = []
    for blob in store.blobs.values():
        for name in (SNAPRM, SNAPTMP):
            other = blob.reference(name)
            if other is not None:
                found.append(_examine(store, blob, other, name))
                break
    return found


def _examine(store: Store, blob: Blob, other: int, mark: bytes) -> HalfDone:
    clone = store.blobs.get(other)
    operation: Literal["create", "delete"] = "create" if mark == SNAPTMP else "delete"
    if clone is None or clone.refused or (clone.broken and not clone.attached):
        return HalfDone(blob.id, other, operation, 0, "stuck", False, 0)
    attached = clone.parent == blob.id
    shared = _common(store, blob, clone)
    has_map = any(run.cluster > 0 for run in store.own(blob)) or any(blob.runs[::2])
    if operation == "create":
        step = 3 if attached else 2 if has_map or blob.parent is not None else 1
    elif attached:
        step = 2 if shared else 1
    else:
        step = 3 if has_map else 4 if _leftover(store, blob) else 5
    return HalfDone(
        blob.id, other, operation, step, "keep" if attached else "discard", not attached and _kills(store, blob), shared
    )


def _kills(store: Store, blob: Blob) -> bool:
    """Discarding crashes when the parent's list of clones exists already and this blob is not on it.

    The list exists once another child of the same parent was loaded, which goes by root page.
    """
    parent = blob.parent
    return parent is not None and any(child < blob.id for child in store.children.get(parent, ()) if child != blob.id)


def _leftover(store: Store, blob: Blob) -> bool:
    return any(store.region.id[row] == blob.id for row in _rows(store))


def _rows(store: Store) -> list[int]:
    return [row for page in store.orphan_extents if (row := store.region.row(page)) is not None]


def _common(store: Store, blob: Blob, clone: Blob) -> int:
    """Clusters that both maps name at the same place."""
    left, right = store.own(blob), store.own(clone)
    a, b = next(left, None), next(right, None)
    count = 0
    while a is not None and b is not None:
        low, high = max(a.at, b.at), min(a.end, b.end)
        if low < high and a.cluster > 0 and b.cluster > 0 and a.cluster - a.at == b.cluster - b.at:
            count += high - low
        if a.end <= b.end:
            a = next(left, None)
        else:
            b = next(right, None)
    return count
