"""One cache from several: every good piece once, at its own place where that is free; and what two caches differ in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from inspector.comparing import Described, Identities, Row, key_of, pack
from inspector.copies import Loss, Merge, Take
from inspector.errors import RefusedError, UsageError
from inspector.format import Wishes
from inspector.formats.piece_cache.elements import MAX_INDEXES, State, elements, number
from inspector.formats.piece_cache.layout import ELEMENT
from inspector.formats.piece_cache.views import AFRESH, after
from inspector.span import Span

PIECE = 1
LACKING = 10_000  # bad elements that are remembered until all pieces are known


def merge(states: Sequence[State], wishes: Wishes, item: str | None) -> Merge:
    if item is not None:
        raise UsageError("a piece cache is merged as a whole", "inspector extract writes one piece")
    if not any(state.good for state in states) and any(state.bad or state.cut for state in states):
        raise RefusedError("no piece is good in any copy: the merged cache would be all zeroes", AFRESH)
    order = sorted(range(len(states)), key=lambda n: (-states[n].good, n))
    words = tuple(f"{state.good} good elements; pieces have no age" for state in states)
    size = max(-(-state.source.length() // ELEMENT) * ELEMENT for state in states)
    plan = Merge((), size, tuple(order), words, size=size, after=after)
    plan.takes = _takes(plan, states, order, size // ELEMENT)
    return plan


def _takes(plan: Merge, states: Sequence[State], order: list[int], count: int) -> Iterator[Take]:
    """First each copy's pieces where they are, then those whose place was taken, in the places that are empty."""
    seen: set[int] = set()
    taken = bytearray(count)
    moved: list[tuple[int, int, int]] = []  # piece, copy, offset
    bad: list[tuple[int, int, int, int]] = []  # and its length
    for copy in order:
        for at, element, verdict in elements(states[copy].source):
            index, place = int.from_bytes(element[:8], "little"), number(at)
            if verdict == "bad" and len(bad) < LACKING:
                bad.append((index, copy, at, len(element)))
            elif verdict == "good" and index not in seen:
                if place >= count or taken[place]:
                    moved.append((index, copy, at))
                    continue
                taken[place] = True
                if len(seen) < MAX_INDEXES:
                    seen.add(index)
                yield Take(copy, Span(at, at + ELEMENT), at=place * ELEMENT)
    free = iter([place for place in range(count) if not taken[place]])
    left = 0
    for index, copy, at in moved:
        place = next(free, -1) if index not in seen else -1
        left += index not in seen and place < 0
        if place >= 0:
            seen.add(index)
            yield Take(copy, Span(at, at + ELEMENT), at=place * ELEMENT, why="its own place was taken")
    plan.counts = {"pieces": len(seen), "pieces_without_a_place": left}
    if left:
        plan.notes.append(f"{left} pieces have no place in a cache of {count}; the farmer fetches what it misses")
    for index, copy, at, length in bad:
        if index not in seen:
            plan.lose(Loss(copy, Span(at, at + length), f"piece {index} by its own word is good in no copy"))


def identities(state: State) -> Identities:
    """Good pieces by their index."""
    counts = {"empty": 0, "bad": 0}

    def rows() -> Iterator[list[bytes]]:
        for at, element, verdict in elements(state.source):
            if verdict == "good":
                yield [pack(key_of(PIECE, element[:8]), element[-16:], at, at + ELEMENT)]
            else:
                counts[verdict] += 1

    def describe(row: Row) -> Described:
        digest = state.source.read(row.end - 32, 32).hex()
        told = {"element": number(row.start), "digest": digest}
        return Described(str(int.from_bytes(row.name[:8], "little")), Span(row.start, row.end), told)

    return Identities({PIECE: "piece"}, rows(), describe, counts)
