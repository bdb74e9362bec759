"""Healthy units that an excerpt keeps so that damage stands where it stood in its block.

Why something is damaged may rest on that: a stretch that begins at the border of a sector or a page, a page that stands
elsewhere as well. Units before it are chosen so that their bytes come to the same remainder.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Final

from inspector.diagnosis.model import Event

if TYPE_CHECKING:
    from inspector.units import Units

PAGE: Final = 4096
BLOCKS: Final = (512, PAGE)  # a sector, a page: the smaller one often does, and costs fewer units
MOST_EVENTS: Final = 8
MOST_PLACE: Final = 1 << 16  # bytes of a place that stay whole
LOOKED_AT: Final = 2000  # units before a place that may be chosen
MOST_ASKED: Final = 240  # groups of units that are tried whether they stand alone
IN_VAIN: Final = 3  # groups of these lengths that did not; no more of them are tried
MOST_GROUPS: Final = 160  # that are added up
LONGEST: Final = 4  # units that stand together

Shape = tuple[int, ...]  # lengths of the units of a group
Alone = Callable[[range], bool]  # whether these units add no finding


def named(units: Units, events: Sequence[Event]) -> set[int]:
    """The units of both places that an event names: of a page and its copy, of two that changed places."""
    found: set[int] = set()
    for event in events[:MOST_EVENTS]:
        if (place := _other(units, event)) is not None:
            length = next((n for n in map(event.facts.get, ("length", "size")) if _number(n)), event.span.length)
            end = min(max(1, int(length or 1)), MOST_PLACE)
            for start in (place, min(event.span.start, units.size - 1)):
                last = min(units.size, -(-(start + end) // PAGE) * PAGE) - 1  # whole pages: that is what is exchanged
                found.update(range(units.at(start // PAGE * PAGE), units.at(last) + 1))
    return found


def anchors(units: Units, events: Sequence[Event]) -> list[int]:
    """The first unit of each place whose border tells something, or how far it is from another one."""
    found: set[int] = set()
    for event in events[:MOST_EVENTS]:
        place = _other(units, event)
        if event.span.start < units.size and (place is not None or _number(event.facts.get("alignment"))):
            found.add(units.at(event.span.start))
            if place is not None:
                found.add(units.at(place))
    return sorted(found)


def _other(units: Units, event: Event) -> int | None:
    """Where the other place begins that an event names."""
    found = next((n for n in map(event.facts.get, ("copy_of", "other")) if _number(n)), None)
    return found if isinstance(found, int) and found < units.size else None


def _number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def filled(units: Units, chosen: Collection[int], places: Sequence[int], block: int, alone: Alone) -> set[int] | None:
    """`chosen` and the fewest bytes of units before `places` that bring them to where they were in a block of `block`.

    None where no units do. A unit counts that `alone` says can be added without a finding, or a few in a row.
    """
    kept, shapes = set(chosen), _Shapes(units, alone)
    before = 0
    for place in places:
        wanted = (
            units.span(place)[0] - sum(end - start for start, end in units.runs(i for i in kept if i < place))
        ) % block
        if wanted:
            free = _groups(units, kept, before, place, shapes)
            more = _sum_to(free, wanted, block)
            if more is None:
                return None
            kept |= more
        before = place
    return kept


class _Shapes:
    """Which groups of units stand alone, asked of few of each shape."""

    def __init__(self, units: Units, alone: Alone) -> None:
        self.units, self.alone = units, alone
        self.left = MOST_ASKED
        self.failed: Counter[Shape] = Counter()
        self.stood: set[Shape] = set()

    def stands(self, group: range) -> bool:
        shape = tuple(end - start for start, end in map(self.units.span, group))
        if self.left <= 0:  # like those of its shape, if they are all alike: what comes out is inspected anyway
            return shape in self.stood and not self.failed[shape]
        if self.failed[shape] >= IN_VAIN and shape not in self.stood:
            return False
        self.left -= 1
        stands = self.alone(group)
        if stands:
            self.stood.add(shape)
        else:
            self.failed[shape] += 1
        return stands


def _groups(
    units: Units, kept: Collection[int], low: int, high: int, shapes: _Shapes
) -> Iterator[list[tuple[int, range]]]:
    """Of units before `high`, the nearest first, the ways to take them: (bytes, units)."""
    floor = max(low + 1, high - LOOKED_AT)
    top = high
    for first in range(high - 1, floor - 1, -1):
        ways: list[tuple[int, range]] = []
        for count in range(1, LONGEST + 1):
            group = range(first, first + count)
            if group.stop > top or any(i in kept or i in units.fixed for i in group):
                break
            if shapes.stands(group):
                ways.append((units.span(group[-1])[1] - units.span(first)[0], group))
        if ways:
            yield ways
            top = first


def _sum_to(groups: Iterator[list[tuple[int, range]]], wanted: int, block: int) -> set[int] | None:
    """The fewest bytes of one way of each of some groups that leave this remainder."""
    best: dict[int, tuple[int, tuple[range, ...]]] = {0: (0, ())}
    for ways in islice(groups, MOST_GROUPS):
        for rest, (size, taken) in list(best.items()):
            for length, group in ways:
                after = (rest + length) % block
                if after not in best or best[after][0] > size + length:
                    best[after] = size + length, (*taken, group)
        if wanted in best:
            return {i for group in best[wanted][1] for i in group}
    return None
