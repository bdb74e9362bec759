"""Both kernels against each other, against a second reading, and against windows of every size."""

import lzma
import random
from pathlib import Path

import pytest
from crc32c import crc32c

from inspector.kernels import gossip_tiles as tiles
from inspector.kernels import plain_checksum
from inspector.kernels.plain_structure import plausible
from tests.conftest import Kernel, kernels
from tests.kernels import stores
from tests.kernels.walks import DAMAGE, Columns, walk
from tests.kernels.witness import Store

SEEDS = 3000
both = pytest.mark.skipif("compiled" not in kernels(), reason="the extension was not built here")


def damaged_store(seed: int) -> bytes:
    rng = random.Random(seed)
    data = bytearray(stores.random_store(rng, rng.randrange(1, 60))[0])
    for _ in range(rng.choice((0, 1, 1, 1, 2, 3, 8))):
        if len(data) > 2:
            rng.choice(DAMAGE)(rng, data)
    return bytes(data)


def seen(columns: Columns) -> list[tuple[int, ...]]:
    names = ("starts", "marks", "kinds", "flags", "times")
    return list(zip(*(columns[name] for name in names), strict=True))


def test_a_healthy_store_is_nothing_but_its_records(kernel: Kernel) -> None:
    for seed in range(40):
        data, starts = stores.random_store(random.Random(seed), 80)
        columns, _, _ = walk(kernel.GossipWalker, data)
        assert columns["starts"] == starts
        assert set(columns["marks"]) == {tiles.OK}


