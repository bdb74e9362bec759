"""What is strange about records that verify: by stories, and both kernels alike."""

import random
import struct
from array import array

import pytest

from inspector import kernels as k
from inspector.kernels import plain_oddities
from tests.conftest import Kernel, kernels
from tests.kernels import stores
from tests.kernels.walks import walk

V16 = (0x17FF, 0x2000, 138, 42)  # unknown flags, COMPLETED, least update, least `ended` of store version 16
ID = stores.node_id(1)


def bits_of(kernel: Kernel, body: bytes, flags: int = 0x2000, version: tuple[int, ...] = V16) -> int:
    data = b"\x10" + stores.record(body, 5, flags)
    batch = kernel.GossipWalker(len(data)).feed(data[1:], True)
    assert list(batch.marks) == [k.OK]
    found = kernel.oddities(batch, data[1:], 1, *version)
    return int(found[0])


@pytest.mark.parametrize(
    "body",
    [
        stores.announcement(7, (ID, ID), b"features"),
        stores.node(ID, b"address", b"\x01\x00"),
        stores.update(7, 0),
        stores.amount(1),
        stores.private_channel(7, (ID, ID)),
        stores.private_update(7, 0),
        stores.local_channel(7, ID),
        stores.delete(7),
        stores.dying(7),
    ],
)
def test_whole_records_are_not_strange_and_one_byte_less_is_short(kernel: Kernel, body: bytes) -> None:
    assert bits_of(kernel, body) == 0
    short = body[:-3] if body[:2] == b"\x01\x01" else body[:-1]
    assert bits_of(kernel, short) == k.SHORT


@pytest.mark.parametrize("kind", [256, 257, 258, 3503, 4096, 4097, 4098, 4099, 4100, 4101, 4102, 4103, 4104, 4106])
def test_a_type_and_nothing_else_is_short(kernel: Kernel, kind: int) -> None:
    assert bits_of(kernel, struct.pack(">H", kind)) == k.SHORT


def test_flags_types_and_places_are_judged_by_the_version(kernel: Kernel) -> None:
    assert bits_of(kernel, stores.amount(1), 0x2001) == k.UNKNOWN_FLAGS
    assert bits_of(kernel, stores.amount(1), 0x8000) == k.INCOMPLETE
    assert bits_of(kernel, stores.amount(1), 0x8000, (0x37FF, 0, 138, 10)) == 0
    assert bits_of(kernel, b"\x12\x34") == k.UNKNOWN_TYPE
    assert bits_of(kernel, stores.uuid()) == k.SPECIAL
    assert bits_of(kernel, stores.update(7, 0, long=False)) == k.SHORT
    assert bits_of(kernel, stores.update(7, 0, long=False), version=(0, 0, 130, 10)) == 0
    ended = struct.pack(">HQ", 4105, 1)
    assert bits_of(kernel, ended) == k.SPECIAL | k.SHORT
    assert bits_of(kernel, ended, version=(0, 0, 138, 10)) == k.SPECIAL


def with_alias(alias: bytes) -> bytes:
    return stores.node(ID).replace(b"alias".ljust(32, b"\0"), alias.ljust(32, b"\0"))


def test_aliases_are_utf8_exactly_where_python_says_so(kernel: Kernel) -> None:
    rng = random.Random(4)
    edges = [b"\xc0\x80", b"\xed\xa0\x80", b"\xed\x9f\xbf", b"\xf4\x90\x80\x80", b"\xf4\x8f\xbf\xbf", b"\xe0\x9f\xbf"]
    edges += [b"\xf0\x8f\xbf\xbf", b"\xe0\xa0\x80", b"\xc2\x80", b"\xff", b"a\0\xc3\xa9", b"\xc3", b"x" * 31 + b"\xc3"]
    leads, followers = (
        (0x41, 0, 0xC1, 0xC2, 0xDF, 0xE0, 0xED, 0xEF, 0xF0, 0xF4, 0xF5),
        (0x7F, 0x80, 0x8F, 0x90, 0xA0, 0xBF),
    )
    for _ in range(400):
        edges.append(bytes([rng.choice(leads)] + [rng.choice(followers) for _ in range(rng.randrange(4))]))
    for alias in edges:
        try:
            alias.rstrip(b"\0").decode()
            expected = 0
        except UnicodeDecodeError:
            expected = k.BAD_ALIAS
        assert bits_of(kernel, with_alias(alias)) == expected, alias


def test_damaged_records_are_not_judged(kernel: Kernel) -> None:
    data = bytearray(b"\x10" + stores.record(b"\x12\x34") + stores.record(stores.amount(1), 0, 1))
    data[14] ^= 1
    batch = kernel.GossipWalker(len(data)).feed(data[1:], True)
    assert list(kernel.oddities(batch, bytes(data[1:]), 1, *V16)) == [0, k.UNKNOWN_FLAGS | k.INCOMPLETE]


@pytest.mark.skipif("compiled" not in kernels(), reason="the extension was not built here")
def test_both_kernels_find_the_same() -> None:
    plain, compiled = kernels()["plain"], kernels()["compiled"]
    for seed in range(100):
        rng = random.Random(seed)
        data = bytearray(stores.random_store(rng, 60)[0])
        for _ in range(20):  # damage that keeps its checksum: records cut short and sealed again
            body = stores.random_body(rng)
            data += stores.record(body[: rng.randrange(2, len(body) + 1)], 1, rng.randrange(1 << 16))
        at = 1
        for batch in walk(compiled.GossipWalker, bytes(data), 5000)[1]:
            window = bytes(data[at : batch.end])
            if len(batch) and batch.starts[0] >= at:
                found = compiled.oddities(batch, window, at, *V16)
                assert found == plain.oddities(batch, window, at, *V16)
            at = batch.end


def test_a_window_that_is_not_the_batchs_is_refused() -> None:
    if "compiled" not in kernels():
        pytest.skip("the extension was not built here")
    data = b"\x10" + stores.record(stores.amount(1))
    batch = kernels()["compiled"].GossipWalker(len(data)).feed(data[1:], True)
    with pytest.raises(ValueError, match="not in this window"):
        kernels()["compiled"].oddities(batch, data[1:-1], 1, *V16)


def test_kinds_are_counted_alike() -> None:
    kinds = array("H", [256, 4101, 256, 65535, 0])
    assert k.count_kinds(kinds) == plain_oddities.count_kinds(kinds) == {0: 1, 256: 2, 4101: 1, 65535: 1}
    assert k.count_kinds(array("H")) == {}
