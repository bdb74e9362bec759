"""Damage that the lower format undoes: its rows are judged as they will be, not given up and not deleted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from inspector.errors import Exit
from inspector.formats.rocksdb.database import good_blocks, open_database
from inspector.source import open_source
from tests.builders.snarkos import batches, ledger
from tests.builders.snarkos_stores import engine_rows, write_engine
from tests.formats.snarkos.stores import mend, scan


def tables(folder: Path) -> list[tuple[Path, list[tuple[int, int]]]]:
    """Each table, and where its data blocks lie."""
    with open_source(str(folder)) as source:
        db = open_database(source)
        return [(folder / name, [b[:2] for b in good_blocks(db.table(name))]) for name in db.tables.values()]


def swapped(folder: Path) -> None:
    path, _ = max(tables(folder), key=lambda found: found[0].stat().st_size)
    data = path.read_bytes()
    assert len(data) > 3 * 4096
    path.write_bytes(data[4096:8192] + data[:4096] + data[8192:])


def flipped(folder: Path) -> None:
    """One bit in the first key of each table: its structure is the second witness."""
    for path, blocks in tables(folder):
        data, (start, _) = bytearray(path.read_bytes()), blocks[0]
        data[start + 1] ^= 0x40
        path.write_bytes(data)


@pytest.mark.parametrize("damage", [swapped, flipped])
def test_rows_of_blocks_that_a_repair_undoes_are_not_lost(damage: Callable[[Path], None], tmp_path: Path) -> None:
    folder, out = tmp_path / "ledger", tmp_path / "out"
    write_engine(folder, batches(ledger(24)), flush_every=8)
    truth = engine_rows(folder)
    damage(folder)
    report = scan(folder)
    summary = report.answer.summary
    assert summary["consistent_prefix"] == 24
    assert not summary["lost"]["heights"]
    assert {found.rule.code for found in report.tally.findings()} == {"RDB001"}
    done = mend(folder, out)
    assert done.code is Exit.CLEAN
    assert engine_rows(out) == truth


def test_what_a_scan_does_not_look_through_it_does_not_call_lost_for_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inspector.formats.snarkos.ledger.MOST_SEEN", 0)
    folder, out = tmp_path / "ledger", tmp_path / "out"
    write_engine(folder, batches(ledger(24)), flush_every=8)
    truth = engine_rows(folder)
    flipped(folder)
    words = " ".join(scan(folder).answer.words)
    assert "Data is lost" in words
    assert "a repair looks at all of them, and may bring these rows back" in words
    assert mend(folder, out).code is Exit.CLEAN
    assert engine_rows(out) == truth
