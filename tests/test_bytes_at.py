"""Bytes as they would be if other ones stood in a place: read anywhere, they are those of a changed copy."""

from __future__ import annotations

import pytest

from inspector.diagnosis.bytes_at import BytesAt, over
from inspector.source import MemorySource

BELOW = bytes(range(60))


@pytest.mark.parametrize(("at", "data"), [(0, b"abcdef"), (20, b"x" * 12), (20, b""), (52, b"y" * 8), (52, b"z" * 20)])
def test_what_lies_over_a_place_is_read_as_from_a_copy_and_nothing_behind_the_end(at: int, data: bytes) -> None:
    whole = (BELOW[:at] + data + BELOW[at + len(data) :])[: len(BELOW)]
    read = over(BytesAt(MemorySource(BELOW, "some"), "", len(BELOW)), at, data)
    for start in range(len(BELOW) + 2):
        for count in range(1, 40):
            assert read(start, count) == whole[start : start + count]
