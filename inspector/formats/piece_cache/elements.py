"""The elements of `piece_cache.bin`, one after the other: empty, good or bad."""

from __future__ import annotations

from array import array
from collections.abc import Iterator

from blake3 import blake3
from msgspec import Struct, field

from inspector.finding import UNKNOWN_CAUSE, Cause
from inspector.format import FREE, GAP, UNIT, Claim, Stretch, Wishes
from inspector.formats.piece_cache.hunting import Hunt, judge
from inspector.formats.piece_cache.layout import ELEMENT
from inspector.source import Source

KIND_PIECE, KIND_EMPTY, KIND_CUT = 1, 2, 3
KINDS = {KIND_PIECE: "piece", KIND_EMPTY: "empty", KIND_CUT: "cut element"}
BAD = 1
PAGE = 4096
MAX_INDEXES = 2_000_000  # piece indexes remembered to find one that is there twice; 2 TiB of cache
MAX_BAD = 100_000
MAX_MOVED = 1000


class Moved(Struct):
    """Good elements with none but empty ones between them, all `by` bytes behind multiples of their length."""

    start: int
    end: int
    by: int
    count: int = 1


class State(Struct):
    source: Source
    good: int = 0
    empty: int = 0
    bad: int = 0
    bad_at: array[int] = field(default_factory=lambda: array("Q"))  # numbers of bad elements
    seen: dict[int, int] = field(default_factory=dict)  # piece index -> where it lies
    twice: int = 0
    twice_first: tuple[int, int, int] | None = None  # piece index, first and second offset
    cut: int = 0  # bytes of the last element, if it is not whole
    moved: list[Moved] = field(default_factory=list)  # the first of them
    moved_pieces: int = 0
    last_bad: bool = False  # the last whole element
    broken: bool = False  # a bad element stands behind the last that moved


def claim(source: Source, _: object) -> Claim:
    if source.member("") is None:
        return Claim(0, "not a single file")
    name = source.name
    named = name.startswith("piece_cache")
    size = source.length()
    if not named and (size < ELEMENT or size % ELEMENT):
        return Claim(0, f"no whole number of elements of {ELEMENT} bytes")
    first = [judge(source.read(i * ELEMENT, ELEMENT)) for i in range(4)]
    if "good" in first:
        return Claim(98, "an element carries the BLAKE3 digest of its piece")
    if named:
        return Claim(70, "the name of the file")
    return Claim(0, "no element among the first 4 is good")


def open_cache(source: Source, _: object, __: Wishes) -> State:
    return State(source)


def number(at: int) -> int:
    """Which element lies there; of one that moved, the nearest."""
    return (at + ELEMENT // 2) // ELEMENT


def elements(source: Source) -> Iterator[tuple[int, bytes, str]]:
    """Offset, bytes and verdict of each element; a bad one is as long as what lies before the next good one."""
    hunt: Hunt | None = None
    empty = b""  # the element before, held back: its last zeroes may be the first of a piece's index
    at = 0
    while element := source.read(at, ELEMENT):
        verdict = judge(element)
        if verdict == "bad":
            hunt = hunt or Hunt(source)
            if empty and (back := hunt.back(at)):
                empty, at, verdict = empty[:-back], at - back, "good"
                element = source.read(at, ELEMENT)
            elif len(element) < ELEMENT:
                break
            else:
                element = source.read(at, (hunt.next(at) or at + ELEMENT) - at)
        if empty:
            yield at - len(empty), empty, "empty"
        empty = element if verdict == "empty" else b""
        if not empty:
            yield at, element, verdict
        at += len(element)
    if empty:
        yield at - len(empty), empty, "empty"


def walk(state: State) -> Iterator[Stretch]:
    end = 0
    for at, element, verdict in elements(state.source):
        end = at + len(element)
        state.last_bad = verdict == "bad"
        if verdict == "empty":
            state.empty += 1
            yield _tile(at, end, FREE, KIND_EMPTY, 0)
            continue
        if verdict == "good":
            state.good += 1
            _remember(state, int.from_bytes(element[:8], "little"), at)
            if at % ELEMENT:
                _move(state, at)
        else:
            state.bad += 1
            state.broken = True
            if len(state.bad_at) < MAX_BAD:
                state.bad_at.append(number(at))
        yield _tile(at, end, UNIT, KIND_PIECE, BAD if verdict == "bad" else 0)
    size = state.source.length()
    state.cut = size - end
    if state.cut:
        yield _tile(end, size, GAP, KIND_CUT, BAD)


def _move(state: State, at: int) -> None:
    state.moved_pieces += 1
    by = at - number(at) * ELEMENT
    last = state.moved[-1] if state.moved else None
    kept = len(state.moved) < MAX_MOVED
    if last and last.by == by and not state.broken:
        last.end = at + ELEMENT
        last.count += 1
        kept = True
    elif kept:
        state.moved.append(Moved(at, at + ELEMENT, by))
    state.broken = not kept  # nothing goes on with the last that was kept where another lies between


def begins_none(state: State) -> bool:
    """Whether what lies behind the last element is no beginning of one: its index would be far above any piece's.

    Behind a bad element it may be a part of that one, which bytes that were put in pushed on.
    """
    if state.last_bad:
        return False
    start = state.source.length() - state.cut
    least = int.from_bytes(state.source.read(start, min(8, state.cut)), "little")
    return least > 1 << 48 and all(least > 16 * index for index in state.seen)


def _tile(start: int, end: int, role: int, kind: int, mark: int) -> Stretch:
    return Stretch(start, end, array("Q", [start]), array("B", [role]), array("H", [kind]), array("B", [mark]))


def _remember(state: State, index: int, at: int) -> None:
    if index in state.seen:
        state.twice += 1
        state.twice_first = state.twice_first or (index, state.seen[index], at)
    elif len(state.seen) < MAX_INDEXES:
        state.seen[index] = at


def cause_of(element: bytes, at: int) -> tuple[Cause, dict[str, int | str]]:
    """What the bytes of a bad element tell, with the digests as evidence."""
    stored, computed = element[-32:], blake3(element[:-32]).digest()
    evidence: dict[str, int | str] = {"stored": stored.hex(), "computed": computed.hex()}
    differ = int.from_bytes(stored, "little") ^ int.from_bytes(computed, "little")
    if differ.bit_count() == 1:
        place = differ.bit_length() - 1
        evidence |= {"flipped_byte": at + ELEMENT - 32 + place // 8, "flipped_bit": place % 8}
        return Cause("bit-flip", "certain", "one bit of the stored digest; the piece itself is whole"), evidence
    zeroes = _zero_run(element)
    if zeroes:
        start, end = at + zeroes[0], at + zeroes[1]
        evidence |= {"zeroes_start": start, "zeroes_end": end}
        aligned = next((a for a in (PAGE, 512) if start % a == 0 or end % a == 0), None)
        where = f"zero from {start} to {end}" + (f", on a boundary of {aligned} bytes" if aligned else "")
        return Cause("zeroed-range", "likely" if aligned else "possible", where), evidence
    return UNKNOWN_CAUSE, evidence


def _zero_run(element: bytes) -> tuple[int, int] | None:
    """The first run of at least 256 zero bytes, as offsets in the element; pieces look random."""
    start = element.find(bytes(256))
    if start < 0:
        return None
    rest = element[start:]
    return start, start + len(rest) - len(rest.lstrip(b"\0"))
