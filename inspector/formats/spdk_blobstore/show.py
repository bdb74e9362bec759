"""One place of the image on the table: the super block, a mask, a metadata page with its descriptors, a cluster."""

from __future__ import annotations

from collections.abc import Iterator

from inspector.field import Field
from inspector.format import Entry, Exhibit, Query
from inspector.formats.spdk_blobstore import layout as lay
from inspector.formats.spdk_blobstore import masks as mk
from inspector.formats.spdk_blobstore import page as pg
from inspector.formats.spdk_blobstore import superblock as sb
from inspector.formats.spdk_blobstore.names import item_ids
from inspector.formats.spdk_blobstore.state import State
from inspector.formats.spdk_blobstore.store import Store
from inspector.formats.spdk_blobstore.walk import KIND_OF, KINDS, SUPER
from inspector.layout import Layout
from inspector.span import Span

SHOWN = 256  # bytes of a cluster
MAX_DESCRIPTORS = 64
MAX_OWNERS = 4
_BODY: dict[int, tuple[Layout | None, Layout | None]] = {  # descriptor -> its head, and what then repeats
    lay.RLE: (None, lay.RLE_ENTRY),
    lay.XATTR: (lay.XATTR_HEAD, None),
    lay.FLAGS: (lay.FLAGS_BODY, None),
    lay.XATTR_INTERNAL: (lay.XATTR_HEAD, None),
    lay.EXTENT_TABLE: (lay.TABLE_HEAD, lay.TABLE_ENTRY),
    lay.EXTENT_PAGE: (lay.EXTENT_PAGE_HEAD, None),
    lay.CHECKSUM: (None, lay.CHECKSUM_ENTRY),
}
REPEATS = 16


def show(state: State, member: str, at: int) -> Exhibit | None:
    """What lies at a byte of the source; None outside of the store."""
    place = state.disk.position(at)
    if place is None or not 0 <= place < state.disk.size:
        return None
    store, g = state.ready(), state.geometry
    if place < lay.PAGE:
        return _super(state)
    if store is None or g is None:
        return None
    for kind, (start, count) in enumerate(sb.masks(g).values()):
        if start * g.page_size <= place < (start + count) * g.page_size:
            return _mask(state, store, kind, start * g.page_size, place)
    index = (place - g.md_at(0)) // g.page_size
    if 0 <= index < g.md_len:
        return _page(state, store, index)
    cluster = place // g.cluster_size
    return _cluster(state, store, cluster) if store.in_range(cluster) else None


def _span(state: State, at: int, length: int) -> Span:
    return state.disk.span(at, at + length)


def _super(state: State) -> Exhibit:
    span = _span(state, 0, lay.PAGE)
    good = sb.sealed(state.super_data)
    notes = []
    if not good and len(state.super_data) == lay.PAGE:
        notes.append(
            f"stored CRC-32C {sb.stored_crc(state.super_data):08x}, computed {pg.checksum(state.super_data):08x}"
        )
    if state.super_bit is not None:
        notes.append(f"one flipped bit: byte {state.super_bit >> 3}, bit {state.super_bit & 7}")
    fields = tuple(lay.SUPER_BLOCK.fields(state.super_data, span.start))
    what = "sealed" if good else "checksum does not hold"
    return Exhibit("super block", span, what, "page 0 of the store", state.super_data, fields, tuple(notes))


def _mask(state: State, store: Store, kind: int, start: int, place: int) -> Exhibit:
    at = place // lay.PAGE * lay.PAGE
    span = _span(state, at, lay.PAGE)
    data = state.disk.raw(at, lay.PAGE)
    fields = tuple(lay.MASK_HEADER.fields(data[: sb.MASK_HEAD], span.start)) if at == start else ()
    bit = (place - start - sb.MASK_HEAD) * 8
    note = f"the byte asked for holds bits {bit} to {bit + 7}" if bit >= 0 else "the byte asked for is in its header"
    marked = "masks are valid" if store.geometry.clean == 1 else "masks are stale: the store was not shut down"
    return Exhibit(f"{mk.NAMES[kind]} mask", span, marked, "the page of a mask", data, fields, (note,))


def _page(state: State, store: Store, index: int) -> Exhibit:
    at = store.page_at(index)
    span = _span(state, at, lay.PAGE)
    data = state.disk.raw(at, lay.PAGE)
    kind = pg.BAD if index in state.mended else store.region.state_of(index)
    notes = [f"metadata page {index}"]
    if index in state.mended:
        bit = state.mended[index]
        notes.append(f"one flipped bit: byte {bit >> 3}, bit {bit & 7}")
    owner = store.owner.get(index)
    owners = [owner] if owner is not None else store.extent_owners.get(index, [])[:MAX_OWNERS]
    names = item_ids(store) if owners else {}
    notes += [f"of {names.get(blob, hex(blob))}" for blob in owners]
    fields = list(lay.MD_PAGE.fields(data, span.start))
    if len(data) == lay.PAGE and kind != pg.ZERO:
        fields += _descriptors(data, span.start)
    words = "corrected" if index in state.mended else pg.STATE_NAMES[kind]
    return Exhibit(f"metadata page {index}", span, words, "the page that holds it", data, tuple(fields), tuple(notes))


