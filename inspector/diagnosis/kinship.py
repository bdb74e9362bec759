"""Bytes that are of another kind than the sound ones of their member, by how well both pack."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise
from math import fsum, sqrt

from inspector.diagnosis import traces
from inspector.diagnosis.bytes_at import Budget, BytesAt
from inspector.diagnosis.places import Place
from inspector.uniform import uniform

SECTOR = 512
PAGE = 4096
FEW = 8192  # sound bytes that show only a part of a kind
SAMPLES = 400  # places of a member that are looked at for its kind
KIN = 20_000  # bytes of them that are kept
MOST = 1 << 20  # bytes of a place that are held against its kind
MARGIN = 0.04  # of the packed size, by which sectors of one kind differ
LOOKS_BACK = 32768  # bytes that zlib is told of before it packs a piece
PACKER = 8192  # bytes that it packs in the time that it takes to be made
NOISE = 0.97  # how well noise packs: where pages of the kind pack as badly it cannot be told from them


def trials_of(place: Place) -> int:
    """What `strange` costs, in trials: it packs each sector."""
    return 8 * (min(place.end - place.start, MOST) // SECTOR)


def strange(read: BytesAt, place: Place, kin: bytes, budget: Budget, lone: bool = False) -> tuple[int, int] | None:
    """Sectors of the place that do not pack beside sound bytes as sound sectors do: [start, end) or None.

    Around a unit that is alone of its kind nothing says what it should look like, but that it is no noise.
    """
    near, size = _around(read, place, kin)
    pieces = list(_pieces(place, size))
    usual = _asked(near, size, budget) if pieces else None  # no place is strange that holds no sector
    if usual is None:
        return None
    low, high = usual  # what packs outside of these is of another kind
    if lone or (len(near) < FEW and low < 0.6):
        low, high = 0.0, 0.93  # a small store shows a part of its kind: strange is what knows nothing of it
    odd: list[int] = []
    sure = False  # one sector alone must differ more
    for at, begin, end in pieces:
        packed = traces.packs(read(begin, end - begin), near)
        if not low < packed < high:
            odd.append(at)
            sure |= not low - MARGIN < packed < high + MARGIN
    if odd and (sure or any(b - a == size for a, b in pairwise(odd))):
        return odd[0], odd[-1] + size
    return None if lone else _strange_pages(read, place, near, budget)


def _pieces(place: Place, size: int) -> Iterator[tuple[int, int, int]]:
    """Where a sector begins, and what of it lies in the place, [begin, end): of each that lies there for most of it."""
    start = place.start - place.start % size
    for at in range(start, min(place.end, start + MOST), size):
        begin, end = max(at, place.start), min(at + size, place.end)
        if end - begin >= size * 3 // 4:
            yield at, begin, end


def _strange_pages(read: BytesAt, place: Place, near: bytes, budget: Budget) -> tuple[int, int] | None:
    """The same for whole pages: of a store whose sectors are of many kinds, each page is a mixture."""
    first = -(-place.start // PAGE) * PAGE
    pages = range(first, min(place.end, first + MOST) - PAGE + 1, PAGE)
    usual = _asked(near, PAGE, budget) if pages else None  # it packs twenty: only where there is one to hold to that
    if usual is None:
        return None
    odd = [at for at in pages if not usual[0] < traces.packs(read(at, PAGE), near) < usual[1]]
    return (odd[0], odd[-1] + PAGE) if odd else None


def familiar(read: BytesAt, place: Place, kin: bytes, budget: Budget) -> bool:
    """Whether enough sound bytes are known to say that these are of their kind, where `strange` finds nothing."""
    usual = _asked(_near(read, place, kin), PAGE, budget)
    if budget.packed <= 0:
        return True  # nobody looked: what is said of the place is no surer for that
    return usual is not None and usual[1] < NOISE


def _around(read: BytesAt, place: Place, kin: bytes) -> tuple[bytes, int]:
    """Sound bytes to hold a place against, and in pieces of which size."""
    near = _near(read, place, kin)
    return near, SECTOR if len(near) >= 16 * SECTOR else SECTOR // 2


def _near(read: BytesAt, place: Place, kin: bytes) -> bytes:
    """Sound bytes to hold a place against: those around it, and others of its member."""
    near = read(place.end, 12288) + read(max(0, place.start - 12288), min(place.start, 12288))
    return _apart(kin, near) + _without_runs(near)


def kin_of(read: BytesAt, places: list[Place]) -> bytes:
    """Sound bytes from all over the member, to know what its own kind looks like."""
    out = bytearray()
    hurt = [p for p in places if p.span.member == read.member]
    for at in range(0, read.size - SECTOR, max(4 * SECTOR, read.size // SAMPLES)):
        if not any(p.start < at + 4 * SECTOR and at < p.end for p in hurt):
            out += _without_runs(read(at, 4 * SECTOR))
    # of many samples an even share of each: zlib looks back over 32 KiB
    share = max(1, -(-len(out) // KIN))
    parts = [out[k : k + SECTOR] for k in range(0, len(out), SECTOR * share)]
    return bytes(b"".join(parts))


def _apart(kin: bytes, near: bytes) -> bytes:
    """Those samples that are not among the bytes nearby: a sector that stands twice packs to nothing."""
    pieces = (kin[at : at + SECTOR] for at in range(0, len(kin), SECTOR))
    return b"".join(piece for piece in pieces if piece not in near)


def _without_runs(data: bytes) -> bytes:
    """Zeroes and ones tell nothing about a kind."""
    kept, at = [], 0
    for start, end in uniform(data, traces.RUN):
        kept.append(data[at:start])
        at = end
    return b"".join([*kept, data[at:]])


def _asked(near: bytes, size: int, budget: Budget) -> tuple[float, float] | None:
    """As `_usual`; None, too, where that is more than may be packed. What is remembered costs the same."""
    count = len(range(0, len(near) - size + 1, _step(near, size)))
    if len(near) >= 8 * size and not budget.pack(count * (PACKER + size + min(len(near), LOOKS_BACK))):
        return None
    return _usual(near, size)


def _step(near: bytes, size: int) -> int:
    return max(size, len(near) // 24 // size * size)


@lru_cache(maxsize=64)  # of what is asked for again by places side by side, and of a copy of the same store
def _usual(near: bytes, size: int) -> tuple[float, float] | None:
    """How well sectors of the neighbourhood pack beside the rest of it: the bounds that none of them passes."""
    if len(near) < 8 * size:
        return None
    step = _step(near, size)
    found = [
        traces.packs(near[at : at + size], near[:at] + near[at + size :]) for at in range(0, len(near) - size + 1, step)
    ]
    mean = fsum(found) / len(found)
    spread = sqrt(fsum((one - mean) ** 2 for one in found) / len(found))
    margin = max(MARGIN, 4 * spread)
    return min(min(found) - MARGIN, mean - margin), max(max(found) + MARGIN, mean + margin)
