"""One damage, one story: what is found where, what is lost, and what a repaired image still has."""

from __future__ import annotations

import struct

import pytest

from inspector.errors import RefusedError, UsageError
from inspector.formats.spdk_blobstore.items import after, items
from inspector.formats.spdk_blobstore.loader import LONGHORN, load
from tests.builders.spdk import NONE, Chain, Image, content, desc, md_page, replica, xattr
from tests.formats.spdk_blobstore.support import codes, flip, look, place, read, repaired, scramble

SIZE = 16384
LVOLS = ("old", "new", "head", "thick", "wide")


def intact(chain: Chain, image: bytearray, names: tuple[str, ...] = LVOLS) -> None:
    """The image is without errors and these volumes read as they were written."""
    report = look(image)
    assert codes(report) == []
    for name in names:
        blob = getattr(chain, name)
        assert read(report, f"0x{blob:x}") == (chain.image.logical(blob), []), name


@pytest.mark.parametrize("clean", [True, False])
def test_a_flipped_bit_in_any_metadata_page_costs_nothing(clean: bool) -> None:
    chain = replica()
    healthy = chain.image.build(clean=clean)
    for page in chain.image.pages:
        image = bytearray(healthy)
        at = chain.image.page_at(page)
        flip(image, at + 16 + page * 7, 1 << page % 8)
        report = look(image)
        assert codes(report) == ["SPB020"]
        assert place(report, "SPB020") == (at, at + 4096)
        assert [f.salvage for f in report.tally.findings() if f.rule.code == "SPB020"] == ["corrected"]
        for name in LVOLS:
            blob = getattr(chain, name)
            assert read(report, f"0x{blob:x}") == (chain.image.logical(blob), [])
        intact(chain, repaired(image))


def test_a_flipped_bit_in_the_super_block_costs_nothing() -> None:
    chain = replica()
    image = chain.image.build()
    flip(image, 0x1D, 8)
    report = look(image)
    assert codes(report) == ["SPB002"]
    assert place(report, "SPB002") == (0, 4096)
    fixed = repaired(image)
    assert fixed == chain.image.build()


def test_a_lost_head_root_costs_the_head_and_nothing_else() -> None:
    chain = replica()
    image = chain.image.build()
    at = chain.image.page_at(chain.head & 0xFFFF)
    scramble(image, at + 100)
    report = look(image)
    assert codes(report) == ["SPB020"]
    assert load(report.state, LONGHORN).comes_up
    fixed = repaired(image)
    intact(chain, fixed, ("old", "new", "thick", "wide"))
    assert chain.head not in look(fixed).state.store.blobs


def test_a_lost_snapshot_root_costs_what_was_read_through_it_and_that_is_unknown_not_zero() -> None:
    chain = replica()
    image = chain.image.build()
    scramble(image, chain.image.page_at(chain.old & 0xFFFF) + 100)
    report = look(image)
    assert sorted(codes(report)) == ["SPB020", "SPB043"]
    data, unknown = read(report, f"0x{chain.head:x}")
    want = chain.image.logical(chain.head)
    assert unknown == [(0, SIZE), (3 * SIZE, 7 * SIZE)]
    for start, end in ((SIZE, 3 * SIZE), (7 * SIZE, 8 * SIZE)):
        assert data[start:end] == want[start:end]
    intact(chain, repaired(image), ("thick", "wide"))
    kept = look(repaired(image, ["unsealed"]))
    assert codes(kept) == []
    assert read(kept, f"0x{chain.head:x}")[0] == data


def test_a_lost_extent_page_costs_its_512_clusters() -> None:
    chain = replica()
    image = chain.image.build()
    page = chain.image.vols[chain.wide].extents[512]
    scramble(image, chain.image.page_at(page) + 30)
    report = look(image)
    assert sorted(codes(report)) == ["SPB020", "SPB027"]
    assert place(report, "SPB027") == (chain.image.page_at(page), chain.image.page_at(page) + 4096)
    data, unknown = read(report, "wide")
    assert unknown == [(512 * SIZE, 700 * SIZE)]
    assert data[: 512 * SIZE] == chain.image.logical(chain.wide)[: 512 * SIZE]
    intact(chain, repaired(image), ("old", "new", "head", "thick"))
    kept = look(repaired(image, ["unsealed"]))
    assert codes(kept) == []
    assert read(kept, "wide")[0] == data


