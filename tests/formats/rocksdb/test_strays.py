"""Keys out of order in blocks that verify: put in order where the table counts them as its own, else lost and told."""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate, pairwise
from pathlib import Path
from random import Random

import pytest
from msgspec.structs import replace

from inspector import formats
from inspector.__main__ import main
from inspector.format import Wishes
from inspector.formats.rocksdb import block, checksums, keys, properties
from inspector.formats.rocksdb.block import Pair
from inspector.formats.rocksdb.database import good_blocks, open_database, pairs_of
from inspector.formats.rocksdb.opening import open_table
from inspector.formats.rocksdb.properties import PREFIX
from inspector.formats.rocksdb.view import Doubts, families, live_view
from inspector.formats.rocksdb.walk import walk
from inspector.formats.rocksdb.witness import witness
from inspector.inspect import inspect
from inspector.source import open_source
from tests.builders.rocksdb import World, pairs
from tests.builders.rocksdb_table import Shape, table

Change = Callable[[list[list[Pair]]], list[list[Pair]]]


def renamed(at: int, name: bytes) -> Change:
    """The entry of this number gets another key, as where memory changed before its block was sealed."""

    def change(blocks: list[list[Pair]]) -> list[list[Pair]]:
        number = 0
        for held in blocks:
            for i, (key, value) in enumerate(held):
                if number == at:
                    held[i] = (name + key[len(name) :], value)
                number += 1
        return blocks

    return change


def exchanged(blocks: list[list[Pair]]) -> list[list[Pair]]:
    blocks[1], blocks[5] = blocks[5], blocks[1]
    return blocks


def backwards(blocks: list[list[Pair]]) -> list[list[Pair]]:
    return blocks[::-1]


def doubled(blocks: list[list[Pair]]) -> list[list[Pair]]:
    """An older block in the place of another: its entries stand twice, those of the other are gone."""
    blocks[5] = blocks[1]
    return blocks


def made(change: Change, counted: bool = True) -> tuple[bytes, list[Pair], list[Pair]]:
    """A table whose blocks were changed before they were sealed, its entries now, and as they were."""
    was = pairs(0, 90)
    ends = list(accumulate(table(was, Shape(block_size=450)).counts))
    blocks = change([was[start:end] for start, end in pairwise([0, *ends])])
    now = [pair for held in blocks for pair in held]
    counts = {"num.entries": 90, "num.data.blocks": len(ends), "raw.key.size": sum(len(key) for key, _ in was)}
    counts["raw.value.size"] = sum(len(value) for _, value in was) + (not counted)
    stated = {PREFIX + name.encode(): properties.number(count) for name, count in counts.items()}
    return table(now, Shape(block_size=450, properties=stated)).data, now, was


def entries_of(path: Path) -> list[Pair]:
    data = path.read_bytes()
    opened = open_table(lambda at, n: data[at : at + n], len(data))
    return [pair for _, _, content in good_blocks(opened) for pair in pairs_of(content)]


CHANGES = [
    renamed(40, b"kez"), renamed(3, b"aaa"), renamed(3, b"zzz"), renamed(0, b"zzz"), renamed(89, b"aaa"),
    renamed(8, b"zzz"), exchanged, backwards,
]  # fmt: skip


def salvage_of(path: Path) -> set[str | None]:
    """What becomes of the entries out of order; none is found where nothing is out of order."""
    with open_source(str(path)) as source:
        found = inspect(source, formats.all_formats()).tally.findings()
    return {f.salvage for f in found if f.rule.code == "RDB015"}


@pytest.mark.parametrize("change", CHANGES, ids=range(len(CHANGES)))
def test_entries_out_of_order_go_where_their_keys_belong(change: Change, tmp_path: Path) -> None:
    data, now, _ = made(change)
    path, out = tmp_path / "000009.sst", tmp_path / "out.sst"
    path.write_bytes(data)
    assert salvage_of(path) == {"corrected"}
    assert main(["repair", str(path), "-o", str(out)]) == 0
    assert entries_of(out) == sorted(now, key=lambda pair: pair[0][:-8])
    assert main(["scan", "-q", str(out)]) == 0


