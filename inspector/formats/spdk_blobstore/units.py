"""One metadata page at its place, for whoever asks whether bytes would make sense if they were other ones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from inspector.crc32c import crc32c
from inspector.format import Misplaced, Reading, Traits, Unit
from inspector.formats.spdk_blobstore import layout as lay
from inspector.formats.spdk_blobstore import masks as mk
from inspector.formats.spdk_blobstore import page as pg
from inspector.formats.spdk_blobstore import superblock as sb
from inspector.formats.spdk_blobstore.state import State

_HEAD = lay.MD_PAGE.fast()
SEARCHED: Final = 64 << 20  # bytes in which pages are looked for that changed places


def unit(state: State, member: str, at: int, read: Reading) -> Unit | None:
    """The page due at `at`: sealed, and a root page only at its own place. None outside of the metadata."""
    geometry, place = state.geometry, state.disk.position(at)
    if place == 0:
        return Unit(at + lay.PAGE, sb.sealed(read(at, lay.PAGE)))
    if geometry is None or place is None:
        return None
    inside = place - geometry.md_at(0)
    page, rest = divmod(inside, geometry.page_size)
    if rest or not 0 <= page < geometry.md_len:
        return None
    data = read(at, lay.PAGE)
    end = at + geometry.page_size
    if len(data) < lay.PAGE:
        return Unit(end, False)
    blob, sequence, _, _, _, stored = _HEAD.unpack(data)
    sound = crc32c(data[: lay.BODY]) == stored
    if sequence == 0 and data[lay.DESCRIPTORS_AT] != lay.EXTENT_PAGE:
        sound = sound and blob == pg.root_id(page)
    return Unit(end, sound)


def misplaced(state: State, member: str, at: int, read: Reading) -> Misplaced | None:
    """A sealed root page in the place of another page; or other bytes where a page is due that stands elsewhere."""
    geometry, place = state.geometry, state.disk.position(at)
    if geometry is None or not place or unit(state, member, at, read) is None:
        return None
    data = read(at, lay.PAGE)
    if len(data) < lay.PAGE:
        return None
    blob, sequence, _, _, _, stored = _HEAD.unpack(data)
    page, home = (place - geometry.md_at(0)) // geometry.page_size, blob & 0xFFFFFFFF
    if crc32c(data[: lay.BODY]) != stored:
        return _elsewhere(state, page, data)
    strayed = sequence == 0 and data[lay.DESCRIPTORS_AT] != lay.EXTENT_PAGE and blob == pg.root_id(home)
    if not strayed or home == page or home >= geometry.md_len:
        return None
    other = state.disk.span(geometry.md_at(home), geometry.md_at(home)).start
    there = read(other, lay.PAGE)
    if there == data:
        because = f"the sealed page {home} stands here as well: it was written, or kept, in two places"
        return Misplaced("stale-page", because)
    if there[:8] == pg.root_id(page).to_bytes(8, "little"):
        return Misplaced("swapped", f"the sealed page {home} stands here, and page {page} in its place", other)
    sealed = pg.checksum(there) == int.from_bytes(there[lay.BODY :], "little")
    other_kind = sealed and pg.classify(pg.parse(there), home) in (pg.CONT, pg.EXTENT)
    if other_kind and _due(state, page, data):
        because = f"the sealed page {home} stands here, and one that is no first page of a volume in its place"
        return Misplaced("swapped", because, other)
    if there[:8] != data[:8] and not sealed and (any(there) or not _was_used(state, page)):
        return Misplaced("swapped", f"the sealed page {home} stands here, and {_what(there)} in its place", other)
    because = f"a sealed page that belongs to place {home} stands here: an older one, or one that went astray"
    return Misplaced("stale-page", because)


def _due(state: State, page: int, root: bytes) -> bool:
    """Whether a page other than a first one is due at `page`: a volume names it, or the root that is there."""
    store = state.store
    if any(one.page == page and one.back is not None for one in state.homes.values()):
        return True
    if store is not None and any(fault.page == page for fault in store.extent_faults):
        return True
    if store is not None and any(b.broken is not None and b.broken.page == page for b in store.blobs.values()):
        return True
    return pg.parse(root).next == page or page in pg.read_body(root).table[::2]


def _was_used(state: State, page: int) -> bool:
    """Whether a page of a volume that is gone was in this place, as the masks of an unloaded store say: no zeroes."""
    if state.store is None or state.store.geometry.clean != 1:
        return False
    return any(page in one.extra for one in mk.compare(state.store) if one.kind == mk.PAGES and one.header_ok)


def _what(data: bytes) -> str:
    return "what is no page of metadata" if any(data) else "zeroes"


def _elsewhere(state: State, page: int, data: bytes) -> Misplaced | None:
    """The sealed page that is due here and stands in one other place: the two changed places."""
    if data[:8] == pg.root_id(page).to_bytes(8, "little"):
        return None  # it is here, and damaged
    strays = _strays(state)
    found = [place for place, own in strays if own == page] or [place for place, own in strays if own is None]
    if len(found) != 1:
        return None
    geometry = state.geometry
    assert geometry is not None
    if not any(data) and _was_used(state, (found[0] - geometry.md_at(0)) // geometry.page_size):
        return None
    where = state.disk.span(found[0], found[0]).start
    because = f"{_what(data)} {'stands' if any(data) else 'stand'} here, and a sealed page of metadata at {where}"
    return Misplaced("swapped", f"{because}, where none belongs", where)


def _strays(state: State) -> list[tuple[int, int | None]]:
    """Places of sealed pages that do not belong there, with the page that they name; None where they name none."""
    if state.strays is None:
        state.strays = list(_searched(state))
    return state.strays


def _searched(state: State) -> Iterator[tuple[int, int | None]]:
    geometry, disk = state.geometry, state.disk
    assert geometry is not None
    first, last = geometry.md_at(0), geometry.md_at(geometry.md_len)
    for place, piece in disk.named(SEARCHED):
        blob, sequence, _, _, _, stored = _HEAD.unpack(piece)
        root = sequence == 0 and piece[lay.DESCRIPTORS_AT] != lay.EXTENT_PAGE
        home = int(blob) & 0xFFFFFFFF
        belongs = first <= place < last and (not root or geometry.md_at(home) == place)
        if not belongs and home < geometry.md_len and crc32c(piece[: lay.BODY]) == stored:
            yield place, home if root else None


def surplus(state: State, member: str) -> int | None:
    """By how much the source differs from the size that the super block names."""
    geometry = state.geometry
    if geometry is None or not geometry.size or state.how not in ("sealed", "mended") or state.disk.base:
        return None
    return state.disk.source.size - geometry.size


def grid(state: State, member: str) -> tuple[int, int, str] | None:
    """The clusters that volumes are made of."""
    geometry = state.geometry
    return (geometry.cluster_size, state.disk.base, "a cluster") if geometry else None


# what is missing or unmarked because a page is lost
_APART = frozenset({"SPB013", "SPB014", "SPB015", "SPB016", "SPB017", "SPB018", "SPB025", "SPB026", "SPB043"})
TRAITS = Traits(unit, surplus, misplaced=misplaced, apart=_APART, mixed=True, grid=grid)