def test_the_whole_store_is_refused_after_a_crash_with_a_lost_extent_page() -> None:
    chain = replica()
    image = chain.image.build(clean=False)
    scramble(image, chain.image.page_at(chain.image.vols[chain.wide].extents[0]) + 30)
    assert load(look(image).state, LONGHORN).code == -84
    image = chain.image.build(clean=True)
    scramble(image, chain.image.page_at(chain.image.vols[chain.wide].extents[0]) + 30)
    found = load(look(image).state, LONGHORN)
    assert found.comes_up
    assert list(found.missing) == [chain.wide]


@pytest.mark.parametrize("wipe", ["super", "masks", "both"])
def test_a_wiped_super_block_or_masks_cost_nothing_where_the_rest_tells(wipe: str) -> None:
    chain = replica()
    image = chain.image.build()
    if wipe in ("super", "both"):
        image[:4096] = bytes(4096)
    if wipe in ("masks", "both"):
        image[4096 : chain.image.md_start * 4096] = bytes((chain.image.md_start - 1) * 4096)
    assert codes(look(image)) == (["SPB010"] * 3 if wipe == "masks" else ["SPB001"])
    fixed = repaired(image)
    intact(chain, fixed)
    assert fixed[4096:] == chain.image.build()[4096:]


def test_where_several_geometries_fit_they_are_listed_and_the_user_decides() -> None:
    image = Image(clusters=64, cluster_size=65536)
    blob = image.lvol("vol", 4, [0, 2])
    data = image.build(clean=False)
    data[:4096] = bytes(4096)
    report = look(data)
    assert codes(report) == ["SPB001", "SPB005"]
    assert 65536 in report.answer.summary["candidates"]
    assert len(report.answer.summary["candidates"]) > 1
    assert not any(read(report, "vol")[0])  # nothing is proved while the size of a cluster is not
    with pytest.raises(RefusedError, match="several cluster sizes fit"):
        repaired(data)
    again = look(repaired(data, cluster_size=65536))
    assert codes(again) == []
    assert read(again, "vol") == (image.logical(blob), [])


def test_a_mask_that_lost_a_cluster_is_found_before_the_cluster_is_given_away() -> None:
    chain = replica()
    image = chain.image.build()
    cluster = chain.image.vols[chain.head].map[2]
    at = 2 * 4096 + 5 + cluster // 8
    flip(image, at, 1 << cluster % 8)
    report = look(image)
    assert codes(report) == ["SPB012"]
    assert place(report, "SPB012") == (at, at + 1)
    assert chain.head in load(report.state, LONGHORN).missing
    assert repaired(image) == chain.image.build()


