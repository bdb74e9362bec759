"""When a corrected page is one that a program writes, and what the owner of a store is told in words."""

from __future__ import annotations

import struct

import pytest

from inspector.format import Wishes
from inspector.formats.spdk_blobstore import page as pg
from inspector.formats.spdk_blobstore import superblock
from inspector.formats.spdk_blobstore.mend import bit_of, sane, solve, witness
from inspector.source import MemorySource
from inspector.undone import written
from tests.builders.spdk import NONE, PAGE, Image, desc, md_page, seal, xattr
from tests.formats.spdk_blobstore.support import look, scramble

FLAGS = desc(3, struct.pack("<QQQ", 5, 0, 2))
EXTENT = desc(6, struct.pack("<I3I", 512, 40, 0, 42))
ODD = desc(6, struct.pack("<II", 511, 4))
ID = 1 << 32 | 7


def reserved(data: bytes) -> bytes:
    return seal(data[:12] + b"\1" + data[13:4092])


def behind(data: bytes, at: int) -> bytes:
    return seal(data[:at] + b"\1" + data[at + 1 : 4092])


PAGES = [  # a page as place 7 of 16, and what it is
    ("a first page", md_page(ID, 0, NONE, FLAGS), pg.ROOT),
    ("one that goes on", md_page(ID, 0, 15, FLAGS), pg.ROOT),
    ("one that goes on outside", md_page(ID, 0, 16, FLAGS), None),
    ("one whose first descriptor is another", md_page(ID, 0, NONE, xattr(b"name", b"n")), None),
    ("one of another place", md_page(1 << 32 | 8, 0, NONE, FLAGS), None),
    ("one with a reserved byte", reserved(md_page(ID, 0, NONE, FLAGS)), None),
    ("one with a byte behind its descriptors", behind(md_page(ID, 0, NONE, FLAGS), 16 + len(FLAGS) + 5), None),
    ("one with a byte before the page's end", behind(md_page(ID, 0, NONE, FLAGS), 4087), None),
    ("one with an unknown descriptor", md_page(ID, 0, NONE, FLAGS + desc(99, b"x")), None),
    ("one with a descriptor that does not fit", md_page(ID, 0, NONE, FLAGS + desc(3, b"x")), None),
    ("an extent page", md_page(ID, 0, NONE, EXTENT), pg.EXTENT),
    ("an extent page of anybody", md_page(5, 0, NONE, EXTENT), pg.EXTENT),
    ("an extent page that begins at no multiple of 512", md_page(ID, 0, NONE, ODD), None),
    ("an extent page without a start", md_page(ID, 0, NONE, desc(6, b"")), None),
    ("a later page", md_page(1 << 32 | 3, 1, NONE, xattr(b"n", b"v")), pg.CONT),
    ("a later page of no volume", md_page(2 << 32 | 3, 1, NONE, xattr(b"n", b"v")), None),
    ("a later page without an id", md_page(3, 1, NONE, xattr(b"n", b"v")), None),
]  # fmt: skip


@pytest.mark.parametrize(("data", "kind"), [row[1:] for row in PAGES], ids=[row[0] for row in PAGES])
def test_what_a_corrected_page_may_be(data: bytes, kind: int | None) -> None:
    assert len(data) == PAGE
    assert sane(data, 7, 16) == kind


def test_a_flipped_bit_is_undone_where_the_page_notices_it_and_waits_where_it_does_not() -> None:
    good = md_page(ID, 0, NONE, FLAGS + xattr(b"note", b"n" * 20))
    by = witness(7, superblock.parse(bytes(image().build()[:PAGE])))
    for bit, verdict in ((8 * 0 + 3, "sealed"), (8 * 16 + 1, "sealed"), (8 * 60 + 2, "unique"), (8 * 4000, "sealed")):
        hurt = bytearray(good)
        hurt[bit // 8] ^= 1 << bit % 8
        found = solve(bytes(hurt), by)
        assert (found.verdict, found.unit, bit_of(found)) == (verdict, good, bit)
        assert written(found, Wishes()) == (verdict == "sealed")
        assert written(found, Wishes(accept=frozenset({"unique"})))
        assert not written(found, Wishes(accept=frozenset({"unique"}), no_correct=True))
    assert solve(good[:-1], by).verdict == solve(good, by).verdict == "none"


def image() -> Image:
    made = Image(clusters=40, cluster_size=8192, md_len=16)
    base = made.lvol("base", 3, [0], snapshot=True)
    made.lvol("vol", 700, [1, 600], parent=base)
    return made


def words(data: bytes | bytearray, **wishes: object) -> tuple[str, ...]:
    report = look(MemorySource(bytes(data)), **wishes)
    assert report.answer is not None
    return report.answer.words


def test_the_words_of_a_healthy_store() -> None:
    first = "lvolstore disk-t: 2 volumes and snapshots, 40 clusters of 8192 bytes."
    assert words(image().build()) == (first,)
    assert words(image().build(clean=False)) == (
        first, "It was not shut down cleanly: the next load rewrites its masks, so image the disk before it.",
    )  # fmt: skip
    one = Image(clusters=40, cluster_size=8192, md_len=16)
    one.lvol("vol", 3, [0])
    assert words(one.build())[0] == "lvolstore disk-t: 1 volume or snapshot, 40 clusters of 8192 bytes."


@pytest.mark.parametrize(("at", "lost"), [(0, 512), (512, 188)])
def test_the_bytes_of_a_lost_map_are_counted(at: int, lost: int) -> None:
    """A page names 512 clusters; below the first three of the volume there is a snapshot, but who has them is lost."""
    made = image()
    data = made.build()
    blob = max(made.vols)
    page = made.vols[blob].extents[at]
    scramble(data, made.page_at(page) + 100)
    told = words(data)
    assert told[-1] == f"vol: {lost * 8192:,} bytes are unknown."
    assert told[1].startswith(f"SPDK loads it without 1 volume: vol: extent page {page}")
    assert told[2] == told[1].replace("SPDK", "Longhorn SPDK engine")
    report = look(bytes(data))
    assert report.answer is not None
    assert report.answer.next[0] == "inspector items {path}"
    assert report.answer.next[1] == "inspector extract {path} base -o volume.raw"


def test_a_volume_whose_size_is_lost_is_unknown_in_part() -> None:
    made = Image(clusters=40, cluster_size=8192, md_len=16)
    root, lost = made.take_page(), made.take_page()
    made.put_page(
        root, md_page(1 << 32 | root, 0, lost, desc(3, struct.pack("<QQQ", 1, 0, 2)) + xattr(b"name", b"cut\0"))
    )
    made.put_page(lost, md_page(1 << 32 | root, 1, NONE, desc(1, struct.pack("<II", 0, 3))))
    made.extra_roots.add(root)
    data = made.build()
    scramble(data, made.page_at(lost) + 100)
    assert words(data)[-1] in ("cut: part of it is unknown.", "cut: 8,192 bytes are unknown.")
