"""How much of a large cache is remembered one by one: everything is counted, and the first of each kind are named."""

from __future__ import annotations

from array import array
from collections.abc import Iterator

import pytest

from inspector.finding import Tally
from inspector.format import Wishes
from inspector.formats.piece_cache.elements import Moved, _move, open_cache, walk
from inspector.formats.piece_cache.merging import merge
from inspector.formats.piece_cache.units import unit
from inspector.formats.piece_cache.views import answer
from inspector.source import MemorySource
from tests.formats.piece_cache.test_borders import EMPTY, A, B, hurt
from tests.proof_stores import ELEMENT, tiny_elements


@pytest.fixture(autouse=True)
def _small() -> Iterator[None]:
    with tiny_elements():
        yield


def opened(data: bytes) -> MemorySource:
    return MemorySource(data, "piece_cache.bin")


def test_a_thousand_bad_elements_are_listed_and_a_hundred_thousand_remembered() -> None:
    state = open_cache(opened(hurt(A) + hurt(B) + A), None, Wishes())
    state.bad_at = array("Q", bytes(8 * 99_999))
    assert len(list(walk(state))) == 3
    assert (state.bad, len(state.bad_at), state.bad_at[-1]) == (2, 100_000, 0)
    for count, listed in ((999, 999), (1000, 1000), (1001, 1000)):
        state.bad_at = array("Q", range(count))
        assert answer(state, Tally()).summary["bad_elements"] == list(range(listed))


def test_a_thousand_stretches_that_moved_are_told_one_by_one() -> None:
    state = open_cache(opened(b""), None, Wishes())
    for number in range(1002):
        _move(state, ELEMENT * number + 1 + number % 2)
    assert (state.moved_pieces, len(state.moved)) == (1002, 1000)
    assert state.moved[-1] == Moved(ELEMENT * 999 + 2, ELEMENT * 1000 + 2, 2)


def test_the_first_eight_stretches_that_moved_say_where_an_element_may_begin() -> None:
    state = open_cache(opened(b"\1" * 40 * ELEMENT), None, Wishes())
    for number in range(9):
        _move(state, ELEMENT * 2 * number + 10 + number)
    begins = [unit(state, "", 30 * ELEMENT + 10 + number, state.source.read) is not None for number in range(9)]
    assert begins == [True] * 8 + [False]
    assert unit(state, "", 30 * ELEMENT, state.source.read) is not None


def test_ten_thousand_bad_pieces_are_remembered_by_a_merge() -> None:
    """A copy that lacks them all, beside one that has none of them either."""
    data = hurt(A) * 10_001
    copies = [open_cache(opened(data), None, Wishes()), open_cache(opened(EMPTY), None, Wishes())]
    plan = merge(copies, Wishes(), None)
    assert list(plan.takes) == []
    assert plan.losses_total == 10_000
