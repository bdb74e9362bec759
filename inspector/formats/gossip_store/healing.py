"""Damage of one copy under which another copy of the same file has sound records at the same offsets.

Copies of one file keep their offsets for as long as nobody compacts it, so a damaged stretch is filled by position, and
only where sound records next to it stand at the same offsets with the same owners in both. That is exact where owners
are not: an amount has none, and a channel that was closed and announced again is both dead and alive.
"""

from __future__ import annotations

import heapq
import re
from array import array
from bisect import bisect, insort
from collections import deque
from collections.abc import Iterator
from itertools import islice
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from inspector import kernels
from inspector.copies import Patch, Quilt
from inspector.format import Stretch
from inspector.formats.gossip_store.walk import OK, SECOND_STORE, WINDOW, Store, walk

CONTEXT = 4  # sound records on each side that are held against the other copy
REGIONS = 1 << 16  # damaged stretches of one copy that are looked for in the others
LONGEST = 1 << 17  # records of one stretch that are held against each other
ROUNDS = 4  # what one copy filled tells where another one's records lie
FIRST = 1 << 16  # bytes of the first window: most damage is one record
_DAMAGE = re.compile(rb"[^\x00\x09]")  # all marks but those of sound tiles and of a second store's version byte
Tile = tuple[int, int, int, int, int]  # start, end, kind, owner, node


class Region(Struct):
    """A damaged stretch between sound records."""

    start: int
    end: int
    before: list[Tile]
    after: list[Tile] = field(default_factory=list)


class Healing(Struct):
    """Patches of one copy, and stretches of it that another copy has whole (also where it cannot be patched in)."""

    patches: list[Patch] = field(default_factory=list)
    covered: list[tuple[int, int]] = field(default_factory=list)  # in order, without overlap

    def covers(self, start: int, end: int) -> bool:
        at = bisect(self.covered, start, key=_start)
        return at > 0 and self.covered[at - 1][1] >= end


def _start(stretch: tuple[int, int]) -> int:
    return stretch[0]


def heal(store: Store, others: list[tuple[int, Store]]) -> Healing:
    """What the others (number and store, the best first) have in place of this copy's damage."""
    healing = Healing()
    for _ in range(ROUNDS):
        before = len(healing.patches)
        left = _round(quilted(store, others, healing), others, healing)
        if not left or len(healing.patches) == before:
            break
    return healing


def quilted(store: Store, others: list[tuple[int, Store]], healing: Healing) -> Store:
    """The store with its patches."""
    if not healing.patches:
        return store
    source = Quilt(store.source, {number: other.source for number, other in others}, healing.patches)
    return replace(store, source=source, facts={}, ribbon=array("Q"))


def _round(store: Store, others: list[tuple[int, Store]], healing: Healing) -> int:
    """Adds the patches that can be told now; how many stretches are left."""
    left = 0
    for count, region in enumerate(regions(store)):
        if count >= REGIONS:
            break
        left += 1
        filled: list[tuple[int, int]] = []  # in order, without overlap
        for number, other in others:
            found = aligned(store, region, other)
            for start, end in found:
                at = bisect(filled, (start, end))
                clear = (not at or filled[at - 1][1] <= start) and (at == len(filled) or filled[at][0] >= end)
                if end <= region.end and clear:
                    _join(healing.patches, Patch(start, end, number))
                    insort(filled, (start, end))
            at = region.start
            for start, end in heapq.merge(filled, found):
                at = max(at, end) if start <= at else at
            if at >= region.end:
                insort(healing.covered, (region.start, region.end))
                left -= 1
                break
    return left


def _join(patches: list[Patch], patch: Patch) -> None:
    last = patches[-1] if patches else None
    if last and last.end == patch.start and last.copy == patch.copy:
        patches[-1] = Patch(last.start, patch.end, patch.copy)
    else:
        patches.append(patch)


