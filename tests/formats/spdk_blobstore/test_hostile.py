"""Bytes made to defeat a reader: findings or one clear line, bounded work, every byte told once."""

from __future__ import annotations

import errno
import random
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from inspector.errors import UsageError
from inspector.formats.spdk_blobstore import FORMAT
from inspector.formats.spdk_blobstore import superblock as sb
from inspector.formats.spdk_blobstore.content import extents
from inspector.formats.spdk_blobstore.items import items
from inspector.source import MemorySource
from tests.builders.spdk import NONE, Image, desc, md_page, replica, seal, xattr
from tests.formats.spdk_blobstore.support import codes, look, read

HEALTHY = bytes(replica().image.build())
DIRTY = bytes(replica().image.build(clean=False))


def survives(data: bytes | bytearray) -> None:
    """No bug of ours, every byte told, items and extents come to an end."""
    report = look(data)
    assert "INS001" not in codes(report), report.tally.findings()
    assert sum(report.account.roles) == len(data)
    for number, item in enumerate(items(report.state)):
        at = 0
        for extent in extents(report.state, item.id):
            assert extent.at == at
            at += extent.length
            if number > 8:
                break


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 36 * 4096 - 1), st.integers(1, 255)), min_size=1, max_size=12), st.booleans())
def test_any_bytes_changed_in_the_metadata_are_findings(changes: list[tuple[int, int]], clean: bool) -> None:
    data = bytearray(HEALTHY if clean else DIRTY)
    for at, mask in changes:
        data[at] ^= mask
    survives(data)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 35), st.lists(st.tuples(st.integers(0, 4087), st.integers(0, 255)), min_size=1, max_size=16))
def test_any_bytes_changed_under_a_valid_checksum_are_findings(page: int, changes: list[tuple[int, int]]) -> None:
    data = bytearray(HEALTHY)
    body = bytearray(data[page * 4096 : page * 4096 + 4092])
    for at, value in changes:
        body[at] = value
    data[page * 4096 : (page + 1) * 4096] = seal(bytes(body))
    survives(data)


def test_every_truncation_at_a_page_and_around_it_is_told() -> None:
    for end in [*range(0, 40 * 4096, 4096), len(HEALTHY) - 1]:
        for cut in (end, end + 1):
            data = HEALTHY[:cut]
            if FORMAT.claim(MemorySource(data), None).strength:
                survives(data)


def test_random_bytes_are_not_claimed() -> None:
    data = random.Random(5).randbytes(1 << 20)
    assert FORMAT.claim(MemorySource(data), None).strength == 0


def image_with(body: bytes) -> bytearray:
    """A store whose page 5 is a sealed root with these descriptors."""
    image = Image()
    data = image.build(clean=False)
    at = image.page_at(5)
    data[at : at + 4096] = md_page(1 << 32 | 5, 0, NONE, desc(3, struct.pack("<QQQ", 5, 0, 0)) + body)
    return data


def test_a_table_that_claims_trillions_of_clusters_costs_no_memory() -> None:
    survives(image_with(desc(5, struct.pack("<QII", 1 << 60, 0, 0xFFFFFFFF))))
    survives(image_with(desc(5, struct.pack("<QII", (1 << 64) - 1, 31, 1))))


def test_a_super_block_that_claims_the_sky_costs_no_memory_and_no_time() -> None:
    for fields in (
        {"size": 1 << 62},
        {"size": 1 << 62, "md_len": 1 << 31},
        {"md_start": 0xFFFFFFFF, "md_len": 0xFFFFFFFF, "size": (1 << 64) - 1},
        {"cluster_size": 4096, "size": 1 << 50, "cluster_mask": (2, 1 << 20)},
        {"md_page_size": 1 << 31},
        {"cluster_size": 0},
        {"page_mask": (0xFFFFFFFF, 0xFFFFFFFF)},
    ):
        g = replace(sb.parse(HEALTHY[:4096]), **fields)
        survives(sb.build(g) + HEALTHY[4096:])


def test_a_choice_that_is_not_the_users_is_refused() -> None:
    with pytest.raises(UsageError, match="sealed"):
        look(HEALTHY, cluster_size=4096)
    assert codes(look(HEALTHY, cluster_size=16384)) == []
    with pytest.raises(UsageError, match="not a program"):
        look(HEALTHY, release="v24.11.1")


