"""Pages of a blobstore that changed places, masks among them: one event, with the cause that the bytes bear out."""

from __future__ import annotations

from pathlib import Path

import pytest

from inspector.inspect import Report
from tests.formats.spdk_blobstore.support import look

PAGE = 4096
IMAGE = (Path(__file__).parents[3] / "samples" / "spdk_blobstore" / "clean.img").read_bytes()


def causes(report: Report) -> list[tuple[str, str]]:
    """Of the events, in their order."""
    assert report.diagnosis is not None
    return [(event.cause.name, event.cause.confidence) for event in report.diagnosis.events]


def over(at: int, data: bytes) -> bytearray:
    return bytearray(IMAGE[:at] + data + IMAGE[at + len(data) :])


@pytest.mark.parametrize(("size", "sure"), [(PAGE, "certain"), (512, "certain"), (700, "likely")])
@pytest.mark.parametrize("mask", [1, 2, 3])
def test_ones_over_a_mask_are_ones(mask: int, size: int, sure: str) -> None:
    assert causes(look(over(mask * PAGE, b"\xff" * size))) == [("ones-range", sure)]


@pytest.mark.parametrize(
    ("one", "two", "sure"),
    [
        (1, 2, "certain"),
        (2, 3, "certain"),
        (1, 5, "certain"),
        (2, 6, "certain"),
        (5, 6, "certain"),
        (4, 20, "certain"),
        (5, 20, "certain"),
        (3, 25, "likely"),
    ],
)
def test_two_pages_that_changed_places_are_one_event(one: int, two: int, sure: str) -> None:
    image = over(one * PAGE, IMAGE[two * PAGE : (two + 1) * PAGE])
    image[two * PAGE : (two + 1) * PAGE] = IMAGE[one * PAGE : (one + 1) * PAGE]
    assert causes(look(image)) == [("swapped", sure)]


def test_a_mask_over_another_one_is_no_exchange() -> None:
    assert causes(look(over(PAGE, IMAGE[2 * PAGE : 3 * PAGE]))) == [("stale-page", "certain")]


def test_noise_over_a_mask_is_told_as_what_it_is() -> None:
    assert [name for name, _ in causes(look(over(PAGE, bytes(range(7, 135)) * 32)))] == ["overwritten"]
