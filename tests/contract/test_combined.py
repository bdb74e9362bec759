"""Damages that meet: the same unit twice, one in the other's repair, foreign bytes, and damage of a repaired store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inspector import formats
from inspector.errors import InspectorError, UnverifiedError
from inspector.format import Wishes
from inspector.inspect import inspect
from inspector.repair import repair
from inspector.source import open_source
from tests.contract.corpus import memory
from tests.contract.test_inspection import account_is_whole
from tests.fuzz.run import mutate
from tests.fuzz.seals import sealed
from tests.proof_stores import AGAINST, Store, stores, wishes

FORMATS = formats.all_formats()
STORES = {store.form.name: store for store in stores() if "1 MiB" not in store.name}  # the last, smallest of each
FEW = settings(max_examples=5, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


def damaged(store: Store, rng: Random) -> dict[str, bytes]:
    """A store with two damages of any kind in one member, and, every other time, right checksums over them."""
    members = {n: data for n, data in store.members().items() if n != AGAINST}
    name = rng.choice([n for n, data in members.items() if len(data) > 16])
    data = mutate(mutate(members[name], rng), rng)
    if rng.random() < 0.5:
        data = sealed(store.form.name, name, data, members[name])
    return {**members, name: data}


def write(folder: Path, members: dict[str, bytes]) -> Path:
    if set(members) == {""}:
        folder.write_bytes(members[""])
        return folder
    for name, data in members.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def read(place: Path) -> dict[str, bytes]:
    if place.is_file():
        return {"": place.read_bytes()}
    return {str(p.relative_to(place)): p.read_bytes() for p in sorted(place.rglob("*")) if p.is_file()}


def repairs(store: Store, members: dict[str, bytes], folder: Path) -> Iterator[dict[str, bytes]]:
    """What a repair makes of it, nothing where it refuses; never what does not verify."""
    source_path, output = write(folder / "store", members), folder / "out"
    with open_source(str(source_path)) as source:
        try:
            repair(source, FORMATS, str(output), Wishes(), forced=store.form.name, copy=True)
        except UnverifiedError:
            raise
        except InspectorError:  # one line and an exit code: nothing here can be proved
            assert not output.exists()
            return
    yield read(output)


@pytest.mark.parametrize("name", STORES)
def test_two_damages_that_meet_are_told_and_their_repair_can_be_damaged_again(
    name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    store = STORES[name]

    @FEW
    @given(seed=st.integers(0, 1 << 30))
    def holds(seed: int) -> None:
        rng = Random(seed)
        members = damaged(store, rng)
        source = memory(members)
        try:
            account_is_whole(inspect(source, FORMATS, wishes(members), forced=name), source, f"{name} {seed}")
        except InspectorError:
            return
        for mended in repairs(store, members, tmp_path_factory.mktemp("repair")):
            if name_of := [n for n, data in mended.items() if len(data) > 16]:
                which = rng.choice(name_of)
                again = {**mended, which: mutate(mended[which], rng)}
                for _ in repairs(store, again, tmp_path_factory.mktemp("again")):
                    pass

    with store.within():
        holds()
