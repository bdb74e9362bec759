"""What causes may cost: all the work for a source that was hit in few places, less for nothing but damage."""

from __future__ import annotations

from inspector.diagnosis.bytes_at import FEW, Budget, budget_for


def test_few_places_get_all_the_work_and_many_of_a_small_source_less() -> None:
    assert budget_for(1000, FEW) == Budget()
    many = budget_for(1000, FEW + 1)
    assert (many.trials, many.search) < (Budget().trials, Budget().search)
    assert budget_for(1 << 30, FEW + 1) == Budget()
