"""Flipped bits in an empty element: the zeroes around them were always there."""

from __future__ import annotations

from pathlib import Path

import pytest

from inspector import formats
from inspector.formats.piece_cache.layout import ELEMENT
from inspector.inspect import inspect
from inspector.source import MemorySource

BAD = (Path(__file__).parents[3] / "samples" / "piece_cache" / "piece_cache-bad.bin").read_bytes()


@pytest.mark.parametrize(
    ("changes", "cause"),
    [({5000: 1}, "bit-flip"), ({5000: 1, 5003: 16}, "multi-bit"), ({ELEMENT + 77: 255, ELEMENT + 99: 4}, "multi-bit")],
)
def test_bits_set_in_an_empty_element_are_no_zeroed_range(changes: dict[int, int], cause: str) -> None:
    data = bytearray(2 * ELEMENT) + BAD
    for at, mask in changes.items():
        data[at] ^= mask
    report = inspect(MemorySource(bytes(data), "piece_cache.bin"), formats.all_formats())
    assert report.diagnosis is not None
    assert report.diagnosis.events[0].cause.name == cause
    assert report.diagnosis.events[0].span.start == min(changes)
