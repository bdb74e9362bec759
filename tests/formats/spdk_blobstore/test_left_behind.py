"""What is left of volumes whose first page is gone, or whose pages contradict each other."""

from __future__ import annotations

import struct

import pytest

from inspector.format import Item
from inspector.formats.spdk_blobstore.clustermap import UNKNOWN
from inspector.formats.spdk_blobstore.identify import partitions
from inspector.formats.spdk_blobstore.lost import Lost, find_lost
from tests.builders.spdk import NONE, PAGE, Image, desc, md_page, xattr
from tests.formats.spdk_blobstore.support import codes, look, read, repaired, scramble

SIZE = 4096


def small(clusters: int = 64) -> Image:
    return Image(clusters=clusters, cluster_size=SIZE, md_len=24)


def mapped(lost: Lost) -> tuple[int, dict[int, int]]:
    """Clusters of it in all, and where those lie that are known; all others are unknown."""
    at, places = 0, dict[int, int]()
    for run in lost.runs:
        assert (run.at, run.count > 0) == (at, True)
        at += run.count
        if run.cluster > 0:
            places |= {run.at + k: run.cluster + k for k in range(run.count)}
        else:
            assert (run.cluster, bool(run.why)) == (UNKNOWN, True)
    return at, places


def without_root(image: Image, blob: int) -> list[Lost]:
    data = image.build()
    at = image.page_at(blob & 0xFFFF)
    data[at : at + PAGE] = bytes(PAGE)
    report = look(data, lost=True)
    lost = find_lost(report.state.store)
    assert report.format.items is not None
    for item, one in zip(
        (item for item in report.format.items(report.state) if item.kind == "lost"), lost, strict=True
    ):
        size, places = mapped(one)
        told = {key: item.fields[key] for key in ("blob", "name", "allocated", "clusters", "size", "state", "pages")}
        assert (item.id, item.parent, [span.start for span in item.spans]) == (
            one.id, None, [image.page_at(page) for page in one.pages],
        )  # fmt: skip
        assert told == {
            "blob": f"0x{one.writer:x}", "name": one.name, "allocated": len(places), "clusters": size,
            "size": size * SIZE, "state": one.why, "pages": list(one.pages),
        }  # fmt: skip
    return lost


@pytest.mark.parametrize("written", [[600, 1600], [3, 600], [3, 1600], [5], [600], [511, 512, 1024, 1999]])
def test_extent_pages_of_a_lost_volume_stand_where_they_say_and_between_them_nothing_is_known(
    written: list[int],
) -> None:
    image = small()
    blob = image.lvol("far", 2000, written)
    (found,) = without_root(image, blob)
    vol = image.vols[blob]
    pages = tuple(vol.extents[start] for start in sorted(vol.extents))
    assert (found.writer, found.name, found.pages) == (blob, None, pages)
    assert found.id == f"lost-0x{blob:x}-{pages[0]}"
    assert found.why == "only extent pages are left"
    last = max(written) // 512 * 512  # the last page that is there says as far as it goes
    assert mapped(found) == (min(2000, last + 512), vol.map)


def test_two_pages_for_the_same_clusters_are_two_versions() -> None:
    image = small()
    blob = image.lvol("one", 700, [1, 600])
    first = image.vols[blob].extents[0]
    spare = image.take_page()
    image.put_page(spare, md_page(blob, 0, NONE, desc(6, struct.pack("<I3I", 0, 0, 0, 40))))
    found = {lost.pages: mapped(lost) for lost in without_root(image, blob)}
    other = image.vols[blob].extents[512]
    assert set(found) == {(first,), (other,), (spare,)}
    assert found[(first,)] == (512, {1: image.vols[blob].map[1]})
    assert found[(spare,)] == (3, {2: 40})
    assert found[(other,)] == (700, {600: image.vols[blob].map[600]})


