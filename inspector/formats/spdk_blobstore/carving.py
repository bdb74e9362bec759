"""Carving: a blobstore somewhere on a disk, found by its sealed super block, copied out as an image.

What is copied is a true copy, damage included: putting it right is the repair's work. Metadata pages are listed,
because where a super block is lost they tell that a store was there.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterator
from typing import Any

from msgspec import Struct, field

from inspector.account import Progress
from inspector.carve import WRITTEN, Carver, CarveWishes, Found, Haul, Sums, opened
from inspector.descriptors import pwrite_all
from inspector.errors import SourceError, UsageError
from inspector.format import Wishes
from inspector.formats.spdk_blobstore import layout as lay
from inspector.formats.spdk_blobstore import page as pg
from inspector.formats.spdk_blobstore import superblock as sb
from inspector.inspect import inspect
from inspector.mapfile import lines, unknown_ranges
from inspector.output import Place, place_file, preflight
from inspector.search import Area, Window, search
from inspector.source import Source
from inspector.span import Span

SECTOR = 512  # partitions begin at multiples of it
COPY = 4 << 20
MAX_STORES = 10_000
MAX_PAGES = 4_000_000  # of those with a valid checksum, as in an inspection
UNSEALED = "its checksum does not hold (--offset takes it all the same)"
IMPOSSIBLE = "no loader can use its geometry"
INSIDE = "inside another store: the content of one of its volumes"
NOT_CHOSEN = "another store (--offset takes it)"
PAGE = "metadata page"
OUTSIDE = "a metadata page outside of the store that was written"


class StoreAt(Struct, frozen=True):
    """A super block and the bytes that are its store, as far as the source has them."""

    start: int
    end: int
    fate: str
    cut: int = 0  # bytes of the store that the source lacks


class Seen(Struct):
    """Super blocks and metadata pages that verify, in order."""

    supers: list[StoreAt] = field(default_factory=list)
    pages: array[int] = field(default_factory=lambda: array("Q"))
    beyond: int = 0  # pages or super blocks that were not kept, because there are too many


def hunt(area: Area, wishes: CarveWishes, progress: Progress | None) -> Haul:
    seen = Seen()
    if wishes.offset is not None:
        seen.supers.append(_given(area, wishes.offset))
    else:
        for window, (supers, pages) in search(area, _look, lay.PAGE, progress):
            _take(area.source, seen, supers, pages, window)
        seen.supers = _outermost(seen.supers)
    return _haul(area, seen)


def _look(window: Window) -> tuple[list[int], list[int]]:
    return list(_supers(window)), list(_pages(window))


def _supers(window: Window) -> Iterator[int]:
    """Offsets of the signature at the start of a sector."""
    first = -window.start % SECTOR
    sampled = window.data[first : window.stop - window.start : SECTOR]
    at = sampled.find(lay.SIGNATURE[:1])
    while at >= 0:
        if window.data.startswith(lay.SIGNATURE, first + at * SECTOR):
            yield window.start + first + at * SECTOR
        at = sampled.find(lay.SIGNATURE[:1], at + 1)


def _pages(window: Window) -> Iterator[int]:
    """Offsets of 4096-byte pages that begin with a blob's id and end with their own checksum."""
    first = -window.start % lay.PAGE
    ids = window.data[first + 4 : window.stop - window.start : lay.PAGE]  # bit 32 of a blob's id is always set
    at = ids.find(1)
    while at >= 0:
        low = first + at * lay.PAGE
        data = window.data[low : low + lay.PAGE]
        if len(data) == lay.PAGE and data[5:8] == bytes(3) and sb.stored_crc(data) == pg.checksum(data):
            yield window.start + low
        at = ids.find(1, at + 1)


def _take(source: Source, seen: Seen, supers: list[int], pages: list[int], window: Window) -> None:
    for at in supers:
        if len(seen.supers) < MAX_STORES:
            data = window.data[at - window.start : at - window.start + lay.PAGE]
            seen.supers.append(_store(source, at, data))
        else:
            seen.beyond += 1
    room = max(0, MAX_PAGES - len(seen.pages))
    seen.pages.extend(pages[:room])
    seen.beyond += len(pages[room:])


