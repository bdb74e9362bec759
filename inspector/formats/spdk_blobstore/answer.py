"""The store in plain words: what happened, what is lost, what the original programs will do, what to do next."""

from __future__ import annotations

from typing import Any

from inspector.counted import counted, put_in
from inspector.finding import Severity, Tally
from inspector.format import Answer
from inspector.formats.spdk_blobstore.blobs import Blob
from inspector.formats.spdk_blobstore.loader import LONGHORN, LONGHORN_7, PROGRAMS, UPSTREAM, Load, load
from inspector.formats.spdk_blobstore.lost import find_lost
from inspector.formats.spdk_blobstore.names import item_ids
from inspector.formats.spdk_blobstore.state import State
from inspector.formats.spdk_blobstore.store import EXTERNAL, Store

MAX_EXACT = 200  # volumes whose unknown bytes are counted exactly
MAX_BEHIND = 4  # stores behind the first that are offered
MAX_LAYERS = 30_000  # of all of them, with their parents: each chain is read through


def answer(state: State, tally: Tally) -> Answer:
    because = {
        "sealed": "the super block's checksum holds",
        "mended": "the super block's checksum holds after one bit is restored",
        "recovered": "the geometry follows from the masks and metadata pages",
        "given": "the cluster size was given",
        "ambiguous": "several geometries fit",
        "none": "no geometry could be found",
    }[state.how]
    store = state.store
    if store is None or state.geometry is None:
        words = ["The super block is lost, and no metadata page is where it could be. Nothing can be read from here."]
        return Answer("", because, tuple(words), {"geometry": state.how})
    newer = any(blob.checksums for blob in store.blobs.values())
    loads = [load(state, program) for program in PROGRAMS if newer or program != LONGHORN_7]
    damaged = bool(tally.severity_count(Severity.ERROR) or tally.severity_count(Severity.WARNING))
    unknown = incomplete(state, store)
    words = [*_what(state, store), *_loads(loads), *_lost(state, store, unknown, damaged)]
    outcomes = tuple(found.outcome() for found in loads)
    return Answer(
        str(state.geometry.version),
        because,
        tuple(words),
        _summary(state, store, unknown),
        outcomes,
        _next(state, store, unknown, damaged),
    )


def incomplete(state: State, store: Store) -> dict[int, int]:
    """Unknown bytes of each volume that has any; the first suspects are counted (MAX_EXACT), the rest given as -1."""
    suspects = {fault.blob for fault in store.extent_faults} | {blob for blob, _, _ in store.out_of_range}
    suspects |= set(store.overclaimed) | store.circles()
    for blob in store.blobs.values():
        orphan = blob.parent is not None and blob.parent not in store.blobs
        if (blob.broken and not blob.attached) or blob.refused or blob.external is not None or orphan:
            suspects.add(blob.id)
    stack = list(suspects)
    while stack:
        for child in store.children.get(stack.pop(), ()):
            if child not in suspects:
                suspects.add(child)
                stack.append(child)
    # of an image that is cut short any volume may have lost something
    asked = set(store.blobs) if state.disk.size < store.geometry.size else suspects
    found = {}
    layers = MAX_LAYERS
    for number, blob_id in enumerate(sorted(asked)):
        blob = store.blobs[blob_id]
        layers -= store.lineage(blob)[0] + 1
        lost = _unknown(state, store, blob) if number < MAX_EXACT and layers >= 0 else -1
        if lost > 0 or (blob_id in suspects and (lost or blob.clusters is None)):
            found[blob_id] = lost
    return found


def _unknown(state: State, store: Store, blob: Blob) -> int:
    """Bytes that no metadata tells of, or that lie beyond the end of the image."""
    size, lost = store.geometry.cluster_size, 0
    for run in store.content(blob):
        if run.cluster < 0:
            lost += run.count * size
        elif run.cluster > 0:
            end = store.geometry.cluster_at(run.cluster) + run.count * size
            lost += min(run.count * size, max(0, end - state.disk.size))
    return lost


def _what(state: State, store: Store) -> list[str]:
    g = store.geometry
    lvs = store.blobs.get(g.super_blob)
    count = len(store.blobs) - (lvs is not None)
    name = f"lvolstore {lvs.name}" if lvs is not None else "blobstore"
    volumes, clusters = counted(count, "volume or snapshot", "volumes and snapshots"), counted(store.total, "cluster")
    words = [f"{name}: {volumes}, {clusters} of {g.cluster_size} bytes."]
    if state.how == "ambiguous":
        sizes = ", ".join(str(c.geometry.cluster_size) for c in state.candidates)
        words.append(f"The super block is lost and cluster sizes {sizes} fit; {g.cluster_size} is taken here.")
    elif state.how in ("recovered", "given"):
        words.append("The super block is lost; its geometry is rebuilt.")
    if moved := state.disk.moved:
        at = state.disk.base + moved.at
        words.append(f"{put_in(moved.by)} at byte {at:,}: what is behind is read where it stands now.")
    if state.geometry is not None and state.geometry.clean != 1 and state.how == "sealed":
        words.append("It was not shut down cleanly: the next load rewrites its masks, so image the disk before it.")
    for half in state.half:
        other = store.blobs.get(half.other)
        name = other.name if other else hex(half.other)
        words.append(f"A snapshot {half.operation} of {name} stopped after write {half.step}.")
    return words