def test_what_is_left_of_a_volume_that_is_there_names_it_and_whether_its_clusters_are_taken() -> None:
    image = small()
    blob = image.lvol("there", 4, [0, 1])
    place = image.vols[blob].map[0]
    free = next(c for c in range(image.total) if c not in image.used)
    for words, why in (((0, free), ""), ((free, place), "; some of its clusters belong to other volumes now")):
        page = image.take_page()
        image.put_page(page, md_page(blob, 0, NONE, desc(6, struct.pack("<I2I", 0, *words))))
        (found,) = find_lost(look(image.build()).state.store)
        assert (found.name, found.why) == ("first written by there", f"only extent pages are left{why}")
        image.put_page(page, bytes(PAGE))
        del image.pages[page]


@pytest.mark.parametrize("rle", [False, True])
def test_later_pages_with_the_map_of_a_lost_volume_give_it_whole(rle: bool) -> None:
    image = small()
    filler = {b"note": b"n" * 3900}  # the map does not fit on the first page any more
    blob = image.lvol("long", 9, [0, 1, 5], rle=rle, xattrs=filler)
    vol = image.vols[blob]
    assert len(vol.pages) == 2
    (found,) = without_root(image, blob)
    assert (found.id, found.writer) == (f"lost-0x{blob:x}", blob)
    assert found.pages == (vol.pages[1], *vol.extents.values())
    assert mapped(found) == (9, vol.map)


def put(image: Image, blob: int, *bodies: bytes) -> None:
    """A chain of pages with these descriptors in place of the blob's own."""
    pages = [blob & 0xFFFF, *(image.take_page() for _ in bodies[1:])]
    for number, body in enumerate(bodies):
        following = pages[number + 1] if number + 1 < len(bodies) else NONE
        image.put_page(pages[number], md_page(blob, number, following, body))
    image.vols[blob].pages = pages


FLAGS, NO_TABLE = desc(3, struct.pack("<QQQ", 5, 0, 2)), desc(3, struct.pack("<QQQ", 1, 0, 2))
NAME = xattr(b"name", b"odd".ljust(64, b"\0")) + xattr(b"uuid", b"00000000-0000-4000-8000-000000000009\0")
RLE = desc(1, struct.pack("<II", 0, 2))
MARKED = desc(3, struct.pack("<QQQ", 7, 0, 2))


def table(clusters: int) -> bytes:
    return desc(5, struct.pack("<QII", clusters, 0, 1))


CONTRADICTIONS = [
    ([FLAGS + NAME + table(4)], [], [], 4),
    ([FLAGS + NAME + table(600), table(600)], [], [], 600),
    ([FLAGS + NAME + table(4), table(5)], ["page {1} says 5 clusters, an earlier page 4"], [], 4),
    ([FLAGS + NAME + RLE, table(4)], ["both a run-length map and an extent table"], [], None),
    ([FLAGS + NAME + table(4), RLE], ["both a run-length map and an extent table"], [], 4),
    ([FLAGS + NAME + RLE + table(4), RLE], ["both a run-length map and an extent table"], [], None),
    ([NO_TABLE + NAME + table(4)], ["an extent table without its flag"], [], 4),
    ([NO_TABLE + NAME + RLE], [], [], 2),
    ([NO_TABLE + NAME + RLE, RLE], [], [], 4),
    ([FLAGS + NAME], [], [], 0),
    ([desc(3, struct.pack("<QQQ", 1 << 40 | 5, 0, 2)) + NAME + table(4)],
     ["flag bits 0x10000000000 that no known release writes"], [], 4),
    ([MARKED + NAME + table(4) + xattr(b"SNAP", bytes(7), True)], [], ["internal xattr SNAP is not 8 bytes long"], 4),
    ([MARKED + NAME + table(4) + xattr(b"SNAPRM", bytes(9), True)], [], ["internal xattr SNAPRM is not 8 bytes long"],
     4),
    ([MARKED + NAME + table(4) + xattr(b"note", bytes(9), True)], [], [], 4),
]  # fmt: skip


