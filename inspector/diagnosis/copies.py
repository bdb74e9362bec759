"""Whether the bytes of a damaged place also stand somewhere else: an old page, or one that was put in two places."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import lru_cache
from hashlib import blake2b

from msgspec import Struct

from inspector.diagnosis.bytes_at import Budget, BytesAt
from inspector.diagnosis.traces import UNITS

PROBE = 32  # bytes that are looked for
PROBES = 12
WINDOW = 4 << 20
LEAST = 480  # bytes in common that no healthy store shows twice by chance
SHORT = 64  # as few tell something only where they are a unit's first
GROW = 1 << 18
GROWN = 32 << 10  # bytes that the search may read less for each copy that was compared
SECTOR = 512
WIDE = 1 << 17  # bytes of a place from which copies are looked for by sectors
MANY = 64  # copies that no damage leaves
NEAR = 24  # bytes by which a copy may pass a block's boundary because both neighbours agree by chance


class Copy(Struct, frozen=True):
    """Bytes [start, end) that stand at `source` as well; `block` is the aligned unit that they fill, if they do."""

    start: int
    end: int
    source: int
    block: tuple[int, int] | None

    @property
    def length(self) -> int:
        return self.end - self.start


def copies(read: BytesAt, start: int, end: int, budget: Budget) -> Copy | None:
    """The longest stretch around [start, end), of SHORT bytes at least, that another part of the member repeats.

    The search goes through bytes that a capsule may leave out: what came of it is kept for there, under its question.
    """
    if not read.source.sparing:
        return _searched(read, start, end, budget)
    piece = blake2b(read(start, min(end - start, WIDE)), digest_size=16).hexdigest()
    question, before = f"copies {start} {end} {budget.search} {piece}", budget.search
    if told := read.source.vouched(question, 0, read.member):
        spent, answer = json.loads(told.told)
        budget.search -= spent
        if answer is None:
            return None
        low, high, there, fills = answer
        return Copy(low, high, there, (fills[0], fills[1]) if fills else None)
    found = _searched(read, start, end, budget)
    answer = None if found is None else (found.start, found.end, found.source, found.block)
    words = json.dumps((before - budget.search, answer)).encode()
    read.source.vouch(question, 0, 0, lambda: words, read.member)
    return found


def _searched(read: BytesAt, start: int, end: int, budget: Budget) -> Copy | None:
    if end - start > WIDE:
        return _sectors(read, start, end, budget)
    probes = dict(_probes(read, start, end))
    if not probes or budget.search <= 0:
        return None
    found: list[Copy] = []
    seen: set[tuple[int, int]] = set()
    low, high = _reach(read.size, start, budget.search)
    for window_at in range(low, high, WINDOW):
        window = read.source.glance(window_at, min(WINDOW + PROBE, high - window_at), read.member)
        budget.search -= len(window)
        for probe, at in probes.items():
            for hit in _hits(window, probe):
                there = window_at + hit
                if there == at or (at - there, at) in seen:
                    continue
                if any(c.start <= at < c.end and c.start - c.source == at - there for c in found):
                    continue
                seen.add((at - there, at))
                found.append(_grown(read, at, there))
                budget.search -= GROWN
    best = max(found, key=lambda c: (c.block is not None, c.length, -c.source), default=None)
    # what stands a short way further on again is a pattern; the block beside this one is none
    if best is None or best.length < SHORT or 2 * abs(best.source - best.start) <= best.length:
        return None
    return best


@lru_cache(maxsize=4096)
def _varied(piece: bytes) -> bool:
    """Whether a sector can be told from others; places one behind the other ask for the same ones."""
    return len(set(piece)) >= 12


def _sectors(read: BytesAt, start: int, end: int, budget: Budget) -> Copy | None:
    """The same for a long stretch, for copies of whole sectors only: by their contents, in one pass."""
    if read.size > budget.search:
        return None
    mine: dict[bytes, int] = {}
    for at in range(-(-start // SECTOR) * SECTOR, end - SECTOR + 1, SECTOR):
        piece = read(at, SECTOR)
        if _varied(piece):
            mine[piece] = at
    found: list[Copy] = []
    if not mine:
        return None
    for window_at in range(0, read.size, WINDOW):
        window = read.source.glance(window_at, WINDOW, read.member)
        budget.search -= 4 * len(window)  # sector by sector it takes longer than to find a few bytes
        for k in range(0, len(window) - SECTOR + 1, SECTOR):
            here = mine.get(window[k : k + SECTOR])
            there = window_at + k
            if here is None or here == there or any(c.start <= here < c.end for c in found):
                continue
            found.append(_grown(read, here, there))
            if len(found) > MANY:
                return None  # a store that repeats itself
    return max((c for c in found if c.length >= LEAST), key=lambda c: (c.block is not None, c.length), default=None)


def repeats(read: BytesAt, at: int, length: int, budget: Budget) -> int:
    """The longest stretch that sound bytes of this store repeat: a repetition as long tells nothing."""
    found = copies(read, at, min(at + length, read.size), budget) if at < read.size else None
    return found.length if found is not None and found.length >= LEAST else 0


def _probes(read: BytesAt, start: int, end: int) -> list[tuple[bytes, int]]:
    """Varied bytes from all over the place; most of a metadata page is zero, and zeroes stand everywhere."""
    data = read(start, end - start)
    varied = [
        (piece, start + k)
        for k in range(0, len(data) - PROBE + 1, PROBE)
        if len(set(piece := data[k : k + PROBE])) >= 12
    ]
    step = max(1, len(varied) // PROBES)
    return varied[::step]


def _reach(size: int, at: int, budget: int) -> tuple[int, int]:
    """The part of the member that is searched: all of it, or what lies nearest."""
    if size <= budget:
        return 0, size
    low = max(0, min(at - budget // 2, size - budget))
    return low, low + budget


def _hits(window: bytes, probe: bytes) -> Iterator[int]:
    at = window.find(probe)
    count = 0
    while at >= 0 and count < 8:
        yield at
        at, count = window.find(probe, at + 1), count + 1


def _grown(read: BytesAt, here: int, there: int) -> Copy:
    start, end = here, here + PROBE
    by = there - here
    back = _common_back(read, start, start + by)
    ahead = _common_ahead(read, end, end + by)
    start, end = start - back, end + ahead
    return Copy(start, end, start + by, _block(start, end, by, read.size))


def _common_ahead(read: BytesAt, one: int, two: int) -> int:
    total = 0
    while total < GROW:
        a, b = read(one + total, 4096), read(two + total, 4096)
        same = _prefix(a, b)
        total += same
        if same < 4096:
            break
    return total


def _common_back(read: BytesAt, one: int, two: int) -> int:
    total = 0
    while total < GROW:
        n = min(4096, one - total, two - total)
        if n <= 0:
            break
        a, b = read(one - total - n, n), read(two - total - n, n)
        same = _prefix(a[::-1], b[::-1])
        total += same
        if same < n:
            break
    return total


def _prefix(a: bytes, b: bytes) -> int:
    n = min(len(a), len(b))
    if a[:n] == b[:n]:
        return n
    low, high = 0, n
    while low < high:
        middle = (low + high + 1) // 2
        if a[:middle] == b[:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _block(start: int, end: int, by: int, size: int) -> tuple[int, int] | None:
    """The aligned block that the common bytes are, when they begin and end with it and it moved by whole units."""
    for unit in UNITS:
        if by % unit:
            continue
        low, high = -(-start // unit) * unit, end // unit * unit
        if end >= size - 1:
            high = end
        # it moved by whole blocks and one end lies on a boundary: the other neighbours may agree for longer
        if high > low and min(low - start, end - high) <= NEAR and max(low - start, end - high) < SECTOR:
            return low, high
    return None
