"""The edits of a repaired image in the order of its bytes: super block, masks, metadata pages, clusters."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator

from msgspec import Struct
from msgspec.structs import replace

from inspector.format import Action, Edit, Proof
from inspector.formats.spdk_blobstore import layout as lay
from inspector.formats.spdk_blobstore import masks as mk
from inspector.formats.spdk_blobstore import places
from inspector.formats.spdk_blobstore import superblock as sb
from inspector.formats.spdk_blobstore.bits import Bits
from inspector.formats.spdk_blobstore.state import State
from inspector.formats.spdk_blobstore.walk import bit_runs
from inspector.formats.spdk_blobstore.workshop import Workshop

PIECE = 1 << 20


class Piece(Struct, frozen=True):
    """Bytes [at, at + length) of the store that change; `data` None leaves them zero."""

    at: int
    length: int
    data: bytes | None
    action: Action
    proof: Proof
    why: str
    units: int = 0


def edits(state: State, shop: Workshop) -> Iterator[Edit]:
    """Every byte of the source once; what does not change is kept."""
    yield from places.edits(_edits(state, shop), state.disk)


def _edits(state: State, shop: Workshop) -> Iterator[Edit]:
    at = -state.disk.base
    for piece in _pieces(state, shop):
        yield from _kept(state, shop, at, piece.at)
        yield from _changed(state, piece)
        at = piece.at + piece.length
    end = state.disk.source.size - state.disk.base
    yield from _kept(state, shop, at, end)


def untouched(state: State, shop: Workshop) -> Iterator[Edit]:
    """A plain copy, with what proves each part of it."""
    base = state.disk.base
    yield from _kept(state, shop, -base, state.disk.source.size - base)


def _pieces(state: State, shop: Workshop) -> Iterator[Piece]:
    g = _new_super(shop)
    data = sb.build(g)
    if data != state.super_data:
        yield Piece(0, lay.PAGE, data, "corrected", "derived", _why_super(state.super_data, g))
    for kind, (start, pages), bits, length in _masks(shop):
        yield from _mask(state, g, kind, start, pages, bits, length)
    for page in sorted(shop.changes):
        change = shop.changes[page]
        where, action = g.md_at(page), change.action
        if where + lay.PAGE > state.disk.size:
            continue
        if action == "added":  # the place has bytes in the source: they are replaced
            action = "corrected"
        yield Piece(where, lay.PAGE, change.data, action, change.proof, change.why, 1)


def _why_super(before: bytes, g: sb.Geometry) -> str:
    """What is other than in the super block that was there, field by field."""
    if len(before) < lay.PAGE or not before.startswith(lay.SIGNATURE):
        return "rebuilt from the masks and metadata pages"
    old = sb.parse(before)
    changed = [name for name in g.__struct_fields__ if getattr(g, name) != getattr(old, name)]
    told = [f"{name} is {_shown(getattr(g, name))}, was {_shown(getattr(old, name))}" for name in changed]
    if "clean" in changed:
        told.append("the masks are what the metadata says")
    return "; ".join(told) if told else "its checksum, computed from what it says"


def _shown(value: object) -> str:
    """A field in few words; bytes that a file chose are told by their number."""
    if isinstance(value, tuple):
        return f"page {value[0]}, {value[1]} pages"
    if not isinstance(value, bytes):
        return str(value)
    return f"{len(value)} {'other bytes' if any(value) else 'zeroes'}"


def _new_super(shop: Workshop) -> sb.Geometry:
    """Clean, because the masks are computed anew; before version 3 every load recovers anyway."""
    return replace(shop.geometry, clean=1)


def _masks(shop: Workshop) -> Iterator[tuple[int, tuple[int, int], Bits, int]]:
    g, store = shop.geometry, shop.store
    found = [(mk.PAGES, g.page_mask, store.pages, g.md_len), (mk.CLUSTERS, g.cluster_mask, store.used, store.total)]
    if g.blobid_mask[1]:
        found.append((mk.BLOBS, g.blobid_mask, mk.roots(store), g.md_len))
    yield from sorted(found, key=lambda entry: entry[1])


def _mask(state: State, g: sb.Geometry, kind: int, start: int, pages: int, bits: Bits, length: int) -> Iterator[Piece]:
    at, buffer = start * g.page_size, bytearray()
    for part in mk.build(kind, bits, length, pages, g.page_size):
        buffer += part
        while len(buffer) >= PIECE:
            yield from _mask_piece(state, kind, at, bytes(buffer[:PIECE]))
            at += PIECE
            del buffer[:PIECE]
    if buffer:
        yield from _mask_piece(state, kind, at, bytes(buffer))


def _mask_piece(state: State, kind: int, at: int, data: bytes) -> Iterator[Piece]:
    if state.disk.raw(at, len(data)) != data:
        why = f"the {mk.NAMES[kind]} mask, computed from the metadata"
        yield Piece(at, len(data), data, "corrected", "derived", why)


def _changed(state: State, piece: Piece) -> Iterator[Edit]:
    span = state.disk.source_span(piece.at, min(piece.at + piece.length, state.disk.size))
    yield Edit(piece.action, span, piece.data, piece.proof, piece.why, piece.units, at=span.start)


def _kept(state: State, shop: Workshop, low: int, high: int) -> Iterator[Edit]:
    """Bytes that stay: metadata is sealed, clusters of volumes are placed, the rest proves nothing."""
    size, store = shop.geometry.cluster_size, shop.store
    border = min(max(low, store.first_data * size), high)
    if low < border:
        yield _keep(state, shop, low, border, "sealed")
    if border >= high:
        return
    first = border // size
    for start, end, used in bit_runs(store.used, first, min(store.total, -(-high // size))):
        left, right = max(border, start * size), min(high, end * size)
        if left < right:
            yield _keep(state, shop, left, right, "placed" if used else "none")
            border = right
    if border < high:
        yield _keep(state, shop, border, high, "none")


def _keep(state: State, shop: Workshop, low: int, high: int, proof: Proof) -> Edit:
    span = state.disk.source_span(low, high)
    g = shop.geometry
    index = shop.store.region.index
    first = bisect_left(index, max(0, (low - g.md_at(0)) // g.page_size))
    last = bisect_left(index, max(0, -(-(high - g.md_at(0)) // g.page_size)))
    units = sum(1 for row in range(first, last) if g.md_at(index[row]) >= low) if proof == "sealed" else 0
    return Edit("kept", span, None, proof, "unchanged", units, at=span.start)
