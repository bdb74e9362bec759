"""Whether bytes were put in, taken out, or blocks changed places: undo it in thought, and see whether units hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from inspector.diagnosis.bytes_at import Budget, BytesAt, Read, exchanged, moved, with_inserted, without
from inspector.diagnosis.model import Clue
from inspector.diagnosis.places import Place
from inspector.diagnosis.traces import UNITS, block_of
from inspector.finding import Confidence
from inspector.format import Unit

UnitAt = Callable[[int, Read], Unit | None]
LONGEST = 1 << 15  # bytes of a unit in which every place of an insertion is tried
LONGEST_IN_HEADER = 4200  # bytes put into a unit's first fields that are looked for
TRIES = 6000  # pairs of blocks
NEIGHBOURS = 60  # units behind a place whose lengths are known
SPAN = 24  # blocks of one place that are tried
SWAPS = 24  # other places that a block may have changed places with
HEADER = 64  # bytes in which a unit says what it is
AHEAD = 48  # units behind a place that are asked


def inserted(read: BytesAt, unit: UnitAt, place: Place, budget: Budget) -> Clue | None:
    """Bytes whose removal makes the broken unit hold, at the place where they were put in."""
    if not _anchored(read, unit, place):
        return None
    first = unit(place.start, read)
    if first is None:
        return _in_header(read, unit, place, budget)
    if first.sound:
        return None
    count = place.end - first.end
    if 0 < count < 1 << 20 and first.end - place.start <= LONGEST:
        room = first.end - place.start
        for at in range(place.start, first.end + 1):
            if not budget.spend(1 + room // 1024):
                break
            again = unit(place.start, without(read, at, count))
            if again is not None and again.sound:
                return _in(read, at, count, "without them the unit around them holds")
    return None


def _anchored(read: BytesAt, unit: UnitAt, place: Place) -> bool:
    """Whether the place ends where a sound unit begins, or with the member."""
    follows = unit(place.end, read)
    return place.end == read.size or (follows is not None and follows.sound)


def between_sound(read: BytesAt, unit: UnitAt, place: Place) -> bool:
    """Whether a sound unit begins where the place ends."""
    return place.end < read.size and _anchored(read, unit, place)


def whole_units(read: BytesAt, unit: UnitAt, place: Place) -> bool:
    """Whether the place is as long as one, two or three of the units behind it: then no byte is missing from it."""
    lengths: set[int] = set()
    at = place.end
    for _ in range(NEIGHBOURS):
        found = unit(at, read)
        if found is None or not found.sound:
            break
        lengths.add(found.end - at)
        at = found.end
    length = place.end - place.start
    pairs = {a + b for a in lengths for b in lengths}
    return length in lengths or length in pairs or any(length - one in pairs for one in lengths)


def _in_header(read: BytesAt, unit: UnitAt, place: Place, budget: Budget) -> Clue | None:
    """The same where the bytes went into the unit's first fields, so that its length cannot be read as it lies."""
    total = place.end - place.start
    for at in range(place.start + 1, min(place.start + 14, place.end)):
        for count in range(1, min(total, LONGEST_IN_HEADER)):
            if not budget.spend(1):
                return None
            again = unit(place.start, without(read, at, count))
            if again is not None and again.sound and again.end + count == place.end:
                return _in(read, at, count, "without them the unit around them holds")
    return None


def _in(read: BytesAt, at: int, count: int, why: str) -> Clue:
    because = f"{count:,} bytes were put in at {at}: {why}"
    return Clue("shifted", "certain", because, read.span(at, at + count), {"inserted": count, "at": at})


def lost(read: BytesAt, unit: UnitAt, place: Place, budget: Budget) -> Clue | None:
    """A unit that ends before it should: certain for one lost byte, which can be put back."""
    first = unit(place.start, read)
    if not between_sound(read, unit, place):
        return None
    if first is None or first.sound:
        return None
    count = first.end - place.end
    if not 0 < count < 1 << 20:
        return None
    at = _lost_byte(read, unit, place, budget) if count == 1 else None
    if at is not None:
        because = f"one byte was lost at {at}: with it the unit around it holds"
        return Clue("shifted", "certain", because, read.span(at, at), {"lost": 1, "at": at})
    because = f"the next unit begins {count:,} bytes before this one should end: so many bytes are missing"
    return Clue("shifted", "likely", because, place.span, {"lost": count})


