"""LevelDB's own files, written by its own library where that is installed."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest

from inspector import formats
from inspector.errors import Exit
from inspector.format import Wishes
from inspector.formats.rocksdb.checksums import masked_crc
from inspector.formats.rocksdb.database import open_database
from inspector.formats.rocksdb.opening import open_table
from inspector.formats.rocksdb.view import families, live_view
from inspector.inspect import inspect
from inspector.repair import repair
from inspector.source import open_source
from tests.contract.corpus import memory
from tests.formats.rocksdb.test_engine import xor

plyvel: Any = pytest.importorskip("plyvel")
FORMATS = formats.all_formats()


def _make(folder: Path) -> dict[bytes, bytes]:
    db = plyvel.DB(str(folder), create_if_missing=True, write_buffer_size=1 << 16)
    rng = Random(3)
    for i in range(3000):
        db.put(b"key-%05d" % i, b"value %d " % i + rng.randbytes(20) + b"." * 30)
    for i in range(0, 3000, 11):
        db.delete(b"key-%05d" % i)
    truth = dict(db)
    db.close()  # leaves the log as it is: nothing is flushed
    return truth


def _read(folder: Path) -> dict[bytes, bytes]:
    with open_source(str(folder)) as source:
        db = open_database(source)
        assert db.leveldb
        (family,) = families(db)
        return {found.key: found.value or b"" for found in live_view(db, family)}


def test_a_leveldb_folder_reads_as_leveldb_reads_it_and_is_clean(tmp_path: Path) -> None:
    truth = _make(tmp_path / "db")
    assert _read(tmp_path / "db") == truth
    with open_source(str(tmp_path / "db")) as source:
        report = inspect(source, FORMATS)
    assert report.exit_code() is Exit.CLEAN, [f.message for f in report.tally.findings()]


@pytest.mark.parametrize("where", ["data", "footer", "manifest"])
def test_leveldb_opens_a_repaired_folder_and_only_the_damaged_block_is_missing(where: str, tmp_path: Path) -> None:
    truth = _make(tmp_path / "db")
    table = sorted((tmp_path / "db").glob("*.ldb"))[0]
    if where == "data":
        xor(table, 9000)
    elif where == "footer":
        xor(table, table.stat().st_size - 3)
    else:
        manifest = next((tmp_path / "db").glob("MANIFEST-*"))
        xor(manifest, manifest.stat().st_size // 2)
    with open_source(str(tmp_path / "db")) as source:
        repair(source, FORMATS, str(tmp_path / "new"), Wishes())
    with plyvel.DB(str(tmp_path / "new"), paranoid_checks=True) as db:
        kept = dict(db.iterator(verify_checksums=True))
    assert kept.items() <= truth.items()
    lost = len(truth) - len(kept)
    assert 0 < lost < 150 if where == "data" else lost == 0


def test_a_log_that_is_gone_is_told_also_of_a_copy_without_its_lock(tmp_path: Path) -> None:
    _make(tmp_path / "db")
    with plyvel.DB(str(tmp_path / "db")) as db:  # no flush goes on any more when it closes
        db.put(b"key", b"in the log alone")
    (tmp_path / "db" / "LOCK").unlink()
    with open_source(str(tmp_path / "db")) as source:
        assert inspect(source, FORMATS).exit_code() is Exit.CLEAN
    for log in (tmp_path / "db").glob("*.log"):
        log.unlink()
    with open_source(str(tmp_path / "db")) as source:
        found = inspect(source, FORMATS).tally.findings()
    assert "RDB036" in [f.rule.code for f in found]


def test_a_block_that_is_said_to_be_zstd_and_is_none_is_damaged() -> None:
    folder = Path(__file__).parents[3] / "samples" / "rocksdb" / "leveldb-bit"
    members = {path.name: path.read_bytes() for path in folder.iterdir()}
    (name,) = (name for name in members if name.endswith(".ldb"))
    data = members[name]
    first = open_table(lambda at, n: data[at : at + n], len(data), leveldb=True).data_handle(0)
    body = data[first.offset : first.offset + first.size] + b"\2"
    members[name] = data[: first.offset] + body + masked_crc(body).to_bytes(4, "little") + data[first.end :]
    with memory(members) as source:
        found = inspect(source, FORMATS).tally.findings()
    assert [(f.rule.code, f.span.start, f.span.end) for f in found][:1] == [("RDB002", first.offset, first.end)]
    assert "INS001" not in {f.rule.code for f in found}


@pytest.mark.parametrize("what", ["manifest", "log"])
def test_a_small_leveldb_without_tables_stays_one(what: str, tmp_path: Path) -> None:
    rows = {b"key %d" % i: b"value" * 9 for i in range(300)}
    with plyvel.DB(str(tmp_path / "db"), create_if_missing=True) as db:
        for key, value in rows.items():
            db.put(key, value)
    (path,) = (tmp_path / "db").glob("MANIFEST-*" if what == "manifest" else "*.log")
    path.write_bytes(bytes(byte ^ 0x55 for byte in path.read_bytes()))
    with open_source(str(tmp_path / "db")) as source:
        assert repair(source, FORMATS, str(tmp_path / "new"), Wishes()).code is Exit.LOST
    with plyvel.DB(str(tmp_path / "new"), paranoid_checks=True) as db:
        assert dict(db) == (rows if what == "manifest" else {})
