"""Blocks of a ledger as a CDN file: those whose every byte is there, and a precise no for the others."""

from __future__ import annotations

from pathlib import Path

import pytest

from inspector.cli.app import run
from inspector.errors import Exit
from inspector.formats import all_formats
from inspector.inspect import inspect
from inspector.source import open_source
from tests.builders.snarkos import batches, cdn_file, key, ledger
from tests.formats.snarkos.stores import on_disk

LIGHT = ledger(9, heavy=0)  # blocks 3, 4 and 7 have no transactions


def extracted(folder: Path, asked: str) -> Path:
    assert run(["extract", str(folder), asked, "-o", str(folder.parent / "3.blocks")]) == Exit.CLEAN
    return folder.parent / "3.blocks"


def test_a_block_without_transactions_is_its_rows_one_behind_the_other(tmp_path: Path) -> None:
    folder = on_disk(tmp_path / "ledger", batches(LIGHT))
    assert extracted(folder, "block:3").read_bytes() == cdn_file(LIGHT, 3, 4)


def test_an_extracted_file_reads_as_a_file_of_the_cdn(tmp_path: Path) -> None:
    with open_source(str(extracted(on_disk(tmp_path / "ledger", batches(LIGHT)), "blocks:3..4"))) as source:
        report = inspect(source, all_formats())
    assert (report.format.name, report.exit_code()) == ("snarkos-blocks", Exit.CLEAN)
    assert report.answer.summary["blocks"] == 2


@pytest.mark.parametrize(
    ("asked", "code", "words"),
    [
        ("blocks:3-5", Exit.REFUSED, ("block 5 has 1 transactions", "BHP")),
        ("blocks:7..8", Exit.REFUSED, ("block 8 has no row in block.header", "inspector items")),
        ("blocks:7-9", Exit.REFUSED, ("block 8 has no row", "inspector items")),
        ("blocks:0-50", Exit.REFUSED, ("more than 50",)),
        ("blocks:4-3", Exit.USAGE, ("not a range",)),
    ],
)
def test_what_cannot_be_put_together_is_refused_and_named(
    asked: str, code: Exit, words: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [dict(batch) for batch in batches(LIGHT)]
    del rows[8][key(6, LIGHT[8].hash)]
    folder = on_disk(tmp_path / "ledger", rows)
    assert run(["extract", str(folder), asked, "-o", str(tmp_path / "out")]) == code
    assert not (tmp_path / "out").exists()
    told = capsys.readouterr().err
    assert all(word in told for word in words), told


def test_keys_are_extracted_as_from_any_database(tmp_path: Path) -> None:
    folder = on_disk(tmp_path / "ledger", batches(LIGHT))
    asked = f"default:0x{key(4, (3).to_bytes(4, 'little')).hex()}"
    assert extracted(folder, asked).read_bytes() == LIGHT[3].hash