def test_the_program_to_judge_for_decides_what_is_a_warning() -> None:
    image = Image(name_size=256)
    image.lvol("vol", 2, [0], tail=desc(7, struct.pack("<QIQI", 5, 1, 0, 1)))
    data = image.build(clean=False)
    assert codes(look(data)) == codes(look(data, release="longhorn-checksums")) == []
    assert codes(look(data, release="longhorn v1.8")) == ["SPB036"]
    assert codes(look(data, release="spdk-v25.01")) == ["SPB036", "SPB051"]


def test_runs_that_name_the_store_a_thousand_times_are_cut_off() -> None:
    entries = struct.pack("<II", 9, 23) * 500
    data = image_with(desc(1, entries))
    survives(data)
    big = Image(clusters=4096, cluster_size=4096, md_len=64)
    at = big.page_at(5)
    image = big.build(clean=False)
    whole = struct.pack("<II", big.first_data, big.total - big.first_data) * 500
    flags = desc(3, struct.pack("<QQQ", 1, 0, 0))
    image[at : at + 4096] = md_page(1 << 32 | 5, 0, NONE, flags + xattr(b"name", b"x\0") + desc(1, whole))
    assert "SPB035" in codes(look(image))
    survives(image)


def test_an_attribute_longer_than_its_page_is_a_finding() -> None:
    body = desc(2, struct.pack("<HH", 4, 60000) + b"name" + b"x" * 50)
    assert "SPB031" in codes(look(image_with(body)))
    assert "SPB031" in codes(look(image_with(struct.pack("<BI", 2, 0xFFFFFFFF))))


def test_five_hundred_volumes_on_one_extent_page_are_told_without_work_for_each() -> None:
    image = Image(clusters=1024, cluster_size=4096, md_len=600)
    one = image.lvol("v0", 512, list(range(100)))
    page = image.vols[one].extents[0]
    data = image.build(clean=False)
    for root in range(20, 520):
        at = image.page_at(root)
        body = desc(3, struct.pack("<QQQ", 5, 0, 0)) + desc(5, struct.pack("<QII", 512, page, 1))
        data[at : at + 4096] = md_page(1 << 32 | root, 0, NONE, body)
    report = look(data)
    assert "SPB033" in codes(report)
    assert "INS001" not in codes(report)


def test_a_deep_chain_of_snapshots_is_read_without_recursion() -> None:
    image = Image(clusters=2048, cluster_size=4096, md_len=1600)
    parent = image.lvol("s0", 2, [0], snapshot=True)
    for number in range(1, 1500):
        parent = image.lvol(f"s{number}", 2, [], parent=parent, snapshot=True)
    report = look(image.build())
    assert codes(report) == []
    assert read(report, "s1499") == (image.logical(parent), [])


class BrokenDisk(MemorySource):
    """Reads of some bytes fail as a dying disk's do."""

    def __init__(self, data: bytes, start: int, end: int) -> None:
        super().__init__(data)
        self._bad = range(start, end)

    def _pread(self, member: str, n: int, at: int) -> bytes:
        if at < self._bad.stop and at + n > self._bad.start:
            raise OSError(errno.EIO, "Input/output error")
        return super()._pread(member, n, at)


def test_pages_the_medium_does_not_deliver_are_unknown_not_zero() -> None:
    chain = replica()
    at = chain.image.page_at(chain.image.vols[chain.wide].extents[512])
    report = look(BrokenDisk(HEALTHY, at, at + 4096))
    assert sorted(set(codes(report))) == ["INS002", "SPB027"]
    assert read(report, "wide")[1] == [(512 * 16384, 700 * 16384)]
    assert sum(report.account.roles) == len(HEALTHY)


def test_a_super_block_the_medium_does_not_deliver_is_rebuilt() -> None:
    report = look(BrokenDisk(HEALTHY, 0, 4096))
    assert sorted(set(codes(report))) == ["INS002", "SPB001"]
    chain = replica()
    assert read(report, f"0x{chain.head:x}") == (chain.image.logical(chain.head), [])
