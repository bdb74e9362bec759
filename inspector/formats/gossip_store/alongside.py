"""Damage of one copy that another copy has whole between the same records, wherever those stand in it.

Healing goes by offsets, and bytes that were put in or lost move everything behind them. Gossipd only appends and
compaction keeps the order, so what two copies have between the same two records is the same, less what is dead. It
must also be as long: a copy from which a damaged record was left out, by a repair, has its neighbours side by side.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice

from msgspec import Struct
from msgspec.structs import replace

from inspector.formats.gossip_store.healing import REGIONS, Healing, Region, Tile, local, regions, torn
from inspector.formats.gossip_store.signed import NODE, SIGNED, UPDATE
from inspector.formats.gossip_store.walk import OK, Store, walk

SHORTEST = 22  # bytes of the shortest record; fewer may be missing where bytes were put in
# the other copy may have more, where this one was compacted; but far more says that one side came from elsewhere
LOOSE, SPARE = 16, 4096
HEADER, SIDE_AT = 12, 123  # of a record: bytes of its header, and where an update has its channel_flags
# a page that came from elsewhere is damage at its two ends: such pairs are taken together, up to the largest pages
NEAR = (-1, 1 << 13, 1 << 18)
FAR = 1 << 22  # bytes between two records that are looked through
WORK = 4  # sizes of a copy that may be looked through in it
Key = tuple[int, int, int, int, int]  # kind, owner, node, time, channel_flags


class Gap(Struct, frozen=True):
    """A damaged stretch and the records around it that have a name: their keys, and the bytes in between."""

    start: int
    end: int
    before: tuple[tuple[Key, int], ...]  # the nearest first
    after: tuple[tuple[Key, int], ...]  # empty at the end of the file
    hurt: tuple[tuple[int, int], ...]


def cover(copies: Sequence[tuple[Store, Healing]]) -> None:
    """Adds to what each copy's healing calls covered; the stores are seen with all that could be filled or undone."""
    for near in NEAR:
        _cover(copies, near)


def _cover(copies: Sequence[tuple[Store, Healing]], near: int) -> None:
    asked = [_alone(store, list(_gaps(store, healing, near))) for store, healing in copies]
    for j, (other, _) in enumerate(copies):
        keys = {key for i, gaps in enumerate(asked) if i != j for gap in gaps for key, _ in (*gap.before, *gap.after)}
        places, work = _places(other, keys), WORK * other.size
        for i, (store, healing) in enumerate(copies):
            for gap in asked[i] if i != j and places else ():
                hurt = [part for part in gap.hurt if not healing.covers(*part)]
                there = _between(store, gap, other, places) if hurt else None
                if there is None:
                    continue
                begin, end = there
                if begin < end <= begin + min(FAR, work):
                    work -= end - begin
                    if all(mark == OK for tile, mark in local(other, begin, end) if tile[0] < end):
                        for part in hurt:
                            insort(healing.covered, part)


def _alone(store: Store, gaps: list[Gap]) -> list[Gap]:
    """The gaps by those records alone that their own copy has once: an announcement made again stands elsewhere."""
    own = _places(store, {key for gap in gaps for key, _ in (*gap.before, *gap.after)})
    found = []
    for gap in gaps:
        before, after = (tuple(one for one in side if own.get(one[0])) for side in (gap.before, gap.after))
        if before and (after or not gap.after):
            found.append(replace(gap, before=before, after=after))
    return found


def _gaps(store: Store, healing: Healing, near: int) -> Iterator[Gap]:
    """Stretches with damage that is not covered yet, those taken together that are near each other."""
    held: list[Region] = []
    for region in chain(islice(regions(store), REGIONS), (None,)):
        if held and (region is None or region.start - held[-1].end > near):
            first, last = held[0], held[-1]
            before = _named(store, ((tile, first.start - tile[1]) for tile in reversed(first.before)))
            after = _named(store, ((tile, tile[0] - last.end) for tile in last.after))
            if before and (after or last.end == store.size):
                yield Gap(first.start, last.end, before, after, tuple((part.start, part.end) for part in held))
            held = []
        if region is not None and not healing.covers(region.start, region.end):
            held.append(region)


def _named(store: Store, tiles: Iterable[tuple[Tile, int]]) -> tuple[tuple[Key, int], ...]:
    found = []
    for (start, _, kind, owner, node), apart in tiles:
        if kind in SIGNED and kind != NODE:  # gossipd appends the same node announcement again (gossmap_manage.c:351)
            record = store.source.read(start, SIDE_AT + 1)
            side = record[SIDE_AT] if kind == UPDATE else 0
            found.append(((kind, owner, node, int.from_bytes(record[8:12], "big"), side), apart))
    return tuple(found)


def _places(other: Store, keys: set[Key]) -> dict[Key, tuple[int, int] | None]:
    """Where the other copy has the records that are asked for; None for what it has twice."""
    places: dict[Key, tuple[int, int] | None] = {}
    names = {key[1] or key[2] for key in keys}
    for stretch in walk(other) if keys else ():
        batch, marks = stretch.columns.get("batch"), stretch.marks
        if batch is None:
            continue
        for i, (owner, node) in enumerate(zip(batch.owners, batch.nodes_a, strict=True)):
            if (owner or node) in names and marks[i] == OK:
                key = (batch.kinds[i], owner, node, batch.times[i], batch.aux[i])
                if key in keys:
                    end = batch.starts[i + 1] if i + 1 < len(batch) else batch.end
                    places[key] = None if key in places else (batch.starts[i], end)
    return places


def _between(store: Store, gap: Gap, other: Store, places: dict[Key, tuple[int, int] | None]) -> tuple[int, int] | None:
    """What the other copy has in place of the gap; None where it has nothing, or where that is too short."""
    before = next(((place, apart) for key, apart in gap.before if (place := places.get(key))), None)
    after = next(((place, apart) for key, apart in gap.after if (place := places.get(key))), None)
    if before is None:
        return None
    begin = before[0][1]
    if after is not None:
        wanted = before[1] + gap.end - gap.start + after[1]
        fits = wanted - SHORTEST < after[0][0] - begin <= LOOSE * wanted + SPARE
        return (begin, after[0][0]) if fits else None
    start = begin + before[1]
    known = store.size - gap.start >= HEADER and torn(store, gap.start, other, start)
    return (begin, start + 1) if not gap.after and known else None
