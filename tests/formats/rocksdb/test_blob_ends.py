"""Blob files whose beginning or end is gone, and tables whose whole-file checksum stays wrong, are repaired so that
the repaired copy passes its own inspection (and the engine's, where that is here)."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from inspector.__main__ import main
from inspector.format import GAP
from inspector.formats import all_formats
from inspector.formats.rocksdb.blob import HEADER
from inspector.formats.rocksdb.database import open_database
from inspector.formats.rocksdb.view import Doubts, families, plain_pairs
from inspector.inspect import inspect
from inspector.source import MemorySource, open_source
from tests.builders.rocksdb import blob_file
from tests.contract.corpus import SAMPLES

BLOB = "000008.blob"


@pytest.fixture
def database(tmp_path: Path) -> Path:
    shutil.copytree(SAMPLES / "rocksdb" / "blob-value", tmp_path / "db")
    return tmp_path / "db"


def repaired(folder: Path, *more: str) -> int:
    return main(["repair", str(folder), "-o", str(folder.with_name("out")), *more])


@pytest.mark.parametrize("lost", [1, 23, 32, 40, 300])
def test_a_blob_file_without_its_footer_gets_one(database: Path, lost: int) -> None:
    blob = database / BLOB
    blob.write_bytes(blob.read_bytes()[:-lost])
    assert repaired(database) == 4
    assert main(["scan", "-q", str(database.with_name("out"))]) == 0


def test_a_missing_footer_alone_is_told(database: Path, capfd: pytest.CaptureFixture[str]) -> None:
    blob = database / BLOB
    blob.write_bytes(blob.read_bytes()[:-32])
    assert main(["scan", str(database)]) == 3
    assert "RDB032" in capfd.readouterr().out


def test_a_header_that_was_written_over_is_made_from_what_speaks_of_the_file(database: Path) -> None:
    blob = database / BLOB
    data = bytearray(blob.read_bytes())
    data[0:30] = bytes(b ^ 0xA5 for b in data[0:30])
    blob.write_bytes(data)
    assert repaired(database) == 4


def test_a_gap_with_no_room_for_a_filler_stays_as_zeroes(database: Path) -> None:
    blob = database / BLOB
    data = blob.read_bytes()
    blob.write_bytes(data[:228] + b"\x07" * 21 + data[228:])  # between two records: everything behind moves
    assert repaired(database) == 4
    assert main(["scan", "-q", str(database.with_name("out"))]) == 0


def test_a_whole_file_checksum_that_stays_wrong_is_left_out(tmp_path: Path) -> None:
    shutil.copytree(SAMPLES / "rocksdb" / "file-checksum", tmp_path / "db")
    table = tmp_path / "db" / "000009.sst"
    data = bytearray(table.read_bytes())
    data[577] ^= 0x20
    table.write_bytes(data)
    assert repaired(tmp_path / "db", "--accept", "unique") == 0


def test_a_table_with_blobs_keeps_its_number_where_the_manifest_lost_it(database: Path) -> None:
    manifest = database / "MANIFEST-000005"
    data = manifest.read_bytes()
    manifest.write_bytes(data[:123] + data[127:])
    assert repaired(database, "--accept", "unique") == 0
    assert main(["scan", "-q", str(database.with_name("out"))]) == 0


def test_a_blob_file_alone_is_known_by_its_records_where_its_magic_and_name_are_gone() -> None:
    data = bytearray((SAMPLES / "rocksdb" / "value-bit.blob").read_bytes())
    data[0] ^= 1
    report = inspect(MemorySource(bytes(data), "x"), all_formats())
    assert report.account.roles[GAP] == 0
    assert {code for code, _ in report.tally.counts} == {"RDB030", "RDB032"}


def test_a_footer_that_counts_what_a_gap_took_blames_nobody(database: Path) -> None:
    blob = database / BLOB
    data = bytearray(blob.read_bytes())
    data[40:300] = b"\xff" * 260
    blob.write_bytes(data)
    with open_source(str(database)) as source:
        found = [f for f in inspect(source, all_formats()).tally.findings() if f.span.member == BLOB]
    assert "RDB038" in {f.rule.code for f in found}
    assert not any(f.cause.name == "software-rule-violation" for f in found)


def test_a_blob_file_that_was_cut_is_called_cut(database: Path) -> None:
    blob = database / BLOB
    blob.write_bytes(blob.read_bytes()[:-50])
    with open_source(str(database)) as source:
        found = [f for f in inspect(source, all_formats()).tally.findings() if f.span.member == BLOB]
    assert {f.cause.name for f in found if f.span.end > 2200} == {"truncated"}


def test_references_to_records_that_moved_are_not_called_whole(database: Path) -> None:
    """Sixteen bytes lost between two records: those behind are sound, and stand where no table looks for them."""
    blob = database / BLOB
    data = blob.read_bytes()
    blob.write_bytes(data[:1100] + data[1116:])
    assert repaired(database) == 4
    with open_source(str(database.with_name("out"))) as source:
        db = open_database(source)
        doubts = Doubts()
        live = sum(1 for family in families(db) for _ in plain_pairs(db, family, doubts))
    assert not doubts.said
    assert live


def test_a_record_more_than_the_footer_counts_is_told() -> None:
    """A record that stands twice: each verifies, and every value behind it has moved."""
    value = b"v" * 30
    data, places = blob_file([(b"key-%d" % n, value) for n in range(3)])
    first = data[HEADER : places[0][0] + len(value)]
    report = inspect(MemorySource(data[:HEADER] + first + data[HEADER:], "000008.blob"), all_formats())
    (found,) = report.tally.findings()
    assert (found.rule.code, dict(found.evidence)) == ("RDB038", {"stated": 3, "found": 4})
