"""Why a mask does not begin as it must: what stands in its place, and where it stands itself."""

from __future__ import annotations

from typing import Final

from inspector.finding import Cause
from inspector.formats.spdk_blobstore import layout as lay
from inspector.formats.spdk_blobstore import masks as mk
from inspector.formats.spdk_blobstore import page as pg
from inspector.formats.spdk_blobstore import superblock as sb
from inspector.formats.spdk_blobstore.store import Store
from inspector.formats.spdk_blobstore.units import SEARCHED

_RUN: Final = 64  # bytes of one value that no bits of a mask begin with


def of_mask(store: Store, here: mk.Difference, masks: list[mk.Difference]) -> tuple[Cause, int | None]:
    """The cause, and where the other page is of two that changed places."""
    data = store.disk.read(here.start, lay.PAGE)
    if here.header == (0, 0):
        return Cause("zeroed-range", "likely", "type and length are zero"), None
    ones = len(data) - len(data.lstrip(b"\xff"))
    if ones >= _RUN:
        because = f"bytes [{here.start}, {here.start + ones}) are all ff"
        return Cause("ones-range", "certain" if ones % 512 == 0 else "likely", because), None
    other = next((one for one in masks if one.due == here.header and one is not here), None)
    if other is not None:
        name = mk.NAMES[other.kind]
        if other.header == here.due:
            return Cause("swapped", "certain", f"the {name} mask stands here, and this one in its place"), other.start
        if store.disk.read(other.start, lay.PAGE) == data:
            return Cause("stale-page", "certain", f"the {name} mask stands here as well"), None
    what = "a sealed page of metadata stands here" if _sealed(data) else "other bytes stand here"
    places = _elsewhere(store, here)
    if len(places) == 1:
        because = f"{what}, and a mask of this type and length at {places[0]}"
        return Cause("swapped", "certain" if _sealed(data) else "likely", because), places[0]
    if _sealed(data):
        return Cause("stale-page", "likely", "a sealed page of metadata stands here: one that went astray"), None
    return Cause("overwritten", "possible", "type and length are other bytes"), None


def _sealed(data: bytes) -> bool:
    whole = len(data) == lay.PAGE and any(data)
    return whole and pg.checksum(data) == int.from_bytes(data[lay.BODY :], "little") and data[4:8] == b"\1\0\0\0"


def _elsewhere(store: Store, here: mk.Difference) -> list[int]:
    """Pages that begin as this mask must, where no mask belongs."""
    head = lay.MASK_HEADER.fast().pack(*here.due)
    own = {start * store.geometry.page_size for start, _ in sb.masks(store.geometry).values()}
    found: list[int] = []
    for low, _, data in store.disk.windows(0, min(SEARCHED, store.disk.size), lay.PAGE):
        if data is None:
            continue
        data = store.disk.raw(low, len(data))  # a page that was put back stands in its own place otherwise
        if head not in data:
            continue
        for at in range(0, len(data), lay.PAGE):
            if data.startswith(head, at) and low + at not in own:
                found.append(low + at)
    return found
