"""Files of another LevelDB database under this one's names: sizes tell, and the log with which the MANIFEST goes on."""

from __future__ import annotations

import shutil
from pathlib import Path
from random import Random
from typing import Any

import pytest

from inspector import formats
from inspector.__main__ import main
from inspector.inspect import inspect
from inspector.source import open_source

plyvel: Any = pytest.importorskip("plyvel")


def make(folder: Path, seed: int, count: int = 900) -> dict[bytes, bytes]:
    """A database of one table and a log; what was in it."""
    rng = Random(seed)
    with plyvel.DB(str(folder), create_if_missing=True) as db:
        for i in range(count):
            db.put(b"%d-key-%05d" % (seed, i), b"value %d " % i + rng.randbytes(30))
        db.compact_range()
        for i in range(50):
            db.put(b"%d-log-%05d" % (seed, i), rng.randbytes(30))
        truth = dict(db)
    assert len(list(folder.glob("*.ldb"))) == 1
    return truth


def codes(folder: Path) -> set[str]:
    with open_source(str(folder)) as source:
        return {found.rule.code for found in inspect(source, formats.all_formats()).tally.findings()}


def read(folder: Path) -> dict[bytes, bytes]:
    with plyvel.DB(str(folder), paranoid_checks=True) as db:
        return dict(db.iterator(verify_checksums=True))


@pytest.mark.parametrize("log", [True, False])
def test_nothing_is_given_up_for_the_manifest_of_another_database(log: bool, tmp_path: Path) -> None:
    folder, other, out = tmp_path / "db", tmp_path / "other", tmp_path / "out"
    truth = make(folder, 1)
    make(other, 2, 1400)
    if not log:
        truth = {key: value for key, value in truth.items() if b"-log-" not in key}
        next(folder.glob("*.log")).write_bytes(b"")
    for name in ("CURRENT", next(other.glob("MANIFEST-*")).name):
        shutil.copy(other / name, folder / name)
    assert "RDB039" in codes(folder)
    assert main(["repair", str(folder), "-o", str(out)]) == 4  # what the own one named, and is not here, nobody knows
    assert read(out) == truth
    assert main(["scan", "-q", str(out)]) == 0


def test_a_whole_table_of_another_size_is_another_databases(tmp_path: Path) -> None:
    """The log begins where the MANIFEST ends: so these two belong together, and the table does not."""
    folder, other, out = tmp_path / "db", tmp_path / "other", tmp_path / "out"
    truth = make(folder, 1)
    make(other, 2, 1400)
    shutil.copy(next(other.glob("*.ldb")), next(folder.glob("*.ldb")))
    assert "RDB016" in codes(folder)
    assert main(["repair", str(folder), "-o", str(out)]) == 4
    assert read(out) == {key: value for key, value in truth.items() if b"-log-" in key}


@pytest.mark.parametrize("gone", [1, 30, 3000])
def test_a_table_that_was_cut_is_neither(gone: int, tmp_path: Path) -> None:
    folder, out = tmp_path / "db", tmp_path / "out"
    truth = make(folder, 1)
    path = next(folder.glob("*.ldb"))
    path.write_bytes(path.read_bytes()[:-gone])
    next(folder.glob("*.log")).write_bytes(b"")  # so that the MANIFEST has no other witness
    assert not {"RDB039", "RDB016"} & codes(folder)
    assert main(["repair", str(folder), "-o", str(out)]) in (0, 4)
    kept = read(out)
    assert kept.items() <= truth.items()
    assert len(kept) > 700
