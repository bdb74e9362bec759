"""Whether bytes were put in, taken out, or blocks changed places: undo it in thought, and see whether units hold."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from inspector.counted import plural
from inspector.diagnosis.bytes_at import Budget, BytesAt, Read, held, moved, over, with_inserted, without
from inspector.diagnosis.copies import Copy
from inspector.diagnosis.model import Clue
from inspector.diagnosis.places import Place
from inspector.diagnosis.traces import UNITS, runs
from inspector.finding import Confidence
from inspector.format import Unit

UnitAt = Callable[[int, Read], Unit | None]
LONGEST = 1 << 15  # bytes of a unit in which every place of an insertion is tried
LONGEST_IN_HEADER = 4200  # bytes put into a unit's first fields that are looked for
LONG_IN_HEADER = 200  # the same of a unit that is longer than LONGEST
NEIGHBOURS = 60  # units behind a place whose lengths are known
BEHIND = 4096  # bytes behind a place that tell whether a unit that ends there is the last
HEADER = 64  # bytes in which a unit says what it is
AHEAD = 48  # units behind a place that are asked
FITTED = 1 << 16  # bytes of a place that are held against the lengths of units
ROUND = 64  # numbers of bytes on either side of it that would do as well by chance
ALIKE = 32  # bytes with which units end alike: amounts and limits that everybody uses
DISTINCT = 4  # values of bytes of which the rest of a unit must have as many, to be known for its own
UNSEALED = 8  # bytes that a unit begins with and that its checksum may leave out, or that are the checksum
AGREED = 96  # bytes by which a copy looks longer than it is
IN_HEADER = 16  # bytes of a unit that say where it ends
DOUBTED = 3  # units of one place of which the last is the one that was hit


def inserted(read: BytesAt, unit: UnitAt, place: Place, budget: Budget, sealed: bool) -> Clue | None:
    """Bytes whose removal makes the broken unit hold, at the place where they were put in."""
    if not _anchored(read, unit, place):
        return None
    head = place.start
    for _ in range(DOUBTED):
        first = unit(head, read)
        if first is None:
            return _in_header(read, unit, replace_start(place, head), budget) if head == place.start else None
        if first.sound:
            return None
        count = place.end - first.end
        found = put_in(read, unit, head, count, (head, first.end + 1), budget, sealed) if count > 0 else None
        if found or not head < first.end < place.end:
            return found
        head = first.end  # the first may look wrong only because the next is
    return None


def put_in(
    read: BytesAt, unit: UnitAt, head: int, count: int, where: tuple[int, int], budget: Budget, sealed: bool
) -> Clue | None:
    """`count` bytes in [where) without which the unit at `head` holds."""
    first = unit(head, read)
    room = (first.end if first else where[1]) - head
    if not 0 < count < 1 << 20 or where[1] - where[0] > LONGEST:
        return None
    low, high = where
    if _whole_ones(read, unit, where[1] - 1 + count, count):
        if not sealed:
            return None
        low, high = max(low, head + UNSEALED), high - ALIKE
    for at in range(low, high):
        if not budget.spend(1 + room // 1024):
            break
        again = unit(head, without(read, at, count))
        if again is not None and again.sound:
            if sealed and first is not None and len({*read(at + count, first.end - at)}) < DISTINCT:
                return None  # any unit here may end so
            # what is behind them may be another unit's, that ends alike
            sure = not sealed or first is None or first.end - at >= ALIKE
            return _in(read, at, count, "without them the unit around them holds", "certain" if sure else "likely")
    return None


def _whole_ones(read: BytesAt, unit: UnitAt, end: int, count: int) -> bool:
    """Whether so many bytes may be whole units: then the head of one and the rest of another may pass for one."""
    lengths = lengths_behind(read, unit, end)
    return not lengths or (count >= min(lengths) and fits(count, lengths) is not False)


def put_in_twice(read: BytesAt, unit: UnitAt, place: Place, copy: Copy, budget: Budget) -> Clue | None:
    """Bytes that stand elsewhere, too, and were put in: an old page lies over others, these moved what is behind them.

    A copy may look longer than it is at both ends, where what stands around it agrees by chance.
    """
    head, first = _broken_at(read, unit, place, copy.start)
    if first is not None and first.sound:
        return None
    for count in range(copy.length, max(0, copy.length - AGREED), -1):
        last = copy.end - count
        if copy.start <= head <= last and copy.block is None and _begins(read, unit, head + count):
            because = "they stand between two units that hold"
            return _in(read, head, count, because, "likely", copy.source + head - copy.start)
        # a header says where its unit ends, so where the next must begin; bytes in a header may spoil that
        known = first is not None and _begins(read, unit, first.end + count)
        for at in range(max(copy.start, head + 1), last + 1 if known else min(last, head + IN_HEADER) + 1):
            again = unit(head, without(read, at, count)) if budget.spend(1) else None
            if again is not None and again.sound:
                because = "without them the unit around them holds"
                return _in(read, at, count, because, "certain", copy.source + at - copy.start)
    return None


def _broken_at(read: BytesAt, unit: UnitAt, place: Place, at: int) -> tuple[int, Unit | None]:
    """Where the unit begins that an offset lies in, as far as units of a place can be followed."""
    head = place.start
    for _ in range(DOUBTED):
        first = unit(head, read)
        if first is None or not head < first.end <= at:
            return head, first
        head = first.end
    return head, unit(head, read)


def _begins(read: BytesAt, unit: UnitAt, at: int) -> bool:
    """Whether a sound unit begins there, or the member ends."""
    follows = unit(at, read) if at < read.size else None
    return at == read.size or (follows is not None and follows.sound)


def zeroes_lost(read: BytesAt, unit: UnitAt, place: Place, count: int) -> Clue | None:
    """A unit that holds when zeroes that are missing from the member stand again in its own zeroes."""
    data = read(place.start, min(place.end - place.start, LONGEST))
    for run in runs(data, place.start, 2):
        again = unit(place.start, with_inserted(read, run.start, bytes(count))) if not run.value else None
        if again is not None and again.sound:
            because = f"{count:,} zeroes were lost at {run.start}: with them the unit around them holds"
            return Clue("shifted", "certain", because, place.span, {"lost": count, "at": run.start}, whole=True)
    return None


def before_the_start(read: BytesAt, unit: UnitAt, place: Place) -> Clue | None:
    """Zeroes in front of the first byte, behind which all units hold."""
    if place.start > HEADER:
        return None
    head = read(0, LONGEST)
    count = len(head) - len(head.lstrip(b"\0"))
    if not 0 < count < len(head):
        return None
    for at in {place.start, 0}:
        there, here = unit(at, moved(read, count)), unit(at, read)
        if there is not None and there.sound and not (here is not None and here.sound):
            because = f"{count:,} zeroes stand before the first byte, and what follows them holds"
            facts: dict[str, int | str | bool] = {"inserted": count, "at": 0}
            return Clue("shifted", "certain", because, read.span(0, count), facts, whole=True)
    return None


def blank_end(read: BytesAt, place: Place) -> Clue | None:
    """Zeroes that a member ends with whose own end is none: a file system made room that nothing was written to."""
    low = max(place.start, read.size - LONGEST)
    tail = read(low, read.size - low)
    start = low + len(tail.rstrip(b"\0"))
    edge = next((unit for unit in UNITS if read.size % unit == 0), 0)
    if read.size - start < HEADER or not edge:
        return None
    because = f"bytes [{start}, {read.size}) are all 00, up to the end of the file on a boundary of {edge} bytes"
    facts: dict[str, int | str | bool] = {"run_start": start, "run_end": read.size, "value": 0, "tail": True}
    return Clue("zeroed-range", "likely", because, read.span(start, read.size), facts)


def replace_start(place: Place, start: int) -> Place:
    return Place(replace(place.span, start=start), place.findings)


def _anchored(read: BytesAt, unit: UnitAt, place: Place) -> bool:
    """Whether the place ends where a sound unit begins, or with the member."""
    return _begins(read, unit, place.end)


def between_sound(read: BytesAt, unit: UnitAt, place: Place) -> bool:
    """Whether a sound unit begins where the place ends."""
    return place.end < read.size and _anchored(read, unit, place)


def whole_units(read: BytesAt, unit: UnitAt, place: Place) -> bool:
    """Whether the place is as long as one, two or three of the units behind it: then no byte is missing from it."""
    lengths = lengths_behind(read, unit, place.end)
    length = place.end - place.start
    pairs = {a + b for a in lengths for b in lengths}
    return length in lengths or length in pairs or any(length - one in pairs for one in lengths)


def lengths_behind(read: BytesAt, unit: UnitAt, at: int, fewest: int = 0) -> set[int]:
    """How long the sound units are that begin at an offset, one behind the other; none where there are too few."""
    lengths: set[int] = set()
    count = 0
    for _ in range(NEIGHBOURS):
        found = unit(at, read)
        if found is None or not found.sound:
            break
        lengths.add(found.end - at)
        at = found.end
        count += 1
    return lengths if count >= fewest else set()


def fits(length: int, units: set[int]) -> bool | None:
    """Whether so many bytes can be whole units of these lengths; None where nearly every number of bytes can."""
    if not units or length > FITTED:
        return None
    sums = 1
    for _ in range(length // min(units) + 1):
        more = sums
        for unit in units:
            more |= sums << unit
        more &= (1 << length + ROUND) - 1
        if more == sums:
            break
        sums = more
    near = sums >> max(0, length - ROUND)
    if near.bit_count() * 8 > 2 * ROUND:
        return None
    return bool(sums >> length & 1)


def _in_header(read: BytesAt, unit: UnitAt, place: Place, budget: Budget) -> Clue | None:
    """The same where the bytes went into the unit's first fields, so that its length cannot be read as it lies."""
    if not _asks(read, unit, place.start):
        return None
    total = place.end - place.start
    lengths = lengths_behind(read, unit, place.end)
    # thousands of tries over the same bytes: what a unit is that ends before the place does, they tell
    around = read(place.start, total + BEHIND) if total <= LONGEST else b""
    most = LONGEST_IN_HEADER if around else LONG_IN_HEADER
    for at in range(place.start + 1, min(place.start + 14, place.end)):
        least = min(lengths, default=0) if at - place.start < UNSEALED else most
        for count in range(1, min(total, most, least or most)):
            if not budget.spend(1):
                return None
            head = at - place.start
            tried = held(read, around[:head] + around[head + count :], place.start) if around else None
            again = unit(place.start, tried or without(read, at, count))
            if again is not None and again.sound and again.end + count == place.end:
                return _in(read, at, count, "without them the unit around them holds")
    return None