@pytest.mark.parametrize(("bodies", "refused", "problems", "clusters"), CONTRADICTIONS)
def test_pages_that_contradict_each_other_are_told_and_the_first_counts(
    bodies: list[bytes], refused: list[str], problems: list[str], clusters: int | None
) -> None:
    image = small()
    blob = image.lvol("odd", 4, [])
    put(image, blob, *bodies)
    found = look(image.build()).state.store.blobs[blob]
    pages = image.vols[blob].pages
    assert found.refused == [text.format(*pages) for text in refused]
    assert found.problems == problems
    assert clusters is None or found.clusters == clusters


def test_a_chain_whose_lost_page_held_attributes_alone_is_ended_before_it() -> None:
    image = small()
    base = image.lvol("base", 3, [0, 1], snapshot=True)
    blob = image.lvol("vol", 600, [0, 599], tail=xattr(b"note", b"n" * 3950))
    assert len(image.vols[blob].pages) == 2
    data = image.build()
    scramble(data, image.page_at(image.vols[blob].pages[1]) + 100)
    assert "vol" not in [item.fields.get("name") for item in _items(repaired(data)) if item.fields["state"] == "ok"]
    fixed = repaired(data, accept={"unsealed"})
    report = look(fixed)
    assert codes(report) == []
    assert read(report, "vol") == (image.logical(blob), [])
    assert read(report, "base") == (image.logical(base), [])
    vol = report.state.store.blobs[blob]
    assert (vol.pages, vol.broken, vol.clusters, b"note" in vol.xattrs) == ([blob & 0xFFFF], None, 600, False)


def _items(data: bytearray) -> list[Item]:
    report = look(data)
    assert report.format.items is not None
    return list(report.format.items(report.state))


def entry(first: int, last: int, kind: int = 1, size: int = 128) -> bytes:
    return (bytes([kind]) * 16 + bytes(16) + struct.pack("<QQ", first, last)).ljust(size, b"\0")


def gpt(sector: int, entries: list[bytes], *, at: int = 2, count: int | None = None, size: int = 128) -> bytes:
    header = b"EFI PART".ljust(72, b"\7") + struct.pack("<QII", at, len(entries) if count is None else count, size)
    return (bytes(sector) + header.ljust((at - 1) * sector, b"\0") + b"".join(entries)).ljust(1 << 16, b"\0")


def named(data: bytes) -> list[tuple[int, int, str]]:
    return list(partitions(lambda at, length: data[at : at + length]))


@pytest.mark.parametrize("sector", [512, 4096])
def test_a_partition_lies_from_its_first_sector_to_the_end_of_its_last(sector: int) -> None:
    first, second = (40 * sector, 51 * sector, "GPT partition 1"), (60 * sector, 61 * sector, "GPT partition 3")
    assert named(gpt(sector, [entry(40, 50), entry(52, 58, kind=0), entry(60, 60)])) == [first, second]
    assert named(gpt(sector, [entry(40, 50), entry(52, 58)], count=1)) == [first]
    assert named(gpt(sector, [entry(40, 39), entry(0, 5), entry(41, 40)])) == []
    assert named(gpt(sector, [entry(40, 50)], at=5)) == [first]
    for size, there in ((127, False), (128, True), (256, True), (4096, True), (4097, False)):
        assert named(gpt(sector, [entry(40, 50, size=size), entry(60, 60, size=size)], size=size)) == (
            [first, (60 * sector, 61 * sector, "GPT partition 2")] if there else []
        )


def test_of_a_table_of_many_partitions_128_are_read() -> None:
    found = named(gpt(512, [entry(100 + n, 100 + n) for n in range(140)]))
    assert (len(found), found[-1]) == (128, (227 * 512, 228 * 512, "GPT partition 128"))


def test_the_partitions_of_an_old_table() -> None:
    boot = bytearray(446) + b"".join(
        struct.pack("<4xB3xII", *one) for one in ((0x83, 63, 7), (0, 80, 7), (0x83, 0, 7), (0x83, 100, 0))
    )
    assert named(bytes(boot + b"\x55\xaa").ljust(9000, b"\0")) == [(63 * 512, 70 * 512, "MBR partition 1")]
    assert named(bytes(boot + b"\x55\xab").ljust(9000, b"\0")) == []
    assert named(bytes(boot + b"\x55")) == []
