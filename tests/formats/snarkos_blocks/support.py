"""A CDN file of eight blocks, and what the tests ask of files made from it."""

from __future__ import annotations

from inspector.format import Wishes
from inspector.formats import all_formats
from inspector.formats.snarkos_blocks.layout import (
    METADATA_AT,
)
from inspector.formats.snarkos_blocks.walk import (
    open_file,
    walk,
)
from inspector.inspect import Report, inspect
from inspector.source import MemorySource
from tests.builders.snarkos import cdn_block, ledger, sized, u

BLOCKS = ledger(8)
BODIES = [sized(cdn_block(BLOCKS[h], BLOCKS[h - 1] if h else None)) for h in range(8)]
DATA = u(8, 8) + b"".join(BODIES)
STARTS = [8 + sum(map(len, BODIES[:i])) for i in range(9)]
HEIGHT_AT = 8 + METADATA_AT + 1 + 2 + 8  # behind the length: version, network, round
NAME = "0.8.blocks"


def scan(data: bytes, name: str = "memory") -> Report:
    return inspect(MemorySource(data, name), all_formats(), Wishes(), forced="snarkos-blocks")


def tiles(data: bytes, name: str = "memory", max_unit: int | None = None) -> list[tuple[int, int, int, int]]:
    """Start, end, kind and mark of each."""
    wishes = Wishes() if max_unit is None else Wishes(max_unit=max_unit)
    found = []
    for one in walk(open_file(MemorySource(data, name), None, wishes)):
        ends = [*one.starts[1:], one.end]
        found += list(zip(one.starts, ends, one.kinds, one.marks, strict=True))
    return found[1:]  # the count


def put(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]


def codes(data: bytes, name: str = "memory") -> list[tuple[str, int, int]]:
    return [(f.rule.code, f.span.start, f.span.end) for f in scan(data, name).tally.findings()]