def test_damaged_stores_read_as_the_witness_reads_them(kernel: Kernel) -> None:
    for seed in range(SEEDS // 3):
        data = damaged_store(seed)
        assert seen(walk(kernel.GossipWalker, data)[0]) == list(Store(data).tiles()), seed


@both
def test_both_kernels_give_the_same_values() -> None:
    plain, compiled = kernels()["plain"].GossipWalker, kernels()["compiled"].GossipWalker
    for seed in range(SEEDS):
        data = damaged_store(seed)
        expected, _, first = walk(plain, data)
        found, _, second = walk(compiled, data)
        assert found == expected, seed
        assert second.ribbon == first.ribbon, seed


@both
def test_both_kernels_stop_at_the_same_places_in_small_windows() -> None:
    plain, compiled = kernels()["plain"].GossipWalker, kernels()["compiled"].GossipWalker
    for seed in range(SEEDS // 3):
        data = damaged_store(seed)
        window = random.Random(seed).randrange(50, 3000)
        whole = walk(compiled, data)[0]
        for walker in (plain, compiled):
            assert walk(walker, data, window)[0] == whole, (seed, window)
        ends = [[(b.end, len(b)) for b in walk(walker, data, window)[1]] for walker in (plain, compiled)]
        assert ends[0] == ends[1], seed


def large_store(kind: str) -> bytes:
    rng = random.Random(kind)
    if kind == "healthy":
        return stores.realistic_store(3 << 20)
    if kind == "random":
        return rng.randbytes(3 << 20)
    if kind == "damaged":
        data = bytearray(stores.realistic_store(3 << 20))
        for _ in range(60):
            at = rng.randrange(len(data) - 9000)
            length = rng.choice((1, 50, 4096, 9000))
            data[at : at + length] = bytes(length) if rng.random() < 0.5 else rng.randbytes(length)
        return bytes(data)
    if kind == "long bad chain":  # plausible records whose checksums are all wrong, twice as far as is followed
        bad = bytearray(stores.record(stores.node(stores.node_id(1), bytes(60_000))))
        bad[100] ^= 1
        return b"\x10" + stores.record(stores.uuid()) + bytes(bad) * 30 + stores.record(stores.uuid())
    if kind == "announcement before a long gap":
        nodes = (stores.node_id(1), stores.node_id(2))
        record = stores.record(stores.announcement(5, nodes))
        return b"\x10" + record + bytes(3 << 20) + stores.record(stores.amount(5)) + record + record
    raise ValueError(kind)


LARGE = ("healthy", "random", "damaged", "long bad chain", "announcement before a long gap")


@pytest.mark.parametrize("kind", LARGE)
def test_the_window_changes_no_tile(kernel: Kernel, kind: str) -> None:
    data = large_store(kind)
    whole = walk(kernel.GossipWalker, data, 1 << 23)
    for window in (1 << 20, (1 << 20) + 4097, 300_001):
        columns, _, walker = walk(kernel.GossipWalker, data, window)
        assert columns == whole[0]
        assert walker.ribbon == whole[2].ribbon


def hostile(kind: str, size: int) -> bytes:
    header = b"\0\0\xff\xff\1\2\3\4\0\0\0\0"
    if kind == "fake headers":
        return b"\x10" + (header + b"\x01\x01") * (size // 14)
    if kind == "good and fake in turn":
        return b"\x10" + (stores.record(stores.amount(1)) + header + b"\x01\x01") * (size // 36)
    if kind == "every byte a type":
        return b"\x10" + b"\x01" * size
    if kind == "local channels that fit":  # flen 65482 at body + 51 makes the claim of 65535 bytes plausible
        unit = bytearray(b"\0\0\xff\xff\1\2\3\4\0\0\0\0" + b"\x0d\xaf" + bytes(49) + b"\xff\xca")
        return b"\x10" + bytes(unit) * (size // len(unit))
    if kind == "good and fitting in turn":
        unit = bytearray(b"\0\0\xff\xff\1\2\3\4\0\0\0\0" + b"\x0d\xaf" + bytes(49) + b"\xff\xca")
        return b"\x10" + (stores.record(stores.amount(1)) + bytes(unit)) * (size // (22 + len(unit)))
    if kind == "chains":  # each fake header leads into one long chain of plausible, damaged amounts
        bad = bytearray(stores.record(stores.amount(1)))
        bad[-1] ^= 1
        return b"\x10" + (stores.record(stores.amount(1)) + bytes(bad) * 66) * (size // (67 * 22))
    if kind == "zeroes":
        return bytes(size)
    raise ValueError(kind)


HOSTILE = (
    "fake headers",
    "good and fake in turn",
    "every byte a type",
    "local channels that fit",
    "good and fitting in turn",
    "chains",
    "zeroes",
)


@both
@pytest.mark.parametrize("kind", HOSTILE)
def test_both_kernels_agree_on_hostile_bytes(kind: str) -> None:
    data = hostile(kind, 300_000)
    plain, compiled = (walk(kernels()[which].GossipWalker, data)[0] for which in ("plain", "compiled"))
    assert plain == compiled


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_bytes_read_as_the_witness_reads_them(kernel: Kernel, kind: str) -> None:
    data = hostile(kind, 9_000)
    assert seen(walk(kernel.GossipWalker, data)[0]) == list(Store(data).tiles())


def test_checksums_of_parts_are_the_same_by_prefixes() -> None:
    rng = random.Random(5)
    data = rng.randbytes(300_000)
    checksums = plain_checksum.PartChecksums(data)
    checksums._wasted = 1 << 40
    for _ in range(200):
        start = rng.randrange(200_000)
        end = start + rng.choice((0, 1, 2049, rng.randrange(65_536)))
        seed = rng.randrange(1 << 32)
        right = crc32c(data[start:end], seed)
        assert checksums.matches(start, end, seed, right)
        assert not checksums.matches(start, end, seed, right ^ 1 << rng.randrange(32))


@both
def test_the_portable_checksum_reads_the_same() -> None:
    from inspector.kernels import _gossip

    data = large_store("damaged")
    expected = walk(_gossip.GossipWalker, data)[0]
    try:
        assert not _gossip.use_hardware_crc(False)
        assert walk(_gossip.GossipWalker, data)[0] == expected
    finally:
        _gossip.use_hardware_crc(True)


@pytest.mark.parametrize("size", [0, 1, 2, 12, 13, 14, 15])
def test_files_shorter_than_a_record(kernel: Kernel, size: int) -> None:
    for fill in (b"\0", b"\x01", b"\xff"):
        data = fill * size
        assert seen(walk(kernel.GossipWalker, data)[0]) == list(Store(data).tiles())


def test_a_file_that_shrank_while_it_was_read_ends_where_its_bytes_end(kernel: Kernel) -> None:
    data = stores.random_store(random.Random(3), 30)[0]
    walker = kernel.GossipWalker(len(data) + 5000)
    batch = walker.feed(data[1:], True)
    assert walker.done
    assert batch.end == len(data)


def real(name: str) -> Path:
    return Path(__file__).parents[2] / ".." / "shared" / "data" / "gossip_store" / name


@pytest.mark.parametrize(
    ("name", "records", "bad"),
    [
        ("gossip_store.simple", 6, {}),
        ("gossip_store.mesh-3x3", 57, {}),
        ("gossip_store-part1", 94, {}),
        ("gossip_store-part1+2", 186, {42653: tiles.BAD_CHECKSUM}),
        ("simple-v10.gossip_store", 3, {}),
        ("mesh-3x3-v12.gossip_store", 59, {}),
        ("mainnet-2021-v9.gossip_store.xz", 8790, {2047927: tiles.TORN_BODY}),
        ("mainnet-topology-2026-v16.gossip_store.xz", 203_233, {}),
    ],
)
def test_stores_of_core_lightning(kernel: Kernel, name: str, records: int, bad: dict[int, int]) -> None:
    path = real(name)
    if not path.exists():
        pytest.skip("the shared data is not here")
    data = path.read_bytes()
    if name.endswith(".xz"):
        data = lzma.decompress(data)
    columns = walk(kernel.GossipWalker, data, 1 << 22)[0]
    ends = [*columns["starts"][1:], len(data)]
    for start, end in list(zip(columns["starts"], ends, strict=True))[:9000]:
        body = start + tiles.HEADER
        length = data[start + 2] << 8 | data[start + 3]
        assert plausible(data, body, length, end), "what real programs write has the lengths that are asked for"
    units = sum(role == tiles.ROLE_UNIT for role in columns["roles"])
    assert units == records
    found = {start: mark for start, mark in zip(columns["starts"], columns["marks"], strict=True) if mark}
    assert found == bad


def test_zeroes_may_be_passed_over_in_a_gap_and_nowhere_else(kernel: Kernel) -> None:
    """As the walk does it in a hole: up to where the header of the next record could begin."""
    hole, window = 300_000, 1 << 17
    store, _ = stores.random_store(random.Random(7), 40)
    for more in (store, b"", b"\1\2", bytes(5)):
        data = store[:-3] + bytes(hole) + more
        expected, _, _ = walk(kernel.GossipWalker, data, window)
        rows: list[tuple[int, int, int]] = []
        walker, skipped = kernel.GossipWalker(len(data), 1, 9), 0
        assert not walker.skip(9)  # no gap is open
        while not walker.done:
            at = walker.want
            batch = walker.feed(data[at : at + window], at + window >= len(data))
            rows += zip(batch.starts, batch.marks, batch.kinds, strict=True)
            end = len(store) - 3 + hole
            skipped += not len(batch) and walker.want < end and walker.skip(end - tiles.HEADER)
        assert rows == list(zip(*(expected[name] for name in ("starts", "marks", "kinds")), strict=True))
        assert skipped == 1
        assert not walker.skip(len(data))
