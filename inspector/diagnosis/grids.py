"""Whether what stands behind a place fills blocks of its format that begin elsewhere than those before it."""

from __future__ import annotations

from bisect import bisect_left

from inspector.counted import plural
from inspector.diagnosis import moves
from inspector.diagnosis.model import Clue
from inspector.diagnosis.places import Place
from inspector.diagnosis.scene import Scene

READS = 2  # of each unit that is followed: its head, and all of it
ASKED = 8  # trials that a look at the units behind a place counts for


def drift(scene: Scene, place: Place) -> int | None:
    """How many bytes too many stand in a place and those right before it, fewer than none where some are lost.

    None where nothing tells. Whole blocks of the format, put in or lost, do not show.
    """
    grid = scene.read(place.span.member).grid
    if grid is None:
        return None
    first, before = _run_of(scene, place)
    key = (place.span.member, first, place.end)
    if key not in scene.drifts:
        scene.drifts[key] = _drift(scene, key, before, grid[0])
    return scene.drifts[key]


def _run_of(scene: Scene, place: Place) -> tuple[int, int]:
    """Where the places begin that follow each other up to this one, and where the one before them ends, or 0."""
    start, member, places = place.start, place.span.member, scene.places
    for number in range(bisect_left(places, (member, start), key=lambda p: (p.span.member, p.start)) - 1, -1, -1):
        other = places[number]
        if other.span.member != member:
            break
        if other.end == start:
            start = other.start
        elif other.end < start:
            return start, other.end
    return start, 0


def _drift(scene: Scene, key: tuple[str, int, int], last: int, block: int) -> int | None:
    member, _, end = key
    asked = scene.traits.phase if scene.traits else None
    if asked is None or scene.budget.followed <= 0 or not scene.budget.spend(ASKED):
        return None
    read, reads = scene.read(member), 0

    def counted(at: int, n: int) -> bytes:
        nonlocal reads
        reads += 1
        return read(at, n)

    behind = asked(scene.state, member, end, counted)
    before = asked(scene.state, member, last, counted) if last and behind is not None else 0
    scene.budget.follow(reads // READS)
    if behind is None or before is None:
        return None
    by = (behind - before) % block
    return by if by <= block // 2 else by - block


def moved(scene: Scene, first_of: Place, place: Place) -> Clue | None:
    """Bytes put in or lost that moved all blocks behind a place, and where they are if that can be tried out.

    The units that follow the first broken one in the same place tell, too: the rest of a record begins a block.
    """
    by = drift(scene, first_of) or drift(scene, place)
    if not by:
        return None
    member = place.span.member
    read, unit = scene.read(member), scene.unit_at(member)
    head = place.start
    for _ in range(moves.DOUBTED if by > 0 else 0):
        first = unit(head, read)
        if first is None or not head < first.end <= place.end:
            break
        found = moves.put_in(read, unit, head, by, (head, first.end + 1), scene.budget, True)
        if found:
            return found
        head = first.end  # the first may look wrong only because the next is
    why = f"the blocks behind it begin {'further on' if by > 0 else 'further back'} than those before it"
    facts: dict[str, int | str | bool] = {"inserted" if by > 0 else "lost": abs(by)}
    what = f"{plural(abs(by), 'byte was', 'bytes were')} {'put in' if by > 0 else 'lost'}"
    return Clue("shifted", "likely", f"{what}: {why}", place.span, facts)