@pytest.mark.parametrize(("change", "counted"), [(doubled, True), (exchanged, False), (renamed(40, b"aaa"), False)])
def test_blocks_that_may_be_another_tables_are_lost_and_told_so(change: Change, counted: bool, tmp_path: Path) -> None:
    data, now, was = made(change, counted)
    path, out = tmp_path / "000009.sst", tmp_path / "out.sst"
    path.write_bytes(data)
    assert salvage_of(path) == {"lost"}
    assert main(["repair", str(path), "-o", str(out)]) == 4
    kept = entries_of(out)
    assert [key for key, _ in kept] == sorted({key for key, _ in kept})
    assert 0 < len(kept) < len(now)
    assert {*kept} <= {*was}


@pytest.mark.parametrize("counted", [True, False])
def test_a_database_is_read_as_its_repaired_copy_will_be(counted: bool, tmp_path: Path) -> None:
    """Between another table with older and one with newer versions, and deletes: the merge is of what is in order."""
    data, now, _ = made(exchanged, counted)
    world = World()
    world.add(7, pairs(0, 90, 10), level=2)
    world.add(9, pairs(0, 90), level=1)
    removed = [(keys.internal(key[:-8], 900 + i, keys.DELETE), b"") for i, (key, _) in enumerate(pairs(0, 90, step=9))]
    world.add(11, removed, level=0)
    folder, out = tmp_path / "db", tmp_path / "out"
    folder.mkdir()
    world.tables[9].data, world.listed[1] = data, replace(world.listed[1], size=len(data))
    for name, body in world.members().items():
        (folder / name).write_bytes(body)
    seen = read(folder)
    assert main(["repair", str(folder), "-o", str(out)]) == (0 if counted else 4)
    assert read(out) == seen
    assert list(seen) == sorted(seen)
    gone = {key[:-8] for key, _ in removed}
    assert seen.keys() == {key[:-8] for key, _ in now} - gone
    numbers = {number for number, _ in seen.values()}
    assert (min(numbers) >= 100) is counted  # without the blocks out of order older versions are the last ones


def read(folder: Path) -> dict[bytes, tuple[int, bytes | None]]:
    """Live keys with the number and value of each."""
    with open_source(str(folder)) as source:
        db = open_database(source, Wishes().max_unit)
        for _ in walk(db):
            pass
        return {one.key: (one.sequence, one.value) for one in live_view(db, families(db)[0], Doubts())}


@pytest.mark.parametrize("version", [5, 6])
def test_what_the_engine_wrote_and_memory_changed_is_whole_again_for_the_engine(version: int, tmp_path: Path) -> None:
    engines = pytest.importorskip("tests.formats.rocksdb.engines")
    recipe = engines.Recipe(codec="none", version=version, checksum="crc32c", filter=False)
    folder = engines.make(tmp_path / "db", recipe)
    path = min(folder.glob("*.sst"))
    data = bytearray(path.read_bytes())
    opened = open_table(lambda at, n: bytes(data[at : at + n]), len(data))
    truth, rng = dict(entries_of(path)), Random(version)
    for i in rng.sample(range(opened.data_blocks), 3):
        handle = opened.data_handle(i)
        body = bytes(data[handle.offset : handle.offset + handle.size])
        at = handle.offset + body.index(b"key", block.restart_points(body, block.frame(body))[-1])
        data[at] = ord("a")
        sealed = checksums.block_checksum(opened.context.checksum, bytes(data[handle.offset : handle.end - 4]))
        sealed = (sealed + checksums.modifier(opened.context.base or 0, handle.offset)) & 0xFFFFFFFF
        data[handle.end - 4 : handle.end] = sealed.to_bytes(4, "little")
    path.write_bytes(data)
    moved = dict(entries_of(path))
    assert moved.keys() != truth.keys()
    assert main(["repair", str(folder), "-o", str(tmp_path / "out")]) == 0
    assert witness(str(tmp_path / "out"))["ok"]  # key for key what is read here
    assert dict(entries_of(tmp_path / "out" / path.name)) == moved


def test_a_block_that_stands_twice_is_one_too_many_and_nothing_is_lost(tmp_path: Path) -> None:
    def twice(blocks: list[list[Pair]]) -> list[list[Pair]]:
        return [*blocks[:4], blocks[3], *blocks[4:]]

    data, _, was = made(twice)
    path, out = tmp_path / "000009.sst", tmp_path / "out.sst"
    path.write_bytes(data)
    with open_source(str(path)) as source:
        report = inspect(source, formats.all_formats())
    assert [f.salvage for f in report.tally.findings() if f.rule.code == "RDB015"] == ["kept"]
    assert main(["repair", str(path), "-o", str(out)]) == 0
    assert entries_of(out) == was
