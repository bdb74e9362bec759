"""Which super blocks no loader can use, and what the bytes of a page that fails its checksum tell of the cause."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from msgspec.structs import replace

from inspector.formats.spdk_blobstore import superblock as sb
from inspector.formats.spdk_blobstore.causes import cause_of
from inspector.formats.spdk_blobstore.superblock import Geometry, build, impossible, mask_pages, parse, sealed

DEVICE = 1 << 30
GOOD = Geometry(
    version=3, clean=1, super_blob=1 << 32, cluster_size=1 << 20, page_mask=(1, 1), cluster_mask=(2, 1), md_start=4,
    md_len=1024, bstype=sb.LVOLSTORE, blobid_mask=(3, 1), size=DEVICE, io_unit_size=512, md_page_size=0,
)  # fmt: skip


def why(device: int = DEVICE, **changed: Any) -> list[str]:
    return impossible(replace(GOOD, **changed), device)


def test_a_geometry_that_loads() -> None:
    assert why() == why(size=0) == why(device=0) == []


@pytest.mark.parametrize(
    ("changed", "wrong"),
    [
        ({"version": 0}, "version 0 is not 1, 2 or 3"), ({"version": 1}, ""), ({"version": 2}, ""),
        ({"version": 4}, "version 4 is not 1, 2 or 3"),
        ({"length": 4095}, "length 4095 is not 4096"),
        ({"md_page_size": 2048}, "metadata page size 2048 is not a power of two from 4096 to 1 MiB"),
        ({"md_page_size": 4097}, "metadata page size 4097 is not a power of two from 4096 to 1 MiB"),
        ({"md_page_size": 1 << 21}, "metadata page size 2097152 is not a power of two from 4096 to 1 MiB"),
        ({"md_page_size": 4096}, ""), ({"md_page_size": 8192}, ""),
        ({"md_page_size": 1 << 20, "md_len": 1000}, ""),
        ({"cluster_size": 0}, "cluster size 0 is not a multiple of the page size 4096"),
        ({"cluster_size": 4095}, "cluster size 4095 is not a multiple of the page size 4096"),
        ({"cluster_size": 4096 * 3 + 1}, "cluster size 12289 is not a multiple of the page size 4096"),
        ({"cluster_size": 4096 * 64}, ""),
        ({"cluster_size": 8192, "md_page_size": 16384}, "cluster size 8192 is not a multiple of the page size 16384"),
        ({"md_len": 0}, f"metadata pages 4 + 0 do not fit in {DEVICE} bytes"),
        ({"md_start": 0}, f"metadata pages 0 + 1024 do not fit in {DEVICE} bytes"),
        ({"size": 1028 * 4096}, ""),
        ({"size": 1028 * 4096 - 1}, f"metadata pages 4 + 1024 do not fit in {1028 * 4096 - 1} bytes"),
        ({"size": (1 << 32) << 20, "cluster_mask": (4, 1 << 17), "md_start": 1 << 19}, "the used cluster mask has "
         "131072 pages, too few for 4294967296 bits"),
        ({"size": (1 << 32) << 20, "cluster_mask": (4, (1 << 17) + 1), "md_start": 1 << 19}, ""),
        ({"size": (1 + (1 << 32)) << 20, "cluster_mask": (4, (1 << 17) + 1), "md_start": 1 << 19},
         "4294967297 clusters are more than a map can name"),
        ({"page_mask": (1, 0)}, "the used page mask has 0 pages, too few for 1024 bits"),
        ({"page_mask": (0, 1)}, "the used page mask (page 0, 1 pages) does not lie before the metadata at 4"),
        ({"cluster_mask": (3, 1), "blobid_mask": (2, 1)}, ""),
        ({"cluster_mask": (3, 2)}, "the used cluster mask (page 3, 2 pages) does not lie before the metadata at 4"),
        ({"blobid_mask": (4, 1)}, "the root mask (page 4, 1 pages) does not lie before the metadata at 4"),
        ({"blobid_mask": (0, 0)}, ""),
    ],
)  # fmt: skip
def test_one_thing_wrong_with_a_geometry(changed: dict[str, Any], wrong: str) -> None:
    assert why(**changed)[: 1 + ("md_start" not in changed)] == [wrong] * bool(wrong)


def test_without_a_size_the_device_is_the_store() -> None:
    assert why(device=1028 * 4096, size=0) == []
    assert why(device=1028 * 4096 - 1, size=0) == [f"metadata pages 4 + 1024 do not fit in {1028 * 4096 - 1} bytes"]


@pytest.mark.parametrize(
    ("bits", "page", "pages"),
    [(0, 4096, 1), (8 * 4091, 4096, 1), (8 * 4091 + 1, 4096, 2), (8 * 8187, 4096, 2), (8 * 8187 + 1, 4096, 3),
     (8 * 8187, 8192, 1), (8 * 8187 + 1, 8192, 2)],
)  # fmt: skip
def test_a_mask_has_five_bytes_of_header_before_its_bits(bits: int, page: int, pages: int) -> None:
    assert mask_pages(bits, page) == pages


def test_where_pages_and_clusters_lie() -> None:
    assert (GOOD.md_at(0), GOOD.md_at(5), GOOD.cluster_at(3)) == (4 * 4096, 9 * 4096, 3 << 20)
    assert GOOD.first_data_cluster == 5  # 1028 pages are 4 MiB and 16 KiB
    assert replace(GOOD, md_len=1020).first_data_cluster == 4
    assert (GOOD.total_clusters(5), replace(GOOD, size=0).total_clusters((7 << 20) - 1)) == (1024, 6)
    assert replace(GOOD, cluster_size=0).total_clusters(5) == 0
    wide = replace(GOOD, md_page_size=16384)
    assert (wide.page_size, wide.md_at(1), wide.first_data_cluster) == (16384, 5 * 16384, 17)


def test_every_field_of_a_super_block_comes_back() -> None:
    data = build(GOOD)
    assert parse(data) == GOOD
    assert (len(data), sealed(data)) == (4096, True)
    for at in (0, 7, 8, 2000, 4091, 4092, 4095):
        hurt = bytearray(data)
        hurt[at] ^= 1
        assert not sealed(bytes(hurt))
    assert not sealed(data[:-1])
    assert not sealed(data + b"\0")


def page(head: bytes = b"", rest: bytes | None = None) -> bytearray:
    """A full page of noise behind a head of a blob's page 0: id 1 << 32 | 7, chained to no page, flags first."""
    made = bytearray(bytes(b or 1 for b in Random(2).randbytes(4096)) if rest is None else rest)
    made[:16] = (1 << 32 | 7).to_bytes(8, "little") + bytes(8)
    made[16] = 3
    made[4088:4092] = b"\xff" * 4
    made[: len(head)] = head
    return made


