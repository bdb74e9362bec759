"""A column that went to a file reads like one in memory."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from random import Random

import pytest

from inspector import numbers
from inspector.numbers import Numbers


def test_numbers_beyond_memory_read_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("HELD", 20), ("PAGE", 8), ("PAGES", 2)):
        monkeypatch.setattr(numbers, name, value)
    rng = Random(1)
    plain, column = array("Q"), Numbers()
    while len(plain) < 500:
        more = sorted(rng.randrange(1 << 64) for _ in range(rng.randrange(30)))
        plain.extend(more)
        column.extend(more)
        assert len(column) == len(plain)
    for _ in range(2000):
        at = rng.randrange(len(plain))
        assert column[at] == plain[at]
    for wrong in (-1, len(plain)):
        with pytest.raises(IndexError):
            column[wrong]


def test_a_place_is_found_in_a_column_on_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numbers, "HELD", 16)
    monkeypatch.setattr(numbers, "PAGE", 4)
    column = Numbers()
    column.extend(range(0, 900, 3))
    assert [bisect_right(column, value) - 1 for value in range(900)] == [value // 3 for value in range(900)]
