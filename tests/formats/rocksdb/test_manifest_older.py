"""A MANIFEST of an older backup or of another database, over tables that it does not know: none is left out."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from inspector.errors import Exit
from tests.formats.rocksdb.test_misplaced import mended, scan

rocksdict: Any = pytest.importorskip("rocksdict")
KEYS = 60


def opened(path: Path) -> Any:
    options = rocksdict.Options(raw_mode=True)
    options.create_if_missing(True)
    options.set_disable_auto_compactions(True)
    return rocksdict.Rdict(str(path), options)


def written(path: Path, turns: int = 3, backup_after: int = 0) -> Path:
    """Tables that were flushed and compacted, and a WAL behind them, as a killed process leaves it.

    `backup_after` so many flushes, and before any compaction, the folder was copied to `path`.backup.
    """
    live = path.with_name(f"{path.name}.live")
    database = opened(live)
    for turn in range(1, turns + 1):
        for i in range(KEYS):
            database[b"%d" % i] = b"turn %d of %d " % (turn, i) * 4
        database.flush()
        if turn == backup_after:
            shutil.copytree(live, f"{path}.backup")
            database.compact_range(None, None)
    database[b"in the WAL"] = b"1"
    database.flush_wal(True)
    shutil.copytree(live, path)
    database.close()
    return path


def live_rows(path: Path) -> dict[bytes, bytes]:
    shutil.copytree(path, f"{path}.read")
    database = opened(Path(f"{path}.read"))
    found = dict(database.items())
    database.close()
    return found


def manifest_from(other: Path, path: Path) -> None:
    (used,) = path.glob("MANIFEST-*")
    (older,) = other.glob("MANIFEST-*")
    shutil.copy(older, used)


def test_a_manifest_of_an_older_backup_costs_no_entry_of_the_tables_that_came_after_it(tmp_path: Path) -> None:
    path = written(tmp_path / "db", turns=2, backup_after=2)
    whole = live_rows(path)
    manifest_from(Path(f"{path}.backup"), path)
    report = scan(path)
    assert report.exit_code() is Exit.DAMAGED
    assert not report.state.trusted
    assert {f.span.member for f in report.tally.findings() if f.rule.code == "RDB012"} == {
        p.name for p in path.glob("*.sst")
    }
    mended(path)
    assert live_rows(Path(f"{path}.new")) == whole


def test_a_manifest_of_another_database_costs_no_entry(tmp_path: Path) -> None:
    path = written(tmp_path / "db", turns=2)
    whole = live_rows(path)
    other = Path(f"{written(tmp_path / 'other', turns=9, backup_after=9)}.backup")
    for number in (*path.glob("*.sst"), *path.glob("*.log")):  # under numbers that the other one's never had
        number.rename(path / f"{int(number.stem) + 100:06}{number.suffix}")
    manifest_from(other, path)
    mended(path)
    assert live_rows(Path(f"{path}.new")) == whole


def test_a_whole_manifest_with_a_table_missing_and_a_left_over_without_footer_is_still_believed(tmp_path: Path) -> None:
    path = written(tmp_path / "db")
    first, *_ = sorted(path.glob("*.sst"))
    (path / "000999.sst").write_bytes(first.read_bytes()[:-60])  # a compaction that was killed had begun it
    first.unlink()
    assert scan(path).state.trusted


def test_a_left_over_of_a_compaction_stands_for_the_table_of_the_lowest_level_that_it_was_made_from(
    tmp_path: Path,
) -> None:
    live = tmp_path / "live"
    database = opened(live)
    for turn in range(3):
        for i in range(KEYS):
            database[b"%d" % i] = b"%d" % turn * 9
        database.flush()
        if turn == 1:
            database.compact_range(None, None)  # into the lowest level, with sequence number 0
    shutil.copytree(live, tmp_path / "db")
    before = {p.name for p in live.glob("*.sst")}
    database.compact_range(None, None)
    database.close()
    made = next(p for p in live.glob("*.sst") if p.name not in before)
    path = tmp_path / "db"
    whole = live_rows(path)
    shutil.copy(made, path / made.name)  # as of a process that was killed before the edit was written
    assert scan(path).exit_code() is Exit.CLEAN
    *_, newest = sorted(p for p in path.glob("*.sst") if p.name != made.name)
    newest.unlink()
    mended(path)
    assert live_rows(Path(f"{path}.new")) == whole


@pytest.mark.parametrize("compacted", [False, True])
def test_the_first_manifest_of_a_database_does_not_hide_its_tables(compacted: bool, tmp_path: Path) -> None:
    live = tmp_path / "live"
    database = opened(live)
    shutil.copytree(live, tmp_path / "first")
    for turn in range(2):
        for i in range(KEYS):
            database[b"%d" % i] = b"%d" % turn * 9
        database.flush()
    if compacted:
        database.compact_range(None, None)
    database[b"in the WAL"] = b"1"  # so that a log reaches higher than every table
    database.flush_wal(True)
    path = tmp_path / "db"
    shutil.copytree(live, path)
    database.close()
    whole = live_rows(path)
    manifest_from(tmp_path / "first", path)
    assert scan(path).exit_code() is Exit.DAMAGED
    mended(path)
    assert live_rows(Path(f"{path}.new")) == whole
