"""What engines leave behind in a healthy database, and what must not be called damage."""

from __future__ import annotations

from pathlib import Path

import pytest

from inspector import formats
from inspector.errors import Exit
from inspector.format import Wishes
from inspector.formats.rocksdb.database import open_database
from inspector.formats.rocksdb.view import Doubts, families, plain_pairs
from inspector.inspect import inspect
from inspector.repair import repair
from inspector.source import MemorySource, open_source
from tests import damage
from tests.builders.rocksdb import small_world, wal
from tests.formats.rocksdb import engines

FORMATS = formats.all_formats()


def recycled(own: int = 20, size: int = 700) -> tuple[bytes, list[int]]:
    """Log 9 in the file of log 5, whose one long record begins before the end of log 9 and ends behind it."""
    older, _ = wal(1, 1, 5, size=20_000)
    data, starts = wal(own, 500, 9, size=size)
    return data + older[len(data) :], starts


def codes(data: bytes) -> list[str]:
    report = inspect(MemorySource(data, "000009.log"), FORMATS, forced="rocksdb")
    return sorted(f.rule.code for f in report.tally.findings())


def test_a_recycled_log_ends_where_the_remains_of_an_older_record_begin() -> None:
    data, _ = recycled()
    report = inspect(MemorySource(data, "000009.log"), FORMATS)
    assert report.exit_code() is Exit.CLEAN, [f.message for f in report.tally.findings()]
    assert report.account.units == 20


@pytest.mark.parametrize("where", ["header", "number", "body", "sector"])
def test_a_damaged_last_record_of_a_recycled_log_is_not_taken_for_remains(where: str) -> None:
    data, starts = recycled()
    last = starts[-1]
    if where == "sector":
        hurt = damage.zero(data, last - last % 512 + 512, last - last % 512 + 1024).data
    else:
        hurt = damage.flip_bit(data, last + {"header": 4, "number": 8, "body": 60}[where], 3).data
    assert codes(hurt) != []


def test_a_zeroed_record_in_the_middle_of_a_recycled_log_is_lost() -> None:
    data, starts = recycled()
    assert "RDB021" in codes(damage.noise(data, starts[4], starts[6], 3).data)


def test_entries_of_an_ingested_table_have_the_sequence_number_that_the_manifest_gave_it(tmp_path: Path) -> None:
    rocksdict = engines.rocksdict
    options = rocksdict.Options(raw_mode=True)
    options.create_if_missing(True)
    db = rocksdict.Rdict(str(tmp_path / "db"), options)
    for i in range(100):
        db[b"key-%03d" % i] = b"older"
    db.delete_range(b"key-000", b"key-050")
    db.flush()
    writer = rocksdict.SstFileWriter(options)
    writer.open(str(tmp_path / "made.sst"))
    for i in range(0, 100, 2):
        writer[b"key-%03d" % i] = b"ingested"
    writer.finish()
    db.ingest_external_file([str(tmp_path / "made.sst")])
    truth = dict(db.items())
    db.close()
    assert sum(value == b"ingested" for value in truth.values()) == 50
    with open_source(str(tmp_path / "db")) as source:
        opened = open_database(source)
        (family,) = families(opened)
        assert dict(plain_pairs(opened, family, Doubts())) == truth
        assert repair(source, FORMATS, str(tmp_path / "new"), Wishes(), copy=True).verified["ok"]


@pytest.mark.parametrize("part", [1.0, 0.4], ids=["whole", "torn"])
def test_a_table_that_an_interrupted_compaction_left_is_carried_over(part: float, tmp_path: Path) -> None:
    world = small_world()
    members = world.members()
    left = world.tables[11].data
    members["000015.sst"] = left[: int(len(left) * part)]
    source_folder, new = tmp_path / "db", tmp_path / "new"
    source_folder.mkdir()
    for name, data in members.items():
        (source_folder / name).write_bytes(data)
    with open_source(str(source_folder)) as source:
        assert inspect(source, FORMATS).exit_code() is Exit.CLEAN
        repair(source, FORMATS, str(new), Wishes(), copy=True)
    assert {p.name: p.read_bytes() for p in new.iterdir()} == members


def test_a_log_is_known_by_its_bytes_though_its_first_batch_is_large() -> None:
    data, _ = wal(3, 1, size=700_000)
    report = inspect(MemorySource(data, "attachment"), FORMATS)
    assert report.exit_code() is Exit.CLEAN
    assert report.account.units > 60
