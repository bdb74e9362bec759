"""Entries of types that no release writes, in blocks that verify: the engine stops there, a repair leaves them out."""

from __future__ import annotations

import json
from itertools import accumulate, pairwise
from pathlib import Path

import pytest
from msgspec.structs import replace

from inspector.cli.app import run
from inspector.errors import Exit
from inspector.formats.rocksdb import keys, properties
from inspector.formats.rocksdb.database import good_blocks, open_database, pairs_of
from inspector.formats.rocksdb.properties import PREFIX
from inspector.source import open_source
from tests.builders.rocksdb import OPTIONS, World, pairs
from tests.builders.rocksdb_table import Shape, table

STRANGE = 0x3A


@pytest.mark.parametrize("which", [[20], [0], [59], list(range(9, 18)), list(range(60))])
def test_an_entry_of_an_unknown_type_is_lost_and_all_others_stay(
    which: list[int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world, rows = World(), pairs(0, 60)
    for i in which:
        rows[i] = (keys.internal(rows[i][0][:-8], 100 + i, STRANGE), rows[i][1])
    world.add(9, rows)
    first, last = pairs(0, 60)[0][0], pairs(0, 60)[-1][0]  # the MANIFEST has the keys that were given
    world.listed[0] = replace(world.listed[0], smallest=first, largest=last)
    world.add(11, pairs(60, 70, 200))
    folder = tmp_path / "db"
    folder.mkdir()
    for name, data in world.members().items():
        (folder / name).write_bytes(data)
    assert run(["scan", str(folder), "--json"]) == Exit.DAMAGED
    document = json.loads(capsys.readouterr().out)
    (found,) = document["findings"]
    assert (found["code"], found["evidence"]) == ("RDB043", {"count": len(which), "types": [STRANGE]})
    assert document["loaders"][0]["message"] == "Corruption: In DBIter: : Corrupted Key"

    assert run(["repair", str(folder), "-o", str(tmp_path / "out"), "--json"]) == Exit.LOST
    engine = json.loads(capsys.readouterr().out)["verified"]["engine"]
    assert engine.get("ok", True), engine
    with open_source(str(tmp_path / "out")) as source:
        db = open_database(source)
        left = [p for m in db.tables.values() for _, _, content in good_blocks(db.table(m)) for p in pairs_of(content)]
    assert left == [row for i, row in enumerate(rows) if i not in which] + pairs(60, 70, 200)
    assert run(["scan", str(tmp_path / "out")]) == Exit.CLEAN


def test_a_table_of_which_nothing_stays_is_not_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [(keys.internal(key[:-8], 100, STRANGE), value) for key, value in pairs(0, 60)]
    path = tmp_path / "000009.sst"
    path.write_bytes(table(rows).data)
    assert run(["scan", str(path)]) == Exit.DAMAGED
    assert "inspector repair" not in capsys.readouterr().out
    assert run(["repair", str(path), "-o", str(tmp_path / "out")]) == Exit.REFUSED
    assert "no entry of this table can be kept" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["OPTIONS-000007", "LOG"])
@pytest.mark.parametrize(
    ("release", "known"), [("11.9.2", True), ("9.8.4", True), ("11.10.0", False), ("12.0.1", False)]
)
def test_entries_that_a_newer_release_may_have_written_are_never_left_out(
    name: str, release: str, known: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world, rows = World(), pairs(0, 60)
    rows[20] = (keys.internal(rows[20][0][:-8], 120, STRANGE), rows[20][1])
    world.add(9, rows)
    members = world.members()
    stated = {"OPTIONS-000007": OPTIONS.replace(b"9.8.4", release.encode())}
    stated["LOG"] = b"2026/11/01-00:00:00.000000 1 RocksDB version: " + release.encode() + b"\n"
    (tmp_path / "db").mkdir()
    for member, data in (members | {name: stated[name]}).items():
        (tmp_path / "db" / member).write_bytes(data)
    assert run(["scan", str(tmp_path / "db")]) == Exit.DAMAGED
    assert ("inspector repair" in capsys.readouterr().out.partition("\nNext\n")[2]) is known
    expected = Exit.LOST if known else Exit.REFUSED
    assert run(["repair", str(tmp_path / "db"), "-o", str(tmp_path / "out")]) == expected
    assert (f"RocksDB {release} wrote this database" in capsys.readouterr().err) is not known
    assert (tmp_path / "out").exists() is known


def test_of_entries_that_stood_out_of_order_those_of_unknown_types_are_lost(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = pairs(0, 90)
    ends = list(accumulate(table(rows, Shape(block_size=450)).counts))
    blocks = [rows[start:end] for start, end in pairwise([0, *ends])]
    key, value = blocks[5][1]
    blocks[5][1] = (keys.internal(key[:-8], 500, STRANGE), value)
    blocks[1], blocks[5] = blocks[5], blocks[1]
    now = [pair for held in blocks for pair in held]
    counts = {"num.entries": 90, "num.data.blocks": len(ends), "raw.key.size": sum(len(key) for key, _ in rows)}
    counts["raw.value.size"] = sum(len(value) for _, value in rows)
    stated = {PREFIX + name.encode(): properties.number(count) for name, count in counts.items()}
    path, out = tmp_path / "000009.sst", tmp_path / "out.sst"
    path.write_bytes(table(now, Shape(block_size=450, properties=stated)).data)
    assert run(["repair", str(path), "-o", str(out)]) == Exit.LOST
    assert "where a newer one wrote this table" in capsys.readouterr().out
    with open_source(str(out)) as source:
        opened = open_database(source).table("")
        left = [pair for _, _, content in good_blocks(opened) for pair in pairs_of(content)]
    assert left == [row for row in rows if row[0][:-8] != key[:-8]]
    assert run(["scan", str(out)]) == Exit.CLEAN
