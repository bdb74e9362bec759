"""What volumes are called, and which one a name means."""

from __future__ import annotations

from collections import Counter

from inspector.formats.spdk_blobstore.blobs import Blob
from inspector.formats.spdk_blobstore.store import Store


def item_ids(store: Store) -> dict[int, str]:
    """What each blob is called: its name where that is unique, else its id."""
    names = Counter(blob.name for blob in store.blobs.values())
    return {b.id: b.name if names[b.name] == 1 else f"0x{b.id:x}" for b in store.blobs.values()}


def find(store: Store, wanted: str) -> Blob | None:
    """A blob by item id, name, uuid, `lvs/name` or blob id."""
    for blob in store.blobs.values():
        if wanted in (f"0x{blob.id:x}", blob.text(b"uuid")):
            return blob
    ids = item_ids(store)
    for name in (wanted, wanted.split("/", 1)[-1]):
        for blob in store.blobs.values():
            if ids[blob.id] == name:
                return blob
    return None
