"""Blob files with damage in a database that still has a table which was left over: both name the same values."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from inspector.cli.app import run
from inspector.errors import Exit
from inspector.formats.rocksdb import blob
from tests.formats.rocksdb.test_blob_moved import NAME, SAMPLE, whole

OLDER = "000003.sst"


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A database without damage, and beside it a copy of its table that no edit lists."""
    shutil.copytree(SAMPLE, tmp_path / "db")
    (tmp_path / "db" / NAME).write_bytes(whole()[0])
    shutil.copy(SAMPLE / "000009.sst", tmp_path / "db" / OLDER)
    return tmp_path / "db"


@pytest.mark.parametrize("torn", [8, 20, 30, 40, 300])
def test_values_behind_a_torn_copy_of_their_file_go_back(database: Path, torn: int) -> None:
    """One reference that two tables name leads a value to one place."""
    data = whole()[0]
    (database / NAME).write_bytes(data[:torn] + data)
    out = database.with_name("out")
    assert run(["repair", str(database), "-o", str(out)]) == Exit.LOST
    assert (out / NAME).read_bytes() == data


def test_a_repair_that_keeps_no_value_still_knows_its_blob_file(database: Path) -> None:
    """All values stand elsewhere, and no table says where."""
    data, records = whole()
    for record in records:
        at = record.start + blob.RECORD_HEADER
        data = data[: at + 40] + bytes(b ^ 0xFF for b in data[at + 40 : at + 60]) + data[at + 60 :]
    (database / NAME).write_bytes(data[:30] + bytes(9) + data[30:])
    out = database.with_name("out")
    assert run(["repair", str(database), "-o", str(out)]) == Exit.LOST
    assert run(["scan", "-q", str(out)]) == Exit.CLEAN
    assert (out / OLDER).read_bytes() == (SAMPLE / "000009.sst").read_bytes()


@pytest.mark.parametrize("left", [1, 8, 31, 32, 33, 60])
def test_a_record_of_which_the_end_is_cut_out_is_lost_and_not_tried_for_flips(database: Path, left: int) -> None:
    """What is left of it may be shorter than its header: the next record begins inside it."""
    data, records = whole()
    start, end = records[4].start, records[4].end
    (database / NAME).write_bytes(data[: start + left] + data[end:])
    assert run(["scan", "-q", str(database)]) == Exit.DAMAGED
    assert run(["repair", str(database), "-o", str(database.with_name("out"))]) == Exit.LOST
    assert run(["scan", "-q", str(database.with_name("out"))]) == Exit.CLEAN
