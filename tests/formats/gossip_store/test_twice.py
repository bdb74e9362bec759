"""A repair of a mended store works on tiles from memory; they are what a second walk would give."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from inspector.errors import RefusedError
from inspector.finding import Tally
from inspector.format import Edit, Stretch, Wishes
from inspector.formats.gossip_store import twice
from inspector.formats.gossip_store.plan import plan
from inspector.formats.gossip_store.survey import check
from inspector.formats.gossip_store.walk import Store, open_store, walk
from inspector.source import open_source

SAMPLES = sorted((Path(__file__).parents[3] / "samples" / "gossip_store").glob("*.gossip_store"))
WISHES = (Wishes(), Wishes(compact=True), Wishes(accept=frozenset({"unique"})))


def edits_of(path: Path, wishes: Wishes) -> list[Edit]:
    with open_source(str(path)) as source:
        store = open_store(source, None, wishes)
        check(store, walk(store), Tally())
        return list(plan(store, wishes).edits)


@pytest.mark.parametrize("wishes", WISHES)
def test_tiles_from_memory_are_those_of_a_second_walk(monkeypatch: pytest.MonkeyPatch, wishes: Wishes) -> None:
    walks = 0

    def counted(store: Store) -> Iterator[Stretch]:
        nonlocal walks
        walks += 1
        return walk(store)

    monkeypatch.setattr(twice, "walk", counted)
    spared = 0
    for path in SAMPLES:
        before = walks
        monkeypatch.setattr(twice, "REMEMBERED", 1 << 20)
        try:
            kept = edits_of(path, wishes)
        except RefusedError:
            continue
        middle = walks
        monkeypatch.setattr(twice, "REMEMBERED", 0)
        assert edits_of(path, wishes) == kept
        spared += walks - middle > middle - before
    assert spared >= 3
