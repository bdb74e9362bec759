"""What is said of several files of blocks: which follow each other, which heights nobody has, which two have."""

from __future__ import annotations

import pytest

from inspector.format import Wishes
from inspector.formats.snarkos_blocks import FORMAT
from inspector.inspect import inspect
from inspector.source import MemorySource
from tests.builders.snarkos import cdn_file, ledger

BLOCKS = ledger(6)


@pytest.mark.parametrize(
    ("ranges", "lines"),
    [
        ([(0, 2), (2, 6)], ()),
        ([(3, 6), (0, 2)], ("blocks 2 to 2 are missing between second and first",)),
        ([(0, 1), (4, 6)], ("blocks 1 to 3 are missing between first and second",)),
        ([(0, 3), (2, 6)], ("first and second both hold blocks 2 to 2",)),
        ([(0, 4), (1, 3)], ("first and second both hold blocks 1 to 2",)),
        (
            [(0, 5), (1, 2), (3, 6)],
            ("first and second both hold blocks 1 to 1", "first and third both hold blocks 3 to 4"),
        ),
    ],
)
def test_files_are_held_against_each_other_by_height(ranges: list[tuple[int, int]], lines: tuple[str, ...]) -> None:
    found = []
    for (start, end), label in zip(ranges, ("first", "second", "third"), strict=False):
        source = MemorySource(cdn_file(BLOCKS, start, end), f"{start}.{end}.blocks")
        found.append((label, source.size, 0, inspect(source, (FORMAT,), Wishes(), FORMAT.name).state))
    assert FORMAT.compare is not None
    assert FORMAT.compare(found) == lines
