"""Metadata pages that lie in each other's place, or in a mask's: their ids tell, and nothing is lost by it."""

from __future__ import annotations

from itertools import combinations

import pytest

from tests.builders.spdk import PAGE, Image
from tests.formats.spdk_blobstore.support import codes, look, repaired


def image(clean: bool = True) -> tuple[Image, bytearray, dict[str, int]]:
    """A volume on a snapshot and one beside them; offsets of pages by what they are."""
    made = Image(clusters=48)
    below = made.lvol("below", 8, [5, 6], snapshot=True)
    blobs = {"below": below, "one": made.lvol("one", 8, [0, 1, 2], parent=below), "two": made.lvol("two", 8, [0, 4])}
    places = {"mask": PAGE, "super": 0}
    for name, blob in blobs.items():
        places[name] = made.page_at(blob & 0xFFFFFFFF)
        (extent,) = made.vols[blob].extents.values()
        places[f"{name}'s map"] = made.page_at(extent)
    return made, made.build(clean=clean), places


def exchanged(data: bytearray, one: int, two: int) -> bytearray:
    out = bytearray(data)
    out[one : one + PAGE], out[two : two + PAGE] = data[two : two + PAGE], data[one : one + PAGE]
    return out


ROOTS, MAPS = ("below", "one", "two"), ("below's map", "one's map", "two's map")
PAIRS = [*combinations(ROOTS, 2), *((root, extent) for root in ROOTS for extent in MAPS)]


@pytest.mark.parametrize("clean", [True, False])
@pytest.mark.parametrize(("one", "two"), PAIRS)
def test_pages_that_changed_places_go_back(one: str, two: str, clean: bool) -> None:
    _, healthy, at = image(clean)
    data = exchanged(healthy, at[one], at[two])
    found = [f for f in look(data).tally.findings() if f.level.value != "note"]
    assert {f.rule.code for f in found} == {"SPB021"}
    assert sorted(f.span.start for f in found) == sorted((at[one], at[two]))
    assert {(f.cause.name, f.salvage) for f in found} == {("swapped", "corrected")}
    assert repaired(data) == image()[1]
    assert look(data, no_correct=True).state.homes == {}


@pytest.mark.parametrize("place", ["mask", "super"])
@pytest.mark.parametrize("root", ROOTS)
def test_a_first_page_that_lies_before_the_metadata_goes_back(root: str, place: str) -> None:
    _, healthy, at = image()
    assert repaired(exchanged(healthy, at[root], at[place])) == healthy


def test_a_map_that_lies_in_a_free_page_goes_back_only_where_the_masks_name_its_clusters() -> None:
    made, _, at = image()
    geometry = look(made.build()).state.geometry
    free = made.page_at(geometry.md_len - 1)
    for clean in (True, False):
        healthy = made.build(clean=clean)
        data = exchanged(healthy, at["two's map"], free)
        if clean:
            assert repaired(data) == healthy
        else:  # it may be what a deleted volume left
            assert "SPB027" in codes(look(data))


def test_an_older_copy_elsewhere_replaces_nothing() -> None:
    _, healthy, at = image()
    data = bytearray(healthy)
    data[at["one"] : at["one"] + PAGE] = healthy[at["two"] : at["two"] + PAGE]
    report = look(data)
    assert report.state.homes == {}
    damaged = bytearray(healthy)  # the page itself is hurt where it belongs, and a copy of it lies elsewhere
    damaged[at["two"] + 100 : at["two"] + 164] = bytes(64)
    damaged[at["one"] : at["one"] + PAGE] = healthy[at["two"] : at["two"] + PAGE]
    assert look(damaged).state.homes == {}


def test_a_page_put_in_has_moved_the_clusters_too_and_no_page_is_put_back() -> None:
    _, healthy, at = image()
    data = healthy[: at["one"]] + healthy[at["below"] : at["below"] + PAGE] + healthy[at["one"] :]
    assert look(data).state.homes == {}


def test_a_volume_goes_back_where_the_masks_name_it_though_its_snapshot_is_lost() -> None:
    """Its page was laid over that of the snapshot it stands on, and its own place is zero."""
    _, healthy, at = image()
    data = bytearray(healthy)
    data[at["below"] : at["below"] + PAGE] = healthy[at["one"] : at["one"] + PAGE]
    data[at["one"] : at["one"] + PAGE] = bytes(PAGE)
    report = look(data)
    found = {f.rule.code: f for f in report.tally.findings() if f.level.value != "note"}
    assert set(found) == {"SPB021", "SPB022", "SPB043"}
    assert found["SPB021"].cause.name == "stale-page"
    assert found["SPB021"].salvage == "corrected"
    names = {blob.name for blob in report.state.store.blobs.values()}
    assert {"one", "two"} <= names
    assert "below" not in names
