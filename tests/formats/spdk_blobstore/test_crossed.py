"""Extent pages of two volumes in each other's place: their ids tell, and nothing of either volume is lost."""

from __future__ import annotations

import pytest

from tests.builders.spdk import PAGE, Image, seal
from tests.formats.spdk_blobstore.support import codes, look, place, read, repaired


def image(clean: bool, snapshot: bool) -> tuple[Image, bytearray, list[int]]:
    """Two volumes, with `snapshot` one of them a child of another; and their extent pages."""
    made = Image(clusters=48)
    parent = made.lvol("below", 8, [5], snapshot=True) if snapshot else None
    blobs = [made.lvol("one", 8, [0, 1, 2], parent=parent), made.lvol("two", 8, [0, 2, 4])]
    pages = [page for blob in blobs for page in made.vols[blob].extents.values()]
    assert len(pages) == 2
    return made, made.build(clean=clean), [*blobs, *pages]


@pytest.mark.parametrize("snapshot", [False, True])
@pytest.mark.parametrize("clean", [False, True])
def test_two_extent_pages_with_one_start_that_changed_places_are_told_and_put_back(clean: bool, snapshot: bool) -> None:
    made, healthy, (one, two, *pages) = image(clean, snapshot)
    assert codes(look(healthy)) == []
    data = bytearray(healthy)
    first, second = (made.page_at(page) for page in pages)
    data[first : first + PAGE], data[second : second + PAGE] = (
        healthy[second : second + PAGE],
        healthy[first : first + PAGE],
    )
    report = look(data)
    assert codes(report) == ["SPB021"]
    assert place(report, "SPB021") == (min(first, second), min(first, second) + PAGE)
    (found,) = [f for f in report.tally.findings() if f.rule.code == "SPB021"]
    assert (found.cause.name, found.salvage) == ("swapped", "corrected")
    for blob in (one, two):
        assert read(report, f"0x{blob:x}") == (made.logical(blob), [])
    fixed = repaired(data)
    assert codes(look(fixed)) == []
    assert fixed[first : first + PAGE] == healthy[first : first + PAGE]
    assert fixed[second : second + PAGE] == healthy[second : second + PAGE]


def test_one_page_that_another_volume_wrote_first_is_no_damage() -> None:
    """A snapshot takes the pages of its head with their ids, and may outlive it."""
    made, _, (one, two, page, _) = image(clean=True, snapshot=False)
    data = bytearray(made.pages[page])
    data[0:8] = two.to_bytes(8, "little")
    made.put_page(page, seal(bytes(data[:4092])))
    report = look(made.build())
    assert codes(report) == []
    assert read(report, f"0x{one:x}") == (made.logical(one), [])


@pytest.mark.parametrize("turn", [1, 2])
@pytest.mark.parametrize("clean", [False, True])
@pytest.mark.parametrize("chained", [False, True])
def test_three_extent_pages_that_changed_places_in_a_circle_go_back(clean: bool, chained: bool, turn: int) -> None:
    """Two of them belong to one chain of snapshots, so that their ids alone would be nothing odd there."""
    made = Image(clusters=48)
    below = made.lvol("below", 8, [1, 6], snapshot=True)
    blobs = [made.lvol("one", 8, [0, 3]), below, made.lvol("two", 8, [2, 4], parent=below if chained else None)]
    pages = [page for blob in blobs for page in made.vols[blob].extents.values()]
    healthy = made.build(clean=clean)
    data = bytearray(healthy)
    for page, other in zip(pages, [*pages[turn:], *pages[:turn]], strict=True):
        data[made.page_at(page) : made.page_at(page) + PAGE] = healthy[made.page_at(other) : made.page_at(other) + PAGE]
    report = look(data)
    assert codes(report) == ["SPB021", "SPB021"]
    assert all("in a circle" in f.message for f in report.tally.findings() if f.rule.code == "SPB021")
    for blob in blobs:
        assert read(report, f"0x{blob:x}") == (made.logical(blob), [])
    fixed = repaired(data)
    assert all(fixed[at : at + PAGE] == healthy[at : at + PAGE] for at in map(made.page_at, pages))
    assert codes(look(fixed)) == []
