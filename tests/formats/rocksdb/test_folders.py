"""Databases whose files lie in several folders, and tables of kinds that are not read."""

from __future__ import annotations

import re
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from inspector import formats
from inspector.errors import Exit, RefusedError
from inspector.format import Wishes
from inspector.inspect import Report, inspect
from inspector.repair import repair
from inspector.source import open_source
from tests.formats.rocksdb import engines
from tests.test_bounds import MIB, large, scan

rocksdict: Any = pytest.importorskip("rocksdict")


def looked_at(folder: Path) -> Report:
    with open_source(str(folder)) as source:
        return inspect(source, formats.all_formats())


def filled(folder: Path, **options: Any) -> Any:
    """An open database of 2,000 entries in six tables and a WAL."""
    made = rocksdict.Options(raw_mode=True)
    made.create_if_missing(True)
    for name, value in options.items():
        getattr(made, f"set_{name}")(value)
    db = rocksdict.Rdict(str(folder), made)
    for i in range(2000):
        db[b"key%08d" % i] = b"value %d" % i * 5
        if i % 300 == 299:
            db.flush()
    return db


def written(folder: Path, **options: Any) -> Path:
    filled(folder, **options).close()
    return folder


@pytest.fixture(scope="module")
def spread(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A database and the second folder of its db_paths, in which its lowest level lies."""
    top = tmp_path_factory.mktemp("spread")
    paths = [rocksdict.DBPath(str(top / "db"), 10), rocksdict.DBPath(str(top / "second"), 1 << 30)]
    db = filled(top / "db", db_paths=paths)
    for _ in range(200):  # the engine compacts level 0 by itself, into the folder for what is too large for the first
        if list((top / "second").glob("*.sst")):
            break
        time.sleep(0.05)
    db.close()
    assert list((top / "second").glob("*.sst"))
    return top / "db", top / "second"


def gathered(spread: tuple[Path, Path], to: Path) -> Path:
    shutil.copytree(spread[0], to)
    for table in spread[1].glob("*.sst"):
        shutil.copy(table, to)
    return to


def test_tables_of_another_folder_are_told_and_no_repair_strikes_them_off(
    spread: tuple[Path, Path], tmp_path: Path
) -> None:
    report = looked_at(spread[0])
    assert {f.rule.code for f in report.tally.findings()} == {"RDB011"}
    told = next(iter(report.tally.findings())).message
    assert told.endswith("; it lies in folder 1 of the program's db_paths")
    words = " ".join(report.answer.words)
    assert re.search(r"\d of its tables lies? in other folders \(db_paths\)", words)
    assert "lost" not in words
    assert report.answer.loaders[0].outcome.startswith("opens where db_paths is given and holds ")
    assert not any("repair" in command for command in report.answer.next)
    with open_source(str(spread[0])) as source, pytest.raises(RefusedError, match="another folder"):
        repair(source, formats.all_formats(), str(tmp_path / "out"), Wishes())


def test_files_of_all_folders_in_one_are_a_database_that_opens_without_db_paths_once_repaired(
    spread: tuple[Path, Path], tmp_path: Path
) -> None:
    whole = gathered(spread, tmp_path / "whole")
    report = looked_at(whole)
    assert report.exit_code() == Exit.CLEAN
    assert report.answer.loaders[0].outcome == "opens where db_paths is given"
    with open_source(str(whole)) as source:
        result = repair(source, formats.all_formats(), str(tmp_path / "out"), Wishes())
    assert result.code == Exit.CLEAN
    db = rocksdict.Rdict(str(tmp_path / "out"), rocksdict.Options(raw_mode=True))
    assert sum(1 for _ in db.items()) == 2000
    db.close()
    again = looked_at(tmp_path / "out")
    assert again.answer.loaders[0].outcome == "opens"


def test_an_empty_file_in_the_place_of_a_table_that_is_gone_lets_a_repair_go_on(
    spread: tuple[Path, Path], tmp_path: Path
) -> None:
    shutil.copytree(spread[0], tmp_path / "db")
    for table in spread[1].glob("*.sst"):
        (tmp_path / "db" / table.name).touch()
    with open_source(str(tmp_path / "db")) as source:
        result = repair(source, formats.all_formats(), str(tmp_path / "out"), Wishes())
    assert result.code == Exit.LOST


def test_wals_in_another_folder_are_told(tmp_path: Path) -> None:
    folder = written(tmp_path / "db", wal_dir=str(tmp_path / "wals"))
    report = looked_at(folder)
    assert report.exit_code() == Exit.CLEAN
    assert any("WALs lie in another folder (wal_dir in OPTIONS-" in line for line in report.answer.words)


def test_where_no_table_is_here_db_paths_is_thought_of(tmp_path: Path) -> None:
    folder = written(tmp_path / "db", db_paths=[rocksdict.DBPath(str(tmp_path / "first"), 1 << 30)])
    report = looked_at(folder)
    assert any(line.startswith("No table is here at all") for line in report.answer.words)


@pytest.mark.parametrize("kind", ["plain", "cuckoo"])
def test_tables_of_a_kind_that_is_not_read_are_no_damage_and_nobody_calls_them_sound(kind: str, tmp_path: Path) -> None:
    options: dict[str, Any] = {"allow_mmap_reads": True}
    if kind == "plain":
        options |= {
            "plain_table_factory": engines.rocksdict.PlainTableFactoryOptions(),
            "prefix_extractor": rocksdict.SliceTransform.create_fixed_prefix(4),
        }
    else:
        options |= {"cuckoo_table_factory": rocksdict.CuckooTableOptions()}
    folder = written(tmp_path / "db", **options)
    report = looked_at(folder)
    assert (report.exit_code(), report.verdict, report.damaged) == (Exit.PARTIAL, "partial", False)
    assert f"is a {kind} table, which has no checksums and is not read" in report.unchecked
    assert report.diagnosis is None
    assert not report.answer.next
    with open_source(str(folder)) as source:
        result = repair(source, formats.all_formats(), str(tmp_path / "out"), Wishes())
    assert result.code == Exit.CLEAN
    assert result.verified["unjudged"] == report.unchecked
    for table in folder.glob("*.sst"):
        assert (tmp_path / "out" / table.name).read_bytes() == table.read_bytes()


def test_blocks_that_are_too_large_to_be_unpacked_leave_a_table_without_a_verdict() -> None:
    report = scan(large([17 * MIB] * 4), "a.sst")
    assert report.exit_code() == Exit.PARTIAL
    assert report.unchecked == "3 blocks or records too large to be unpacked (--max-unit)"


def test_what_is_not_read_is_told_of_the_output_and_not_of_the_source(tmp_path: Path) -> None:
    """Of a damaged table the blocks that can be had are written packed otherwise; the sound one stays as it is."""
    sound = large([17 * MIB] * 5)
    hurt = bytearray(sound)
    hurt[100:103] = b"\x55\xaa\x55"
    folder = tmp_path / "db"
    folder.mkdir()
    (folder / "000009.sst").write_bytes(hurt)
    (folder / "000011.sst").write_bytes(sound)
    with open_source(str(folder)) as source:
        result = repair(source, formats.all_formats(), str(tmp_path / "out"), Wishes())
    again = looked_at(tmp_path / "out")
    assert result.report.unchecked.startswith("8 blocks")
    assert again.unchecked.startswith("5 blocks")
    assert result.verified["unjudged"] == again.unchecked
    assert result.verified["engine"]["ran"] is False  # it reads what inspector leaves packed: they cannot be compared
    assert "--max-unit" in result.verified["engine"]["why"]