def _store(source: Source, at: int, data: bytes) -> StoreAt:
    if not sb.sealed(data):
        return StoreAt(at, min(at + lay.PAGE, source.size), UNSEALED)
    geometry = sb.parse(data)
    left = source.size - at
    if sb.impossible(geometry, left):
        return StoreAt(at, at + lay.PAGE, IMPOSSIBLE)
    size = geometry.size or left
    return StoreAt(at, min(at + size, source.size), WRITTEN, max(0, size - left))


def _given(area: Area, offset: int) -> StoreAt:
    """The store that the user says is there; without a sealed super block up to the source's end."""
    source = area.source
    if offset >= source.size:
        raise UsageError(f"--offset {offset}: the source has {source.size} bytes")
    area.islands = [Span(offset, min(offset + lay.PAGE, source.size))]
    area.skipped = source.size - area.bytes - sum(span.length for span in unknown_ranges(source, 0, source.size))
    found = _store(source, offset, source.read(offset, lay.PAGE))
    return found if found.fate == WRITTEN else StoreAt(offset, source.size, WRITTEN)


def _outermost(found: list[StoreAt]) -> list[StoreAt]:
    """A volume may hold an image of a store: of two that overlap the one that begins first is the disk's own."""
    out, end, sealed = [], 0, 0
    for store in found:
        if store.fate == WRITTEN and store.start < end:
            store = StoreAt(store.start, store.end, INSIDE, store.cut)
        elif store.fate == WRITTEN:
            end, sealed = store.end, sealed + 1
        out.append(store)
    return out


def _haul(area: Area, seen: Seen) -> Haul:
    source = area.source
    stores = [store for store in seen.supers if store.fate == WRITTEN]
    chosen = stores[0] if stores else None
    sums = Sums()
    for store in seen.supers:
        sums.found["super block"] += 1
        # its pages and clusters are the store's own bytes: they are counted with it
        whole = store is chosen
        sums.add(WRITTEN if whole else store.fate, 1, store.end - store.start if whole else lay.PAGE)
    inside = sum(1 for at in seen.pages if chosen and chosen.start <= at < chosen.end)
    sums.found[PAGE] = len(seen.pages)
    sums.add(WRITTEN, inside, 0)  # their bytes are the store's
    if len(seen.pages) > inside:
        sums.add(OUTSIDE, len(seen.pages) - inside, lay.PAGE * (len(seen.pages) - inside))
    haul = Haul(
        sums,
        lambda: _spans(seen, chosen),
        lambda place: _write(place, area, chosen, haul),
        _allocated(source, chosen) if chosen else 0,
        because="a super block is 8 fixed bytes and a checksum of 32 bits at the start of a sector",
        chance=area.bytes / SECTOR / 2**96,
        version=str(sb.parse(source.read(chosen.start, lay.PAGE)).version) if chosen else "",
        lost=frozenset({UNSEALED}) if chosen is None else frozenset(),
        after=lambda output: (f"inspector scan {output}", f"inspector repair {output} -o {output}.repaired"),
    )
    _say(haul, source, seen, stores)
    return haul


def _say(haul: Haul, source: Source, seen: Seen, stores: list[StoreAt]) -> None:
    if seen.beyond:
        haul.partial = f"{seen.beyond:,} more super blocks or pages verify than can be kept"
    if len(stores) > 1:
        places = ", ".join(str(store.start) for store in stores[:10])
        haul.choice = (f"{len(stores)} stores were found, at bytes {places}", "--offset BYTE takes one of them")
        haul.notes.append(f"{haul.choice[0]}: {haul.choice[1]}")
    if not stores:
        why = f", but {len(seen.pages):,} metadata pages from byte {seen.pages[0]} on" if len(seen.pages) else ""
        haul.empty = f"no sealed super block was found{why}"
        return
    if stores[0].cut:
        haul.notes.append(f"the store is {stores[0].cut:,} bytes longer than the source: its end is missing")
        haul.damaged = True
    if not sb.sealed(source.read(stores[0].start, lay.PAGE)):
        haul.notes.append("no sealed super block lies there: everything up to the end is copied")


