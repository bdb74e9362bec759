"""Bytes that were put in, or lost, before a store or inside its metadata: all behind them stands elsewhere.

A first page names its own place, and its checksum covers the name: where several stand as far from it as each other,
the rest of the store does, too. Behind the metadata nothing names its place: what happened there is not found here.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Iterator

from inspector.edited import Change, Edited
from inspector.formats.spdk_blobstore import layout as lay
from inspector.formats.spdk_blobstore import page as pg
from inspector.formats.spdk_blobstore import superblock as sb
from inspector.formats.spdk_blobstore.disk import Disk, Moved
from inspector.formats.spdk_blobstore.recover import PAGE_SIZES, candidates
from inspector.formats.spdk_blobstore.superblock import Geometry

MOST = 1 << 20  # bytes put in or lost; a difference beyond that is another disk's size
FIRST_LOOK = 16 << 20  # bytes searched where nothing but bad pages can tell
DEEP_LOOK = 256 << 20  # and where the size of the image is odd
MOST_DISTANCES = 16  # that are tried of a super block
MOST_FOUND = 10_000  # first pages
MOST_TRIED = 64  # pages that may hold the very place: 4096 places each
MOST_SIGNS = 200_000  # bytes that contradict one place or another
_ROOT = b"\1\0\0\0" + bytes(8) + bytes([lay.FLAGS]) + (24).to_bytes(4, "little")  # of a first page, from byte 4 on
_OVERLAP = lay.PAGE + len(_ROOT)
_NOT_ZERO = bytes([0] + [1] * 255)


def undone(disk: Disk, moved: Moved) -> Disk:
    """The store as it was before."""
    at, by = disk.base + moved.at, moved.by
    change = Change(at, by, b"") if by > 0 else Change(at, 0, moved.fill or bytes(-by))
    end = None if disk.end is None else disk.end - by
    return Disk(Edited(disk.source, "", [change]), disk.base, end, moved=moved)


def before(disk: Disk) -> Moved | None:
    """Bytes in front of a sealed super block, where no partition begins there."""
    data = disk.read(0, MOST + lay.PAGE)
    at = data.find(lay.SIGNATURE, 1)
    while 0 < at <= MOST:
        piece = data[at : at + lay.PAGE]
        if sb.sealed(piece) and _followed(disk, sb.parse(piece), at):
            what = "zeroes" if not any(data[:at]) else "bytes"
            return Moved(0, at, f"a sealed super block stands behind {at:,} {what}")
        at = data.find(lay.SIGNATURE, at + 1)
    return None


def _followed(disk: Disk, g: Geometry, at: int) -> bool:
    """Whether first pages stand as far from their places as this super block: else it is the one that went astray."""
    away = Counter(place - g.md_at(index) for place, index in loose_roots(disk, FIRST_LOOK + at).items())
    return away[at] > away[0]


def loose_roots(disk: Disk, limit: int) -> dict[int, int]:
    """Sealed first pages wherever they begin, up to `limit`: place -> the page index that its id claims."""
    found: dict[int, int] = {}
    for low, high, data in disk.windows(0, min(limit, disk.size), lay.PAGE):
        if data is None:
            continue
        data += disk.read(high, _OVERLAP)
        at = data.find(_ROOT)
        while at >= 0 and len(found) < MOST_FOUND:
            piece = data[at - 4 : at - 4 + lay.PAGE] if at >= 4 else disk.read(low + at - 4, lay.PAGE)
            if _sealed(piece):
                found[low + at - 4] = int.from_bytes(piece[:4], "little")
            at = data.find(_ROOT, at + 1)
    return found


def inside(disk: Disk, g: Geometry) -> Moved | None:
    """What was put in or lost behind a sealed super block, as far as the pages of the metadata show it."""
    surplus = disk.size - g.size if g.size else 0
    odd = 0 < abs(surplus) < MOST
    # an image of the right size lost at its end what was put in: its own metadata shows that, and content is not read
    end = g.md_at(g.md_len) + (MOST if surplus or not g.size else lay.PAGE)
    by = _distance(disk, g, surplus, min(end, DEEP_LOOK if odd else FIRST_LOOK))
    if by is None and odd:
        by = surplus  # no first page is behind it, perhaps other pages are
    if by is None or (0 < g.size <= by and sb.sealed(disk.read(by, lay.PAGE))):  # pages of the store that begins there
        return None
    return _border(disk, g, by)


def in_super(disk: Disk) -> Moved | None:
    """What was put in or lost inside a super block that does not hold, or before it and with a part of it."""
    roots = loose_roots(disk, FIRST_LOOK)
    votes = Counter(at - index * size for at, index in roots.items() for size in PAGE_SIZES)
    if not votes:
        return None
    first, count = votes.most_common(1)[0]
    rest = first % lay.PAGE
    because = f"{count} sealed first pages stand around byte {first}, where the metadata would begin"
    data = disk.read(0, lay.PAGE)
    # in front of the metadata are a super block and three masks of a page at least
    tried = [by for by in range(rest - lay.PAGE, first - 3 * lay.PAGE, lay.PAGE) if by][:MOST_DISTANCES]
    for by in sorted(tried, key=abs):
        found = _in_super(data, disk.read(by, lay.PAGE) if by > 0 else b"", by, because)
        if found is not None:
            return found
    for by in sorted(tried[:2], key=abs) if rest else ():
        if candidates(undone(disk, Moved(0, by, because))):
            return Moved(0, by, because)
    return None


def _in_super(here: bytes, there: bytes, by: int, because: str) -> Moved | None:
    at = _in_page(here, there, by, sb.sealed)
    if at is not None:
        return Moved(at, by, because)
    for clean in (0, 1):
        head = lay.SIGNATURE + b"".join(word.to_bytes(4, "little") for word in (3, lay.PAGE, clean))
        for at in range(len(head) + by + 1) if by < 0 else ():
            fill = head[at : at - by]
            if sb.sealed(here[:at] + fill + here[at : lay.PAGE + by]):
                return Moved(at, by, because, fill)
    return None


def _distance(disk: Disk, g: Geometry, surplus: int, limit: int) -> int | None:
    """How far from their places the first pages stand, from one place on; None where they stand in them."""
    away: dict[int, int] = {}
    roots = loose_roots(disk, limit)
    for at, index in roots.items():
        # one that stands in its place as well is a copy: bytes put in or lost move a page, and leave none of it there
        if index < g.md_len and (roots.get(g.md_at(index)) != index or at == g.md_at(index)):
            away[at] = at - g.md_at(index)
    votes = Counter(by for by in away.values() if by and abs(by) < MOST)
    if not votes:
        return None
    by, count = votes.most_common(1)[0]
    if count < 2 and by % 512 == 0 and by != surplus:  # a single page that went astray
        return None
    start = min(at for at, one in away.items() if one == by)
    if not surplus and by % lay.PAGE == 0 and _alone(disk, g, by, [at for at, one in away.items() if one == by]):
        return None
    behind = [one for at, one in away.items() if at >= start]
    return by if 2 * behind.count(by) > len(behind) and behind.count(0) < count else None


def _alone(disk: Disk, g: Geometry, by: int, places: list[int]) -> bool:
    """Whether first pages changed places and nothing else moved: more pages that they name are in place than `by` off.

    Only those behind the first that moved count: in front of it nothing would move.
    """
    least, here, there = min(places) - by, 0, 0
    for at in places:
        data = disk.read(at, lay.PAGE)
        named = {*pg.read_body(data).table[::2], pg.parse(data).next} - {0, lay.NO_PAGE}
        for place in (g.md_at(page) for page in named if page < g.md_len):
            if place > least:
                here += _named_so(disk, place, data)
                there += _named_so(disk, place + by, data)
    return here > there


def _named_so(disk: Disk, place: int, first: bytes) -> bool:
    """Whether a sealed page of the blob whose first page this is lies there; an extent page names its first writer."""
    data = disk.read(place, lay.PAGE)
    return data[:8] == first[:8] and data != first and _sealed(data)


def _sealed(data: bytes) -> bool:
    return len(data) == lay.PAGE and pg.checksum(data) == int.from_bytes(data[lay.BODY :], "little")


def _sureness(data: bytes, page: int) -> int:
    """Whether these bytes are metadata page `page`: 2 where they name it, 1 where they hold and name no place."""
    if not any(data) or not _sealed(data):
        return 0
    kind = pg.classify(pg.parse(data), page)
    return 2 if kind == pg.ROOT else int(kind in (pg.CONT, pg.EXTENT))


def _in_page(here: bytes, there: bytes, by: int, holds: Callable[[bytes], bool]) -> int | None:
    """Where inside a page bytes were put in or lost, so that it is whole without; lost ones were zeroes then.

    `here` are the bytes at the page's place, `there` those from `by` bytes further on.
    """
    for at in range(lay.PAGE + min(by, 0) + 1):
        rest = there[at : lay.PAGE] if by > 0 else bytes(-by) + here[at : lay.PAGE + by]
        if holds(here[:at] + rest):
            return at
    return None


def _border(disk: Disk, g: Geometry, by: int) -> Moved | None:
    """Where they were put in or lost: behind the last page in its place, before the first one `by` further on."""
    low, high = lay.PAGE, None
    between: list[tuple[int, int]] = []  # places, and what speaks for them: more than 0 to be further on, else here
    whole = by % lay.PAGE == 0  # then a page that names no place may as well be another one in its place
    for at in _filled(disk, g, by):
        page = (at - g.md_at(0)) // g.page_size
        here, there = (_sureness(disk.read(place, lay.PAGE), page) for place in (at, at + by))
        if here == 2 or (here and not whole):
            low = at + lay.PAGE
            between.clear()
        elif there == 2 or (there and not whole):
            high = at
            break
        elif len(between) < MOST_TRIED:
            between.append((at, there - here))
    on = "on" if by > 0 else "back"
    because = f"metadata pages hold {abs(by):,} bytes further {on} from byte {(high or 0) + by} on"
    if high is None:
        longer = "longer" if by > 0 else "shorter"
        because = f"a metadata page holds without that, and the image is {abs(by):,} bytes {longer}"
    torn = [at for at, _ in between if not _sealed(disk.read(at, lay.PAGE))]
    for at in torn:
        found = _in_page(disk.read(at, lay.PAGE), disk.read(at + by, lay.PAGE) if by > 0 else b"", by, _sealed)
        if found is not None:
            return Moved(at + found, by, because)
    if high is None:
        return None
    if whole:
        return Moved(_between_pages(between, high) + min(by, 0), by, because)
    if torn:  # in one of these, of which more is wrong, or what is lost were no zeroes
        return Moved(torn[0] + (0 if by > 0 else lay.PAGE + max(by, -lay.PAGE)), by, because)
    return Moved(_least_strange(disk, g, low, high, by), by, because)


def _between_pages(found: list[tuple[int, int]], end: int) -> int:
    """The first page from which on more speaks for being further on than for being here."""
    best, place, told = 0, end, 0
    for at, speaks in reversed(found):
        told += speaks
        if told > best:
            best, place = told, at
    return place


def _filled(disk: Disk, g: Geometry, by: int) -> Iterator[int]:
    """Places of metadata pages that are not zero, or where bytes stand `by` further on."""
    page, start = g.page_size, g.md_at(0)
    for low, high, data in disk.windows(start, g.md_at(g.md_len), page):
        first, end = low, high
        if data is None or data.count(0) == len(data):  # bytes stand `by` from its last pages alone, or its first
            if not any(disk.read(high, by) if by > 0 else disk.read(max(low + by, 0), low - max(low + by, 0))):
                continue
            first, end = (low + max(0, high - by - low) // page * page, high) if by > 0 else (low, min(high, low - by))
        for at in range(first, end, page):
            if any(disk.read(at, lay.PAGE)) or any(disk.read(at + by, lay.PAGE)):
                yield at


def _least_strange(disk: Disk, g: Geometry, low: int, high: int, by: int) -> int:
    """The place in [low, high) with the fewest bytes that contradict what must stand in masks and unused pages."""
    stop = min(high, low + (8 << 20))
    here = _strange(disk.read(low, stop - low), g, low)
    there = _strange(disk.read(low + by, stop - low), g, low)
    if len(here) + len(there) > MOST_SIGNS:
        return low
    top = max(stop + min(by, 0), low)
    places = [at for at in {low, top, *here, *(at + 1 for at in there)} if at <= top]
    # of several the last one: bits of a mask, of which nothing is known, stay where they are
    return max(places, key=lambda at: (bisect_left(there, at + max(0, -by)) - bisect_left(here, at), at))


def _strange(data: bytes, g: Geometry, start: int) -> list[int]:
    """Positions of bytes that are not what they must be, if `data` stands at `start`."""
    found: list[int] = []
    where = data.translate(_NOT_ZERO)
    due = sorted(_due(g))
    starts = [at for at, _, _ in due]
    at = where.find(1)
    while at >= 0 and len(found) <= MOST_SIGNS:
        i = bisect_right(starts, start + at) - 1
        if i < 0 or start + at >= due[i][1]:
            found.append(start + at)  # nothing but zeroes belongs here
        at = where.find(1, at + 1)
    for low, _, must in due:
        for place in range(max(low, start), min(low + len(must), start + len(data))):
            if data[place - start] != must[place - low]:
                found.append(place)
    return sorted(set(found))


def _due(g: Geometry) -> Iterator[tuple[int, int, bytes]]:
    """(start, end, bytes that it begins with) of each mask; a mask that was never written is zeroes."""
    for kind, (start, _) in enumerate(sb.masks(g).values()):
        bits = g.total_clusters(g.size) if kind == 1 else g.md_len
        head = lay.MASK_HEADER.fast().pack(kind, bits)
        full = b"\xff" * (g.first_data_cluster // 8) if kind == 1 else b""
        at = start * g.page_size
        yield at, at + sb.MASK_HEAD + -(-bits // 8), head + full if g.clean == 1 else b""
