"""Clues from bytes of a place that stand elsewhere as well: an old page, one in two places, a write gone astray."""

from __future__ import annotations

from operator import eq

from inspector.diagnosis import traces
from inspector.diagnosis.bytes_at import Budget, BytesAt
from inspector.diagnosis.copies import LEAST, SHORT, Copy, copies, repeats
from inspector.diagnosis.model import Clue
from inspector.diagnosis.moves import UnitAt, put_in_twice
from inspector.diagnosis.places import Place
from inspector.diagnosis.twins import Twin, twin_of
from inspector.finding import Confidence

SECTOR = 512
PAGE = 4096
PROBED = 96  # bytes at offset 1 that are looked for elsewhere
SAMPLES = 8  # of a place whose content may repeat by itself
VARIED = 12  # different values among them: fewer are no content


def copy_clue(read: BytesAt, unit: UnitAt, place: Place, budget: Budget, others: list[Place]) -> Clue | None:
    """The place holds bytes that stand elsewhere, too: an old page, one written to two places, a write gone astray."""
    found = copies(read, place.start, max(place.end, place.start + SECTOR), budget)
    if (found is None or found.block is None) and place.end - place.start < 2 * SECTOR:
        # of a copied block whose records are sound only its ends show: look at what lies beside them
        wide = copies(read, max(0, place.start - SECTOR), place.end + SECTOR, budget)
        if wide is not None and wide.block and any(place.start <= at <= place.end for at in wide.block):
            found = wide
    twin = _beside(read, unit, place, budget) or (
        twin_of(read, unit, place, found.source - found.start) if found else None
    )
    if twin is not None:
        return twin.clue or _differs(read, unit, twin, budget)
    if found is None:
        return None
    if found.length >= LEAST and (twice := put_in_twice(read, unit, place, found, budget)):
        return twice
    if found.block is None and _from_the_start(read, unit, place, found):
        return _astray(read, found)
    if found.length < LEAST:
        return None
    if found.block is None:
        # a store may hold the same value twice
        low, high = min(place.start, found.start), max(place.end, found.end)
        sectors = (found.source - found.start) % SECTOR == 0  # no value moves by whole sectors, but for chance
        for at in () if sectors else (max(0, low - PAGE), high):
            source = found.source <= at + PAGE and at <= found.source + found.length
            if not source and 2 * repeats(read, at, PAGE, budget) >= found.length:
                return None
        if not sectors and not traces.blocks_of(found.start, found.end):
            return None if _usual(read, unit, place, found) else _astray(read, found)
        how: Confidence = "likely"
        start, end = found.start, found.end
    else:
        how = "possible" if _everywhere(read, place, found, budget) else "certain"
        start, end = found.block
    there = found.source + start - found.start
    length = end - start
    mine, other = (_torn_edges(read, at, at + length, others) for at in (start, there))
    if other > mine:  # it is the other one that breaks what lies around it
        start, there = there, start
    end = start + length
    tail, facts = read.edges(start, end)
    because = f"bytes [{start}, {end}) stand at {there} as well: a page of another place, or an older one{tail}"
    facts |= {"copy_of": there, "length": length}
    also = (read.span(there, there + length),) if mine == other else ()
    return Clue("stale-page", how, because, read.span(start, end), facts, also)


def _everywhere(read: BytesAt, place: Place, found: Copy, budget: Budget) -> bool:
    """Whether bytes in and around a long place stand twice where no copy is: such content repeats by itself."""
    step = (place.end - place.start) // SAMPLES
    if step < 2 * PAGE:
        return False
    hit = (range(found.start, found.end), range(found.source, found.source + found.length))
    asked = [at for at in range(place.start, place.end - PAGE, step) if not any(at in r or at + PAGE in r for r in hit)]
    alike = sum(2 * repeats(read, at, PAGE, budget) >= PAGE for at in asked)
    return 0 < len(asked) <= 2 * alike