def _descriptors(data: bytes, base: int) -> Iterator[Field]:
    at, head = lay.DESCRIPTORS_AT, lay.DESCRIPTOR.fast()
    for _ in range(MAX_DESCRIPTORS):
        if at + head.size > lay.DESCRIPTORS_END:
            return
        kind, length = head.unpack_from(data, at)
        end = at + head.size + length
        if (kind == lay.PADDING and length == 0) or end > lay.DESCRIPTORS_END:
            return
        name = lay.DESCRIPTOR_NAMES[kind] if kind < len(lay.DESCRIPTOR_NAMES) else f"type {kind}"
        body = data[at + head.size : end]
        text = _attribute(body) if kind in (lay.XATTR, lay.XATTR_INTERNAL) else f"{length} bytes"
        yield Field(name, base + at, base + end, body[:64], text, "descriptor")
        yield from _inside(kind, body, base + at + head.size)
        at = end


def _inside(kind: int, body: bytes, base: int) -> Iterator[Field]:
    first, repeated = _BODY.get(kind, (None, None))
    at = 0
    if first is not None and kind not in (lay.XATTR, lay.XATTR_INTERNAL):
        at = first.fast().size
        yield from first.fields(body[:at], base)
    if repeated is not None:
        size = repeated.fast().size
        for number in range(min(REPEATS, (len(body) - at) // size)):
            start = at + number * size
            yield from repeated.fields(body[start : start + size], base + start)


def _attribute(body: bytes) -> str:
    size = lay.XATTR_HEAD.fast().size
    if len(body) < size:
        return f"{len(body)} bytes"
    names = int.from_bytes(body[:2], "little")
    name, value = body[size : size + names], body[size + names :].rstrip(b"\0")
    shown = value.decode("ascii") if all(32 <= byte < 127 for byte in value) else value[:64].hex()
    return f"{name.decode('utf-8', 'backslashreplace')} = {shown}"


def _cluster(state: State, store: Store, cluster: int) -> Exhibit:
    size = store.geometry.cluster_size
    at = store.geometry.cluster_at(cluster)
    data = state.disk.raw(at, min(SHOWN, size))
    notes = []
    if cluster in store.used:
        names = item_ids(store)
        for blob in store.blobs.values():
            run = next((r for r in store.own(blob) if 0 < r.cluster <= cluster < r.cluster + r.count), None)
            if run is not None:
                notes.append(f"cluster {run.at + cluster - run.cluster} of {names[blob.id]}")
            if len(notes) >= MAX_OWNERS:
                break
    words = "in use" if notes else "free"
    span = _span(state, at, size)
    return Exhibit(f"cluster {cluster}", span, words, "the cluster that holds it", data, (), tuple(notes))


def records(state: State, query: Query) -> Iterator[Entry]:
    """The super block and each metadata page that is not zero, in order."""
    if not query.damaged or not sb.sealed(state.super_data):
        entry = _super_entry(state)
        if _wanted(entry, query):
            yield entry
    store = state.ready()
    if store is None:
        return
    for start, end, kind in store.region.runs(*KIND_OF):
        for page in range(start, end):
            bad = kind in (pg.BAD, pg.UNREADABLE)
            if query.damaged and not bad:
                continue
            entry = _page_entry(state, store, page, kind)
            if query.end is not None and entry.span.start >= query.end:
                return
            if _wanted(entry, query):
                yield entry


def _wanted(entry: Entry, query: Query) -> bool:
    return (
        (not query.kinds or entry.kind in query.kinds)
        and entry.span.end > query.start
        and (query.end is None or entry.span.start < query.end)
    )


def _super_entry(state: State) -> Entry:
    good = sb.sealed(state.super_data)
    return Entry(_span(state, 0, lay.PAGE), KINDS[SUPER], "ok" if good else "bad checksum", {})


def _page_entry(state: State, store: Store, page: int, kind: int) -> Entry:
    row = store.region.row(page)
    known = store.region.kind[row] if row is not None else kind
    fields: dict[str, object] = {"page": page}
    if row is not None:
        head = store.region
        fields |= {"blob": f"0x{head.id[row]:x}", "sequence": head.sequence[row]}
        if head.next[row] != lay.NO_PAGE:
            fields["next"] = head.next[row]
    words = pg.STATE_NAMES[known] if known in (pg.BAD, pg.UNREADABLE) else "ok"
    if page in state.mended:
        words = "bad checksum, corrected"
    return Entry(_span(state, store.page_at(page), lay.PAGE), KINDS[KIND_OF[known]], words, fields)
