"""One flipped bit in a metadata page or super block is found from its CRC-32C alone, then held against its structure.

Random damage looks like a one-bit error in 32,768 of 2^32 pages; what else the page must be (its id, descriptors
that fit, zeroes after them) is the second witness, so what passes is as good as sealed.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from functools import cache

from crc32c import crc32c

from inspector.formats.spdk_blobstore import layout as lay
from inspector.formats.spdk_blobstore import page as pg
from inspector.formats.spdk_blobstore import superblock as sb
from inspector.formats.spdk_blobstore.disk import Disk
from inspector.formats.spdk_blobstore.region import Region
from inspector.formats.spdk_blobstore.superblock import Geometry

MAX_MENDED = 1024  # pages; a medium with more than that has no one-bit errors but a pattern


@cache
def _syndromes() -> dict[int, int]:
    """What each single flipped bit of the 4092 covered bytes does to the checksum."""
    zero = crc32c(bytes(lay.BODY))
    found: dict[int, int] = {}
    error = bytearray(lay.BODY)
    for at in range(lay.BODY):
        for bit in range(8):
            error[at] = 1 << bit
            found[crc32c(error) ^ zero] = at * 8 + bit
        error[at] = 0
    return found


def one_bit(data: bytes) -> tuple[bytes, int] | None:
    """The page with the one bit restored that makes its checksum hold, and which bit of the page it was."""
    stored = int.from_bytes(data[lay.BODY : lay.PAGE], "little")
    syndrome = stored ^ crc32c(data[: lay.BODY])
    bit = _syndromes().get(syndrome)
    if bit is None:
        if syndrome.bit_count() != 1:
            return None
        bit = 8 * lay.BODY + syndrome.bit_length() - 1  # the stored checksum itself was hit
    fixed = bytearray(data)
    fixed[bit >> 3] ^= 1 << (bit & 7)
    return bytes(fixed), bit


def sane(data: bytes, index: int, md_len: int) -> int | None:
    """The state of a corrected page when everything else about it is as a loader would write it, else None."""
    page = pg.parse(data)
    body = pg.read_body(data)
    kind = pg.classify(page, index)
    if page.reserved or body.problems or body.unknown or any(data[body.end : lay.DESCRIPTORS_END]):
        return None
    if page.next != lay.NO_PAGE and page.next >= md_len:
        return None
    if kind == pg.ROOT:
        return kind if data[lay.DESCRIPTORS_AT] == lay.FLAGS else None
    if kind == pg.EXTENT:
        return kind if body.extent_start is not None and body.extent_start % lay.PER_EXTENT_PAGE == 0 else None
    return kind if kind == pg.CONT and page.id >> 32 == 1 else None


def mend(disk: Disk, geometry: Geometry, region: Region) -> Iterator[tuple[int, int]]:
    """Correct what one bit explains, in `disk.mended` and `region`; yields (page, bit)."""
    bad = [page for start, end, _ in region.runs(pg.BAD) for page in range(start, min(end, start + MAX_MENDED))]
    for page in bad[:MAX_MENDED]:
        at = geometry.md_at(page)
        data = disk.raw(at, lay.PAGE)
        found = one_bit(data) if len(data) == lay.PAGE else None
        kind = sane(found[0], page, geometry.md_len) if found else None
        if found is None or kind is None:
            continue
        disk.mended[at] = found[0]
        head = pg.parse(found[0])
        region.insert(bisect_left(region.index, page), page, kind, (head.id, head.sequence, head.next))
        yield page, found[1]


def mend_super(disk: Disk) -> tuple[Geometry, int] | None:
    """The geometry of a super block that one flipped bit broke, and the bit."""
    data = disk.raw(0, lay.PAGE)
    found = one_bit(data) if len(data) == lay.PAGE else None
    if found is None:
        return None
    geometry = sb.parse(found[0])
    if geometry.signature != lay.SIGNATURE or sb.impossible(geometry, disk.size) or any(geometry.reserved):
        return None
    disk.mended[0] = found[0]
    return geometry, found[1]
