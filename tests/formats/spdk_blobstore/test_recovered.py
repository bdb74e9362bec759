"""A super block that is gone: the geometry that pages and masks bear out, and what is said where several do."""

from __future__ import annotations

import pytest

from inspector.formats.spdk_blobstore import superblock as sb
from inspector.formats.spdk_blobstore.crc64 import crc64
from inspector.formats.spdk_blobstore.disk import Disk
from inspector.formats.spdk_blobstore.recover import Candidate, candidates, find_roots, md_start
from inspector.source import MemorySource
from tests.builders.spdk import PAGE, Image, content
from tests.formats.spdk_blobstore.support import look


def image(page: int = PAGE, cluster_size: int = 16384) -> Image:
    made = Image(clusters=32, cluster_size=cluster_size, page=page)
    base = made.lvol("base", 4, [0, 1], snapshot=True)
    made.lvol("clone", 4, [2], parent=base)
    return made


def without_super(made: Image, *, clean: bool = True, masks: bool = True) -> bytes:
    """The image with zeroes in place of its super block, and of its masks if they were never written."""
    data = made.build(clean=clean)
    data[:PAGE] = bytes(PAGE)
    if not masks:
        data[PAGE : made.page_at(0)] = bytes(made.page_at(0) - PAGE)
    return bytes(data)


@pytest.mark.parametrize(
    ("roots", "start"),
    [
        ({}, None), ({0: 0}, None), ({16384: 0}, (16384, 4096)), ({16384: 0, 20480: 1}, (16384, 4096)),
        ({16384: 0, 24576: 1}, (16384, 8192)), ({32768: 0, 65536: 2, 81920: 3}, (32768, 16384)),
        ({16384 + 512: 0}, None), ({8192: 2}, None), ({12288: 2}, (4096, 4096)),
        ({16384: 0, 20480: 0}, (16384, 4096)),  # as many speak for one as for the other: the first
        ({16384: 0, 20480: 0, 24576: 1}, (20480, 4096)),
        ({65536: 0}, (65536, 4096)), ({131072: 1}, (131072 - 4096, 4096)),
    ],
)  # fmt: skip
def test_the_metadata_begins_where_most_roots_say(roots: dict[int, int], start: tuple[int, int] | None) -> None:
    assert md_start(roots) == start


def test_roots_are_sealed_pages_that_begin_a_volume() -> None:
    made = image()
    data = without_super(made)
    roots = {made.page_at(blob & 0xFFFF): blob & 0xFFFF for blob in made.vols}
    assert find_roots(Disk(MemorySource(data)), len(data)) == roots
    last = max(roots)
    assert find_roots(Disk(MemorySource(data)), last) == {at: page for at, page in roots.items() if at < last}
    for at, mask in ((4, 1), (8, 1), (12, 1), (16, 4), (4095, 1)):  # id, sequence, reserved, type, checksum
        hurt = bytearray(data)
        hurt[last + at] ^= mask
        assert last not in find_roots(Disk(MemorySource(bytes(hurt))), len(data))


@pytest.mark.parametrize("page", [4096, 8192, 16384])
@pytest.mark.parametrize("masks", [True, False])
def test_the_geometry_comes_back_from_masks_or_from_how_the_store_is_laid_out(page: int, masks: bool) -> None:
    made = image(page, 4 * page)
    whole = sb.parse(bytes(made.build())[:PAGE])
    found = candidates(Disk(MemorySource(without_super(made, masks=masks))))
    best = found[0].geometry
    assert found[0].proved is masks
    for name in ("cluster_size", "page_mask", "cluster_mask", "blobid_mask", "md_start", "md_len", "super_blob",
                 "bstype", "page_size"):  # fmt: skip
        assert getattr(best, name) == getattr(whole, name), name


def test_a_cluster_size_that_is_given_is_the_only_one_that_is_tried() -> None:
    disk = Disk(MemorySource(without_super(image(), masks=False)))
    assert {one.geometry.cluster_size for one in candidates(disk, 16384)} == {16384}
    assert candidates(disk, 1 << 20) == []
    assert candidates(Disk(MemorySource(without_super(image()))), 8192) == []


@pytest.mark.parametrize("holds", [True, False])
def test_what_speaks_for_a_recovered_geometry_is_told(holds: bool) -> None:
    made = Image(clusters=32, cluster_size=16384)
    value = crc64(content("snap", 0, 16384) + content("snap", 2, 16384)) ^ (not holds)
    made.lvol("snap", 4, [0, 2], snapshot=True, xattrs={b"checksum": value.to_bytes(8, "little")})
    report = look(without_super(made, masks=False), **({} if holds else {"cluster_size": 16384}))
    (found,) = (f for f in report.tally.findings() if f.rule.code == "SPB001")
    assert found.evidence["geometry"] == [
        "clusters of 16384 bytes put the metadata at page 4",
        f"the checksum of 1 snapshot {'holds' if holds else 'does not hold'}",
        "0 bytes of data lie outside the clusters in use, 0 bytes in use are empty",
    ]


def test_nothing_is_made_up_where_no_root_is_left() -> None:
    assert candidates(Disk(MemorySource(bytes(1 << 20)))) == []


def geometry(size: int) -> sb.Geometry:
    return sb.Geometry(3, 0, 0, size, (1, 1), (2, 1), 4, 9, bytes(16), (3, 1), 0, 512, 0)


def test_of_several_geometries_the_proved_then_the_one_that_fits_best_then_the_usual_one_is_the_best() -> None:
    order = [
        Candidate(geometry(4096), proved=True, outside=9), Candidate(geometry(4096), outside=1),
        Candidate(geometry(1 << 20), outside=1, empty=1), Candidate(geometry(4 << 20), empty=2),
        Candidate(geometry(8 << 20), empty=1, outside=1), Candidate(geometry(1 << 20), failed=1),
        Candidate(geometry(1 << 20), failed=2),
    ]  # fmt: skip
    mixed = [order[k] for k in (3, 6, 0, 5, 2, 4, 1)]
    assert sorted(mixed, key=lambda one: one.rank) == order


def test_a_store_without_its_super_block_is_read_as_it_was() -> None:
    made = image()
    report = look(without_super(made))
    assert sorted(blob.name for blob in report.state.store.blobs.values() if blob.clusters) == ["base", "clone"]
    assert report.state.how == "recovered"