def at_one(read: BytesAt, unit: UnitAt, place: Place, budget: Budget) -> Clue | None:
    """Bytes of this member at offset 1: an append whose offset was lost, behind the version byte that was kept."""
    head = read(1, PROBED)
    if place.start > 1 or len(set(head)) < VARIED:
        return None
    found = copies(read, 1, 1 + len(head), budget)
    if found is None or found.start > 1 or found.end < 1 + SHORT or found.block is not None:
        return None
    origin = unit(found.source + place.start - found.start, read)
    if origin is not None and origin.sound:
        twin = twin_of(read, unit, place, found.source - found.start)
        if twin is not None or found.start == 0:
            return twin.clue if twin is not None else None  # it held the same as the one there
    if found.start == 0 and found.source % SECTOR == 0:
        return None  # the member's own beginning stands there
    span, there = read.span(1, found.end), found.source + 1 - found.start
    because = f"bytes [1, {found.end}) stand at {there} as well: what belongs there was written at offset 1"
    return Clue("overwritten", "likely", because, span, {"copy_of": there, "length": found.end - 1})


def _beside(read: BytesAt, unit: UnitAt, place: Place, budget: Budget) -> Twin | None:
    """The unit before or behind the place, if it holds the same."""
    first = unit(place.start, read)
    length = first.end - place.start if first is not None else 0
    if length < LEAST or not budget.spend(2 + length // 512):
        return None
    return twin_of(read, unit, place, -length) or twin_of(read, unit, place, length)


def _differs(read: BytesAt, unit: UnitAt, twin: Twin, budget: Budget) -> Clue:
    """What was written over a part of a unit that stands elsewhere as it was."""
    start, end = twin.differs
    block = traces.blocks_of(start, end)
    start, end = block or (start, end)
    found = copies(read, start, end, budget)
    tail, facts = read.edges(start, end)
    span, because = read.span(start, end), f"all but bytes [{start}, {end}) is the same at {twin.there}{tail}"
    if found is not None and block is not None and found.start <= start and end <= found.end:
        there = found.source + start - found.start
        because = f"{because}; those stand at {there} as well"
        return Clue("stale-page", "certain", because, span, facts | {"copy_of": there})
    return Clue("overwritten", "likely", because, span, facts)


def _astray(read: BytesAt, found: Copy) -> Clue:
    """A copy that did not move by whole sectors is no page: something was written to a wrong offset."""
    because = (
        f"bytes [{found.start}, {found.end}) stand at {found.source} as well, which is no page's distance:"
        " what belongs there was written here"
    )
    facts: traces.Facts = {"copy_of": found.source, "length": found.length}
    return Clue("overwritten", "likely", because, read.span(found.start, found.end), facts)


def _usual(read: BytesAt, unit: UnitAt, place: Place, found: Copy) -> bool:
    """Whether a unit repeats itself, or the same bytes stand as far on again: rows of one kind are alike."""
    own = unit(place.start, read)
    if own is not None and place.start <= found.source < own.end:
        return True
    by = abs(found.source - found.start)
    mine = read(found.start, found.length)
    for at in (min(found.source, found.start) - by, max(found.source, found.start) + by):
        there = read(at, found.length) if at >= 0 else b""
        if [*map(eq, mine, there)].count(True) * 2 > found.length:
            return True
    return False


def _from_the_start(read: BytesAt, unit: UnitAt, place: Place, found: Copy) -> bool:
    """Whether a copy begins with the place: what seals a unit stands twice only where the other unit is sound."""
    if found.start != place.start:
        return False
    first, origin = unit(found.start, read), unit(found.source, read)
    return not (first and first.sound) and not (origin and origin.sound)


def _torn_edges(read: BytesAt, start: int, end: int, places: list[Place]) -> int:
    """How many ends of a block lie in or at damaged units: sound ones fit their neighbours."""
    mine = [p for p in places if p.span.member == read.member]
    return sum(any(p.start <= edge <= p.end for p in mine) for edge in (start, end))
