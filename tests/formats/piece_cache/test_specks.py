"""Flipped bits in an empty element: the zeroes around them were always there."""

from __future__ import annotations

from pathlib import Path

import pytest

from inspector import formats
from inspector.diagnosis import diagnose
from inspector.formats.piece_cache.layout import ELEMENT
from inspector.inspect import inspect
from inspector.source import MemorySource
from tests.builders.piece_cache import element

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


@pytest.mark.parametrize("size", [512, 4608])
def test_content_that_repeats_by_itself_is_not_surely_a_page_of_another_place(size: int) -> None:
    hurt = bytearray(element(11895))
    at = 44_544
    hurt[at : at + size] = b"".join(hurt[i : i + 4][::-1] for i in range(at, at + size, 4))
    told = diagnose(inspect(MemorySource(bytes(hurt), "piece_cache.bin"), formats.all_formats()))
    assert ("stale-page", "certain") not in {(event.cause.name, event.cause.confidence) for event in told.events}
