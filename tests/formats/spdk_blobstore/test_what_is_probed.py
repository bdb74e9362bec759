"""What is looked at of clusters in use where the super block is lost, and which layouts are thought of at all."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from inspector.formats.spdk_blobstore import recover
from inspector.formats.spdk_blobstore import superblock as sb
from inspector.formats.spdk_blobstore.clustermap import Run
from inspector.formats.spdk_blobstore.disk import Disk
from inspector.source import MemorySource
from tests.formats.spdk_blobstore.test_other_ratio import without_super

CLUSTER = 256 << 10  # four probes


def run(cluster: int, count: int) -> Run:
    return Run(at=0, count=count, cluster=cluster)


def probed(data: bytes, runs: list[Run], size: int = CLUSTER) -> tuple[int, list[tuple[int, int]]]:
    """What is counted as empty, and what was read for it."""
    reads: list[tuple[int, int]] = []

    def read(at: int, n: int) -> bytes:
        reads.append((at, n))
        return data[at : at + n]

    geometry = SimpleNamespace(cluster_size=size, cluster_at=lambda cluster: cluster * size)
    store: Any = SimpleNamespace(
        geometry=geometry, blobs={1: object()}, own=lambda blob: runs, disk=SimpleNamespace(read=read)
    )
    return recover._zeroes_in_use(store), reads


def test_a_cluster_is_empty_where_each_probe_of_it_holds_zeroes_alone() -> None:
    data = bytearray(6 * CLUSTER)
    data[2 * CLUSTER - 1] = 1  # the last byte of the last probe
    data[3 * CLUSTER] = 1  # the first of the first
    empty, reads = probed(bytes(data), [run(1, 3), run(0, 5), run(5, 1)])
    assert empty == 2 * CLUSTER  # 2 and 5; a run of no cluster is none
    assert [at // recover.PROBE for at, _ in reads] == [4, 5, 6, 7, 8, 9, 10, 11, 12, 20, 21, 22, 23]
    assert {n for _, n in reads} == {recover.PROBE}


def test_clusters_shorter_than_a_probe_are_read_alone() -> None:
    data = bytes(16384) + b"\1" * 16384 + bytes(16384)
    empty, reads = probed(data, [run(1, 2)], 16384)
    assert (empty, reads) == (16384, [(16384, 16384), (32768, 16384)])


@pytest.mark.parametrize("behind", [False, True])
def test_so_many_bytes_are_probed_and_no_more(behind: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also behind the end of a disk that was cut, where nothing is read."""
    data = bytes(CLUSTER if behind else 6 * CLUSTER)
    for most, count in ((CLUSTER - 1, 4), (CLUSTER, 4), (CLUSTER + 1, 5), (2 * CLUSTER, 8)):
        monkeypatch.setattr(recover, "MAX_PROBED", most)
        empty, reads = probed(data, [run(1, 5)])
        assert len(reads) == count
        assert empty == count // 4 * CLUSTER


def thought_of(data: bytes, monkeypatch: pytest.MonkeyPatch, wanted: int | None = None) -> list[recover.Candidate]:
    """The layouts by the place of the first cluster in use, before any is held against the store."""
    found: list[recover.Candidate] = []
    ask = recover._from_ratio

    def seen(*about: Any) -> Any:
        for one in ask(*about):
            found.append(one)
            yield one

    with monkeypatch.context() as patch:
        patch.setattr(recover, "_from_ratio", seen)
        recover.candidates(Disk(MemorySource(data)), wanted)
    return found


@pytest.mark.parametrize(("md_len", "cluster_size"), [(70, 16384), (40, 8192), (100, 4096)])
def test_the_metadata_of_each_layout_ends_where_the_first_cluster_in_use_begins(
    md_len: int, cluster_size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, data = without_super(md_len, cluster_size)
    needed = max(page for vol in made.vols.values() for page in (*vol.pages, *vol.extents.values()))
    lowest = min(place for vol in made.vols.values() for place in vol.map.values() if place)
    assert lowest == made.first_data
    sizes = [1 << n for n in range(12, 31) if 1 << n <= len(data) and lowest * (1 << n) // 4096 - 4 > needed]
    found = {one.geometry.cluster_size: one.geometry for one in thought_of(data, monkeypatch)}
    most = (4096 - sb.MASK_HEAD) * 8  # pages that a mask of one page can tell of
    assert {size: one.md_len for size, one in found.items()} == {
        size: min(lowest * size // 4096 - 4, most) for size in sizes
    }
    for size, one in found.items():
        assert (one.page_mask, one.cluster_mask, one.blobid_mask) == ((1, 1), (2, 1), (3, 1))
        assert len(data) // size > 0
    (alone,) = thought_of(data, monkeypatch, cluster_size)
    assert alone.geometry == found[cluster_size]


@pytest.mark.parametrize("more", [-1, 0, 1])
def test_a_layout_whose_metadata_ends_before_a_page_in_use_is_not_thought_of(
    more: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, data = without_super(100, 4096)
    last = made.first_data - made.md_start + more  # pages up to the first cluster in use
    monkeypatch.setattr(recover, "_last_used", lambda store: last - 1)
    sizes = {one.geometry.cluster_size for one in thought_of(data, monkeypatch)}
    assert (4096 in sizes) is (more <= 0)
    assert 8192 in sizes


def test_masks_of_two_pages_tell_of_as_many_pages_as_they_have_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    """One header, then a bit for each page; the metadata begins behind the super block and three masks of two pages."""
    page, start, lowest, last = 4096, 7, 39_990, 30_000
    disk: Any = SimpleNamespace(size=40_000 * page)
    bare = sb.Geometry(3, 0, 0, 0, (1, 0), (0, 0), start, 0, bytes(16), (0, 0), disk.size, 512, 0)
    asked: list[sb.Geometry] = []

    def scan(_: Any, geometry: sb.Geometry, __: Any) -> list[Any]:
        asked.append(geometry)
        return []

    monkeypatch.setattr(recover, "scan", scan)
    monkeypatch.setattr(recover, "build", lambda *_: None)
    monkeypatch.setattr(recover, "_lowest_used", lambda _: lowest)
    monkeypatch.setattr(recover, "_last_used", lambda _: last)
    found = {one.geometry.cluster_size: one.geometry for one in recover._from_ratio(disk, bare, None)}
    most = (2 * page - sb.MASK_HEAD) * 8
    sizes = [1 << n for n in range(12, 28)]
    assert {size: one.md_len for size, one in found.items()} == {
        size: min(lowest * size // page - start, most) for size in sizes
    }
    assert {one.page_mask for one in found.values()} == {(1, 2)}
    assert {one.blobid_mask for one in found.values()} == {(start - 2, 2)}
    (here,) = asked
    assert (here.cluster_size, here.md_len) == (page, (recover.FIRST_LOOK - start * page) // page)


def test_the_lowest_cluster_of_a_map_is_one_that_it_names() -> None:
    parts = [run(0, 4), run(7, 2), run(1, 1), SimpleNamespace(words=(0, 5, 3)), SimpleNamespace(words=None)]
    store: Any = SimpleNamespace(slots=lambda blob: parts)
    blob: Any = None
    assert list(recover._first_clusters(store, blob)) == [7, 1, 3]