def told(data: bytearray, bit: int | None = None) -> tuple[str, str]:
    cause = cause_of(bytes(data), bit)
    return cause.name, cause.confidence


def test_the_bit_that_restores_the_checksum_is_the_cause() -> None:
    cause = cause_of(bytes(4096), 8 * 77 + 5)
    assert (cause.name, cause.because) == ("bit-flip", "one flipped bit (byte 77, bit 5) makes the checksum hold")


def test_what_the_bytes_of_a_page_tell() -> None:
    assert told(bytearray(b"\xff" * 4096)) == ("ones-range", "likely")
    last_unwritten = page()
    last_unwritten[3584:] = bytes(512)
    assert told(last_unwritten) == ("torn-write", "possible")
    last_unwritten[3584] = 1
    assert told(last_unwritten) == ("multi-bit", "possible")
    assert told(page()) == ("multi-bit", "possible")
    for kind, name in ((0, "unknown"), (1, "unknown"), (3, "multi-bit"), (6, "multi-bit"), (7, "unknown")):
        data = page()
        data[16] = kind
        assert told(data)[0] == name


@pytest.mark.parametrize(
    ("chained", "name"),
    [(0xFFFFFFFF, "zeroed-range"), (0, "zeroed-range"), ((1 << 22) - 1, "zeroed-range"), (1 << 22, "overwritten"),
     (0xFFFFFFFE, "overwritten")],
)  # fmt: skip
def test_a_zeroed_beginning_is_one_where_the_end_looks_like_that_of_a_page(chained: int, name: str) -> None:
    data = page()
    data[:512] = bytes(512)
    data[4088:4092] = chained.to_bytes(4, "little")
    assert told(data)[0] == name
    data[0] = 1
    assert told(data)[0] == "overwritten"


@pytest.mark.parametrize(
    ("number", "kind", "sure"),
    [(b"\1\x0f\0\0", 8, "possible"), (b"\1\x1f\0\0", 8, "likely"), (b"\1\x1f\0\0", 7, "possible"),
     (b"\xff\xff\xff\xff", 200, "likely"), (b"\0\0\0\0", 200, "possible")],
)  # fmt: skip
def test_a_page_that_is_no_blobs_was_overwritten_the_surer_the_stranger_it_looks(
    number: bytes, kind: int, sure: str
) -> None:
    data = page()
    data[4:8] = number
    data[16] = kind
    assert told(data) == ("overwritten", sure)
