"""The compiled reader of table blocks and its plain twin say the same, of sound, damaged and random bytes."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from itertools import pairwise
from random import Random
from types import ModuleType
from typing import Any

import cramjam
import lz4.block
import pytest

from inspector.formats.rocksdb import block
from inspector.formats.rocksdb.checksums import block_checksum
from inspector.formats.rocksdb.coding import MalformedError, put_varint
from inspector.formats.rocksdb.keys import internal
from inspector.kernels import plain_rocksdb
from tests.builders.rocksdb_table import Shape, table

TWINS: tuple[ModuleType, ...] = (plain_rocksdb,)
if find_spec("inspector.kernels._rocksdb"):
    TWINS = (plain_rocksdb, import_module("inspector.kernels._rocksdb"))
compiled = pytest.mark.skipif(len(TWINS) < 2, reason="the extension is not built")
each = pytest.mark.parametrize("twin", TWINS, ids=lambda m: m.__name__.rsplit(".", 1)[-1])
LENGTHS = [1, 2, 3, 4, 8, 9, 16, 17, 32, 33, 128, 129, 240, 241, 300, 1023, 1024, 1025, 1088, 1089, 4097, 5000, 200_003]


def pairs(rng: Random, count: int) -> list[block.Pair]:
    found = {
        b"k%0*d" % (rng.choice((4, 9)), rng.randrange(10**4)): rng.randbytes(rng.randrange(60)) for _ in range(count)
    }
    return [(internal(k, rng.randrange(1 << 30), rng.choice((0, 1, 2, 7))), v * 2) for k, v in sorted(found.items())]


@each
@pytest.mark.parametrize("kind", range(5))
def test_checksums_are_those_of_the_libraries(twin: ModuleType, kind: int) -> None:
    rng = Random(kind)
    for length in LENGTHS:
        body = rng.randbytes(length)
        assert twin.checksum_of(kind, body) == block_checksum(kind, body), length
    with pytest.raises(ValueError, match="type byte"):
        twin.checksum_of(kind, b"")


def facts(run: Any) -> tuple[object, ...]:
    return run.entries, run.max_tag, run.types, run.first_key, run.last_key


def hurt(data: bytes, rng: Random) -> bytes:
    out = bytearray(data)
    for _ in range(rng.choice((0, 1, 1, 3))):
        if out:
            out[rng.randrange(len(out))] ^= 1 << rng.randrange(8)
    return bytes(out[: rng.choice((len(out), rng.randrange(len(out) + 1)))])


@compiled
def test_contents_sound_and_damaged_are_taken_or_refused_alike() -> None:
    rng, taken = Random(1), 0
    for case in range(2000):
        runs = [twin.BlockRun(4, 0, True, case % 3 > 0, -1 if case % 5 else 7) for twin in TWINS]
        for _ in range(2):
            content = block.build(pairs(rng, rng.randrange(1, 20)), rng.choice((1, 4, 16)))
            if rng.random() < 0.7:
                content = hurt(content, rng)
            if rng.random() < 0.1:
                content = rng.randbytes(rng.randrange(80))
            said = [run.content(content) for run in runs]
            assert said[0] == said[1]
            taken += said[0]
            assert facts(runs[0]) == facts(runs[1])
    assert 500 < taken < 3500


@each
def test_what_a_run_takes_is_what_the_reader_of_entries_reads(twin: ModuleType) -> None:
    rng = Random(2)
    for _ in range(300):
        content = hurt(block.build(pairs(rng, 12)), rng)
        run = twin.BlockRun(4, 0, True, False)
        if run.content(content):
            found = block.entries(content)
            assert (run.entries, run.first_key, run.last_key) == (len(found), found[0][0], found[-1][0])


CODECS: dict[int, Callable[[bytes], bytes]] = {
    0: bytes,
    1: lambda raw: bytes(cramjam.snappy.compress_raw(raw)),
    4: lambda raw: put_varint(len(raw)) + bytes(lz4.block.compress(raw, store_size=False)),
    5: lambda raw: put_varint(len(raw)) + bytes(lz4.block.compress(raw, mode="high_compression", store_size=False)),
}


def sealed(payload: bytes, codec: int, kind: int, context: int = 0) -> bytes:
    body = payload + bytes([codec])
    return body + ((block_checksum(kind, body) + context) & 0xFFFFFFFF).to_bytes(4, "little")


def through(twin: ModuleType, unit: bytes, kind: int) -> tuple[object, ...]:
    run = twin.BlockRun(kind, 0, True, True)
    done, stored, computed = run.blocks(unit, 0, array("Q", [0]), array("Q", [len(unit) - 5]), 0, 1)
    return done, list(stored), list(computed), run.needs_codec, facts(run)


@compiled
@pytest.mark.parametrize("codec", sorted(CODECS))
def test_what_the_compiled_decoders_take_the_libraries_take_too(codec: int) -> None:
    rng, taken = Random(codec), 0
    for case in range(900):
        raw = block.build(pairs(rng, rng.choice((1, 3, 30, 200))))
        payload = CODECS[codec](raw)
        unit = sealed(hurt(payload, rng) if case % 3 else payload, codec, 1 + case % 4)
        plain, fast = (through(twin, unit, 1 + case % 4) for twin in TWINS)
        assert plain == fast or (case % 3 and fast[0] == 0), case  # a refusal is judged again by the library
        taken += fast[0] == 1
    assert taken > 500


@compiled
@pytest.mark.parametrize(
    "shape", [Shape(), Shape(codec=4, version=6), Shape(codec=1, checksum=1), Shape(checksum=0)], ids=str
)
def test_runs_over_a_table_agree_and_stop_at_the_first_damaged_block(shape: Shape) -> None:
    rng = Random(3)
    built = table(pairs(rng, 400), shape)
    offsets = array("Q", [h.offset for h in built.blocks])
    sizes = array("Q", [h.size for h in built.blocks])
    for case in range(60):
        data = hurt(built.data, rng) if case else built.data
        told, low = [], rng.choice((0, 0, 3))
        for twin in TWINS:
            run = twin.BlockRun(shape.checksum, base_of(built.data, shape), shape.version >= 2, True)
            done, stored, computed = run.blocks(data, 0, offsets, sizes, low, len(offsets))
            told.append((done, list(stored), list(computed), facts(run)))
        assert told[0] == told[1]
        assert case or told[0][0] == len(offsets)


@compiled
@pytest.mark.parametrize("shape", [Shape(codec=1, version=6), Shape(codec=7), Shape(checksum=0)], ids=str)
def test_runs_that_pass_over_bad_checksums_agree_and_say_which(shape: Shape) -> None:
    rng = Random(12)
    built = table(pairs(rng, 400), shape)
    offsets = array("Q", [h.offset for h in built.blocks])
    sizes = array("Q", [h.size for h in built.blocks])
    for _ in range(40):
        data, hit = bytearray(built.data), set()
        for i in rng.sample(range(len(offsets)), rng.randrange(1, len(offsets))):
            data[offsets[i] + sizes[i] + 1 + rng.randrange(4)] ^= 1 << rng.randrange(8)  # in the stored checksum
            hit.add(i)
        told = []
        for twin in TWINS:
            run = twin.BlockRun(shape.checksum, base_of(built.data, shape), shape.version >= 2, True)
            done, stored, computed = run.blocks(bytes(data), 0, offsets, sizes, 0, len(offsets), True, True)
            told.append((done, list(stored), list(computed), run.wrong, facts(run), run.needs_codec))
        assert told[0] == told[1]
        done, stored, computed, wrong = told[0][:4]
        assert len(wrong) == done
        if shape.checksum:
            assert {i for i, bad in enumerate(wrong) if bad} == {i for i in hit if i < done}
            assert [a != b for a, b in zip(stored, computed, strict=True)] == [bool(bad) for bad in wrong]
        else:
            assert not any(wrong)


def base_of(data: bytes, shape: Shape) -> int:
    from inspector.formats.rocksdb import footer

    return footer.decode(data[-53:], len(data)).base if shape.version >= 6 else 0


@compiled
@pytest.mark.parametrize("codec", [0, 1, 4, 7])
def test_a_chain_finds_every_block_of_a_table_and_stops_at_damage(codec: int) -> None:
    rng = Random(4)
    for version, kind in ((5, 4), (5, 1), (6, 4), (2, 2)):
        shape = Shape(codec=codec, version=version, checksum=kind)
        built = table(pairs(rng, 300), shape)
        types = 1 | 1 << codec
        found = TWINS[1].chain(built.data, 0, 0, kind, base_of(built.data, shape), types, True)
        count = len(built.blocks)
        assert list(zip(found[0], found[1], strict=True))[:count] == [(h.offset, h.size) for h in built.blocks]
        bad = built.blocks[count // 2].offset
        data = built.data[:bad] + bytes([built.data[bad + 9] ^ 4]) + built.data[bad + 1 :]
        assert TWINS[1].chain(data, 0, 0, kind, base_of(built.data, shape), types, True)[3] <= bad
        for _ in range(50):
            TWINS[1].chain(hurt(built.data, rng), 0, 0, kind, 0, 0xFF, True)


@compiled
def test_handles_of_an_index_are_those_that_the_plain_code_reads() -> None:
    rng = Random(5)
    for case in range(1500):
        shape = block.IndexShape(bool(case & 1), False, False)
        if case & 2:
            content = rng.randbytes(rng.randrange(60)) + bytes([0, 0, 0, 0, 1, 0, 0, 0])
        else:
            rows = [(b"sep%06d" % i, put_varint(100 * i) + put_varint(95)) for i in range(rng.randrange(1, 30))]
            content = hurt(block.build(rows, rng.choice((1, 8))), rng)
        try:
            end = block.frame(content).end
        except MalformedError:
            continue
        said = [twin.index_handles(content, end, shape.delta, False, 10_000) for twin in TWINS]
        assert said[0] == said[1]
        if said[0] is not None and block.frame(content).values is None:
            handles = [h for _, h in block.index_entries(content, shape)]
            offsets, sizes, ordered = said[0]
            assert list(zip(offsets, sizes, strict=True)) == [(h.offset, h.size) for h in handles]
            assert ordered == all(b.offset >= a.end for a, b in pairwise(handles))


@each
@pytest.mark.parametrize("kind", [2, 3, 4])
def test_a_flipped_bit_is_found_by_its_hash(twin: ModuleType, kind: int) -> None:
    rng = Random(kind)
    for length in (1, 7, 16, 40, 200, 241, 1024, 1025, 1100, 2049):
        data = rng.randbytes(length)
        wanted = block_checksum(kind, data + b"\0") if kind == 4 else block_checksum(kind, data)
        bits = (
            (0, 8 * length - 1, rng.randrange(8 * length))
            if twin is not plain_rocksdb
            else (rng.randrange(8 * length),)
        )
        for bit in bits:
            bad = bytearray(data)
            bad[bit >> 3] ^= 1 << (bit & 7)
            assert twin.flips(bytes(bad), kind, wanted) == [bit]


@compiled
def test_both_widths_of_xxh3_are_the_same() -> None:
    kernel, rng = TWINS[-1], Random(11)
    beside = [1024 * n + d for n in (1, 2, 5) for d in (-65, -64, -1, 0, 1, 2, 63, 64, 65)]
    bodies = [rng.randbytes(length) for length in (*range(230, 330), *beside, 70_001)]
    right = [block_checksum(4, body) for body in bodies]
    try:
        for wide in (False, True):  # a processor without AVX2 has one width only
            kernel.use_wide_hash(wide)
            assert [kernel.checksum_of(4, body) for body in bodies] == right
    finally:
        kernel.use_wide_hash(True)


@each
def test_one_key_twice_is_out_of_order(twin: ModuleType) -> None:
    key, older = internal(b"k", 5, 1), internal(b"k", 4, 1)
    for first, then, fine in ((key, key, False), (key, older, True), (older, key, False)):
        within = twin.BlockRun(0, 0, True, True)
        assert within.content(block.build([(first, b"1"), (then, b"2")])) is fine
        across = twin.BlockRun(0, 0, True, True)
        assert across.content(block.build([(first, b"1")]))
        assert across.content(block.build([(then, b"2")])) is fine
