"""Whole logs under each other's names: the engine takes their records for those of a file that is used again."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from inspector.formats.rocksdb.edit import Edit, encode
from inspector.formats.rocksdb.log_writer import frame
from tests.formats.rocksdb.test_misplaced import mended, scan

rocksdict: Any = pytest.importorskip("rocksdict")


def options() -> Any:
    made = rocksdict.Options(raw_mode=True)
    made.create_if_missing(True)
    made.set_recycle_log_file_num(2)
    return made


def rows(path: Path) -> dict[bytes, bytes]:
    shutil.copytree(path, f"{path}.read")
    database = rocksdict.Rdict(f"{path}.read", options(), column_families={"other": options()})
    other = database.get_column_family("other")
    found = {**dict(database.items()), **dict(other.items())}
    other.close()
    database.close()
    return found


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Two logs that are both replayed: one family has not been flushed since the first."""
    live = tmp_path / "live"
    database = rocksdict.Rdict(str(live), options())
    other = database.create_column_family("other", options())
    other[b"o"] = b"in the first log"
    database[b"d"] = b"in a table"
    database.flush()
    for i in range(9):
        database[b"%d" % i] = b"in the second log"
    database.flush_wal(True)
    shutil.copytree(live, tmp_path / "db")
    other.close()
    database.close()
    return tmp_path / "db"


def test_logs_that_were_exchanged_are_told_and_put_back(store: Path) -> None:
    whole = rows(store)
    first, second = sorted(store.glob("*.log"))
    one, two = first.read_bytes(), second.read_bytes()
    first.write_bytes(two)
    second.write_bytes(one)
    shutil.copytree(store, store.with_name("as it is"))
    assert rows(store.with_name("as it is")) == {b"d": b"in a table"}  # the engine opens it without a word
    found = [(f.rule.code, f.span.member, f.level.value, f.salvage) for f in scan(store).tally.findings()]
    assert found == [("RDB040", p.name, "warning", "corrected") for p in (first, second)]
    assert mended(store).records["lost"] == 0
    new = Path(f"{store}.new")
    assert [(new / p.name).read_bytes() for p in (first, second)] == [one, two]
    assert rows(new) == whole


def test_a_log_under_a_new_name_gets_back_the_one_that_the_manifest_needs(store: Path) -> None:
    whole = rows(store)
    _, second = sorted(store.glob("*.log"))
    second.rename(store / "000077.log")
    assert {f.rule.code for f in scan(store).tally.findings()} == {"RDB040"}
    mended(store)
    assert rows(Path(f"{store}.new")) == whole


def test_a_file_that_was_begun_over_an_older_log_is_left_alone(store: Path) -> None:
    _, second = sorted(store.glob("*.log"))
    (store / "000099.log").write_bytes(second.read_bytes())  # in use anew, and nothing written yet
    assert not [f for f in scan(store).tally.findings() if f.rule.code == "RDB040"]


def test_a_log_that_a_family_names_and_nobody_needs_any_more_may_be_in_use_anew(store: Path) -> None:
    """A family that had nothing to replay keeps the number of a log that is gone; the MANIFEST says which is kept."""
    first, second = sorted(store.glob("*.log"))
    second.rename(store / "000099.log")  # begun over the second log, and nothing written yet
    first.unlink()
    (manifest,) = store.glob("MANIFEST-*")
    told = encode(Edit(log_number=99, family=1)), encode(Edit(min_log_to_keep=99, next_file=100, last_sequence=99))
    for edit in told:
        with manifest.open("ab") as file:
            file.write(frame(edit, file.tell()))
    assert "RDB040" not in {f.rule.code for f in scan(store).tally.findings()}
    assert "RDB036" not in {f.rule.code for f in scan(store).tally.findings()}
