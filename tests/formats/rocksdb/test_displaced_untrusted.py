"""Tables under wrong numbers beside a MANIFEST that lost edits: known by identity as beside a whole one."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from inspector.__main__ import main
from tests.formats.rocksdb.engines import Recipe, make
from tests.formats.rocksdb.test_foreign_manifest import inspected, read

RECIPE = Recipe(codec="none", tables=3, keys=40, wal=20)
FIRST, SECOND = "000009.sst", "000011.sst"


def torn(tmp_path: Path) -> tuple[Path, dict[bytes, bytes]]:
    """A database whose MANIFEST has a damaged last edit, and what was in it."""
    folder = make(tmp_path / "db", RECIPE)
    shutil.copytree(folder, tmp_path / "copy")
    truth = read(tmp_path / "copy")
    path = folder / "MANIFEST-000005"
    data = bytearray(path.read_bytes())
    for at in (-20, -22):
        data[at] ^= 0xFF
    path.write_bytes(data)
    return folder, truth


def test_tables_that_changed_places_get_their_own_names_back(tmp_path: Path) -> None:
    folder, truth = torn(tmp_path)
    one, other = (folder / name for name in (FIRST, SECOND))
    data = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(data)
    assert main(["repair", str(folder), "-o", str(tmp_path / "out")]) == 0
    assert main(["scan", "-q", str(tmp_path / "out")]) == 0
    assert read(tmp_path / "out") == truth


def test_the_table_of_another_database_is_left_out_and_what_was_due_is_lost(tmp_path: Path) -> None:
    folder, truth = torn(tmp_path)
    other = make(tmp_path / "other", replace(RECIPE, keys=60))
    shutil.copy(other / FIRST, folder / FIRST)
    assert "RDB016" in {found.rule.code for found in inspected(folder).tally.findings()}
    assert main(["repair", str(folder), "-o", str(tmp_path / "out")]) == 4
    assert read(tmp_path / "out") == {key: value for key, value in truth.items() if not key.startswith(b"key-00-")}


def test_a_table_of_this_database_in_the_place_of_a_listed_one_is_taken_in(tmp_path: Path) -> None:
    """A later edit may have listed it: what stands there is kept, what was due there is lost."""
    folder, truth = torn(tmp_path)
    (folder / "000013.sst").rename(folder / FIRST)
    assert main(["repair", str(folder), "-o", str(tmp_path / "out")]) == 4
    assert main(["scan", "-q", str(tmp_path / "out")]) == 0
    assert read(tmp_path / "out") == {key: value for key, value in truth.items() if not key.startswith(b"key-00-")}


@pytest.mark.parametrize("left", [0, 900])
def test_a_table_of_which_nothing_is_left_is_lost_where_edits_are(left: int, tmp_path: Path) -> None:
    folder, truth = torn(tmp_path)
    (folder / "000013.sst").write_bytes(bytes(left))
    assert main(["repair", str(folder), "-o", str(tmp_path / "out")]) == 4
    assert read(tmp_path / "out") == {key: value for key, value in truth.items() if not key.startswith(b"key-02-")}


@pytest.mark.parametrize(("named", "code"), [(3, 0), (99, 4), (None, 0)])
def test_only_a_number_that_was_yet_to_be_given_tells_of_a_younger_manifest(
    named: int | None, code: int, tmp_path: Path
) -> None:
    folder = make(tmp_path / "db", RECIPE)
    shutil.copytree(folder, tmp_path / "copy")
    if named is None:
        (folder / "CURRENT").unlink()
    else:
        (folder / "CURRENT").write_bytes(b"MANIFEST-%06d\n" % named)
    assert main(["repair", str(folder), "-o", str(tmp_path / "out")]) == code
    assert read(tmp_path / "out") == read(tmp_path / "copy")


def test_a_log_that_the_manifest_names_is_missed_though_current_is_gone(tmp_path: Path) -> None:
    folder = make(tmp_path / "db", RECIPE)
    (folder / "CURRENT").unlink()
    for path in folder.glob("*.log"):
        path.unlink()
    assert "RDB036" in {found.rule.code for found in inspected(folder).tally.findings()}
    assert main(["repair", str(folder), "-o", str(tmp_path / "out")]) == 4


CURRENT_TOLD = [
    (b"MANIFEST-000077\n", "IO error: No such file or directory"),
    (b"MANIFEST-000005", "Corruption: CURRENT file does not end with newline"),
    (b"", "Corruption: CURRENT file does not end with newline"),
    (b"other bytes\n", "Corruption: CURRENT file corrupted"),
]


@pytest.mark.parametrize(("content", "message"), CURRENT_TOLD)
def test_what_the_engine_says_to_a_current_that_leads_nowhere(content: bytes, message: str, tmp_path: Path) -> None:
    folder = make(tmp_path / "db", RECIPE)
    (folder / "CURRENT").write_bytes(content)
    told = inspected(folder).answer.loaders[0]
    assert told.outcome == "refuses to open"
    assert told.message.startswith(message)
    with pytest.raises(Exception, match=message):
        read(folder)
