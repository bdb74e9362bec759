"""What is said of an open by the engine: of tables that no MANIFEST lists, and where a file was not open to us."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from inspector.formats import all_formats
from inspector.formats.rocksdb import loader
from inspector.inspect import Report, inspect
from inspector.source import open_source
from tests.formats.rocksdb.engines import Recipe, make, rocksdict

SAMPLES = Path(__file__).parents[3] / "samples/rocksdb"
DELETES = "a read-write open deletes them"


def inspected(folder: Path) -> Report:
    with open_source(str(folder)) as source:
        return inspect(source, all_formats())


def said(folder: Path) -> str:
    return " ".join(inspected(folder).answer.words)


def lost_edit(folder: Path) -> Path:
    return Path(shutil.copytree(SAMPLES / "lost-edit", folder))


def test_where_the_engine_opens_it_deletes_them(tmp_path: Path) -> None:
    assert DELETES in said(lost_edit(tmp_path / "db"))


def test_where_the_engine_does_not_open_they_stay(tmp_path: Path) -> None:
    folder = lost_edit(tmp_path / "db")
    table = folder / "000009.sst"
    table.write_bytes(table.read_bytes()[:-8] + bytes(8))
    words = said(folder)
    assert DELETES not in words
    assert "the engine does not open the folder and they stay" in words


def test_where_a_new_database_would_be_made_they_are_deleted_then(tmp_path: Path) -> None:
    folder = lost_edit(tmp_path / "db")
    (folder / "CURRENT").unlink()
    for log in folder.glob("*.log"):
        log.unlink()
    words = said(folder)
    assert DELETES not in words
    assert "an open with create_if_missing makes an empty database and deletes them" in words


@pytest.mark.parametrize("log", [False, True])
def test_the_engine_does_that(log: bool, tmp_path: Path) -> None:
    """It makes no new database where a WAL lies."""
    folder = make(tmp_path / "db", Recipe(keys=20, wal=5))
    (folder / "CURRENT").unlink()
    for path in () if log else folder.glob("*.log"):
        path.unlink()
    before = {path.name for path in folder.glob("*.sst")}
    assert before
    outcome = inspected(folder).answer.loaders[0]
    options = rocksdict.Options(raw_mode=True)
    options.create_if_missing(True)
    if log:
        assert outcome.outcome == loader.REFUSES
        with pytest.raises(Exception, match="wal_dir contains existing log file") as refused:
            rocksdict.Rdict(str(folder), options)
        assert re.sub(r".*Corruption: |: : .*", "", str(refused.value)) in outcome.message
    else:
        assert outcome.outcome == loader.EMPTY
        rocksdict.Rdict(str(folder), options).close()
    assert (before <= {path.name for path in folder.glob("*.sst")}) == log


@pytest.mark.parametrize("name", ["000009.sst", "000014.log", "MANIFEST-000005", "CURRENT"])
def test_of_a_file_that_is_closed_to_us_no_outcome_is_claimed(name: str, tmp_path: Path) -> None:
    """Who runs the program may open it."""
    folder = Path(shutil.copytree(SAMPLES / "clean-db", tmp_path / "db"))
    with open_source(str(folder)) as source:
        source.closed[name] = "Permission denied"
        outcomes = inspect(source, all_formats()).answer.loaders
    assert {outcome.outcome for outcome in outcomes} == {loader.UNKNOWN}
    assert all(name in outcome.message for outcome in outcomes)


def test_a_closed_file_that_the_engine_does_not_read_changes_nothing(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(SAMPLES / "clean-db", tmp_path / "db"))
    (folder / "notes.txt").write_text("a note")
    with open_source(str(folder)) as source:
        source.closed["notes.txt"] = "Permission denied"
        outcomes = inspect(source, all_formats()).answer.loaders
    assert outcomes[0].outcome == loader.OPENS