def _asks(read: BytesAt, unit: UnitAt, at: int) -> bool:
    """Whether bytes decide if a unit begins here; where another unit says that none does, no other bytes make one."""
    asked = False

    def noting(start: int, n: int) -> bytes:
        nonlocal asked
        asked = True
        return read(start, n)

    return unit(at, noting) is not None or asked


def _in(read: BytesAt, at: int, count: int, why: str, how: Confidence = "certain", copied: int | None = None) -> Clue:
    also = f", and stand at {copied} as well" if copied is not None else ""
    because = f"{plural(count, 'byte was', 'bytes were')} put in at {at}{also}: {why}"
    facts: dict[str, int | str | bool] = {"inserted": count, "at": at}
    return Clue("shifted", how, because, read.span(at, at + count), facts | ({"copy_of": copied} if copied else {}))


def lost(read: BytesAt, unit: UnitAt, place: Place, budget: Budget) -> Clue | None:
    """A unit that ends before it should: certain for one lost byte, which can be put back."""
    if not between_sound(read, unit, place):
        return None
    first, longest = unit(place.start, read), max(lengths_behind(read, unit, place.end), default=0)
    for _ in range(DOUBTED):
        if first is None or first.sound or first.end - place.start > 2 * longest:
            return None  # no length of a unit here
        if first.end >= place.end or first.end <= place.start:
            break
        place = replace_start(place, first.end)  # the first may look wrong only because the next is
        first = unit(place.start, read)
    if first is None or first.sound:
        return None
    count = first.end - place.end
    if not 0 < count < 1 << 20:
        return None
    at = _lost_byte(read, unit, place, budget) if count == 1 else None
    if at is not None:
        because = f"one byte was lost at {at}: with it the unit around it holds"
        return Clue("shifted", "certain", because, read.span(at, at), {"lost": 1, "at": at})
    because = f"the next unit begins {plural(count, 'byte')} before this one should end: so much is missing"
    return Clue("shifted", "likely", because, place.span, {"lost": count})


