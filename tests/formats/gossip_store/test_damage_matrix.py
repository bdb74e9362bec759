"""Every kind of damage is found where it was made, accuses nothing else, and costs no record that was not touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.formats.gossip_store.judge import judge
from tests.formats.gossip_store.kinds import KINDS
from tests.formats.gossip_store.matrix import Kind, base_of
from tests.formats.gossip_store.witness import objection

SMALL = 120_000  # bytes; `make proof` runs the same rows on 2 MB


@pytest.mark.parametrize("kind", KINDS, ids=lambda k: k.name.replace(" ", "-"))
def test_damage_is_found_where_it_was_made_and_costs_nothing_else(kind: Kind, tmp_path: Path) -> None:
    assert judge(kind, base_of(SMALL), tmp_path).complaints == []


def test_the_store_that_is_damaged_is_one_that_loads() -> None:
    assert objection(base_of(SMALL).data) == ""


def test_the_table_has_the_measured_rows_and_more() -> None:
    assert len(KINDS) >= 48
    assert sum(kind.page is not None for kind in KINDS) >= 28
    assert len({kind.name for kind in KINDS}) == len(KINDS)
