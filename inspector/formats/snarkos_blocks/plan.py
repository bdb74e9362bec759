"""Repair: the longest run of whole blocks in order of height, framed anew."""

from __future__ import annotations

from collections.abc import Iterator

from inspector.counted import counted
from inspector.errors import RefusedError
from inspector.format import Edit, Plan, Wishes
from inspector.formats.snarkos.names import range_name
from inspector.formats.snarkos_blocks.layout import COUNT_SIZE, MARK_NAMES, SOUND, Head
from inspector.formats.snarkos_blocks.walk import NAME, Blocks, head_at
from inspector.span import Span

TOLD = 3  # runs that are left out


def plan(blocks: Blocks, wishes: Wishes) -> Plan:
    size = blocks.source.length("")
    if blocks.latest:
        if blocks.latest_why:
            raise RefusedError("latest.json cannot be repaired", "download it again")
        return Plan(iter([Edit("kept", Span(0, size), units=1, why="healthy")]), size)
    run = best_run(blocks)
    if not run:
        raise RefusedError("no block of this file is whole", "download it again")
    made = Plan(_edits(blocks, run, size), size + COUNT_SIZE)
    first, last = blocks.heights[run[0]], blocks.heights[run[-1]]
    left = sum(mark == SOUND for mark in blocks.marks) - len(run)
    right = f"{first}.{last + 1}.blocks"
    made.notes.append(f"{len(run)} whole blocks, heights {first} to {last}: name the file {right}")
    made.misnamed = lambda name: _misnamed(name, right, first, last)
    if left:
        made.notes.append(f"{left} whole blocks that do not follow on these were left out{_elsewhere(blocks, run)}")
    return made


def _misnamed(name: str, right: str, first: int, last: int) -> tuple[str, str] | None:
    """snarkOS takes the heights from the name, and stops where a block has another."""
    if (match := NAME.fullmatch(name)) is None or (int(match[1]), int(match[2])) == (first, last + 1):
        return None
    return f"the name promises heights {int(match[1])} to {int(match[2]) - 1}, {first} to {last} are written", right


def best_run(blocks: Blocks) -> list[int]:
    """Indexes of the longest run of whole blocks that follow each other in height and by hash; the first if equal."""
    return max(runs(blocks), key=len, default=[])


def runs(blocks: Blocks) -> list[list[int]]:
    """Whole blocks that follow each other, as their indexes, in order of height; of one height the first block."""
    by_height: dict[int, int] = {}
    for i, (height, mark) in enumerate(zip(blocks.heights, blocks.marks, strict=True)):
        if mark == SOUND:
            by_height.setdefault(height, i)
    found: list[list[int]] = []
    before: Head | None = None
    for height in sorted(by_height):
        head = head_at(blocks.source, blocks.starts[by_height[height]])
        if before is None or head is None or not follows(before, head):
            found.append([])
        found[-1].append(by_height[height])
        before = head
    return found


def others(blocks: Blocks, run: list[int]) -> list[tuple[int, int]]:
    """First and last height of each run that is not `run`, the longest first: what `extract` gives out one by one."""
    left = sorted((one for one in runs(blocks) if one != run), key=len, reverse=True)
    return [(blocks.heights[one[0]], blocks.heights[one[-1]]) for one in left]


def follows(before: Head, head: Head) -> bool:
    linked = head.height == before.height + 1 and head.previous == before.hash
    return linked and head.round > before.round and head.timestamp >= before.timestamp


def _elsewhere(blocks: Blocks, run: list[int]) -> str:
    named = [range_name(*one) for one in others(blocks, run)]
    more = f" and {len(named) - TOLD} more" if len(named) > TOLD else ""
    return f"; inspector extract gives out {', '.join(named[:TOLD])}{more}" if named else ""


def _edits(blocks: Blocks, run: list[int], size: int) -> Iterator[Edit]:
    head = Span(0, min(COUNT_SIZE, size))
    count = len(run).to_bytes(COUNT_SIZE, "little")
    if blocks.claimed == len(run):
        yield Edit("kept", head, proof="derived", why="the count")
    else:
        yield Edit("corrected", head, count, "derived", f"{len(run)} blocks are written")
    for i in run:
        yield Edit("kept", Span(blocks.starts[i], blocks.ends[i]), proof="placed", units=1, why="a whole block")
    chosen = set(run)
    here = COUNT_SIZE
    whole = True  # no byte of the file is lost
    for i, (start, end) in enumerate(zip(blocks.starts, blocks.ends, strict=True)):
        if here < start:
            whole = False
            yield Edit("lost", Span(here, start), why="no block can be read from these bytes")
        here = end
        if i in chosen:
            continue
        if blocks.marks[i] == SOUND:
            yield Edit("dropped", Span(start, end), why="it does not follow on the blocks that are kept", units=1)
        else:
            whole = False
            yield Edit("lost", Span(start, end), why=MARK_NAMES[blocks.marks[i]], units=1)
    if here < size:
        whole = False
        yield Edit("lost", Span(here, size), why="no block can be read from these bytes")
    if whole and (gone := missing(blocks)):
        why = f"{counted(gone, 'block is', 'blocks are')} not here that the count and the heights show"
        yield Edit("lost", Span(size, size), why=why, units=gone)


def missing(blocks: Blocks) -> int:
    """How many of the blocks that the count promises have no height here, where a name or a hole bears it out.

    A count that is alone may be what changed, and so may a height: then there are as many heights as blocks.
    """
    here = {height for height, mark in zip(blocks.heights, blocks.marks, strict=True) if mark == SOUND}
    gone = max(0, (blocks.claimed or 0) - len(here))
    if blocks.named is not None and blocks.named[1] - blocks.named[0] == blocks.claimed:
        return gone
    return min(gone, max(here) - min(here) + 1 - len(here))
