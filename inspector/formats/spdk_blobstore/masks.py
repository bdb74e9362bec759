"""The masks on disk against what the metadata pages say: only meaningful after a clean shutdown."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct, field

from inspector.formats.spdk_blobstore import layout as lay
from inspector.formats.spdk_blobstore import page as pg
from inspector.formats.spdk_blobstore import superblock as sb
from inspector.formats.spdk_blobstore.bits import CHUNK, Bits, differing
from inspector.formats.spdk_blobstore.store import Store

PAGES, CLUSTERS, BLOBS = range(3)
NAMES = ("used page", "used cluster", "root")
KEEP = 1000


class Difference(Struct):
    """One mask: bits set without a reason, and bits that should be set. The first of each kind are kept."""

    kind: int
    start: int  # byte of the mask in the store
    header: tuple[int, int]
    due: tuple[int, int]
    extra: list[int] = field(default_factory=list)
    missing: list[int] = field(default_factory=list)
    extra_count: int = 0
    missing_count: int = 0

    @property
    def header_ok(self) -> bool:
        return self.header == self.due

    def byte_of(self, bit: int) -> int:
        return self.start + sb.MASK_HEAD + bit // 8


def roots(store: Store) -> Bits:
    found = Bits()
    for blob in store.blobs.values():
        found.add(blob.root)
    return found


def compare(store: Store) -> list[Difference]:
    """Each mask against the bits computed from sealed metadata."""
    g = store.geometry
    wanted = [(PAGES, g.page_mask, store.pages, g.md_len), (CLUSTERS, g.cluster_mask, store.used, store.total)]
    if g.blobid_mask[1]:
        wanted.append((BLOBS, g.blobid_mask, roots(store), g.md_len))
    page = g.page_size
    return [_one(store, kind, at * page, count * page, bits, length) for kind, (at, count), bits, length in wanted]


def _one(store: Store, kind: int, start: int, room: int, bits: Bits, length: int) -> Difference:
    head = store.disk.read(start, sb.MASK_HEAD).ljust(sb.MASK_HEAD, b"\0")
    stored = lay.MASK_HEADER.fast().unpack(head)
    found = Difference(kind, start, (stored[0], stored[1]), (kind, length))
    if not found.header_ok:
        return found
    left = min(-(-length // 8), room - sb.MASK_HEAD, max(0, store.disk.size - start - sb.MASK_HEAD))
    for number in range(-(-left // CHUNK)):
        size = min(CHUNK, left - number * CHUNK)
        have = store.disk.read(start + sb.MASK_HEAD + number * CHUNK, size).ljust(size, b"\0")
        for bit, is_set in differing(have, bits.chunk(number)[:size], number * 8 * CHUNK):
            _note(found, bit, is_set)
    return found


def _note(found: Difference, bit: int, is_set: bool) -> None:
    kept = found.extra if is_set else found.missing
    if is_set:
        found.extra_count += 1
    else:
        found.missing_count += 1
    if len(kept) < KEEP:
        kept.append(bit)


def unborn(store: Store, page: int, pages: Difference) -> bool:
    """Whether a page marked as a volume's root never was one: another volume has it, or it is unused by every word."""
    if store.region.state_of(page) == pg.ZERO:
        return pages.extra_count <= len(pages.extra) and page not in pages.extra
    return page in store.pages and store.region.state_of(page) in (pg.CONT, pg.EXTENT)


def build(kind: int, bits: Bits, length: int, pages: int, page: int) -> Iterator[bytes]:
    """A mask as its pages, header first, in pieces."""
    yield lay.MASK_HEADER.fast().pack(kind, length)
    done = sb.MASK_HEAD
    for piece in bits.to_bytes(length):
        yield piece
        done += len(piece)
    yield bytes(pages * page - done)


def never_written(store: Store) -> bool:
    """All mask headers are zero: the store was never shut down since it was made."""
    return all(
        not any(store.disk.read(start * store.geometry.page_size, 5)) for start, _ in sb.masks(store.geometry).values()
    )
