"""Files of a database that were cut where a block or record ends: what is left verifies, and the loss is told."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from inspector import formats
from inspector.cli.app import run
from inspector.errors import Exit
from inspector.format import State, Stretch
from inspector.inspect import inspect
from inspector.source import MemorySource

SAMPLES = Path(__file__).parents[3] / "samples" / "rocksdb"


def ends(path: Path) -> list[tuple[int, str]]:
    """Where each block or record of a file ends, and what it is."""
    found: list[tuple[int, int]] = []

    def tap(_: State, stretches: Iterator[Stretch]) -> Iterator[Stretch]:
        for stretch in stretches:
            found.extend((stretch.span(i).end, stretch.kinds[i]) for i in range(len(stretch)))
            yield stretch

    report = inspect(MemorySource(path.read_bytes(), path.name), formats.all_formats(), tap=tap)
    return [(end, report.format.kinds[kind]) for end, kind in found]


def repaired(folder: Path, member: str, length: int, capsys: pytest.CaptureFixture[str]) -> tuple[int, int, str]:
    """Exit codes of a scan and a repair of a database of which one file was cut, and what the repair says."""
    with (folder / member).open("r+b") as file:
        file.truncate(length)
    scanned = run(["scan", str(folder)])
    capsys.readouterr()
    code = run(["repair", str(folder), "-o", str(folder.with_name("out"))])
    return scanned, code, capsys.readouterr().out


@pytest.mark.parametrize("blocks", [0, 1, 5, -1])
def test_a_table_that_ends_behind_a_whole_block_has_lost_what_was_due_there(
    blocks: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(SAMPLES / "clean-db", tmp_path / "db")
    data = [0, *(end for end, kind in ends(tmp_path / "db" / "000009.sst") if kind == "data_block")]
    told = repaired(tmp_path / "db", "000009.sst", data[blocks], capsys)
    assert told[:2] == (Exit.DAMAGED, Exit.LOST)
    assert "nothing is lost" not in told[2]


def test_a_table_that_lost_only_what_its_properties_make_up_for_loses_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(SAMPLES / "clean-db", tmp_path / "db")
    table = tmp_path / "db" / "000009.sst"
    behind = next(end for end, kind in ends(table) if kind == "properties_block")
    assert repaired(tmp_path / "db", table.name, behind, capsys)[:2] == (Exit.DAMAGED, Exit.CLEAN)


@pytest.mark.parametrize("left", [0, 3])
def test_a_blob_file_that_ends_behind_a_whole_record_has_lost_the_others(
    left: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(SAMPLES / "blob-value", tmp_path / "db")
    records = [end for end, kind in ends(tmp_path / "db" / "000008.blob") if kind == "blob_record"]
    at = records[left - 1] if left else 0
    scanned, code, told = repaired(tmp_path / "db", "000008.blob", at, capsys)
    assert (scanned, code) == (Exit.DAMAGED, Exit.LOST)
    assert f"{len(records) - left} values that the MANIFEST counts" in " ".join(told.split())


def test_an_empty_table_alone_is_damage_and_one_that_nobody_lists_is_carried_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alone = tmp_path / "000001.sst"
    alone.touch()
    assert run(["scan", str(alone)]) == Exit.DAMAGED
    assert run(["repair", str(alone), "-o", str(tmp_path / "none.sst")]) == Exit.REFUSED
    shutil.copytree(SAMPLES / "clean-db", tmp_path / "db")
    (tmp_path / "db" / "000077.sst").touch()
    assert run(["repair", str(tmp_path / "db"), "-o", str(tmp_path / "out")]) == Exit.CLEAN
    assert (tmp_path / "out" / "000077.sst").stat().st_size == 0
