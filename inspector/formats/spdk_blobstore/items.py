"""Volumes and snapshots: the tree, what is known of each, and what lost ones left behind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from inspector.format import Item
from inspector.formats.spdk_blobstore import layout as lay
from inspector.formats.spdk_blobstore.blobs import Blob
from inspector.formats.spdk_blobstore.content import manifest, manifest_unit, reader
from inspector.formats.spdk_blobstore.identify import identify
from inspector.formats.spdk_blobstore.lost import Lost, find_lost
from inspector.formats.spdk_blobstore.names import item_ids
from inspector.formats.spdk_blobstore.state import State
from inspector.formats.spdk_blobstore.store import EXTERNAL, Store

MAX_DEPTH = 256  # snapshots below a volume whose first bytes are looked at
CLEAR = ("default", "none", "unmap", "write zeroes")


def items(state: State) -> Iterator[Item]:
    """Every volume and snapshot, parents before children; with `lost` also what has no root any more."""
    store = state.ready()
    if store is None:
        return
    ids = item_ids(store)
    for blob in in_tree_order(store):
        yield item(state, store, blob, ids)
    if state.wishes.lost:
        for found in find_lost(store):
            yield _lost_item(state, store, found)


def in_tree_order(store: Store) -> Iterator[Blob]:
    """Roots of the snapshot trees by page, each followed by its descendants; members of a circle come last."""
    done: set[int] = set()
    tops = [b.id for b in store.blobs.values() if b.parent is None or b.parent not in store.blobs]
    for top in [*tops, *store.blobs]:
        stack = [top]
        while stack:
            at = stack.pop()
            if at in done:
                continue
            done.add(at)
            yield store.blobs[at]
            stack += sorted(store.children.get(at, ()), reverse=True)


def item(state: State, store: Store, blob: Blob, ids: dict[int, str]) -> Item:
    size = store.geometry.cluster_size
    parent = blob.parent
    fields: dict[str, Any] = {
        "blob": f"0x{blob.id:x}",
        "name": blob.text(b"name"),
        "uuid": blob.text(b"uuid"),
        "size": None if blob.clusters is None else blob.clusters * size,
        "clusters": blob.clusters,
        "allocated": store.allocated(blob),
        "thin": blob.thin,
        "read_only": blob.read_only,
        "clear_method": CLEAR[blob.flags[2] & 3],
        "children": [ids[c] for c in store.children.get(blob.id, ())],
        "state": condition(state, store, blob),
        "content": _content(state, store, blob),
        "xattrs": {
            name.decode("utf-8", "backslashreplace"): _value(value)
            for name, value in blob.xattrs.items()
            if name not in (b"name", b"uuid")
        },
        "pages": list(blob.pages),
    }
    if blob.external is not None:
        fields["external_snapshot"] = _value(blob.external)
    if state.wishes.checksums and state.trusted:
        fields["manifest_unit"] = manifest_unit(store.size_of(blob))
        fields["manifest"] = [[at, f"{value:016x}"] for at, value in manifest(store, blob)]
    return Item(ids[blob.id], kind_of(store, blob), ids.get(parent) if parent else None, fields, _pages(state, blob))


def _content(state: State, store: Store, blob: Blob) -> str | None:
    """What the volume starts with; not looked at where that would take a long way through snapshots."""
    if not state.trusted or not blob.clusters or store.lineage(blob)[0] > MAX_DEPTH:
        return None
    return identify(reader(store, blob))


def kind_of(store: Store, blob: Blob) -> str:
    if blob.id == store.geometry.super_blob:
        return "lvolstore"
    return "snapshot" if blob.id in store.children or blob.read_only else "lvol"


def _value(raw: bytes) -> str:
    text = raw.rstrip(b"\0")
    if raw and all(32 <= byte < 127 for byte in text):
        return text.decode("ascii")
    return raw.hex()


def _pages(state: State, blob: Blob) -> tuple[Any, ...]:
    assert state.geometry is not None
    at = [state.geometry.md_at(page) for page in blob.pages[:64]]
    return tuple(state.disk.span(a, a + lay.PAGE) for a in at)


def condition(state: State, store: Store, blob: Blob) -> str:
    """One phrase about a blob for the tree."""
    half = next((h for h in state.half if h.blob == blob.id), None)
    if half is not None:
        return f"snapshot {half.operation} half done (write {half.step})"
    if blob.broken and not blob.attached:
        return "metadata chain broken"
    if blob.refused or blob.id in store.overclaimed:
        return "contradictory metadata"
    _, why = store.lineage(blob)
    torn = any(fault.blob == blob.id for fault in store.extent_faults[:1000])
    if why and blob.thin and not (torn and why == EXTERNAL):
        return why
    if torn:
        return "part of its map is lost"
    return "ok" if blob.id not in {b for b, _, _ in store.out_of_range[:1000]} else "maps clusters out of range"


def _lost_item(state: State, store: Store, found: Lost) -> Item:
    size = store.geometry.cluster_size
    fields: dict[str, Any] = {
        "blob": f"0x{found.writer:x}",
        "name": found.name,
        "allocated": sum(run.count for run in found.runs if run.cluster > 0),
        "clusters": found.runs[-1].end if found.runs else 0,
        "size": found.runs[-1].end * size if found.runs else 0,
        "state": found.why,
        "pages": list(found.pages),
    }
    spans = tuple(state.disk.span(store.page_at(p), store.page_at(p) + lay.PAGE) for p in found.pages[:64])
    return Item(found.id, "lost", None, fields, spans)


def after(state: State, item: Item, output: str) -> tuple[str, ...]:
    """How to look at an extracted volume without changing it, and how to get it back into use."""
    luks = str(item.fields.get("content") or "").startswith("LUKS")
    if luks:
        mount = "cryptsetup open --readonly /dev/loopN volume, then mount -o ro /dev/mapper/volume /mnt"
    else:
        mount = (
            "read-only (ext4: ro,noload; a journal is replayed on a copy only): mount -o ro,norecovery /dev/loopN /mnt"
        )
    encrypted = ("the content is LUKS: its key is in the volume's secret in the cluster",) if luks else ()
    moved = (
        "compare it before you trust it: the image ends inside a sector, so bytes may have been put in before this "
        "content (inspector explain SPB009)"
    )
    return (
        *((moved,) if state.odd_end and not state.put_behind else ()),
        f"losetup -r -f --show {output}",
        *encrypted,
        mount,
        "ranges in the map file are unknown and read as zeroes: a file system there may look whole and not be",
        "into a new volume of the same size, once it is attached (or with dd conv=sparse,fsync): "
        f"qemu-img convert -n -f raw -O raw {output} /dev/longhorn/VOLUME",
    )
