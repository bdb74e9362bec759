"""Where clusters lie, held against a map of one cluster after the other; and what a disk reads through corrections."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest

from inspector.formats.spdk_blobstore import clustermap, disk
from inspector.formats.spdk_blobstore.clustermap import HOLE, UNKNOWN, Run, Slot, own_runs, resolve
from inspector.formats.spdk_blobstore.crash import _common
from inspector.formats.spdk_blobstore.disk import Disk, Moved
from inspector.formats.spdk_blobstore.moved import undone
from inspector.source import MemorySource
from inspector.span import Span

Where = tuple[int, str, int]  # cluster, why, owner


def plain(runs: Iterator[Run]) -> list[Where]:
    """One cluster after the other; runs follow each other without gaps, and no two that could be one."""
    made: list[Where] = []
    for run in runs:
        assert run.at == len(made)
        assert run.count > 0
        for k in range(run.count):
            made.append((run.cluster + k if run.cluster > 0 else run.cluster, run.why, run.owner))
    return made


def in_runs(clusters: list[Where]) -> Iterator[Run]:
    return (Run(at, 1, *one) for at, one in enumerate(clusters))


def some_map(rng: Random, size: int, owner: int) -> list[Where]:
    found: list[Where] = []
    while len(found) < size:
        first, count = rng.choice((HOLE, HOLE, UNKNOWN, rng.randrange(1, 30))), rng.randrange(1, 5)
        why = rng.choice("ab") if first == UNKNOWN else ""
        found += [(first + k if first > 0 else first, why, owner) for k in range(count)]
    return found[:size]


@pytest.mark.parametrize("bottom", ["", "lost"])
@pytest.mark.parametrize("seed", range(12))
def test_what_a_chain_of_snapshots_reads_is_the_first_map_that_has_the_cluster(seed: int, bottom: str) -> None:
    rng = Random(seed)
    sizes = [rng.randrange(1, 40) for _ in range(rng.randrange(1, 4))]
    maps = [some_map(rng, size, 10 + n) for n, size in enumerate(sizes)]
    wanted: list[tuple[int, str]] = []
    for at in range(sizes[0]):
        for layer in maps:
            if at >= len(layer):
                wanted.append((HOLE, ""))  # below a map that ends, zeroes are read
                break
            if layer[at][0] != HOLE:
                wanted.append(layer[at][:2])
                break
        else:
            wanted.append((UNKNOWN, bottom) if bottom else (HOLE, ""))
    runs = list(resolve([partial(in_runs, layer) for layer in maps], sizes, bottom))
    assert [one[:2] for one in plain(iter(runs))] == wanted
    for one, two in pairwise(runs):
        if one.cluster > 0:
            assert (one.owner, one.cluster + one.count) != (two.owner, two.cluster)
        else:
            assert (one.cluster, one.why) != (two.cluster, two.why)


def blob(clusters: int | None, **more: Any) -> Any:
    return SimpleNamespace(**{"id": 7, "clusters": clusters, "broken": None, "attached": False, **more})


def of_slots(made: list[Slot | Run], size: int | None, last: int = 1000, **more: Any) -> list[Where]:
    return plain(own_runs(blob(size, **more), lambda _: iter(made), lambda cluster: 0 < cluster <= last))


def test_an_extent_page_names_512_clusters_and_what_it_lacks_is_a_hole() -> None:
    words = array("I", [5, 6, 7, 0, 0, 9, 8, 8])
    named = [(5, "", 7), (6, "", 7), (7, "", 7), (0, "", 7), (0, "", 7), (9, "", 7), (8, "", 7), (8, "", 7)]
    assert of_slots([Slot(0, 3, words)], 8) == named
    assert of_slots([Slot(0, 3, words)], 6) == named[:6]
    assert of_slots([Slot(0, 3, words)], 600) == named + [(0, "", 7)] * 592
    second = [*[(0, "", 7)] * 504, (40, "", 7)]
    assert of_slots([Slot(0, 3, words), Slot(512, 4, array("I", [40]))], 513) == named + second
    lost = [(UNKNOWN, "gone", 7)] * 512
    assert of_slots([Slot(0, 3, None, "gone"), Slot(512, 4, array("I", [40]))], 513) == [*lost, (40, "", 7)]
    assert of_slots([Slot(0, 3, None, "gone")], 100) == lost[:100]


def test_runs_of_a_descriptor_are_cut_at_the_size_of_the_volume() -> None:
    runs: list[Slot | Run] = [Run(0, 4, 20), Run(4, 2, HOLE), Run(6, 3, 30)]
    whole = [*((20 + k, "", 7) for k in range(4)), (0, "", 7), (0, "", 7), *((30 + k, "", 7) for k in range(3))]
    assert of_slots(runs, 9) == whole
    assert of_slots(runs, 7) == whole[:7]
    assert of_slots(runs, 6) == whole[:6]
    assert of_slots(runs, 11) == [*whole, (0, "", 7), (0, "", 7)]


def test_clusters_outside_of_the_store_are_unknown_as_a_run() -> None:
    why = "cluster 1000 lies outside the store's data"
    assert of_slots([Run(0, 1, 1000)], 1) == [(1000, "", 7)]
    assert of_slots([Run(0, 2, 1000)], 2) == [(UNKNOWN, why, 7)] * 2
    assert of_slots([Slot(0, 3, array("I", [1000, 1001]))], 2) == [(UNKNOWN, why, 7)] * 2


def test_the_rest_of_a_volume_whose_chain_of_pages_breaks_is_unknown() -> None:
    broken = SimpleNamespace(page=9)
    why = "its chain of metadata pages breaks at page 9"
    assert of_slots([Run(0, 1, 5)], 3, broken=broken) == [(5, "", 7), (UNKNOWN, why, 7), (UNKNOWN, why, 7)]
    assert of_slots([Run(0, 1, 5)], 3, broken=broken, attached=True) == [(5, "", 7), (0, "", 7), (0, "", 7)]
    assert of_slots([Run(0, 1, 5)], 1, broken=broken) == [(5, "", 7)]
    assert of_slots([Run(0, 1, 5)], None) == [(5, "", 7)]
    (known, rest) = own_runs(blob(None, broken=broken), lambda _: iter([Run(0, 1, 5)]), lambda _: True)
    assert (known, rest) == (Run(0, 1, 5, "", 7), Run(1, clustermap.NO_LIMIT - 1, UNKNOWN, why, 7))


@pytest.mark.parametrize("seed", range(12))
def test_clusters_that_two_maps_share_are_those_at_the_same_place(seed: int) -> None:
    rng = Random(seed)
    lists = [some_map(rng, 30, 0), some_map(rng, 25, 1)]
    lists.append([*lists[0][:20], *some_map(rng, 10, 2)])
    maps = [list(resolve([partial(in_runs, one)], [len(one)])) for one in lists]
    store: Any = SimpleNamespace(own=lambda n: iter(maps[n]))
    for one in range(3):
        for two in range(3):
            both = zip(plain(iter(maps[one])), plain(iter(maps[two])), strict=False)
            assert _common(store, one, two) == sum(a[0] == b[0] > 0 for a, b in both)  # type: ignore[arg-type]


NOISE = Random(5).randbytes(20_000)


def test_what_was_corrected_is_read_in_its_place_and_the_medium_as_it_is() -> None:
    one, two = b"\1" * 4096, b"\2" * 4096
    store = Disk(MemorySource(NOISE, "image"), base=100, mended={4096: one, 8192: two})
    wanted = NOISE[100 : 100 + 4096] + one + two + NOISE[100 + 12288 :]
    assert store.size == len(wanted) == 19_900
    for at in (-1, 0, 1, 4095, 4096, 4097, 8191, 8192, 12287, 12288, 19_899, 19_900):
        for n in (1, 2, 4096, 4097, 8193, 20_000):
            assert store.read(at, n) == (wanted[at : at + n] if at >= 0 else b"")
            assert store.raw(at, n) == (NOISE[100 + at :][:n] if at >= 0 else b"")


def test_a_store_ends_where_its_partition_does() -> None:
    image = MemorySource(NOISE, "image")
    assert (Disk(image, 100, 5000).size, Disk(image, 100, 30_000).size, Disk(image, 100, 50).size) == (4900, 19_900, 0)
    assert Disk(image, 100, 5000).read(4890, 99) == NOISE[4990:5000]
    assert Disk(image, 100, 5000).raw(4890, 99) == NOISE[4990:5000]


def test_places_are_told_as_the_source_counts_them() -> None:
    store = Disk(MemorySource(NOISE, "image"), 100)
    assert store.span(5, 25) == Span(105, 125)
    assert store.span(19_890, 19_950) == Span(19_990, 20_000)
    assert store.span(19_950, 19_990) == Span(20_000, 20_000)
    assert (store.source_span(5, 9), store.source_span(-50, 9)) == (Span(105, 109), Span(50, 109))


def test_places_behind_bytes_that_were_put_in_or_lost_are_told_where_they_lie() -> None:
    longer = Disk(MemorySource(NOISE, "image"), 100, moved=Moved(1000, 24, "24 bytes were put in"))
    assert longer.span(900, 1000) == Span(1000, 1100)
    assert longer.span(900, 1001) == Span(1000, 1125)  # what was put in inside it belongs to it
    assert longer.span(1000, 1100) == Span(1124, 1224)
    shorter = Disk(MemorySource(NOISE, "image"), 100, moved=Moved(1000, -24, "24 bytes are lost"))
    assert shorter.span(900, 1000) == Span(1000, 1100)
    assert shorter.span(900, 1100) == Span(1000, 1176)
    assert shorter.span(1000, 1020) == Span(1100, 1100)
    assert shorter.span(1010, 1030) == Span(1100, 1106)


@pytest.mark.parametrize("unit", [1, 512, 4096, 5000])
@pytest.mark.parametrize(("start", "end"), [(0, 19_900), (100, 12_000), (4096, 8192), (7, 8)])
def test_windows_tile_a_stretch_in_whole_units(
    start: int, end: int, unit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "WINDOW", 6000)
    store, at = Disk(MemorySource(NOISE, "image"), 100), start
    for low, high, data in store.windows(start, end, unit):
        assert low == at < high
        assert (low - start) % unit == 0
        assert high - low <= max(unit, 6000)
        assert data == NOISE[100 + low : 100 + high]
        at = high
    assert at == end


@pytest.mark.parametrize("end", [None, 15_000])
@pytest.mark.parametrize(("at", "by", "fill"), [(0, 300, b""), (4096, 300, b""), (0, -7, b""), (4096, -7, b"1234567")])
def test_a_store_whose_bytes_moved_reads_as_it_was_and_ends_where_its_partition_does(
    end: int | None, at: int, by: int, fill: bytes
) -> None:
    now = Disk(MemorySource(NOISE, "image"), 100, end)
    there = NOISE[100:end]
    before = undone(now, Moved(at, by, "", fill))
    wanted = there[:at] + (there[at + by :] if by > 0 else (fill or bytes(-by)) + there[at:])
    assert before.size == len(wanted) == now.size - by
    assert before.read(0, 30_000) == wanted
