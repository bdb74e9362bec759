"""One volume from the disks of several replicas."""

from __future__ import annotations

import hashlib
import shutil
import struct
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

from inspector import formats
from inspector.comparing import compare
from inspector.errors import Exit, RefusedError, UsageError
from inspector.format import Wishes
from inspector.formats.spdk_blobstore import FORMAT
from inspector.formats.spdk_blobstore.combining import _solve
from inspector.formats.spdk_blobstore.crc64 import crc64
from inspector.formats.spdk_blobstore.state import open_store
from inspector.merge import Merged, merge
from inspector.source import MemorySource, open_source
from tests.builders import spdk
from tests.formats.spdk_blobstore import real

VOLUME = "pvc-0d1c4d2a-7a4b-4a43-9a1e-5b6f0f0c1a11"


@dataclass
class Disk:
    """A replica's disk: a head on a sealed snapshot on an older sealed one."""

    image: spdk.Image
    blobs: dict[str, int]
    data: bytearray

    def hurt(self, which: str, cluster: int, mask: int = 1, page: int = 0) -> None:
        at = self.image.vols[self.blobs[which]].map[cluster] * self.image.cluster_size + page * 4096 + 100
        self.data[at : at + 20] = bytes(b ^ mask for b in self.data[at : at + 20])


def disk(monkeypatch: pytest.MonkeyPatch, suffix: str, gap: int = 0) -> Disk:
    """The same content on every disk; `gap` clusters are taken first, so that places differ."""
    image = spdk.Image(lvs=suffix.encode())
    for _ in range(gap):
        image.take_cluster()
    replica, original = f"{VOLUME}-r-{suffix}", spdk.content
    monkeypatch.setattr(spdk, "content", lambda label, c, n: original(label.replace(replica, "V"), c, n))

    def sealed(name: str, clusters: list[int]) -> dict[bytes, bytes]:
        state = 0
        for cluster in clusters:
            state = crc64(spdk.content(name, cluster, image.cluster_size), state)
        return {b"checksum": struct.pack("<Q", state)}

    names = {"old": f"{replica}-snap-one", "new": f"{replica}-snap-two", "head": replica}
    old = image.lvol(names["old"], 6, [0, 1, 4], snapshot=True, xattrs=sealed(names["old"], [0, 1, 4]))
    new = image.lvol(names["new"], 8, [1, 7], parent=old, snapshot=True, xattrs=sealed(names["new"], [1, 7]))
    head = image.lvol(replica, 8, [2, 3], parent=new)
    monkeypatch.setattr(spdk, "content", original)
    return Disk(image, {"old": old, "new": new, "head": head}, image.build())


@pytest.fixture
def disks(monkeypatch: pytest.MonkeyPatch) -> list[Disk]:
    return [disk(monkeypatch, suffix, k) for k, suffix in enumerate(("aaaaaaaa", "bbbbbbbb", "cccccccc"))]


def merged(folder: Path, disks: list[Disk], item: str | None = VOLUME) -> Merged:
    paths = [folder / f"disk{k}.img" for k in range(len(disks))]
    for path, one in zip(paths, disks, strict=True):
        path.write_bytes(one.data)
    sources = [open_source(str(path)) for path in paths]
    return merge(sources, formats.all_formats(), str(folder / "out"), Wishes(), item=item, force=True)


