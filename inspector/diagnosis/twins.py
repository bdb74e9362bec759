"""A damaged unit beside a sound one that held the same bytes: what differs is the damage, and nothing else is.

A store may hold a record twice. Then most of a damaged one stands elsewhere, too, and is no old page for that.
"""

from __future__ import annotations

from msgspec import Struct

from inspector.diagnosis.bytes_at import BytesAt, over
from inspector.diagnosis.model import Clue
from inspector.diagnosis.moves import UnitAt
from inspector.diagnosis.places import Place
from inspector.finding import Cause, CauseName

LONGEST = 4 << 20  # bytes of a unit that is held against its twin
RIM = 64  # bytes at either end of a unit in which it has its name and its checksum
FEW = 16  # flipped bits, one of a byte, that are no write


class Twin(Struct, frozen=True):
    """The unit at `start` as it was, and where it stands so; `clue` where the difference names its cause."""

    start: int
    there: int
    differs: tuple[int, int]  # [start, end) in the member
    clue: Clue | None


def twin_of(read: BytesAt, unit: UnitAt, place: Place, by: int) -> Twin | None:
    """The sound unit that stands `by` bytes further on, if the damaged one holds with its bytes."""
    first = unit(place.start, read)
    if first is None or first.sound or not 0 < first.end - place.start <= LONGEST:
        return None
    there, length = place.start + by, first.end - place.start
    if there < 0 or abs(by) < length:
        return None
    whole = read(there, length)
    again = unit(place.start, over(read, place.start, whole)) if len(whole) == length else None
    origin = unit(there, read)
    if origin is not None and not origin.sound:
        return None
    mine = read(place.start, length)
    if len(mine) < length:  # the member ends in it
        return _cut(read, place, mine, whole, there) if len(whole) == length and origin is not None else None
    if again is None or not again.sound or again.end != first.end:
        return None
    return _told(read, place, mine, whole, there)


def _cut(read: BytesAt, place: Place, mine: bytes, whole: bytes, there: int) -> Twin | None:
    """The unit at the member's end: cut off, or shorter by what was lost inside of it."""
    head, missing = _common(mine, whole), len(whole) - len(mine)
    at = place.start + head
    if head == len(mine):
        because = f"it stands whole at {there}: the last {missing:,} bytes of it are missing"
        clue = Clue("truncated", "certain", because, place.span, {"missing": missing})
        return Twin(place.start, there, (at, at), clue)
    if head + _common(mine[::-1], whole[::-1]) >= len(mine):
        because = f"it stands whole at {there}: {missing:,} bytes were lost at {at}"
        clue = Clue("shifted", "certain", because, read.span(at, at), {"lost": missing, "at": at})
        return Twin(place.start, there, (at, at), clue)
    return None


def _told(read: BytesAt, place: Place, mine: bytes, whole: bytes, there: int) -> Twin | None:
    wrong = int.from_bytes(mine, "little") ^ int.from_bytes(whole, "little")
    if not wrong:
        return None
    spots = wrong.to_bytes(len(mine), "little")
    low, high = len(spots) - len(spots.lstrip(b"\0")), len(spots.rstrip(b"\0"))
    start, end, bits = place.start + low, place.start + high, wrong.bit_count()
    bytes_wrong = len(spots) - spots.count(0)
    cause: Cause | None = None
    if bits <= FEW and bits == bytes_wrong:
        what = "one bit differs" if bits == 1 else f"{bits} bits differ"
        name: CauseName = "bit-flip" if bits == 1 else "multi-bit"
        cause = Cause(name, "certain" if bits == 1 else "likely", f"{what} from the same bytes at {there}")
    elif len(set(mine[low:high])) == 1 and mine[low] in (0, 255) and bytes_wrong > 1:
        name = "ones-range" if mine[low] else "zeroed-range"
        because = f"bytes [{start}, {end}) are all {mine[low]:02x}, and others at {there}, where all else is the same"
        cause = Cause(name, "likely", because + read.edges(start, end)[0])
    elif min(low, len(mine) - high) < RIM or 2 * (high - low) > len(mine):
        return None  # another record, as alike as neighbours are: what seals it stands at its ends
    span = read.span(start, end)
    clue = Clue(cause.name, cause.confidence, cause.because, span, {"twin": there}) if cause else None
    return Twin(place.start, there, (start, end), clue)


def _common(one: bytes, two: bytes) -> int:
    n = min(len(one), len(two))
    low, high = 0, n
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if one[:middle] == two[:middle] else (low, middle - 1)
    return low