def _spans(seen: Seen, chosen: StoreAt | None) -> Iterator[Found]:
    """Stores and pages in the order of their offsets."""
    stores = iter([*seen.supers, None])
    store = next(stores)
    for at in seen.pages:
        while store is not None and store.start <= at:
            yield _found(store, chosen)
            store = next(stores)
        within = chosen is not None and chosen.start <= at < chosen.end
        yield Found(at, at + lay.PAGE, PAGE, WRITTEN if within else OUTSIDE)
    while store is not None:
        yield _found(store, chosen)
        store = next(stores)


def _found(store: StoreAt, chosen: StoreAt | None) -> Found:
    fate = NOT_CHOSEN if store.fate == WRITTEN and store is not chosen else store.fate
    return Found(store.start, store.end, "super block", fate)


def _allocated(source: Source, store: StoreAt) -> int:
    """Bytes of the copy that are no holes."""
    total = 0
    for span in source.data_ranges(start=store.start):
        if span.start >= store.end:
            break
        total += min(span.end, store.end) - span.start
    return total


def _write(place: Place, area: Area, store: StoreAt | None, haul: Haul) -> dict[str, Any]:
    """A sparse copy; bytes that nobody could read are zero in it and named in OUT.map."""
    from inspector.formats import all_formats

    assert store is not None
    source, chart = area.source, f"{place.target}.map"
    if any(True for _ in unknown_ranges(source, store.start, store.end)):
        preflight(chart, source, 0, force=False)  # before hours are spent on the copy
    for span in source.data_ranges(start=store.start):
        if span.start >= store.end:
            break
        _copy(source, span.start, min(span.end, store.end), place.fd, store.start)
    size = store.end - store.start
    os.ftruncate(place.fd, size)
    bad = [*unknown_ranges(source, store.start, store.end), *source.unreadable]
    if any(span.start < store.end and store.start < span.end for span in bad):
        _map(chart, source, store, bad)
        place.notes.append(f"{chart} names the bytes that could not be read; they are zero in the image")
        haul.damaged = True
    haul.sums.proof.update({"sealed": lay.PAGE, "placed": size - lay.PAGE})
    with opened(place) as written:
        again = inspect(written, all_formats(), Wishes(), "spdk-blobstore", causes=False).whole()
    if again.damaged:
        haul.damaged = True
        place.notes.append("the store in the image is damaged: inspector scan says how")
    why = "spdk-blobstore: the original program is not a library"
    return {"ok": True, "by": ["inspector"], "engine": {"ran": False, "why": why}}


def _copy(source: Source, at: int, end: int, fd: int, base: int) -> None:
    while at < end:
        data = source.read(at, min(COPY, end - at))
        if not data or source.shrunk:
            raise SourceError(f"{source.label}: {source.changed or 'ended early'}", "carve a copy of it")
        if data.count(0) != len(data):
            pwrite_all(fd, data, at - base)
        at += len(data)


def _map(path: str, source: Source, store: StoreAt, bad: list[Span]) -> None:
    """A ddrescue mapfile of the image."""

    def ranges() -> Iterator[tuple[int, int, str]]:
        at = store.start
        for span in sorted(bad):
            low, high = max(span.start, at), min(span.end, store.end)
            if low < high:
                yield at - store.start, low - store.start, "+"
                yield low - store.start, high - store.start, "-"
                at = high
        yield at - store.start, store.end - store.start, "+"

    with place_file(path, source, 0, force=False, mode=0o600) as place:
        pwrite_all(place.fd, "".join(lines(ranges())).encode(), 0)


CARVER = Carver(
    name="spdk-blobstore",
    title="SPDK blobstores anywhere on a disk; one is copied out as an image",
    format="spdk-blobstore",
    hunt=hunt,
    wishes=frozenset({"offset"}),
    verified="read again and inspected whole",
)