def _loads(loads: list[Load]) -> list[str]:
    words = []
    for found in loads:
        if found.program == LONGHORN_7 or (found.program == UPSTREAM and found.message == "Cannot assign lvol name"):
            continue  # said by the loader table; not news to the owner of a Longhorn disk
        if found.crash:
            words.append(f"{found.program} dies at every start on this store. Stop the restart loop first.")
        elif found.code:
            words.append(f"{found.program} refuses this store with {found.code}.")
        elif found.missing:
            names = "; ".join(list(found.missing.values())[:4])
            words.append(f"{found.program} loads it without {counted(len(found.missing), 'volume')}: {names}.")
        elif found.wrong:
            words.append(f"{found.program} loads it with wrong content: {'; '.join(list(found.wrong.values())[:4])}.")
    return list(dict.fromkeys(words))


def _lost(state: State, store: Store, unknown: dict[int, int], damaged: bool) -> list[str]:
    lost = find_lost(store) if damaged else []
    words = []
    for blob_id, amount in list(unknown.items())[:8]:
        blob = store.blobs[blob_id]
        what = f"{amount:,} bytes are unknown" if amount > 0 else "part of it is unknown"
        elsewhere = " or lie in an external snapshot, on another device" if store.lineage(blob)[1] == EXTERNAL else ""
        words.append(f"{blob.name}: {what}{elsewhere}.")
    if not unknown and damaged:
        # bytes that were put in ahead of the end have moved the content of clusters, and no checksum covers that
        sure = not state.odd_end or state.put_behind or state.disk.moved is not None
        tail = "." if sure else ", if the bytes that are too many stand behind them all; else their content has moved."
        words.append(f"Every volume whose root page is there can be copied out whole{tail}")
    if lost:
        words.append(f"What remains of {counted(len(lost), 'lost volume')} is listed by: inspector items --lost.")
    return words


def _next(state: State, store: Store, unknown: dict[int, int], damaged: bool) -> tuple[str, ...]:
    others = tuple(
        f"tail -c +{state.disk.base + at + 1} {{path}} > {{path}}.from-{state.disk.base + at}"
        "   # the store behind this one as an image of its own: scan that, too"
        for at in state.behind[:MAX_BEHIND]
    )
    if not damaged:
        return ("inspector items {path}", *others)
    from inspector.formats.spdk_blobstore.offer import commands  # a healthy store needs no plan of a repair

    return (*commands(state, store, unknown), *others)


def _summary(state: State, store: Store, unknown: dict[int, int]) -> dict[str, Any]:
    g = store.geometry
    ids = item_ids(store)
    lvs = store.blobs.get(g.super_blob)
    return {
        "lvs_name": lvs.text(b"name") if lvs else None,
        "lvs_uuid": lvs.text(b"uuid") if lvs else None,
        "base": state.disk.base,
        "geometry": state.how,
        "version": g.version,
        "clean": g.clean == 1,
        "cluster_size": g.cluster_size,
        "page_size": g.page_size,
        "io_unit_size": g.io_unit_size or 4096,
        "size": g.size or state.disk.size,
        "md_start": g.md_start,
        "md_pages": g.md_len,
        "clusters": store.total,
        "data_clusters": max(0, store.total - store.first_data),
        "free_clusters": max(0, store.total - store.used.count),
        "volumes": len(store.blobs) - (lvs is not None),
        "incomplete": {ids[blob]: amount for blob, amount in unknown.items()},
        "candidates": [c.geometry.cluster_size for c in state.candidates],
    }


SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "lvs_name": {"type": ["string", "null"], "description": "name of the lvolstore"},
        "lvs_uuid": {"type": ["string", "null"], "description": "uuid of the lvolstore"},
        "base": {"type": "integer", "description": "byte where the store starts in the source"},
        "geometry": {"enum": ["sealed", "mended", "recovered", "given", "ambiguous", "none"]},
        "version": {"type": "integer"},
        "clean": {"type": "boolean", "description": "it was shut down; masks are valid"},
        "cluster_size": {"type": "integer", "description": "bytes"},
        "page_size": {"type": "integer", "description": "bytes"},
        "io_unit_size": {"type": "integer", "description": "bytes"},
        "size": {"type": "integer", "description": "bytes of the store"},
        "md_start": {"type": "integer", "description": "first page of the metadata"},
        "md_pages": {"type": "integer"},
        "clusters": {"type": "integer", "description": "all clusters, those of the metadata included"},
        "data_clusters": {"type": "integer"},
        "free_clusters": {"type": "integer", "description": "that no sealed map names"},
        "volumes": {"type": "integer"},
        "incomplete": {"type": "object", "description": "volume -> unknown bytes; -1 where not counted"},
        "candidates": {"type": "array", "items": {"type": "integer"}, "description": "cluster sizes that fit"},
    },
    "required": ["geometry"],
}
__all__ = ["LONGHORN", "SCHEMA", "answer", "incomplete"]
