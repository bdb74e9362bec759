"""Sizes and contents of volumes by hand: checksums of clusters, sizes that a lost page held, holes, masks' tiles."""

from __future__ import annotations

import struct

import pytest

from inspector.format import FRAME, Wishes
from inspector.formats.spdk_blobstore import FORMAT
from inspector.formats.spdk_blobstore.crc64 import crc64
from inspector.formats.spdk_blobstore.loader import LONGHORN, load
from inspector.formats.spdk_blobstore.verify import verify_clusters, verify_snapshot
from inspector.merge import merge
from inspector.source import MemorySource
from tests.builders.spdk import NONE, PAGE, Image, content, desc, md_page, xattr
from tests.formats.spdk_blobstore.support import codes, look, read, repaired, scramble

SIZE = 8192


def image(clusters: int = 40) -> Image:
    return Image(clusters=clusters, cluster_size=SIZE, md_len=16)


def sums(*entries: tuple[int, int]) -> bytes:
    return desc(7, b"".join(struct.pack("<QI", *entry) for entry in entries))


def crc(label: str, *clusters: int) -> int:
    state = 0
    for cluster in clusters:
        state = crc64(content(label, cluster, SIZE), state)
    return state


def test_each_cluster_is_held_against_the_entry_that_covers_it() -> None:
    made = image()
    tail = sums((5, 2), (0, 1), (crc("vol", 3), 1), (6, 2), (7, 0), (8, 1))
    blob = made.lvol("vol", 9, [0, 1, 2, 3, 5, 6, 8], tail=tail)
    store = look(made.build()).state.store
    told = [(one.cluster, one.place, one.stored, one.ok) for one in verify_clusters(store, store.blobs[blob])]
    places = made.vols[blob].map
    assert told == [(0, places[0], 5, False), (1, places[1], 5, False), (3, places[3], crc("vol", 3), True),
                    (5, places[5], 6, False), (6, places[6], 8, False)]  # fmt: skip
    assert all(one.computed == crc("vol", one.cluster or 0) for one in verify_clusters(store, store.blobs[blob]))
    assert list(verify_clusters(store, next(iter(store.blobs.values())))) == []


@pytest.mark.parametrize("case", ["right", "wrong", "short", "long", "writable", "none"])
def test_a_snapshot_is_held_against_its_checksum_in_logical_order(case: str) -> None:
    made = image()
    made.take_cluster()
    right = crc("snap", 1, 4, 5)
    value = {"right": right, "wrong": right ^ 1}.get(case, right).to_bytes(8, "little")
    value = {"short": value[:7], "long": value + b"\0"}.get(case, value)
    given = {b"checksum": value} if case != "none" else {}
    blob = made.lvol("snap", 6, [4, 1, 5], snapshot=case != "writable", xattrs=given)
    store = look(made.build()).state.store
    found = verify_snapshot(store, store.blobs[blob])
    if case in ("right", "wrong"):
        assert found is not None
        assert (found.blob, found.cluster, found.computed, found.ok) == (blob, None, right, case == "right")
        assert verify_snapshot(store, store.blobs[blob], 2 * SIZE) is not None
        assert verify_snapshot(store, store.blobs[blob], 2 * SIZE - 1) is None
    else:
        assert found is None


@pytest.mark.parametrize("clusters", [(0, 4, 9), (2, 2, 2), (5, 0, 0)])
def test_the_size_that_a_lost_page_held_is_guessed_from_what_is_left(clusters: tuple[int, int, int]) -> None:
    """A run-length map that goes on in a lost page, its snapshot, and a volume that stands on it."""
    mapped, below, above = clusters
    made = image()
    parent = made.lvol("parent", below, [0], snapshot=True) if below else None
    root, lost = made.take_page(), made.take_page()
    blob = 1 << 32 | root
    flags = desc(3, struct.pack("<QQQ", 1 | 2 * bool(parent), 0, 2))
    snap = xattr(b"SNAP", struct.pack("<Q", parent), True) if parent else b""
    place = made.take_cluster()
    runs = desc(1, struct.pack("<IIII", place, 1, 0, mapped - 1)) if mapped else b""
    name = xattr(b"name", b"cut\0")
    made.put_page(root, md_page(blob, 0, lost, flags + name + snap + runs))
    made.put_page(lost, md_page(blob, 1, NONE, desc(1, struct.pack("<II", 0, 3))))
    if above:
        made.lvol("above", above, [1], parent=blob)
    data = made.build()
    scramble(data, made.page_at(lost) + 100)
    store = look(data).state.store
    found = store.blobs[blob]
    assert (found.clusters, found.broken is not None) == (None, True)
    assert store.size_of(found) == max(mapped, below, above)
    assert store.size_of(next(b for b in store.blobs.values() if b.clusters == 0)) == 0


