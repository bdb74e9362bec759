"""What a healthy store is: read whole, every byte told once, nothing wrong, and repair is a copy."""

from __future__ import annotations

import random
from importlib import import_module
from itertools import pairwise

import pytest

from inspector.formats.spdk_blobstore import FORMAT
from inspector.formats.spdk_blobstore import layout as lay
from inspector.formats.spdk_blobstore.bits import Bits
from inspector.formats.spdk_blobstore.content import manifest, manifest_unit
from inspector.formats.spdk_blobstore.crc64 import crc64
from inspector.formats.spdk_blobstore.items import items
from inspector.formats.spdk_blobstore.loader import UPSTREAM, load
from inspector.formats.spdk_blobstore.walk import bit_runs
from inspector.source import MemorySource
from tests.builders.spdk import Chain, Image, replica
from tests.formats.spdk_blobstore.support import codes, look, read, repaired


@pytest.mark.parametrize("clean", [True, False])
def test_a_healthy_store_has_no_findings_but_notes_and_every_volume_reads_as_written(clean: bool) -> None:
    chain = replica()
    report = look(chain.image.build(clean=clean))
    assert codes(report) == []
    assert codes(report, notes=True) == ([] if clean else ["SPB006"])
    for blob in (chain.old, chain.new, chain.head, chain.thick, chain.wide):
        assert read(report, f"0x{blob:x}") == (chain.image.logical(blob), [])


def test_every_byte_is_told_once() -> None:
    report = look(replica().image.build())
    assert sum(report.account.roles) == report.source.size
    assert report.account.units == len(replica().image.pages)
    assert report.account.damaged == 0
    assert report.answer.summary["volumes"] == 5


def test_repair_of_a_healthy_store_is_a_copy() -> None:
    for clean in (True, False):
        image = replica().image.build(clean=clean)
        assert repaired(image) == image


def test_items_are_a_tree_with_parents_first() -> None:
    chain = replica()
    report = look(chain.image.build())
    assert FORMAT.items is not None
    found = {item.fields["blob"]: item for item in FORMAT.items(report.state)}
    old, new, head = (found[f"0x{blob:x}"] for blob in (chain.old, chain.new, chain.head))
    assert (old.parent, new.parent, head.parent) == (None, old.id, new.id)
    assert (old.kind, new.kind, head.kind) == ("snapshot", "snapshot", "lvol")
    assert head.fields["size"] == 8 * 16384
    assert head.fields["allocated"] == 2
    order = [item.id for item in FORMAT.items(report.state)]
    assert order.index(old.id) < order.index(new.id) < order.index(head.id)


def test_larger_metadata_pages_are_read_at_their_stride() -> None:
    image = Image(clusters=16, cluster_size=65536, page=16384)
    blob = image.lvol("md16", 3, [0, 2])
    report = look(image.build())
    assert codes(report) == []
    assert read(report, "md16") == (image.logical(blob), [])


def test_a_chain_of_several_pages_gives_all_its_attributes() -> None:
    image = Image()
    blob = image.lvol("long", 4, [1], xattrs={b"pad%d" % i: bytes([65 + i]) * 3000 for i in range(3)})
    report = look(image.build())
    assert codes(report) == []
    assert len(report.state.store.blobs[blob].pages) == 3
    assert report.state.store.blobs[blob].xattrs[b"pad2"] == b"C" * 3000


def test_a_store_behind_a_partition_table_is_found_and_offsets_count_from_the_disk() -> None:
    boot = bytearray(2048 * 512)
    boot[446:462] = bytes([0, 0, 0, 0, 0x83, 0, 0, 0]) + (2048).to_bytes(4, "little") + (1024).to_bytes(4, "little")
    boot[510:512] = b"\x55\xaa"
    chain = replica()
    image = boot + chain.image.build()
    report = look(image)
    assert codes(report, notes=True) == ["SPB008"]
    assert report.answer.summary["base"] == 2048 * 512
    assert read(report, f"0x{chain.head:x}")[0] == chain.image.logical(chain.head)
    assert sum(report.account.roles) == len(image)


