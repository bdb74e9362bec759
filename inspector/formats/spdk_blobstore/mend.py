"""One flipped bit in a metadata page or super block is found from its CRC-32C alone, then held against its structure.

Random damage looks like a one-bit error in 32,768 of 2^32 pages. What else the page must be (its id, descriptors that
fit, zeroes after them) is the second witness, where it notices the bit: only then is the page written. A bit of a name
or of a cluster number that could be either is told, and corrected with `--accept unique`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator

from inspector.correct import NONE, Correction, Witness, Word, correct_crc32c, noticed_by
from inspector.format import Wishes
from inspector.formats.spdk_blobstore import layout as lay
from inspector.formats.spdk_blobstore import page as pg
from inspector.formats.spdk_blobstore import superblock as sb
from inspector.formats.spdk_blobstore.disk import Disk
from inspector.formats.spdk_blobstore.region import Region
from inspector.formats.spdk_blobstore.signs import page_signs, super_signs
from inspector.formats.spdk_blobstore.superblock import Geometry
from inspector.undone import written

MAX_MENDED = 1024  # pages; a medium with more than that has no one-bit errors but a pattern
PAGE = Word(0, lay.BODY, lay.BODY)


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


def witness(page: int, geometry: Geometry, signs: Iterable[Callable[[bytes], bool]] = ()) -> Witness:
    """What the structure of metadata page `page` says of a correction."""
    return noticed_by(lambda data: sane(data, page, geometry.md_len) is not None, *signs)


def super_witness(disk: Disk) -> Witness:
    """What the structure of a super block says of a correction."""

    def judge(data: bytes) -> bool:
        geometry = sb.parse(data)
        sound = geometry.signature == lay.SIGNATURE and geometry.clean in (0, 1) and not any(geometry.reserved)
        return sound and not sb.impossible(geometry, disk.size)

    return noticed_by(judge, *super_signs(disk))


def solve(data: bytes, by: Witness) -> Correction:
    """The one flipped bit of a page of 4096 bytes."""
    return correct_crc32c(data, PAGE, by, most=1) if len(data) == lay.PAGE else NONE


def bit_of(found: Correction) -> int:
    """The flipped bit of the page, of a correction that has one."""
    ((at, mask),) = found.patch
    return 8 * at + mask.bit_length() - 1


def mend(disk: Disk, geometry: Geometry, region: Region, wishes: Wishes) -> Iterator[tuple[int, Correction]]:
    """Correct in `disk.mended` and `region` what the wishes allow; yields (page, correction), also those not taken."""
    bad = [page for start, end, _ in region.runs(pg.BAD) for page in range(start, min(end, start + MAX_MENDED))]
    signs = page_signs(disk, geometry, region) if bad else ()
    for page in bad[:MAX_MENDED]:
        at = geometry.md_at(page)
        found = solve(disk.raw(at, lay.PAGE), witness(page, geometry, signs))
        if not found.unit:
            continue
        kind = sane(found.unit, page, geometry.md_len)
        if kind is not None and written(found, wishes):
            disk.mended[at] = found.unit
            head = pg.parse(found.unit)
            region.insert(bisect_left(region.index, page), page, kind, (head.id, head.sequence, head.next))
        yield page, found


def mend_super(disk: Disk, wishes: Wishes) -> tuple[Geometry, Correction] | None:
    """The geometry of a super block that one flipped bit broke, and the correction; None if it may not be taken."""
    found = solve(disk.raw(0, lay.PAGE), super_witness(disk))
    if not written(found, wishes):
        return None
    disk.mended[0] = found.unit
    return sb.parse(found.unit), found