def test_each_cluster_is_taken_from_the_copy_that_its_checksum_seals(tmp_path: Path, disks: list[Disk]) -> None:
    whole = disks[0].image.logical(disks[0].blobs["head"])
    disks[0].hurt("old", 0)
    disks[1].hurt("new", 7)
    done = merged(tmp_path, disks[:2])
    assert (tmp_path / "out").read_bytes() == whole
    assert done.code is Exit.CLEAN
    assert [(d.at // 16384, d.chosen) for d in done.plan.disagreements] == [(0, 1), (7, 0)]
    assert all(len({digest for _, digest in d.digests}) == 2 for d in done.plan.disagreements)


def test_what_nothing_seals_goes_by_the_majority_and_without_one_it_is_contested(
    tmp_path: Path, disks: list[Disk]
) -> None:
    whole = disks[0].image.logical(disks[0].blobs["head"])
    disks[0].hurt("head", 2)
    done = merged(tmp_path, disks)
    assert ((tmp_path / "out").read_bytes(), done.code) == (whole, Exit.CLEAN)
    disks[1].hurt("head", 2, 2)
    done = merged(tmp_path, disks)
    assert done.code is Exit.LOST
    assert [(loss.span.start, loss.span.end) for loss in done.losses] == [(2 * 16384, 2 * 16384 + 4096)]
    assert done.plan.counts["contested_bytes"] == 4096


def test_copies_that_are_damaged_in_different_pages_agree_on_each_page(tmp_path: Path, disks: list[Disk]) -> None:
    whole = disks[0].image.logical(disks[0].blobs["head"])
    for number, one in enumerate(disks):
        one.hurt("head", 2, page=number)
    done = merged(tmp_path, disks)
    assert ((tmp_path / "out").read_bytes(), done.code) == (whole, Exit.CLEAN)
    assert [(d.at, d.length) for d in done.plan.disagreements] == [(2 * 16384, 16384)]
    done = merged(tmp_path, disks[:2])
    assert [(loss.span.start, loss.span.end) for loss in done.losses] == [(2 * 16384, 2 * 16384 + 8192)]
    out = (tmp_path / "out").read_bytes()
    assert out[: 2 * 16384] + out[2 * 16384 + 8192 :] == whole[: 2 * 16384] + whole[2 * 16384 + 8192 :]


def test_a_snapshot_that_no_copy_has_whole_is_put_together_as_its_checksum_says(
    tmp_path: Path, disks: list[Disk]
) -> None:
    whole = disks[0].image.logical(disks[0].blobs["head"])
    disks[0].hurt("old", 0)
    disks[0].hurt("new", 7)
    disks[1].hurt("old", 4)
    disks[1].hurt("new", 1)
    done = merged(tmp_path, disks[:2])
    assert ((tmp_path / "out").read_bytes(), done.code) == (whole, Exit.CLEAN)
    disks[0].hurt("old", 4, 2)  # now one of its clusters is right in neither
    done = merged(tmp_path, disks[:2])
    assert done.code is Exit.LOST


def test_a_snapshot_is_merged_by_the_name_it_has_in_one_of_the_replicas(tmp_path: Path, disks: list[Disk]) -> None:
    whole = disks[0].image.logical(disks[0].blobs["new"])
    disks[2].hurt("new", 1)
    merged(tmp_path, disks, f"{VOLUME}-r-bbbbbbbb-snap-two")
    assert (tmp_path / "out").read_bytes() == whole


def test_a_volume_without_a_replicas_name_in_two_stores_is_refused(tmp_path: Path) -> None:
    found = []
    for k in range(2):
        image = spdk.Image()
        if k:
            image.take_page()
        image.lvol("data", 2, [0])
        data = image.build()
        if k:
            at = data.index(spdk.uuid(0)[:36])
            data = bytearray(image.build())
            page = image.page_at(0)
            assert page <= at < page + 4096
            body = data[page : page + 4092].replace(spdk.uuid(0)[:36], spdk.uuid(77)[:36])
            data[page : page + 4096] = spdk.seal(bytes(body))
        found.append(Disk(image, {}, data))
    with pytest.raises(RefusedError, match="different stores"):
        merged(tmp_path, found, "data")


def test_the_page_that_names_a_store_may_be_lost_where_the_volume_has_an_id_of_its_own(tmp_path: Path) -> None:
    image = spdk.Image()
    blob = image.lvol("data", 2, [0])
    whole = image.build()
    nameless = bytearray(whole)
    nameless[image.page_at(0) + 100 : image.page_at(0) + 200] = bytes(100)
    done = merged(tmp_path, [Disk(image, {}, nameless), Disk(image, {}, bytearray(whole))], "data")
    assert done.code is Exit.CLEAN
    assert (tmp_path / "out").read_bytes() == image.logical(blob)
    other = spdk.Image()
    other.take_page()
    other.lvol("data", 2, [0])  # of the same name, with another id
    with pytest.raises(RefusedError, match="different stores"):
        merged(tmp_path, [Disk(image, {}, nameless), Disk(other, {}, other.build())], "data")


def test_a_blobstore_without_an_item_is_a_usage_error(tmp_path: Path, disks: list[Disk]) -> None:
    with pytest.raises(UsageError, match="--item"):
        merged(tmp_path, disks, None)
    with pytest.raises(UsageError, match="no copy has"):
        merged(tmp_path, disks, "pvc-other")


def test_two_replicas_differ_in_what_was_hurt(disks: list[Disk]) -> None:
    disks[1].hurt("old", 4)
    states = [open_store(MemorySource(bytes(d.data)), None, Wishes()) for d in disks[:2]]
    assert FORMAT.identities is not None
    found = compare(*(FORMAT.identities(state) for state in states))
    told = [d for d in found.differences() if d.kind == "cluster"]
    assert [(d.what, d.name.rsplit(" ", 1)[1]) for d in told] == [("changed", "4")]
    assert (found.only_a, found.only_b) == ({}, {})


def test_a_wrong_combination_is_never_sealed() -> None:
    rng = Random(4)
    for count in (1, 2, 5, 24):
        effects = [rng.getrandbits(64) for _ in range(count)]
        taken = [rng.random() < 0.5 for _ in effects]
        wanted = 0
        for effect, used in zip(effects, taken, strict=True):
            wanted ^= effect if used else 0
        assert _solve(effects, wanted) == taken
        assert _solve(effects, wanted ^ 1 << 63 ^ 5) is None
    assert _solve([3, 5, 6], 3) is None  # 3 and 5 ^ 6 both make it: not one combination but two


@pytest.mark.skipif("lh-clean" not in real.names(), reason="images that real programs wrote are not here")
def test_two_disks_that_longhorn_wrote_give_back_a_snapshot_that_is_damaged_on_both(tmp_path: Path) -> None:
    snapshot, found = "snap-0c3bb1f0-6a0e-4f4e-8a6a-0d4a4f3f0aaa", []
    for number, name in enumerate(("lh-clean", "lh-dirty")):
        path = tmp_path / f"{name}.img"
        shutil.copyfile(real.unpack(name), path)
        cluster = (1, 4)[number]  # of the disk; both belong to the snapshot
        with path.open("r+b") as image:
            image.seek((cluster << 20) + 5000)
            data = image.read(4096)
            image.seek((cluster << 20) + 5000)
            image.write(bytes(byte ^ 0x55 for byte in data))
        found.append(open_source(str(path)))
    names = [(str(blob["xattrs"].get("name", "")).rstrip("\0"), blob) for blob in real.truth("lh-clean")["blobs"]]
    item, truth = next((name, blob) for name, blob in names if name.endswith(snapshot))
    done = merge(found, formats.all_formats(), str(tmp_path / "out"), Wishes(), item=item)
    assert hashlib.sha256((tmp_path / "out").read_bytes()).hexdigest() == truth["sha256"]
    assert (done.code, done.plan.disagreements_total) == (Exit.CLEAN, 2)
