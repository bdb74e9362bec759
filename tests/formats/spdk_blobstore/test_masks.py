"""Each bit of the masks wrong by itself: the bit is told, and no volume is called lost."""

from __future__ import annotations

import pytest

from tests.builders.spdk import PAGE
from tests.formats.spdk_blobstore.support import codes, flip, look, place, repaired
from tests.proof_stores import blobstore

SPARE = 8  # the metadata page that nobody uses
MASKS = {"pages": (0, 9, {"SPB015", "SPB016"}), "clusters": (1, 17, {"SPB012", "SPB013"}), "volumes": (2, 9, set())}


@pytest.mark.parametrize("mask", MASKS)
def test_a_flipped_bit_of_a_mask_is_told_where_it_lies_and_undone(mask: str) -> None:
    number, length, expected = MASKS[mask]
    healthy = bytearray(blobstore()[""])
    for bit in range(length):
        image = bytearray(healthy)
        at = (1 + number) * PAGE + 5 + bit // 8
        flip(image, at, 1 << bit % 8)
        found = codes(look(image))
        assert set(found) <= (expected or {"SPB014", "SPB017"}), (bit, found)
        assert found, bit
        assert place(look(image), found[0]) == (at, at + 1)
        assert repaired(image) == healthy


def test_a_page_that_is_zero_and_marked_in_both_masks_is_a_lost_volume() -> None:
    image = bytearray(blobstore()[""])
    for number in (0, 2):
        flip(image, (1 + number) * PAGE + 5 + SPARE // 8, 1 << SPARE % 8)
    assert "SPB022" in codes(look(image))