def test_a_leaked_cluster_a_hidden_volume_and_a_free_page_are_told_apart() -> None:
    chain = replica()
    healthy = chain.image.build()
    free = max(chain.image.used) + 1
    cases = (
        (2 * 4096 + 5, free, "SPB013"),
        (3 * 4096 + 5, chain.head & 0xFFFF, "SPB014"),
        (4096 + 5, chain.image.vols[chain.head].extents[0], "SPB015"),
        (4096 + 5, 31, "SPB016"),
    )
    for base, bit, code in cases:
        image = bytearray(healthy)
        flip(image, base + bit // 8, 1 << bit % 8)
        report = look(image)
        assert codes(report) == [code]
        assert repaired(image) == healthy


def stale_chain() -> tuple[Image, int, bytearray]:
    """A head of three pages whose second page still shows an older volume's."""
    image = Image()
    snap = image.lvol("snap", 6, [0, 3], snapshot=True)
    head = image.lvol("head", 6, [1], parent=snap, xattrs={b"p%d" % i: bytes([65 + i]) * 3000 for i in range(3)})
    data = image.build(clean=False)
    pages = image.vols[head].pages
    assert len(pages) == 3
    stale = md_page(1 << 32 | 30, 1, NONE, xattr(b"other", b"x" * 100) + desc(5, struct.pack("<QII", 4, 0, 1)))
    at = image.page_at(pages[1])
    data[at : at + 4096] = stale
    return image, head, data


def test_a_stale_page_in_a_chain_is_named_and_the_head_is_whole_once_its_last_page_is_accepted() -> None:
    image, head, data = stale_chain()
    report = look(data)
    at = image.page_at(image.vols[head].pages[1])
    assert codes(report) == ["SPB024"]
    assert place(report, "SPB024") == (at, at + 4096)
    assert head in load(report.state, LONGHORN).wrong
    assert read(report, "head") == (bytes(6 * SIZE), [(0, 6 * SIZE)])  # unknown, not zero
    accepted = look(data, accept=frozenset({"anchored"}))
    assert read(accepted, "head") == (image.logical(head), [])
    fixed = look(repaired(data, ["anchored"]))
    assert codes(fixed) == []
    assert read(fixed, "head") == (image.logical(head), [])
    without = look(repaired(data))
    assert codes(without) == []
    assert head not in without.state.store.blobs


@pytest.mark.parametrize(("following", "kind"), [(0, "SPB024"), (29, "SPB023"), (1 << 20, "SPB023"), (None, "SPB023")])
def test_a_chain_that_leads_nowhere_or_in_a_circle_ends_there(following: int | None, kind: str) -> None:
    image = Image()
    blob = image.lvol("long", 4, [1], xattrs={b"p%d" % i: b"x" * 3000 for i in range(3)})
    pages = image.vols[blob].pages
    data = image.build()
    at = image.page_at(pages[1])
    old = bytes(data[at : at + 4096])
    data[at : at + 4096] = md_page(blob, 1, pages[0] if following is None else following, old[16:4088])
    assert codes(look(data))[0] == kind


def test_a_cluster_with_two_owners_is_the_users_decision() -> None:
    image = Image()
    one = image.lvol("one", 4, [0])
    image.lvol("two", 4, [1], at={0: image.vols[one].map[0]})
    data = image.build()
    report = look(data)
    place_ = image.vols[one].map[0] * SIZE
    assert codes(report) == ["SPB033"]
    assert place(report, "SPB033") == (place_, place_ + SIZE)
    with pytest.raises(RefusedError, match="two volumes"):
        repaired(data)
    for name, cluster in (("one", 0), ("two", 0)):
        assert read(report, name)[1] == [(cluster * SIZE, (cluster + 1) * SIZE)]
    taken = look(data, accept=frozenset({"unsealed"}))
    assert read(taken, "one") == (image.logical(one), [])


def test_maps_names_and_trees_that_break_the_rules_are_told_by_rule() -> None:
    def one(code: str, *others: str, **how: object) -> None:
        image = Image()
        image.lvol("good", 4, [0])
        image.lvol("bad", 4, [1], **how)  # type: ignore[arg-type]
        report = look(image.build())
        assert codes(report) == [code, *others]
        again = look(repaired(image.build()))
        assert codes(again) == []
        assert read(again, "good") == (image.logical(1 << 32 | 1), [])

    one("SPB030", flags=0x40)
    one("SPB032", at={2: 9999})
    one("SPB032", at={2: 1})
    one("SPB034", thin=False)
    one("SPB043", parent=1 << 32 | 25)
    one("SPB044", parent=1 << 32 | 3)


def test_what_a_child_reads_through_a_broken_parent_is_unknown() -> None:
    image = Image()
    snap = image.lvol("snap", 6, [0, 3], snapshot=True, xattrs={b"p%d" % i: b"x" * 3000 for i in range(3)})
    head = image.lvol("head", 6, [1], parent=snap)
    data = image.build()
    at = image.page_at(image.vols[snap].pages[1])
    data[at : at + 4096] = bytes(4096)
    report = look(data)
    assert codes(report) == ["SPB023"]
    content_, unknown = read(report, "head")
    assert unknown == [(0, SIZE), (2 * SIZE, 6 * SIZE)]
    assert content_[SIZE : 2 * SIZE] == image.logical(head)[SIZE : 2 * SIZE]


def test_a_proof_that_a_blobstore_does_not_know_is_refused() -> None:
    with pytest.raises(UsageError, match="--accept luck"):
        look(replica().image.build(), accept=frozenset({"luck"}))


def test_two_volumes_of_one_name_are_renamed_only_on_request() -> None:
    image = Image()
    image.lvol("same", 4, [0])
    image.lvol("same", 4, [1])
    assert codes(look(image.build())) == ["SPB052", "SPB052"]
    with pytest.raises(RefusedError, match="two volumes are named same"):
        repaired(image.build())
    again = look(repaired(image.build(), ["name"]))
    assert codes(again) == []
    assert {blob.name for blob in again.state.store.blobs.values()} >= {"same", "same-3"}


def test_a_lost_lvolstore_blob_leaves_volumes_readable_and_gets_a_new_name_only_on_request() -> None:
    chain = replica()
    image = chain.image.build()
    scramble(image, chain.image.page_at(0) + 40)
    report = look(image)
    assert sorted(codes(report)) == ["SPB020", "SPB054"]
    assert load(report.state, LONGHORN).code == -19
    assert read(report, f"0x{chain.head:x}") == (chain.image.logical(chain.head), [])
    with pytest.raises(RefusedError, match="name and uuid are lost"):
        repaired(image)
    intact(chain, repaired(image, ["name"]))


def test_a_lost_volume_with_its_extent_page_left_is_listed_and_its_clusters_read() -> None:
    chain = replica()
    image = chain.image.build()
    at = chain.image.page_at(chain.thick & 0xFFFF)
    wide = chain.image.page_at(chain.wide & 0xFFFF)
    image[wide : wide + 4096] = bytes(4096)
    report = look(image, lost=True)
    assert codes(report) == ["SPB022"]
    assert place(report, "SPB022") == (wide, wide + 4096)
    lost = [item for item in items(report.state) if item.kind == "lost"]
    assert len(lost) == 1
    data, unknown = read(report, lost[0].id)
    for cluster in (0, 511, 512, 699):
        assert data[cluster * SIZE : (cluster + 1) * SIZE] == content("wide", cluster, SIZE)
    assert sum(end - start for start, end in unknown) == (700 - 4) * SIZE
    assert at != wide


def test_content_that_does_not_match_a_snapshots_checksum_is_found_on_request() -> None:
    from inspector.formats.spdk_blobstore.crc64 import crc64

    image = Image()
    value = crc64(content("snap", 0, SIZE) + content("snap", 2, SIZE))
    snap = image.lvol("snap", 4, [0, 2], snapshot=True, xattrs={b"checksum": struct.pack("<Q", value)})
    data = image.build()
    assert codes(look(data, checksums=True)) == []
    flip(data, image.vols[snap].map[2] * SIZE + 77)
    assert codes(look(data)) == []
    assert codes(look(data, checksums=True)) == ["SPB060"]


def test_an_image_cut_short_loses_the_clusters_past_its_end_and_nothing_before() -> None:
    chain = replica()
    end = chain.image.vols[chain.wide].map[511] * SIZE
    image = chain.image.build()[:end]
    report = look(image)
    assert codes(report) == ["SPB004"]
    cut, inside = (look(image[: end - n]).tally.findings()[0].cause for n in (0, 17))
    assert (cut.name, cut.confidence, inside.name, inside.confidence) == ("truncated", "certain", "truncated", "likely")
    assert sum(report.account.roles) == end
    assert read(report, f"0x{chain.head:x}") == (chain.image.logical(chain.head), [])
    _, unknown = read(report, "wide")
    assert unknown == [(511 * SIZE, 513 * SIZE), (699 * SIZE, 700 * SIZE)]
    with pytest.raises(RefusedError, match="missing at the end"):
        repaired(image)
    spare = chain.image.build()[: (max(chain.image.used) + 1) * SIZE]
    intact(chain, repaired(spare))


@pytest.mark.parametrize("at", ["in the last cluster", "behind the store"])
def test_an_image_that_ends_inside_a_sector_is_no_copy_of_a_disk(at: str) -> None:
    """A byte that was put in moves content that no checksum covers: all metadata before it is sound."""
    chain = replica()
    image = chain.image.build()
    place_of = len(image) if at == "behind the store" else len(image) - SIZE
    image[place_of:place_of] = b"\x5a"
    report = look(image)
    assert codes(report) == ["SPB009"]
    (found,) = report.tally.findings()
    assert (found.span.start, found.span.end, found.cause.name) == (len(image) - 1, len(image), "shifted")
    assert codes(look(chain.image.build() + bytes(512))) == []  # a disk may be larger than its store
    item = next(item for item in items(report.state_of_bottom) if item.fields["size"])
    assert "SPB009" in after(report.state_of_bottom, item, "x.raw")[0]
    with pytest.raises(RefusedError, match="ends inside a sector"):
        repaired(image)
