"""Databases of the stacked BlobDB, whose values lie in blob files of a folder inside: known as such, never repaired."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from inspector.cli.app import run
from inspector.errors import Exit
from inspector.formats.rocksdb import batch, keys
from inspector.formats.rocksdb.coding import put_varint
from tests.builders.rocksdb import log_of
from tests.builders.rocksdb_samples import _with_blobs

WHEN = put_varint(1_700_000_000)
HELD = b"\0" + WHEN + b"held by the entry"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Twelve values: one in its entry, one that expires and ten others in the folder inside; and one more in a WAL."""
    world = _with_blobs({2: lambda _: HELD, 5: lambda where: b"\2" + WHEN + where[1:]})
    world.blob_edits.clear()
    world.wals[14] = log_of([batch.encode(10_001, [(0, keys.BLOB_INDEX, b"key-000050", HELD)])])
    world.log_number = 14
    (tmp_path / "db" / "blob_dir").mkdir(parents=True)
    for name, data in world.members().items():
        (tmp_path / "db" / ("blob_dir" if name.endswith(".blob") else "") / name).write_bytes(data)
    return tmp_path / "db"


def scanned(store: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any]]:
    ended = run(["scan", str(store), "--json"])
    return ended, json.loads(capsys.readouterr().out)


def test_values_in_a_folder_inside_are_not_missing(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, document = scanned(store, capsys)
    told = [(f["code"], f["severity"], f["evidence"]["count"]) for f in document["findings"]]
    assert told == [("RDB042", "note", 12), ("RDB042", "note", 1)]
    assert run(["scan", str(store)]) != Exit.DAMAGED
    assert "Values lie in blob_dir/: a BlobDB" in " ".join(capsys.readouterr().out.split())
    assert run(["repair", str(store), "-o", str(store.with_name("out"))]) == Exit.REFUSED
    assert "would make deletes of the entries" in capsys.readouterr().err
    assert not store.with_name("out").exists()


def test_a_damaged_one_is_told_and_no_repair_is_offered(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    inner = store / "blob_dir" / "000008.blob"
    inner.write_bytes(inner.read_bytes()[:1200])
    ended, document = scanned(store, capsys)
    assert ended == Exit.DAMAGED
    assert {"RDB031", "RDB042"} == {f["code"] for f in document["findings"]}
    assert not any("inspector repair" in line for line in document["next"])
    assert run(["repair", str(store), "-o", str(store.with_name("out"))]) == Exit.REFUSED


@pytest.mark.parametrize("why", ["listed", "database"])
def test_a_folder_inside_that_is_something_else_holds_no_values(
    why: str, store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Blob files of RocksDB itself that somebody moved, or those of a database inside, as of a checkpoint."""
    if why == "listed":
        world = _with_blobs()
        (store / "MANIFEST-000005").write_bytes(world.manifest())
        (store / "000009.sst").write_bytes(world.tables[9].data)
        (store / "000014.log").unlink()
    else:
        shutil.copy(store / "CURRENT", store / "blob_dir" / "CURRENT")
    ended, document = scanned(store, capsys)
    assert ended == Exit.DAMAGED
    assert "RDB031" in {f["code"] for f in document["findings"]}
    assert not any("stacked" in f["evidence"] for f in document["findings"])