def _lost_byte(read: BytesAt, unit: UnitAt, place: Place, budget: Budget) -> int | None:
    length = place.end - place.start
    if length > 600:
        return None
    around = read(place.start, length + BEHIND)
    for here in range(length + 1):
        for value in range(256):
            if not budget.spend(1):
                return None
            again = unit(place.start, held(read, around[:here] + bytes([value]) + around[here:], place.start))
            if again is not None and again.sound and again.end == place.end + 1:
                return place.start + here
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
            return _moved(read, place, by, f"units behind it hold {plural(abs(by), 'byte')} {_side(by)}")
        at = there.end
    return None


def of_length(read: BytesAt, place: Place, surplus: int) -> Clue:
    """The member has more or fewer bytes than it says of itself, and is damaged before its end."""
    how: Confidence = "certain" if surplus % UNITS[-1] else "likely"
    why = f"the file is {plural(abs(surplus), 'byte')} {_side(surplus, True)} than it says"
    return _moved(read, place, surplus, why, how)


def by_follower(read: BytesAt, unit: UnitAt, place: Place, end: int, begins: int) -> Clue:
    """The unit that names this one stands at `begins`, and this one says that it ends at `end`.

    One bit of a length does the same as so many bytes lost or put in, where their number is a power of two.
    """
    by = begins - end
    flip = _length_bit(read, unit, place, begins) if abs(by).bit_count() == 1 else None
    if flip is not None and flip[2]:
        at, bit, _ = flip
        was = read(at, 1)[0] >> bit & 1
        because = (
            f"bit {bit} of byte {at} went {1 - was} to {was}: without that the unit ends where the next one begins"
        )
        return Clue("bit-flip", "likely", because, read.span(at, at + 1))
    why = f"the unit that names this one begins {plural(abs(by), 'byte')} {_side(by)} than it must"
    clue = _moved(read, place, by, why, "likely" if flip else "certain")
    return replace(clue, whole=False)


def _length_bit(read: BytesAt, unit: UnitAt, place: Place, begins: int) -> tuple[int, int, bool] | None:
    """A bit of the unit's first fields without which it ends at `begins`, and whether it then holds: offset, bit."""
    for at in range(place.start, place.start + IN_HEADER):
        for bit in range(8):
            turned = over(read, at, bytes(byte ^ 1 << bit for byte in read(at, 1)))
            found = unit(place.start, turned)
            if found is not None and found.end == begins:
                return at, bit, found.sound
    return None


def _side(by: int, size: bool = False) -> str:
    if size:
        return "longer" if by > 0 else "shorter"
    return "further on" if by > 0 else "further back"


def _moved(read: BytesAt, place: Place, by: int, why: str, how: Confidence = "certain") -> Clue:
    how_many = plural(abs(by), "byte was", "bytes were")
    what = f"{how_many} put in" if by > 0 else f"{how_many} lost"
    facts: dict[str, int | str | bool] = {"inserted" if by > 0 else "lost": abs(by)}
    because = f"{what}: {why}"
    return Clue("shifted", how, because, place.span, facts, whole=True)
