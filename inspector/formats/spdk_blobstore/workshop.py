"""Changed metadata pages on top of an image, and the store as it would be with them. Nothing is written here."""

from __future__ import annotations

import copy
from bisect import bisect_left
from collections.abc import Callable

from msgspec import Struct
from msgspec.structs import replace

from inspector.format import Action, Proof
from inspector.formats.spdk_blobstore import layout as lay
from inspector.formats.spdk_blobstore import page as pg
from inspector.formats.spdk_blobstore.assemble import build
from inspector.formats.spdk_blobstore.state import State
from inspector.formats.spdk_blobstore.store import Store

Descriptor = tuple[int, bytes]


class Change(Struct, frozen=True):
    """What becomes of a page; `data` None leaves it zero."""

    data: bytes | None
    action: Action
    proof: Proof
    why: str


class Workshop:
    """Collects changes; `store` is always the store with all of them."""

    def __init__(self, state: State) -> None:
        assert state.store is not None
        self.geometry = state.store.geometry
        self.accept = state.wishes.accept
        self.changes: dict[int, Change] = {}
        self.notes: list[str] = []
        self._disk = replace(state.disk, mended=dict(state.disk.mended))
        self._region = copy.deepcopy(state.region)
        self.store: Store = build(self._disk, self.geometry, self._region, self.accept)

    def put(self, page: int, data: bytes, action: Action, proof: Proof, why: str) -> None:
        """A page with new bytes."""
        self._note(page, data, Change(data, action, proof, why))
        head = pg.parse(data)
        kind = pg.classify(head, page)
        at = bisect_left(self._region.index, page)
        self._region.insert(at, page, kind, (head.id, head.sequence, head.next))

    def clear(self, page: int, action: Action, why: str) -> None:
        """A page that is left out; what was decided about it first stays its story."""
        if page not in self.changes or self.changes[page].data is not None:
            self._note(page, bytes(lay.PAGE), Change(None, action, "none", why))

    def _note(self, page: int, data: bytes, change: Change) -> None:
        row = self._region.row(page)
        if row is not None:
            self._region.remove(row)
        self._disk.mended[self.geometry.md_at(page)] = data
        self.changes[page] = change

    def refresh(self) -> Store:
        self.store = build(self._disk, self.geometry, self._region, self.accept)
        return self.store

    def rewrite(self, page: int, change: Callable[[list[Descriptor]], list[Descriptor]], why: str) -> None:
        """Change a sealed page's descriptors; its id, number and successor stay."""
        data = self.store.read_page(page)
        head = pg.parse(data)
        body = b"".join(pg.descriptor(kind, raw) for kind, raw in change(descriptors(data)))
        if len(body) > lay.DESCRIPTORS_END - lay.DESCRIPTORS_AT:
            self.notes.append(f"metadata page {page} has no room for the change: {why}")
            return
        self.put(page, pg.build(head.id, head.sequence, head.next, body), "corrected", "derived", why)

    def relink(self, page: int, sequence: int, following: int, why: str) -> None:
        """Give a page another place in its chain."""
        data = self.store.read_page(page)
        body = data[lay.DESCRIPTORS_AT : lay.DESCRIPTORS_END]
        new = pg.build(pg.parse(data).id, sequence, following, body)
        if new != data:
            self.put(page, new, "corrected", "derived", why)


def descriptors(data: bytes) -> list[Descriptor]:
    """The descriptors of a sealed page as raw bytes."""
    found: list[Descriptor] = []
    at = lay.DESCRIPTORS_AT
    head = lay.DESCRIPTOR.fast()
    while at + head.size <= lay.DESCRIPTORS_END:
        kind, length = head.unpack_from(data, at)
        if (kind == lay.PADDING and length == 0) or at + head.size + length > lay.DESCRIPTORS_END:
            break
        found.append((kind, data[at + head.size : at + head.size + length]))
        at += head.size + length
    return found


def without_internal(name: bytes) -> Callable[[list[Descriptor]], list[Descriptor]]:
    """Descriptors without one internal attribute."""

    def change(found: list[Descriptor]) -> list[Descriptor]:
        return [(kind, raw) for kind, raw in found if kind != lay.XATTR_INTERNAL or xattr_name(raw) != name]

    return change


def xattr_name(raw: bytes) -> bytes:
    size = lay.XATTR_HEAD.fast().size
    if len(raw) < size:
        return b""
    length = int.from_bytes(raw[:2], "little")
    return raw[size : size + length]


def renamed(name: bytes) -> Callable[[list[Descriptor]], list[Descriptor]]:
    """Descriptors with another value of the attribute `name`."""

    def change(found: list[Descriptor]) -> list[Descriptor]:
        rest = [(kind, raw) for kind, raw in found if kind != lay.XATTR or xattr_name(raw) != b"name"]
        new = pg.xattr(b"name", name + b"\0")[lay.DESCRIPTOR.fast().size :]
        return [*rest[:1], (lay.XATTR, new), *rest[1:]]

    return change


def read_only(found: list[Descriptor]) -> list[Descriptor]:
    """Descriptors with the snapshot flag set."""
    flags = lay.FLAGS_BODY.fast()
    out = []
    for kind, raw in found:
        if kind == lay.FLAGS and len(raw) == flags.size:
            invalid, data_ro, md_ro = flags.unpack(raw)
            raw = flags.pack(invalid, data_ro | lay.READ_ONLY, md_ro)
        out.append((kind, raw))
    return out
