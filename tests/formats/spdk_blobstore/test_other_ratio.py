"""A lost super block of a store that was made with fewer pages of metadata than clusters (num_md_pages_per_cluster)."""

from __future__ import annotations

import pytest

from inspector.errors import RefusedError
from inspector.format import Wishes
from inspector.formats.spdk_blobstore.disk import Disk
from inspector.formats.spdk_blobstore.plan import plan
from inspector.formats.spdk_blobstore.recover import candidates
from inspector.source import MemorySource
from tests.builders.spdk import PAGE, Image
from tests.formats.spdk_blobstore.support import look


def without_super(md_len: int, cluster_size: int, clusters: int = 300) -> tuple[Image, bytes]:
    """Never unloaded, so without masks; clusters in use begin right behind the metadata."""
    made = Image(clusters, cluster_size, md_len=md_len)
    base = made.lvol("base", 20, [0, 1, 2, 9], snapshot=True)
    made.lvol("clone", 20, [2, 3, 11], parent=base)
    data = made.build(clean=False)
    data[:PAGE] = bytes(PAGE)
    return made, bytes(data)


@pytest.mark.parametrize(("md_len", "cluster_size"), [(70, 16384), (40, 8192), (100, 4096)])
def test_data_behind_the_metadata_is_not_taken_for_metadata(md_len: int, cluster_size: int) -> None:
    """A larger cluster size would put data into the metadata: it is no longer the only one that fits."""
    made, data = without_super(md_len, cluster_size)
    found = candidates(Disk(MemorySource(data)))
    sizes = [one.geometry.cluster_size for one in found]
    assert cluster_size in sizes
    assert len(set(sizes)) == len(sizes)
    assert sizes[0] == cluster_size
    right = found[sizes.index(cluster_size)]
    assert right.strange == 0
    assert right.geometry.first_data_cluster == made.first_data
    report = look(data)
    assert report.state.how == ("ambiguous" if len(sizes) > 1 else "recovered")


def test_the_size_that_is_given_brings_every_volume_back() -> None:
    made, data = without_super(100, 4096)
    state = look(data, cluster_size=4096).state
    assert state.how == "given"
    for blob in state.store.blobs.values():
        mapped = {
            run.at + i: run.cluster + i for run in state.store.own(blob) if run.cluster > 0 for i in range(run.count)
        }
        assert mapped == made.vols[blob.id].map


def test_a_size_that_is_not_sure_is_not_repaired() -> None:
    _, data = without_super(100, 4096)
    report = look(data)
    assert [one.rule.code for one in report.tally.findings() if one.rule.code == "SPB005"] == ["SPB005"]
    with pytest.raises(RefusedError, match="several cluster sizes fit"):
        plan(report.state, Wishes())


def test_a_size_whose_metadata_is_longer_than_the_disk_does_not_fit() -> None:
    made = Image(32, 16384)
    made.lvol("base", 4, [0, 1])
    data = made.build(clean=False)
    data[:PAGE] = bytes(PAGE)
    cut = bytes(data[: made.page_at(24)])
    for found in candidates(Disk(MemorySource(cut))):
        g = found.geometry
        assert (g.md_start + g.md_len) * g.page_size <= len(cut), g.cluster_size


@pytest.mark.parametrize("cluster_size", [16384, 65536, 1 << 20])
def test_of_a_copy_without_holes_the_size_whose_clusters_hold_something_comes_first(cluster_size: int) -> None:
    """Of larger sizes half of what the maps name was never written."""
    made = Image(40, cluster_size)
    made.lvol("base", 12, [0, 1, 2, 3, 4, 9])
    data = made.build(clean=False)
    data[:PAGE] = bytes(PAGE)
    found = candidates(Disk(MemorySource(bytes(data))))
    assert len(found) > 1
    assert found[0].geometry.cluster_size == cluster_size
    assert (found[0].empty, found[0].outside) == (0, 0)
    assert all(one.empty for one in found[1:])
