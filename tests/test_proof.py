"""A small part of `make proof`: some places of each store damaged, and what is told held to what was done."""

from __future__ import annotations

from itertools import islice

import pytest

from tests.proof import Places, cases, tried
from tests.proof_stores import Store, stores
from tests.proof_truth import Case, Truth

STORES = [store for store in stores() if "1 MiB" not in store.name]
FEW = 8  # cases of each store


@pytest.mark.parametrize("store", STORES, ids=lambda store: store.name)
def test_what_is_told_of_a_damaged_store_is_true(store: Store) -> None:
    with store.within():
        truth = Truth(store)
        at_all = Places().of(truth)
        total = sum(len(places) for places in at_all.values()) * 4
        result = tried(truth, islice(cases(at_all), total // FEW // 2, None, max(1, total // FEW)))
    assert result.faults == []
    assert result.changed + result.cut >= FEW


class Mute(Truth):
    """As if the inspection never found anything."""

    def _new(self, report):  # type: ignore[no-untyped-def]
        return []


class Elsewhere(Truth):
    """As if all units behind the first were lost."""

    def _inspected(self, members):  # type: ignore[no-untyped-def]
        report, tiles = super()._inspected(members)
        return report, tiles if members is self.members else tiles[:2]


@pytest.mark.parametrize(("kind", "why"), [(Mute, "silent, in unit"), (Elsewhere, "not sound any more")])
def test_the_proof_itself_sees_what_is_not_told_and_what_is_lost(kind: type[Truth], why: str) -> None:
    truth = kind(next(store for store in STORES if "clean-v7.sst" in store.name))
    assert any(why in fault for fault in tried(truth, [Case("", 1500, 0x01)]).faults)
