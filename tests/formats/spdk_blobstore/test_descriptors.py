"""What a metadata page says, descriptor by descriptor, and what is said of one that does not fit."""

from __future__ import annotations

import struct

import pytest

from inspector.formats.spdk_blobstore import page as pg
from inspector.formats.spdk_blobstore.page import Body

ROOM = 4088 - 16  # bytes of descriptors in a page


def desc(kind: int, body: bytes, length: int | None = None) -> bytes:
    return struct.pack("<BI", kind, len(body) if length is None else length) + body


def xattr(name: bytes, value: bytes, names: int | None = None, kind: int = 2) -> bytes:
    lengths = struct.pack("<HH", len(name) if names is None else names, len(value))
    return desc(kind, lengths + name + value)


def read(descriptors: bytes) -> Body:
    return pg.read_body(pg.build(1 << 32 | 3, 0, 0xFFFFFFFF, descriptors))


def words(*numbers: int) -> bytes:
    return b"".join(struct.pack("<I", number) for number in numbers)


def test_every_kind_of_descriptor_is_read() -> None:
    found = read(
        desc(3, struct.pack("<QQQ", 5, 1, 2)) + xattr(b"name", b"disk\0") + xattr(b"SNAP", bytes(8), kind=4)
        + desc(1, words(7, 3, 0, 2)) + desc(5, struct.pack("<Q", 600) + words(9, 1, 0, 2))
        + desc(6, words(512, 40, 0, 42)) + desc(7, struct.pack("<QI", 1 << 60, 40)) + desc(200, b"new")
    )  # fmt: skip
    assert found.flags == (5, 1, 2)
    assert (found.xattrs, found.internal) == ({b"name": b"disk\0"}, {b"SNAP": bytes(8)})
    assert found.rle is not None
    assert found.table is not None
    assert found.extent is not None
    assert (list(found.rle), found.table_clusters, list(found.table)) == ([7, 3, 0, 2], 600, [9, 1, 0, 2])
    assert (found.extent_start, list(found.extent)) == (512, [40, 0, 42])
    assert (found.checksums, found.unknown, found.problems) == ([(1 << 60, 40)], [200], [])


def test_nothing_is_read_behind_an_empty_padding_or_the_end_of_the_descriptors() -> None:
    body = xattr(b"a", b"1")
    assert read(body + desc(0, b"") + xattr(b"b", b"2")).xattrs == {b"a": b"1"}
    assert read(body + desc(0, b"x") + xattr(b"b", b"2")).xattrs == {b"a": b"1", b"b": b"2"}
    full = read(body + desc(0, bytes(ROOM - len(body) - 5)))
    assert (full.end, full.problems) == (4088, [])
    assert read(body).end == 16 + len(body)


@pytest.mark.parametrize("left", [5, 9])
def test_a_descriptor_may_fill_the_page_and_not_a_byte_more(left: int) -> None:
    body = desc(0, bytes(ROOM - 5 - left))
    assert read(body + desc(200, bytes(left - 5))).unknown == [200]
    over = read(body + desc(200, bytes(left - 5), left - 4))
    assert over.unknown == []
    told = f"descriptor of type 200 at {4088 - left} claims {left - 4} bytes, past the page's end"
    assert (list(over.problems), over.end) == ([told], 4088 - left)


@pytest.mark.parametrize(
    ("descriptor", "problem"),
    [
        (desc(3, bytes(23)), "flags at 16 are 23 bytes long, not 24"),
        (desc(3, bytes(25)), "flags at 16 are 25 bytes long, not 24"),
        (desc(5, bytes(7)), "extent table at 16 has no room for its size"),
        (desc(5, bytes(8 + 12)), "map at 16 ends inside an entry"),
        (desc(1, bytes(12)), "map at 16 ends inside an entry"),
        (desc(6, bytes(3)), "extent page descriptor at 16 is short or a second one"),
        (desc(6, bytes(4 + 5)), "map at 16 ends inside an entry"),
        (desc(6, bytes(8)) + desc(6, bytes(8)), "extent page descriptor at 29 is short or a second one"),
        (desc(7, bytes(13)), "checksums at 16 end inside an entry"),
        (desc(2, bytes(3)), "xattr at 16: name of 0 and value of 0 bytes in 3 bytes"),
        (xattr(b"", b"v"), "xattr at 16: name of 0 and value of 1 bytes in 5 bytes"),
        (xattr(b"nm", b"v", names=3), "xattr at 16: name of 3 and value of 1 bytes in 7 bytes"),
        (xattr(b"nm", b"v", names=2), ""), (desc(5, bytes(8)), ""), (desc(6, bytes(4)), ""), (desc(7, b""), ""),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_said_with_its_place(descriptor: bytes, problem: str) -> None:
    assert list(read(descriptor).problems) == [problem] * bool(problem)


def test_of_two_attributes_of_one_name_the_first_counts_and_maps_go_on() -> None:
    found = read(xattr(b"a", b"1") + xattr(b"a", b"2") + desc(1, words(1, 2)) + desc(1, words(3, 4)))
    assert found.xattrs == {b"a": b"1"}
    assert found.rle is not None
    assert list(found.rle) == [1, 2, 3, 4]


def test_an_entry_that_is_cut_is_left_out_of_the_map() -> None:
    found = read(desc(1, words(1, 2, 3)))
    assert found.rle is not None
    assert list(found.rle) == [1, 2]
    sums = read(desc(7, struct.pack("<QIQI", 1, 2, 3, 4) + b"x")).checksums
    assert sums == [(1, 2), (3, 4)]


@pytest.mark.parametrize(
    ("blob", "sequence", "first", "kind"),
    [(1 << 32 | 3, 0, 3, pg.ROOT), (1 << 32 | 4, 0, 3, pg.STRAY), (3, 0, 3, pg.STRAY), (1 << 32 | 3, 1, 3, pg.CONT),
     (1 << 32 | 9, 0, 6, pg.EXTENT), (1 << 32 | 3, 2, 6, pg.CONT)],
)  # fmt: skip
def test_what_a_sealed_page_in_place_3_is(blob: int, sequence: int, first: int, kind: int) -> None:
    data = pg.build(blob, sequence, 7, desc(first, bytes(24)))
    page = pg.parse(data)
    assert (page.id, page.sequence, page.next, page.stored == page.computed) == (blob, sequence, 7, True)
    assert pg.classify(page, 3) == kind


def test_many_wrong_attributes_are_not_said_one_by_one() -> None:
    problems = read(desc(2, b"") * 800).problems
    assert 1 <= len(problems) <= pg.MOST_PROBLEMS