@pytest.mark.parametrize(("thin", "rle", "written", "holes"), [
    (False, True, [0, 2], True), (False, True, [0, 1], True), (False, True, [0, 1, 2], False),
    (False, False, [0, 2], True), (False, False, [0, 1, 2], False), (True, True, [0], False), (True, False, [0], False),
    (False, False, [], True),
])  # fmt: skip
def test_a_volume_that_is_not_thin_has_no_holes(thin: bool, rle: bool, written: list[int], holes: bool) -> None:
    made = image()
    blob = made.lvol("one", 3, written, thin=thin, rle=rle)
    other = made.lvol("two", 3, written, thin=thin, rle=rle)
    report = look(made.build())
    assert report.state.store.thick_holes == [blob, other] * holes
    assert codes(report).count("SPB034") == 2 * holes
    assert ("thick with holes" in str(load(report.state, LONGHORN).missing)) == holes


def test_a_hole_behind_the_end_of_a_volume_is_none() -> None:
    made = image()
    blob = made.lvol("one", 3, [0, 1, 2], thin=False)
    vol = made.vols[blob]
    flags = desc(3, struct.pack("<QQQ", 4, 0, 2)) + xattr(b"name", b"one\0")
    for entries, holes in (((vol.extents[0], 1, 0, 1), False), ((vol.extents[0], 1), False), ((0, 1), True)):
        table = desc(5, struct.pack(f"<Q{len(entries)}I", 3, *entries))
        made.put_page(blob & 0xFFFF, md_page(blob, 0, NONE, flags + table))
        assert bool(look(made.build()).state.store.thick_holes) == holes


@pytest.mark.parametrize("page", [4096, 16384])
def test_masks_are_framed_as_far_as_they_have_bits(page: int) -> None:
    """Of each mask five bytes of head and its bits; the rest of its page, and what lies before the pages, is free."""
    made = Image(clusters=40, cluster_size=1 << 14, page=page, md_len=20)
    made.lvol("one", 3, [0])
    report = look(made.build())
    tiles = []
    for stretch in FORMAT.walk(report.state):  # type: ignore[misc]
        tiles += [(stretch.span(i).start, stretch.span(i).end, stretch.roles[i]) for i in range(len(stretch))]
    frames = {(start, end) for start, end, role in tiles if role == FRAME and start < made.page_at(0)}
    masks = [(page, 5 + 3), (2 * page, 5 + 5), (3 * page, 5 + 3)]
    assert {(start, start + length) for start, length in masks} <= frames


def test_copies_of_different_sizes_say_so_and_the_larger_gives_what_it_has() -> None:
    copies, images = [], []
    for clusters in (4, 6):
        made = image()
        made.lvol("vol", clusters, [0, clusters - 1])
        images.append(made)
        copies.append(MemorySource(bytes(made.build())))
    done = merge(copies, (FORMAT,), None, Wishes(), item="vol", dry_run=True)
    assert done.plan.notes[0] == "the copies have different sizes: what only the larger one has is taken from it"
    assert done.plan.size == 6 * SIZE
    same = merge(copies[:1] * 2, (FORMAT,), None, Wishes(), item="vol", dry_run=True)
    assert not any("different sizes" in note for note in same.plan.notes)


def test_an_interrupted_deletion_leaves_clusters_with_the_snapshot_behind_a_hole_of_the_table() -> None:
    """The child's second extent page names a cluster of the snapshot's; its first one was never written."""
    made = image()
    base = made.lvol("base", 1100, [0], snapshot=True)
    mark = {b"SNAPRM": struct.pack("<Q", 1 << 32 | 8)}
    snap = made.lvol("snap", 1100, [600, 1050], parent=base, snapshot=True, internal=mark)
    for page in range(16):
        if page not in made.pages and page < 8:
            made.put_page(page, bytes(PAGE))
    child = made.lvol("child", 1100, [601], parent=snap, at={600: made.vols[snap].map[600]})
    assert child == 1 << 32 | 8
    data = made.build(clean=False)
    report = look(data)
    assert [half.step for half in report.state.half] == [2]
    before = read(report, "child")[0]
    fixed = look(repaired(data))
    assert codes(fixed) == []
    assert fixed.state.store.shared_count == 0
    assert read(fixed, "child")[0] == before
    assert read(fixed, "snap")[0] == made.logical(snap)
