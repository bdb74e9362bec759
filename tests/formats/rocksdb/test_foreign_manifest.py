"""The MANIFEST of another database: told by what the tables say of themselves, and never obeyed."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from inspector import formats
from inspector.__main__ import main
from inspector.finding import Finding
from inspector.format import Outcome
from inspector.inspect import Report, inspect
from inspector.source import open_source
from tests.formats.rocksdb.engines import Recipe, make, rocksdict

KEYS = 40
PLAIN = Recipe(codec="none", tables=3, keys=KEYS, wal=20)


def read(folder: Path) -> dict[bytes, bytes]:
    db = rocksdict.Rdict(str(folder), rocksdict.Options(raw_mode=True))
    try:
        return {bytes(key): bytes(value) for key, value in db.items()}
    finally:
        db.close()


def inspected(folder: Path) -> Report:
    with open_source(str(folder)) as source:
        return inspect(source, formats.all_formats())


def lost_list(report: Report) -> list[Finding]:
    return [found for found in report.tally.findings() if found.rule.code == "RDB039"]


def exchanged(tmp_path: Path, other: Recipe, recipe: Recipe = PLAIN) -> tuple[Path, dict[bytes, bytes]]:
    """A database with the MANIFEST of another one, and what was in it."""
    folder, stranger = make(tmp_path / "db", recipe), make(tmp_path / "other", other)
    shutil.copytree(folder, tmp_path / "copy")
    truth = read(tmp_path / "copy")
    for member in ("MANIFEST-000005", "CURRENT"):
        shutil.copy(stranger / member, folder / member)
    return folder, truth


@pytest.mark.parametrize("identity", [True, False])
@pytest.mark.parametrize("tables", [0, 2, 3, 5])
@pytest.mark.parametrize("blobs", ["", "none"])
def test_no_table_is_given_up_for_the_manifest_of_another_database(
    blobs: str, tables: int, identity: bool, tmp_path: Path
) -> None:
    other = replace(PLAIN, tables=tables, keys=KEYS + 9, blobs=blobs)
    folder, truth = exchanged(tmp_path, other, replace(PLAIN, blobs=blobs))
    if not identity:
        (folder / "IDENTITY").unlink()
    report = inspected(folder)
    (found,) = lost_list(report)
    assert "and it lists none of them" in found.message
    assert not report.state.trusted
    assert main(["repair", str(folder), "-o", str(tmp_path / "out")]) == 4
    assert main(["scan", "-q", str(tmp_path / "out")]) == 0
    assert read(tmp_path / "out") == truth


@pytest.mark.parametrize("tables", [0, 3])
def test_what_the_engine_does_with_it_is_told(tables: int, tmp_path: Path) -> None:
    folder, _ = exchanged(tmp_path, replace(PLAIN, tables=tables, keys=KEYS + 9))
    told: Outcome = inspected(folder).answer.loaders[0]
    if tables:
        assert told.outcome == "refuses to open"
        with pytest.raises(Exception, match="Corruption"):
            read(folder)
    else:
        assert told.outcome.startswith("opens; deletes tables: 000009.sst")
        read(folder)
        assert not list(folder.glob("000009.sst"))


def test_a_checkpoint_that_got_a_name_of_its_own_is_no_other_database(tmp_path: Path) -> None:
    folder = make(tmp_path / "db", PLAIN)
    (folder / "IDENTITY").write_bytes(b"0f8d3e9c-0000-4000-8000-000000000001")
    assert not lost_list(inspected(folder))
    assert inspected(folder).state.trusted


def test_tables_of_another_database_are_not_taken_for_this_one(tmp_path: Path) -> None:
    """The MANIFEST and IDENTITY are of one database: it is the tables that do not belong here."""
    folder, stranger = make(tmp_path / "db", PLAIN), make(tmp_path / "other", replace(PLAIN, keys=KEYS + 9))
    for table in stranger.glob("*.sst"):
        shutil.copy(table, folder / table.name)
    report = inspected(folder)
    assert not lost_list(report)
    assert {f.rule.code for f in report.tally.findings()} == {"RDB016"}
    assert report.answer.loaders[0].outcome == "refuses to open"
    with pytest.raises(Exception, match="Corruption"):
        read(folder)


def test_half_a_folder_without_its_manifest_is_not_called_whole(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make(tmp_path / "db", PLAIN)
    (folder / "MANIFEST-000005").unlink()
    (folder / "000011.sst").unlink()
    assert main(["repair", str(folder), "-o", str(tmp_path / "out")]) == 4
    assert "that is not here is lost untold" in " ".join(capsys.readouterr().out.split())
    assert main(["scan", "-q", str(tmp_path / "out")]) == 0


def test_blob_files_and_a_log_alone_are_of_rocksdb_and_not_called_whole(tmp_path: Path) -> None:
    folder = make(tmp_path / "db", replace(PLAIN, blobs="none"))
    for path in folder.iterdir():
        if path.suffix not in (".blob", ".log"):
            path.unlink()
    assert not inspected(folder).state.leveldb
    assert main(["repair", str(folder), "-o", str(tmp_path / "out")]) == 4
    assert len(read(tmp_path / "out")) == PLAIN.wal
