"""Logs of which one column family was flushed and another was not, and no MANIFEST that says so."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from inspector.formats.rocksdb.database import open_database
from inspector.formats.rocksdb.view import families
from inspector.source import open_source
from tests.formats.rocksdb.test_misplaced import mended, scan

rocksdict: Any = pytest.importorskip("rocksdict")
KEYS = 40
FAMILIES = ("default", "other")


def options() -> Any:
    made = rocksdict.Options(raw_mode=True)
    made.create_if_missing(True)
    made.set_disable_auto_compactions(True)
    return made


def families_of(path: Path) -> dict[str, Any]:
    database = rocksdict.Rdict(str(path), options(), column_families={"other": options()})
    return {"default": database, "other": database.get_column_family("other")}


def read(path: Path) -> dict[str, tuple[dict[bytes, bytes], dict[bytes, bytes]]]:
    """What iteration and what single reads give, by column family."""
    shutil.copytree(path, f"{path}.read")
    opened = families_of(Path(f"{path}.read"))
    asked = [b"once", *(b"%d" % i for i in range(KEYS))]
    found = {n: (dict(f.items()), {k: v for k in asked if (v := f.get(k)) is not None}) for n, f in opened.items()}
    for family in reversed(opened.values()):
        family.close()
    return found


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """The second family holds all logs; the first was flushed three times since, and keys of it deleted before that.

    What it flushed first lies in a log as it was written: replayed once more it would hide what came after it.
    """
    live = tmp_path / "live"
    database = rocksdict.Rdict(str(live), options())
    other = database.create_column_family("other", options())
    other[b"1"] = b"a table tells the family's name"
    other.flush()
    other[b"0"] = b"not flushed since"
    for turn in range(3):
        for i in range(KEYS):
            database[b"%d" % i] = b"turn %d" % turn
        if turn == 0:
            database.delete_range(b"1", b"2")
            database[b"once"] = b"in the first table only"
        database.flush()
    database[b"1"] = b"in the last log"
    database.flush_wal(True)
    shutil.copytree(live, tmp_path / "db")
    other.close()
    database.close()
    return tmp_path / "db"


def test_what_tables_hold_is_not_replayed_over_them_once_more(store: Path) -> None:
    whole = read(store)
    assert all(rows == single for rows, single in whole.values())
    _, *recycled, _ = sorted(store.glob("*.log"))
    assert len(recycled) == 2
    for file in (*store.glob("MANIFEST-*"), *recycled):
        file.unlink()
    notes = " ".join(mended(store).notes)
    assert read(Path(f"{store}.new")) == whole
    assert "operations of column family default in WALs before" in notes
    assert "column family other in WALs" not in notes


@pytest.mark.parametrize("lost", [slice(0, 1), slice(1, 3)], ids=["first", "others"])
def test_what_lost_tables_held_comes_from_the_logs(store: Path, lost: slice) -> None:
    whole = read(store)["default"][0]
    mine = sorted(store.glob("*.sst"))[1:]  # behind the other family's
    for file in (*store.glob("MANIFEST-*"), *mine[lost]):
        file.unlink()
    mended(store)
    assert read(Path(f"{store}.new"))["default"][0] == whole


def test_the_log_that_follows_the_last_flush_of_any_family_is_missed(store: Path) -> None:
    *_, last = sorted(store.glob("*.log"))
    last.unlink()  # the first family was flushed up to it; the other one was not since the first
    found = [f for f in scan(store).tally.findings() if f.rule.code == "RDB036"]
    assert [f.span.member for f in found] == [last.name]
    assert mended(store).records["lost"] != 0


def test_a_folder_with_logs_and_blob_files_but_none_of_the_tables_and_no_manifest_is_repaired(tmp_path: Path) -> None:
    live = tmp_path / "live"
    database = rocksdict.Rdict(str(live), options())
    kept = options()
    kept.set_enable_blob_files(True)
    other = database.create_column_family("other", kept)
    third = database.create_column_family("third", kept)
    for family in (other, third):
        family[b"0"] = b"a value that is kept apart" * 20
        family.flush()
    third[b"1"] = b"in the log"
    database.flush_wal(True)
    shutil.copytree(live, tmp_path / "db")
    for family in (third, other, database):
        family.close()
    first, _ = sorted((tmp_path / "db").glob("*.sst"))
    for file in (*(tmp_path / "db").glob("MANIFEST-*"), first):  # of "third" a table is left, of "other" a blob file
        file.unlink()
    mended(tmp_path / "db")
    with open_source(f"{tmp_path / 'db'}.new") as source:
        assert [f.name for f in families(open_database(source))] == ["default", "third"]
