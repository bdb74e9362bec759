"""Pages of a store that changed places: known by the records over their borders, and put back byte for byte."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from inspector.__main__ import main
from inspector.diagnosis import diagnose
from inspector.format import Wishes
from inspector.formats import all_formats
from inspector.formats.gossip_store import exchanged as module
from inspector.formats.gossip_store.exchanged import exchanges
from inspector.formats.gossip_store.known import Known
from inspector.formats.gossip_store.walk import open_store
from inspector.inspect import inspect
from inspector.source import MemorySource
from tests import damage
from tests.builders.gossip import healthy

SIZES = (512, 1024, 2048, 4096, 8192, 16384)


def swapped(data: bytes, size: int, *couples: tuple[int, int]) -> bytes:
    for one, two in couples:
        data = damage.swap(data, one * size, two * size, size).data
    return data


def mended(data: bytes, folder: Path, *more: str, code: int = 0) -> bytes:
    path, out = folder / "x.gossip_store", folder / "out"
    path.write_bytes(data)
    assert main(["repair", str(path), "-o", str(out), *more]) == code
    return out.read_bytes()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("version", [9, 14, 16])
def test_two_pages_go_back_to_their_places(size: int, version: int, tmp_path: Path) -> None:
    whole = healthy(version, 120_000, size)
    one, two = sorted(Random(size + version).sample(range(len(whole) // size), 2))
    assert mended(swapped(whole, size, (one, two)), tmp_path) == whole


@pytest.mark.parametrize("couples", [((0, 5),), ((6, 7),), ((2, 20), (9, 14), (17, 24))])
def test_the_first_page_neighbours_and_several_pairs_go_back(
    couples: tuple[tuple[int, int], ...], tmp_path: Path
) -> None:
    whole = healthy(16, 120_000, 3)
    bad = swapped(whole, 4096, *couples)
    found = inspect(MemorySource(bad), all_formats())
    lost = [f for f in found.tally.findings() if f.rule.code in ("GSP003", "GSP004", "GSP005")]
    assert lost
    assert {(f.cause.name, f.cause.confidence, f.salvage) for f in lost} == {("swapped", "certain", "corrected")}
    events = diagnose(found).events
    assert sum(event.cause.name == "swapped" for event in events) == len(couples)
    assert mended(bad, tmp_path) == whole


@pytest.mark.parametrize("version", [9, 14, 16])
def test_the_version_byte_comes_back_with_the_first_page(version: int, tmp_path: Path) -> None:
    whole = healthy(version, 120_000, 5)
    assert mended(swapped(whole, 8192, (0, 6)), tmp_path)[0] == version


def test_the_patch_holds_both_pages_and_no_more(tmp_path: Path) -> None:
    whole = healthy(16, 120_000, 4)
    path, patch = tmp_path / "x.gossip_store", tmp_path / "patch"
    path.write_bytes(swapped(whole, 4096, (3, 11)))
    assert main(["repair", str(path), "--patch", str(patch)]) == 0
    assert main(["apply", str(patch), str(path), "--undo", str(tmp_path / "undo")]) == 0
    assert path.read_bytes() == whole


def test_what_did_not_change_places_is_not_put_back() -> None:
    whole = healthy(16, 120_000, 3)
    copied = whole[:8192] + whole[40960:45056] + whole[12288:]
    gone = swapped(whole, 4096, (2, 9))
    for border in (8192, 12288):  # neither border of one of them tells
        gone = gone[: border - 40] + bytes(80) + gone[border + 40 :]
    for bad in (copied, gone):
        store = open_store(MemorySource(bad), None, Wishes())
        assert Known.of(store).areas
        assert exchanges(store, Known.of(store).areas) == []


def test_without_corrections_no_page_is_put_back(tmp_path: Path) -> None:
    whole = healthy(16, 120_000, 3)
    assert len(mended(swapped(whole, 4096, (3, 11)), tmp_path, "--no-correct", code=4)) < len(whole)


def test_the_search_ends_with_the_work_it_may_do(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = healthy(16, 120_000, 3)
    store = open_store(MemorySource(swapped(whole, 512, (30, 110))), None, Wishes())
    areas = Known.of(store).areas
    assert exchanges(store, areas)
    monkeypatch.setattr(module, "_WORK", 0)
    assert exchanges(store, areas) == []
    monkeypatch.undo()
    monkeypatch.setattr(module, "MOST_BORDERS", 1)
    assert exchanges(store, areas) == []
