"""What sound bytes look like is asked only of places that hold a sector, and no more than a source allows."""

from __future__ import annotations

from random import Random

import pytest

from inspector.diagnosis import kinship, moves
from inspector.diagnosis.bytes_at import FEW, Budget, BytesAt, budget_for
from inspector.diagnosis.places import Place
from inspector.format import Reading, Unit
from inspector.source import MemorySource
from inspector.span import Span

HOLE = Span(40_000, 41_536)


@pytest.fixture
def read() -> BytesAt:
    """A text of one kind with three sectors of noise in it."""
    words, random = [b"alpha ", b"beta ", b"gamma ", b"delta "], Random(1)
    data = b"".join(random.choice(words) for _ in range(20_000))[:80_000]
    data = data[: HOLE.start] + random.randbytes(HOLE.length) + data[HOLE.end :]
    return BytesAt(MemorySource(data, "some"), "", len(data))


def test_noise_is_strange_and_costs_what_is_packed_to_tell(read: BytesAt) -> None:
    budget, again = Budget(), Budget()
    for one in (budget, again):  # what is remembered costs the same
        assert kinship.strange(read, Place(HOLE, []), b"", one) == (39_936, 41_472)
    assert budget.packed == again.packed < Budget().packed


def test_a_place_that_holds_no_sector_costs_nothing(read: BytesAt) -> None:
    budget = Budget()
    assert kinship.strange(read, Place(Span(HOLE.start, HOLE.start + 90), []), b"", budget) is None
    assert budget == Budget()


def test_nobody_looks_where_no_more_may_be_packed_and_it_counts_as_given_up(read: BytesAt) -> None:
    budget = Budget(packed=1)
    assert kinship.strange(read, Place(HOLE, []), b"", budget) is None
    assert budget.used_up
    assert kinship.familiar(read, Place(HOLE, []), b"", budget)  # so that nothing is said with more confidence


def test_many_places_of_a_small_source_get_less_than_few() -> None:
    assert budget_for(1000, FEW + 1).packed < budget_for(1000, FEW).packed == Budget().packed


@pytest.mark.parametrize("reads", [False, True])
def test_no_bytes_are_tried_where_a_unit_is_denied_without_a_look_at_them(read: BytesAt, reads: bool) -> None:
    """A place between two sound units, of which the first is none: with the table's word for it, or by its bytes."""
    asked = []

    def unit(at: int, reading: Reading) -> Unit | None:
        asked.append(at)
        if reads:
            reading(at, 4)
        return None if at == HOLE.start else Unit(at + 100, True)

    budget = Budget()
    assert moves.inserted(read, unit, Place(HOLE, []), budget, True) is None
    assert (len(asked) > 1000) == reads
    assert (budget.trials < Budget().trials - 1000) == reads