def test_crc64_agrees_with_a_bit_by_bit_one() -> None:
    def plain(data: bytes, state: int) -> int:
        state ^= (1 << 64) - 1
        for byte in data:
            state ^= byte
            for _ in range(8):
                state = state >> 1 ^ (0xD800000000000000 if state & 1 else 0)
        return state ^ (1 << 64) - 1

    rng = random.Random(7)
    assert crc64(b"123456789") == 0xB90956C775A41001
    for size in [*range(40), 100, 1000, 5000]:
        data = rng.randbytes(size)
        start = rng.getrandbits(64)
        assert crc64(data, start) == plain(data, start)
        assert crc64(data[size // 3 :], crc64(data[: size // 3])) == plain(data, 0)


def test_bit_sets_and_their_runs() -> None:
    rng = random.Random(3)
    bits, plain = Bits(), set()
    for _ in range(400):
        bit = rng.randrange(100_000)
        assert bits.add(bit) == (bit in plain)
        plain.add(bit)
    bits.add_range(40_000, 80_000)
    plain.update(range(40_000, 80_000))
    assert bits.count == len(plain)
    assert list(bits) == sorted(plain)
    told = [(low, high, value) for low, high, value in bit_runs(bits, 5, 90_001)]
    assert told[0][0] == 5
    assert told[-1][1] == 90_001
    for (low, high, value), (after, _, other) in pairwise(told):
        assert high == after
        assert value != other
        assert low < high
    assert [b for low, high, value in told if value for b in range(low, high)] == sorted(
        b for b in plain if 5 <= b < 90_001
    )


def test_layouts_read_the_same_as_their_fast_path() -> None:
    rng = random.Random(1)
    for layout in lay.LAYOUTS:
        fast = layout.fast()
        data = rng.randbytes(fast.size)
        parsed = layout.parse(data)
        assert parsed is not None
        assert tuple(parsed.values()) == fast.unpack(data)
        assert layout.build(parsed) == data
        assert all(row.meaning for row in layout.rows())


def test_what_is_no_store_is_not_claimed_and_said_by_name() -> None:
    for data, name in ((b"LUKS\xba\xbe", "LUKS"), (b"", "no SPDKBLOB"), (b"\1", "no SPDKBLOB"), (b"QFI\xfb", "qcow2")):
        claim = FORMAT.claim(MemorySource(data.ljust(4096 if data else 0, b"\0")), None)
        assert claim.strength == 0
        assert name in claim.because


def test_a_manifest_tells_replicas_apart_cluster_by_cluster_and_stays_short_for_large_volumes() -> None:
    chain = replica()
    report = look(chain.image.build(), checksums=True)
    lines = {item.fields["blob"]: item.fields["manifest"] for item in items(report.state)}
    logical = chain.image.logical(chain.head)
    want = [(at, logical[at * 16384 : (at + 1) * 16384]) for at in range(8)]
    assert lines[f"0x{chain.head:x}"] == [[at, f"{crc64(data):016x}"] for at, data in want if any(data)]
    assert [manifest_unit(n) for n in (0, 1, 65536, 65537, 1 << 17, 1 << 40)] == [1, 1, 1, 2, 2, 1 << 24]


def grouped(chain: Chain) -> list[tuple[int, int]]:
    store = look(chain.image.build()).state.store
    return list(manifest(store, store.blobs[chain.head]))


def test_groups_of_a_manifest_change_with_any_of_their_clusters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_module("inspector.formats.spdk_blobstore.content"), "MAX_MANIFEST", 4)
    chain = replica()
    first = grouped(chain)
    assert [at for at, _ in first] == [0, 2, 4, 6]
    chain.image.data[chain.image.vols[chain.head].map[7] * 16384] ^= 1
    second = grouped(chain)
    assert first[:3] == second[:3]
    assert first[3] != second[3]


def test_a_store_of_version_2_has_no_mask_of_roots_and_always_recovers() -> None:
    chain = replica()
    image = chain.image.build()
    image[:4096] = chain.image.super_block(version=2)
    report = look(image)
    assert codes(report) == []
    assert read(report, f"0x{chain.head:x}") == (chain.image.logical(chain.head), [])
    assert load(report.state, UPSTREAM).recovers
    assert repaired(image) == image
