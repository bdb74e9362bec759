"""Heights that are not whole: which ranges they make, and how many of them are kept."""

from __future__ import annotations

import pytest

from inspector.formats.snarkos.judge import Heights

MOST = 1 << 18


@pytest.mark.parametrize(
    ("added", "first", "ranges"),
    [
        ([], None, []),
        ([(0, None)], 0, [(0, 1)]),
        ([(5, None), (3, None), (5, None)], 3, [(3, 4), (5, 6)]),
        ([(5, None), (6, None)], 5, [(5, 7)]),
        ([(5, 6), (7, 8)], 5, [(5, 6), (7, 8)]),
        ([(5, 9), (2, 5), (20, 30), (25, None), (29, 31)], 2, [(2, 9), (20, 31)]),
        ([(5, 9), (6, 7), (8, None)], 5, [(5, 9)]),
        ([(9, None), (0, 2)], 0, [(0, 2), (9, 10)]),
    ],
)
def test_heights_make_ranges_that_are_joined_where_they_touch(
    added: list[tuple[int, int | None]], first: int | None, ranges: list[tuple[int, int]]
) -> None:
    found = Heights()
    for one in added:
        found.add(*one)
    assert (found.first, found.ranges(), found.more) == (first, ranges, False)


def test_so_many_single_heights_are_kept_and_the_first_of_all() -> None:
    found = Heights()
    for height in range(1, MOST + 1):
        found.add(2 * height)
    assert (len(found.single), found.more) == (MOST, False)
    found.add(2)
    assert not found.more  # it is known
    found.add(1)
    assert (len(found.single), found.more, found.first) == (MOST, True, 1)


def test_so_many_ranges_are_kept() -> None:
    found = Heights()
    for height in range(MOST):
        found.add(3 * height, 3 * height + 2)
    assert (len(found.runs), found.more) == (MOST, False)
    found.add(3 * MOST, 3 * MOST + 1)
    assert not found.more  # a single one
    found.add(3 * MOST, 3 * MOST + 2)
    assert (len(found.runs), found.more) == (MOST, True)
