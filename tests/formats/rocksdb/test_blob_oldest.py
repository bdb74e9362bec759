"""Of several blob files that one table needs the oldest is gone: the engine must keep the others."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.formats.rocksdb.test_misplaced import mended

rocksdict: Any = pytest.importorskip("rocksdict")
KEYS = 20


def opened(path: Path) -> Any:
    options = rocksdict.Options(raw_mode=True)
    options.create_if_missing(True)
    options.set_disable_auto_compactions(True)
    options.set_enable_blob_files(True)
    options.set_min_blob_size(20)
    return rocksdict.Rdict(str(path), options)


@pytest.mark.parametrize("manifest", [True, False], ids=["listed", "no-manifest"])
def test_values_in_the_other_blob_files_of_a_table_are_kept(manifest: bool, tmp_path: Path) -> None:
    path = tmp_path / "db"
    database = opened(path)
    for turn in range(3):
        for i in range(KEYS):
            database[b"%d %d" % (i, turn)] = b"%d" % turn * 50
        database.flush()
        if turn == 1:
            database.compact_range(None, None)  # one table, and both blob files stay
    database.close()
    first, _, _ = sorted(path.glob("*.blob"))
    first.unlink()
    if not manifest:
        (used,) = path.glob("MANIFEST-*")
        used.unlink()
    mended(path)
    shutil.copytree(f"{path}.new", f"{path}.read")
    database = opened(Path(f"{path}.read"))
    assert dict(database.items()) == {b"%d %d" % (i, t): b"%d" % t * 50 for t in (1, 2) for i in range(KEYS)}
    database.close()
