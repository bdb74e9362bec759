"""The elements of `piece_cache.bin`, one after the other: empty, good or bad."""

from __future__ import annotations

from array import array
from collections.abc import Iterator

from blake3 import blake3
from msgspec import Struct, field

from inspector.finding import UNKNOWN_CAUSE, Cause
from inspector.format import FREE, GAP, UNIT, Claim, Stretch, Wishes
from inspector.formats.piece_cache.layout import ELEMENT
from inspector.source import Source

KIND_PIECE, KIND_EMPTY, KIND_CUT = 1, 2, 3
KINDS = {KIND_PIECE: "piece", KIND_EMPTY: "empty", KIND_CUT: "cut element"}
BAD = 1
EMPTY = bytes(ELEMENT)
PAGE = 4096
MAX_INDEXES = 2_000_000  # piece indexes remembered to find one that is there twice; 2 TiB of cache
MAX_BAD = 100_000


class State(Struct):
    source: Source
    good: int = 0
    empty: int = 0
    bad: int = 0
    bad_at: array[int] = field(default_factory=lambda: array("Q"))  # numbers of bad elements
    seen: dict[int, int] = field(default_factory=dict)  # piece index -> number of its element
    twice: int = 0
    twice_first: tuple[int, int, int] | None = None  # piece index, first and second element
    cut: int = 0  # bytes of the last element, if it is not whole


def claim(source: Source, _: object) -> Claim:
    if source.kind == "folder" or source.member("") is None:
        return Claim(0, "not a single file")
    name = source.name
    named = name.startswith("piece_cache")
    size = source.length()
    if not named and (size < ELEMENT or size % ELEMENT):
        return Claim(0, f"no whole number of elements of {ELEMENT} bytes")
    first = [judge(source.read(i * ELEMENT, ELEMENT)) for i in range(min(4, size // ELEMENT))]
    if "good" in first:
        return Claim(98, "an element carries the BLAKE3 digest of its piece")
    if named:
        return Claim(70, "the name of the file")
    return Claim(0, "no element among the first 4 is good")


def open_cache(source: Source, _: object, __: Wishes) -> State:
    return State(source)


def judge(element: bytes) -> str:
    """empty, good or bad; a shorter one is bad."""
    if element == EMPTY:
        return "empty"
    view = memoryview(element)
    return "good" if len(element) == ELEMENT and blake3(view[:-32]).digest() == element[-32:] else "bad"


def elements(source: Source) -> Iterator[tuple[int, bytes, str]]:
    """Offset, bytes and verdict of each whole element."""
    for at in range(0, source.length() - ELEMENT + 1, ELEMENT):
        element = source.read(at, ELEMENT)
        yield at, element, judge(element)


def walk(state: State) -> Iterator[Stretch]:
    for at, element, verdict in elements(state.source):
        number = at // ELEMENT
        if verdict == "empty":
            state.empty += 1
            yield _tile(at, at + ELEMENT, FREE, KIND_EMPTY, 0)
            continue
        if verdict == "good":
            state.good += 1
            _remember(state, int.from_bytes(element[:8], "little"), number)
        else:
            state.bad += 1
            if len(state.bad_at) < MAX_BAD:
                state.bad_at.append(number)
        yield _tile(at, at + ELEMENT, UNIT, KIND_PIECE, BAD if verdict == "bad" else 0)
    size = state.source.length()
    state.cut = size % ELEMENT
    if state.cut:
        yield _tile(size - state.cut, size, GAP, KIND_CUT, BAD)


def _tile(start: int, end: int, role: int, kind: int, mark: int) -> Stretch:
    return Stretch(start, end, array("Q", [start]), array("B", [role]), array("H", [kind]), array("B", [mark]))


def _remember(state: State, index: int, number: int) -> None:
    if index in state.seen:
        state.twice += 1
        state.twice_first = state.twice_first or (index, state.seen[index], number)
    elif len(state.seen) < MAX_INDEXES:
        state.seen[index] = number


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
