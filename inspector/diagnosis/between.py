"""What happened between two damaged places: blocks that changed places, writers that met, a block of another time."""

from __future__ import annotations

from operator import ne

from inspector.diagnosis.bytes_at import Budget, BytesAt, Read, exchanged, over, without
from inspector.diagnosis.model import Clue
from inspector.diagnosis.moves import HEADER, LONGEST, UNSEALED, UnitAt
from inspector.diagnosis.places import Place
from inspector.diagnosis.traces import UNITS, Facts
from inspector.finding import Confidence

TRIES = 6000  # pairs of blocks
SPAN = 24  # blocks of one place that are tried
APART = 32  # bytes in which blocks that changed places differ
SWAPS = 24  # other places that a block may have changed places with


def swapped(
    read: BytesAt, unit: UnitAt, place: Place, region: Place, others: list[Place], budget: Budget, sealed: bool
) -> Clue | None:
    """Another block, of this damaged place or of another, with which the unit that breaks here holds.

    Where no checksum covers units (`sealed`) their shape alone agrees, which blocks of the same shape do as well.
    """
    first = unit(place.start, read)
    if first is not None and first.sound:
        return None
    end = min(first.end, max(place.end, region.end)) if first is not None else place.start + HEADER
    if end - place.start > 2 * LONGEST:
        return None  # one checksum over hundreds of blocks: too many pairs to try
    tries = TRIES
    rivals = [region, *_nearest(place, others)]
    for size in UNITS:
        for here in _blocks(place.start, min(end, region.end), size):
            for other in rivals:
                low = here + size if other is region else other.start // size * size
                for there in _blocks(low, other.end, size):  # of another place also its first block, cut by its start
                    if abs(there - here) < size or max(here, there) + size > read.size:
                        continue
                    tries -= 1
                    if tries < 0 or not budget.spend(1 + (end - place.start) // 4096):
                        return None
                    trial = exchanged(read, here, there, size)
                    again = unit(place.start, trial)
                    if again is None or not again.sound or _alike(read(here, size), read(there, size)):
                        continue
                    if other is region:
                        fits = _reaches(unit, again.end, there + size, trial)
                    else:
                        fits = _fits(read, unit, other, (here, there), size, trial)
                    if fits:
                        return _swap(read, here, there, size, "certain" if sealed else "likely")
    return None


def _alike(one: bytes, two: bytes) -> bool:
    """Whether few bytes of two blocks differ: free room fits where a bit flipped in free room, and moved nowhere."""
    return [*map(ne, one, two)].count(True) < APART


def _reaches(unit: UnitAt, at: int, end: int, trial: Read) -> bool:
    """Whether units hold one behind the other up to `end`: then the block that goes there is the one that was there."""
    while at < end:
        found = unit(at, trial)
        if found is None or not found.sound or found.end <= at:
            return False
        at = found.end
    return True


def _fits(read: BytesAt, unit: UnitAt, other: Place, blocks: tuple[int, int], size: int, trial: Read) -> bool:
    """Whether the other place gets better too, where the exchange leaves the beginning of its broken unit alone."""
    before = unit(other.start, read)
    if before is None:
        return True
    if before.sound:
        return False
    if any(at < other.start < at + size for at in blocks):
        return True
    after = unit(other.start, trial)
    return after is not None and after.sound


def _swap(read: BytesAt, here: int, there: int, size: int, how: Confidence) -> Clue:
    because = f"with the {size} bytes at {there} in this place the unit here holds: two blocks changed places"
    facts: Facts = {"other": there, "size": size, "alignment": size}
    return Clue("swapped", how, because, read.span(here, here + size), facts, (read.span(there, there + size),))


def tails(read: BytesAt, unit: UnitAt, place: Place, others: list[Place], budget: Budget) -> Clue | None:
    """The rest of this unit stands at the end of another damaged place, and that one's rest here: blocks changed
    places, whatever their size and wherever they begin.

    Only a checksum over both halves shows that they belong together: ask it of units that have one.
    """
    near = _nearest(place, others)
    if not near or place.end - place.start > LONGEST:
        return None
    for other in near:
        if _tail(read, unit, place, other, budget) is None:
            continue
        back = _tail(read, unit, other, place, budget) is not None
        third = (
            None if back else next((o for o in near if o is not other and _tail(read, unit, other, o, budget)), None)
        )
        if not back and third is not None:
            because = (
                f"the unit at {place.start} goes on at {other.end}, and the one at {other.start} at {third.end}: "
                "blocks changed places"
            )
            also = (other.span, third.span)
            return Clue("swapped", "certain", because, place.span, {"other": other.start}, also)
        if back:
            because = (
                f"the unit at {place.start} goes on at {other.end} and the one at {other.start} at {place.end}: "
                "two stretches changed places"
            )
            facts: Facts = {"other": other.start}
            return Clue("swapped", "certain", because, place.span, facts, (other.span,))
    return None


def _tail(read: BytesAt, unit: UnitAt, place: Place, other: Place, budget: Budget) -> int | None:
    """Where the unit at a place breaks off, when it holds with bytes that end where the other place ends."""
    first = unit(place.start, read)
    if first is None or first.sound or first.end - place.start > LONGEST:
        return None
    length = first.end - place.start
    head, rest = read(place.start, length), read(max(0, other.end - length), min(length, other.end))
    if len(rest) < length:
        return None
    for at in range(UNSEALED, length - UNSEALED):
        if at > UNSEALED and head[at - 1 : at] == rest[at - 1 : at]:
            continue  # the same bytes as the last time: free room is full of such places
        if not budget.spend(1 + length // 1024):
            return None
        joined = head[:at] + rest[at:]
        again = unit(place.start, over(read, place.start, joined))
        if again is not None and again.sound:
            return place.start + at
    return None


def within(read: BytesAt, unit: UnitAt, place: Place, others: list[Place]) -> Clue | None:
    """Sound units in the middle of a unit that holds without them: another writer appended at the same time."""
    behind = [o for o in others if o.span.member == place.span.member and o.start > place.end]
    after = min(behind, key=lambda o: o.start, default=None)
    first = unit(place.start, read)
    if after is None or first is None or first.sound or not place.end < after.start <= first.end + LONGEST:
        return None
    count = after.start - place.end
    for end in (place.end, place.end - count):  # the place may reach to the next sound unit or to the first of them
        again = unit(place.start, without(read, end, count)) if end > place.start else None
        if again is not None and again.sound and again.end + count >= after.start:
            because = (
                f"{count:,} bytes of whole units stand at {end} in the middle of one, which holds without them: "
                "two writers appended at once"
            )
            also = (after.span,)
            facts: Facts = {"inserted": count, "at": end, "writers": True}
            return Clue("shifted", "certain", because, read.span(end, end + count), facts, also)
    return None


def replaced(read: BytesAt, place: Place, others: list[Place]) -> Clue | None:
    """Units that hold between two broken ones, each of which lies over the boundary of a block: the blocks between the
    boundaries are sound, and of another store or of another time."""
    after = min((o for o in _nearest(place, others) if o.start > place.end), key=lambda o: o.start, default=None)
    if after is None:
        return None
    for size in UNITS:
        start, end = place.end // size * size, after.end // size * size
        if not (place.start < start and after.start < end and start < end):
            continue
        if read.grid and not (start % read.grid[0] and end % read.grid[0]):
            continue  # a log that moved breaks there
        rare = size * size // max(1, (place.end - place.start) * (after.end - after.start))
        if rare < 100:
            return None
        because = (
            f"what holds in [{start}, {end}) does not fit what lies before and behind: blocks of {size} bytes of "
            f"another store, or of another time (two such ends by chance: one in {rare:,})"
        )
        how: Confidence = "likely" if rare >= 1000 else "possible"
        facts: Facts = {"alignment": size, "one_in": rare}
        return Clue("overwritten", how, because, read.span(start, end), facts, (place.span, after.span))
    return None


def _nearest(place: Place, others: list[Place]) -> list[Place]:
    span = place.span
    found = [o for o in others if not o.explained and o.span.member == span.member and not o.span.overlaps(span)]
    return sorted(found, key=lambda o: abs(o.start - place.start))[:SWAPS]


def _blocks(low: int, high: int, size: int) -> range:
    """Aligned blocks that begin in [low, high): one that begins before a unit would have broken the one before it."""
    first = -(-low // size) * size
    return range(first, min(high, first + SPAN * size), size)
