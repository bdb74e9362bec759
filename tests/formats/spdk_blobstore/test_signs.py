"""What a sound page and a sound super block show: each sign, and the one thing that takes it away."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from msgspec.structs import replace

from inspector.formats.spdk_blobstore import page as pg
from inspector.formats.spdk_blobstore import signs as module
from inspector.formats.spdk_blobstore import superblock as sb
from inspector.formats.spdk_blobstore.signs import page_signs, super_signs
from inspector.source import MemorySource
from tests.builders.spdk import PAGE, Image, uuid
from tests.formats.spdk_blobstore.support import look
from tests.formats.spdk_blobstore.test_descriptors import desc, words, xattr

DENSE, FLAGS, TABLED, REFERRING, NAMED, TEXTS, EXTENTS, CLUSTERS, IN_USE, APART = range(10)
NONE = 0xFFFFFFFF


def image() -> Image:
    """A snapshot and its clone with extent pages, and a volume whose clusters stand in its first page."""
    made = Image(clusters=32, cluster_size=16384)
    base = made.lvol("base", 4, [0, 1], snapshot=True)
    made.lvol("clone", 4, [2], parent=base)
    made.lvol("runs", 5, [0, 1, 4], rle=True)
    return made


MADE = image()
WHOLE = bytes(MADE.build())
STATE = look(WHOLE).state


def lacks(data: bytes, **changed: Any) -> set[int]:
    """The signs that a page does not show, beside the other pages of the store."""
    state = look(changed["image"]).state if "image" in changed else STATE
    region = state.region
    shown = [sign(data) for sign in page_signs(state.disk, state.geometry, region)]
    return {number for number, one in enumerate(shown) if not one}


def root(
    flags: tuple[int, int, int] = (0, 0, 2), more: bytes = b"", following: int = NONE, name: bytes = b"x"
) -> bytes:
    """The first page of a volume of runs, or what `more` makes of it."""
    body = desc(3, struct.pack("<QQQ", *flags)) + xattr(b"name", name + b"\0") + more
    return pg.build(1 << 32 | 20, 0, following, body)


FREE = MADE.total - 1  # a cluster that nobody uses
USED = max(MADE.used)


def test_every_page_of_a_healthy_store_shows_every_sign_but_that_it_names_its_clusters_itself() -> None:
    pages = [page for page, data in MADE.pages.items() if data]
    assert len(pages) >= 5
    for page in pages:
        data = WHOLE[MADE.page_at(page) :][:PAGE]
        own = bool(module._named_clusters(data))
        known = {APART} if own else set()
        extent = {FLAGS, TABLED, REFERRING} if data[16] == 6 else set()
        assert lacks(data) == known | extent, page


MARKED = words(USED, 1)  # an entry of runs that names a cluster in use


@pytest.mark.parametrize(
    ("data", "without"),
    [
        (root(), set()),
        (root(more=desc(0, b"xx") + desc(200, b"")), {DENSE}),
        (root(flags=(15 - 4, 0, 2), more=xattr(b"SNAP", bytes(8), kind=4)), set()),
        (root(flags=(16, 0, 2)), {FLAGS}), (root(flags=(0, 2, 2)), {FLAGS}), (root(flags=(0, 1, 7)), set()),
        (root(flags=(0, 0, 8)), {FLAGS}),
        (root(flags=(4, 0, 2)), {TABLED}),
        (root(flags=(4, 0, 2), more=desc(5, struct.pack("<Q", 3))), set()),
        (root(more=desc(5, struct.pack("<Q", 3))), {TABLED}),
        (root(following=7), {TABLED, REFERRING}),
        (root(flags=(2, 0, 2)), {REFERRING}), (root(more=xattr(b"SNAP", bytes(8), kind=4)), {REFERRING}),
        (root(more=xattr(b"Snap", b"1")), {NAMED}), (root(more=xattr(b"esnap_id", b"\xff")), set()),
        (root(name=b"na\xe9me"), {TEXTS}), (root(name=b""), {TEXTS}),
        (root(more=xattr(b"uuid", uuid(3))), set()), (root(more=xattr(b"uuid", uuid(3)[:-2] + b"g\0")), {TEXTS}),
        (root(flags=(4, 0, 2), more=desc(5, struct.pack("<Q", 3) + words(20, 1))), {EXTENTS}),
    ],
)  # fmt: skip
def test_one_thing_that_no_sound_page_has_takes_one_sign_away(data: bytes, without: set[int]) -> None:
    assert lacks(data) == without


def test_an_extent_page_that_a_table_names_is_one_and_so_are_all_of_its_run() -> None:
    extent = next(page for page, data in MADE.pages.items() if data and data[16] == 6)
    table = struct.pack("<Q", 600)
    assert lacks(root(flags=(4, 0, 2), more=desc(5, table + words(extent, 1, 0, 9)))) == set()
    assert EXTENTS in lacks(root(flags=(4, 0, 2), more=desc(5, table + words(extent, 2))))


def named(*runs: int) -> set[int]:
    return lacks(root(more=desc(1, words(*runs)))) - {APART}


def test_clusters_that_are_named_lie_in_the_data_once_and_are_in_use() -> None:
    first, used = MADE.first_data, set(range(MADE.first_data, USED + 1))
    assert used <= MADE.used
    assert named(first, len(used)) == set()
    assert named(0, 9, first, 1) == set()
    assert named(first - 1, 1) == {CLUSTERS}
    assert named(first, 2, first + 1, 1) == {CLUSTERS}
    assert named(first + 1, 1, first, 1) == set()
    assert named(FREE, 1) == {IN_USE}
    assert named(FREE, 2) == {CLUSTERS, IN_USE}
    assert named(FREE + 1, 1) == {CLUSTERS, IN_USE}


def test_a_cluster_that_another_page_names_is_not_named_here_too() -> None:
    assert APART in lacks(root(more=desc(1, words(USED, 1))))
    assert lacks(root(more=desc(1, words(FREE, 1)))) == {IN_USE}


def test_the_mask_is_a_witness_only_after_a_clean_shutdown() -> None:
    page = root(more=desc(1, MARKED))
    assert IN_USE not in lacks(page)
    assert IN_USE in lacks(page, image=bytes(image().build(clean=False)))


def test_what_names_too_many_clusters_or_too_many_pages_show_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    first = MADE.first_data
    monkeypatch.setattr(module, "MOST", 2)
    assert named(first, 2) == set()
    assert named(first, 3) == {IN_USE}
    monkeypatch.setattr(module, "PAGES", 1)
    assert lacks(root()) == {APART}


# -- the super block -------------------------------------------------------------------------------

GEOMETRY = sb.parse(WHOLE[:PAGE])


def unsaid(**changed: Any) -> set[int]:
    data = sb.build(replace(GEOMETRY, **changed))
    return {number for number, sign in enumerate(super_signs(STATE.disk)) if not sign(data)}


def test_a_super_block_describes_its_disk() -> None:
    assert unsaid() == set()
    assert unsaid(bstype=bytes(16)) == {0}
    assert unsaid(size=0) == {1}
    assert unsaid(cluster_size=3 * 4096) == {2, 7}
    assert unsaid(io_unit_size=513) == {3}
    assert unsaid(version=2) == {4}
    assert unsaid(md_page_size=4096) == set()
    assert unsaid(md_page_size=8192) >= {5}
    assert unsaid(page_mask=(2, 1)) == {6}
    assert unsaid(cluster_mask=(2, 2)) == {6}
    assert unsaid(blobid_mask=(0, 0)) == {6}
    assert unsaid(md_start=GEOMETRY.md_start - 1, blobid_mask=(0, 0)) == {8}
    assert unsaid(md_len=GEOMETRY.md_len - 1) == {7}
    assert unsaid(super_blob=GEOMETRY.super_blob + 2) == {8}
    assert unsaid(super_blob=1 << 32 | 999) == {8}
    assert unsaid(super_blob=GEOMETRY.super_blob & 0xFFFF) == {8}


def test_the_page_of_the_store_itself_is_sealed() -> None:
    hurt = bytearray(WHOLE)
    hurt[MADE.page_at(0) + 90] ^= 1
    disk = replace(STATE.disk, source=MemorySource(bytes(hurt)), mended={})
    assert [number for number, sign in enumerate(super_signs(disk)) if not sign(WHOLE[:PAGE])] == [8]