def regions(store: Store) -> Iterator[Region]:
    """Runs of damaged tiles with the sound records around them."""
    before: deque[Tile] = deque(maxlen=CONTEXT)
    waiting: Region | None = None  # whose records behind it are not complete
    open_: Region | None = None
    for stretch in walk(store):
        batch = stretch.columns.get("batch")
        marks = stretch.marks.tobytes()
        if batch is None:
            continue
        if open_ is None and waiting is None and marks.count(OK) == len(marks):
            before.extend(_tiles(stretch, max(0, len(marks) - CONTEXT), len(marks)))
            continue
        at = 0
        while at < len(marks):
            if open_ is None and waiting is None:  # on to the next damage; of what is sound only the last matters
                found = _DAMAGE.search(marks, at)
                upto = found.start() if found else len(marks)
                before.extend(_tiles(stretch, max(at, upto - CONTEXT), upto))
                at = upto
                if at == len(marks):
                    break
            tile, mark = next(_tiles(stretch, at, at + 1)), marks[at]
            at += 1
            if mark in (OK, SECOND_STORE):
                if open_ is not None:
                    waiting, open_ = open_, None
                if waiting is not None:
                    waiting.after.append(tile)
                    if len(waiting.after) == CONTEXT:
                        yield waiting
                        waiting = None
                before.append(tile)
            elif open_ is not None:
                open_.end = tile[1]
            else:
                if waiting is not None:
                    yield waiting
                    waiting = None
                open_ = Region(tile[0], tile[1], list(before))
    for last in (waiting, open_):
        if last is not None:
            yield last


def _tiles(stretch: Stretch, first: int, last: int) -> Iterator[Tile]:
    batch = stretch.columns["batch"]
    for i in range(first, last):
        end = batch.starts[i + 1] if i + 1 < len(batch) else batch.end
        yield batch.starts[i], end, batch.kinds[i], batch.owners[i], batch.nodes_a[i]


def aligned(store: Store, region: Region, other: Store) -> list[tuple[int, int]]:
    """Sound records of the other copy in this stretch, in order; [] unless both agree on what is around it."""
    at_start, at_end = region.start == store.start, region.end == store.size
    begin = region.before[0][0] if region.before else region.start
    end = region.after[-1][1] if region.after else region.end
    if begin >= other.size or not (region.before or (at_start and other.start == store.start)):
        return []
    tiles = list(islice(local(other, begin, end), LONGEST))
    if len(tiles) == LONGEST:  # bounded memory: what is found by owner alone is enough there
        return []
    known = {tile for tile, mark in tiles if mark == OK}
    first = sum(tile in known for tile in region.before)
    last = sum(tile in known for tile in region.after)
    # a record that begins or ends at the very edge agrees, too; behind the end of the file nothing can, so that before
    # it nothing may disagree: what is damaged in the other copy says neither
    starts = first or (at_start and not region.before) or (last and _begins(known, region.start))
    if at_end and not region.after:
        ends = first == len(region.before) or (
            first > 1 and _begins(known, region.start) and not _denied(region.before, known)
        )
    else:
        ends = bool(last or (first and any(tile[1] == region.end for tile in known)))
    if not (starts and ends):
        return []
    return [
        (tile[0], tile[1])
        for tile, mark in tiles
        if mark == OK
        and region.start <= tile[0] < region.end
        and (tile[1] <= region.end or torn(store, tile[0], other, tile[0]))
    ]


def _begins(known: set[Tile], at: int) -> bool:
    return any(tile[0] == at for tile in known)


def _denied(tiles: list[Tile], known: set[Tile]) -> bool:
    """Whether a sound record of the other copy lies where one of these is and is not the same."""
    mine = set(tiles)
    low, high = tiles[0][0], tiles[-1][1]
    return any(tile not in mine for tile in known if low < tile[1] and tile[0] < high)


def torn(store: Store, at: int, other: Store, start: int) -> bool:
    """Whether the other copy's record is the one that this copy's end cut off; its flags come last."""
    mine = store.source.read(at + 2, store.size - at - 2)
    return other.source.read(start + 2, len(mine)) == mine


def local(other: Store, begin: int, end: int) -> Iterator[tuple[Tile, int]]:
    """The other copy's tiles from `begin` to past `end`, walked from there."""
    walker: Any = kernels.GossipWalker(other.size, begin)
    window = FIRST
    while not walker.done and walker.want < end + FIRST:
        at = walker.want
        data = other.source.read(at, window)
        batch = walker.feed(data, at + len(data) >= other.size)
        for i, mark in enumerate(batch.marks):
            after = batch.starts[i + 1] if i + 1 < len(batch) else batch.end
            yield (batch.starts[i], after, batch.kinds[i], batch.owners[i], batch.nodes_a[i]), mark
            if batch.starts[i] >= end:
                return
        window = min(2 * window, WINDOW) if len(batch) or walker.want > at else 2 * window
