"""Where the next piece begins when bytes were put into the file or taken out of it: every place behind them moved."""

from __future__ import annotations

import re

from blake3 import blake3

from inspector.formats.piece_cache.layout import ELEMENT
from inspector.source import Source

EMPTY = bytes(ELEMENT)
TRIES = 512  # digests of places that only look like the head of an element, over the whole file
PLACES = 6  # distances from a multiple of ELEMENT that are asked at each bad element
INDEX = 8
ZEROES = bytes(4)  # upper half of a piece index: the chain has fewer than 2^32 pieces
_RUN = re.compile(rb"\0+")


def judge(element: bytes) -> str:
    """empty, good or bad; a shorter one is bad."""
    if element == EMPTY:
        return "empty"
    view = memoryview(element)
    return "good" if len(element) == ELEMENT and blake3(view[:-32]).digest() == element[-32:] else "bad"


class Hunt:
    """Looks behind bad elements for the next good one; what it learned at one it tries at the next."""

    def __init__(self, source: Source) -> None:
        self.source, self.size = source, source.length()
        self.distances = [self.size % ELEMENT, 0]  # as if all ended with the file, or began with it
        self.tries = TRIES

    def next(self, at: int) -> int | None:
        """Where a bad element ends: a good one begins in the two lengths behind it. None where none is known."""
        verdict = self._judged(at + ELEMENT)
        if verdict != "bad":
            return at + ELEMENT
        around = {at + (distance - at) % ELEMENT for distance in self.distances}
        places = sorted(place for start in around for place in (start, start + ELEMENT) if place > at)
        found = next((place for place in places if self._judged(place) == "good"), None)
        if found is None or found > at + ELEMENT:  # another may stand before it, at a distance that is not known yet
            before = self.size if found is None else found
            heads = (place for place in self._heads(at) if place + ELEMENT <= before)
            found = next((place for place in heads if self._tried(place)), found)
        if found == at + 2 * ELEMENT:
            return at + ELEMENT  # two bad ones, and nothing moved
        if found is not None:
            self._learn(found % ELEMENT)
        return found

    def back(self, at: int) -> int:
        """How many bytes before a bad element behind zeroes a good one begins: with zeroes itself."""
        if self.tries <= 0:
            return 0
        found = next((count for count in range(1, INDEX + 1) if self._tried(at - count)), 0)
        if found:
            self._learn((at - found) % ELEMENT)
        return found

    def _judged(self, at: int) -> str:
        return judge(self.source.read(at, ELEMENT))

    def _tried(self, at: int) -> bool:
        self.tries -= 1
        return self._judged(at) == "good"

    def _heads(self, at: int) -> list[int]:
        """Offsets at which bytes look like a piece index: few, because pieces look random, and none without a try."""
        data = self.source.read(at, 2 * ELEMENT + INDEX)
        last = min(2 * ELEMENT, self.size - ELEMENT - at)
        found: list[int] = []
        run = data.find(ZEROES)
        while run >= 0 and len(found) < self.tries:
            end = _RUN.match(data, run).end()  # type: ignore[union-attr]  # it begins with a zero
            # the lower half of the index is before the run or in it, and is not zero itself
            found += [at + run - k for k in (4, 3, 2, 1) if end - run >= INDEX - k and 0 < run - k <= last]
            run = data.find(ZEROES, end)
        return found

    def _learn(self, distance: int) -> None:
        if distance in self.distances:
            self.distances.remove(distance)
        self.distances = [distance, *self.distances][:PLACES]
