"""Whole blocks of a damaged file as a file of their own, `extract FILE blocks:A-B`: a repair writes one run only."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from inspector.errors import RefusedError, UsageError
from inspector.format import Extent
from inspector.formats.snarkos.names import asked_heights, range_name
from inspector.formats.snarkos_blocks.layout import COUNT_SIZE, MARK_NAMES, SOUND
from inspector.formats.snarkos_blocks.plan import follows
from inspector.formats.snarkos_blocks.walk import Blocks, head_at, walk
from inspector.span import Span


def extents(blocks: Blocks, asked: str) -> Iterator[Extent]:
    """A count, and the blocks as they stand; RefusedError where one is not whole, or does not follow the one before."""
    heights = asked_heights(asked)
    if heights is None:
        raise UsageError(f"a file of blocks has no item {asked}", "block:7 is one, blocks:0-49 are some in a row")
    if not blocks.starts and not blocks.latest:
        for _ in walk(blocks):
            pass
    chosen = [_place(blocks, height) for height in _asked(blocks, *heights)]
    _linked(blocks, chosen)
    at = COUNT_SIZE
    count = len(chosen).to_bytes(COUNT_SIZE, "little")
    yield Extent(0, at, None, "derived", f"{len(chosen)} blocks follow", count)
    for i in chosen:
        span = Span(blocks.starts[i], blocks.ends[i])
        yield Extent(at, span.length, span, "placed", "a whole block; a node checks its hash when it reads it")
        at += span.length


def _asked(blocks: Blocks, first: int, last: int) -> range:
    """The heights, once they can all be there: a file has fewer blocks than a range may name."""
    if last - first >= len(blocks.starts):
        have = len(blocks.starts)
        raise RefusedError(
            f"{range_name(first, last)} are more blocks than the {have} here", "inspector items lists them"
        )
    return range(first, last + 1)


def _place(blocks: Blocks, height: int) -> int:
    """Which block has a height: the first whole one, as in a repair."""
    found = [i for i, one in enumerate(blocks.heights) if one == height]
    whole = next((i for i in found if blocks.marks[i] == SOUND), None)
    if whole is None:
        why = f"is {MARK_NAMES[blocks.marks[found[0]]]}" if found else "is not in this file"
        raise RefusedError(f"block {height} {why}", "inspector items lists the blocks and their states")
    return whole


def _linked(blocks: Blocks, chosen: list[int]) -> None:
    for before, after in pairwise(chosen):
        one, two = head_at(blocks.source, blocks.starts[before]), head_at(blocks.source, blocks.starts[after])
        if one is None or two is None or not follows(one, two):
            first, second = blocks.heights[before], blocks.heights[after]
            raise RefusedError(
                f"block {second} does not follow block {first}: a node would stop there", "extract them apart"
            )