def _lost_byte(read: BytesAt, unit: UnitAt, place: Place, budget: Budget) -> int | None:
    length = place.end - place.start
    if length > 600:
        return None
    for at in range(place.start, place.end + 1):
        for value in range(256):
            if not budget.spend(1):
                return None
            again = unit(place.start, with_inserted(read, at, bytes([value])))
            if again is not None and again.sound and again.end == place.end + 1:
                return at
    return None


def displaced(read: BytesAt, unit: UnitAt, place: Place, by: int, budget: Budget) -> Clue | None:
    """Units behind the place that hold when they are read some bytes further on or back: everything there moved."""
    first = unit(place.start, read)
    at = first.end if first is not None else read.size
    for _ in range(AHEAD):
        there = unit(at, moved(read, by)) if budget.spend(4) else None
        if there is None:
            return None
        here = unit(at, read)
        if there.sound and not (here is not None and here.sound):
            return _moved(read, place, by, f"units behind it hold {abs(by):,} bytes {_side(by)}")
        at = there.end
    return None


def of_length(read: BytesAt, place: Place, surplus: int) -> Clue:
    """The member has more or fewer bytes than it says of itself, and is damaged before its end."""
    how: Confidence = "certain" if surplus % UNITS[-1] else "likely"
    return _moved(read, place, surplus, f"the file is {abs(surplus):,} bytes {_side(surplus, True)} than it says", how)


def by_follower(read: BytesAt, place: Place, by: int) -> Clue:
    """The next unit names this one and stands in another place."""
    clue = _moved(read, place, by, f"the unit that names this one begins {abs(by):,} bytes {_side(by)} than it must")
    return replace(clue, whole=False)


def _side(by: int, size: bool = False) -> str:
    if size:
        return "longer" if by > 0 else "shorter"
    return "further on" if by > 0 else "further back"


def _moved(read: BytesAt, place: Place, by: int, why: str, how: Confidence = "certain") -> Clue:
    what = "were put in" if by > 0 else "were lost"
    facts: dict[str, int | str | bool] = {"inserted" if by > 0 else "lost": abs(by)}
    because = f"{abs(by):,} bytes {what} here: {why}"
    return Clue("shifted", how, because, place.span, facts, whole=True)


def swapped(
    read: BytesAt, unit: UnitAt, place: Place, region: Place, others: list[Place], budget: Budget
) -> Clue | None:
    """Another block, of this damaged place or of another, with which the unit that breaks here holds."""
    first = unit(place.start, read)
    if first is not None and first.sound:
        return None
    end = first.end if first is not None else place.start + HEADER
    if end - place.start > 2 * LONGEST:
        return None  # one checksum over hundreds of blocks: too many pairs to try
    tries = TRIES
    rivals = [region, *_nearest(place, others)]
    for size in UNITS:
        for here in _blocks(place.start, min(end, region.end), size):
            for other in rivals:
                low = here + size if other is region else other.start // size * size
                for there in _blocks(low, other.end, size):
                    if abs(there - here) < size or max(here, there) + size > read.size:
                        continue
                    tries -= 1
                    if tries < 0 or not budget.spend(1 + (end - place.start) // 4096):
                        return None
                    trial = exchanged(read, here, there, size)
                    again = unit(place.start, trial)
                    if again is None or not again.sound:
                        continue
                    if other is region or _fits(read, unit, other, (here, there), size, trial):
                        return _swap(read, here, there, size)
    return None


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


def _swap(read: BytesAt, here: int, there: int, size: int) -> Clue:
    unit = block_of(here, here + size) or size
    because = f"with the {size} bytes at {there} in this place the unit here holds: two blocks changed places"
    facts: dict[str, int | str | bool] = {"other": there, "size": size, "alignment": unit}
    return Clue("swapped", "certain", because, read.span(here, here + size), facts, (read.span(there, there + size),))


def _nearest(place: Place, others: list[Place]) -> list[Place]:
    found = [o for o in others if o is not place and o.span.member == place.span.member and not o.explained]
    return sorted(found, key=lambda o: abs(o.start - place.start))[:SWAPS]


def _blocks(low: int, high: int, size: int) -> range:
    """Aligned blocks that begin in [low, high): one that begins before a unit would have broken the one before it."""
    first = -(-low // size) * size
    return range(first, min(high, first + SPAN * size), size)
