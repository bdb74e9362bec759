"""A flipped length in a MANIFEST costs nothing: the record is read, and the repaired folder has it right."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from inspector.errors import Exit
from inspector.format import Wishes
from inspector.formats import all_formats
from inspector.inspect import inspect
from inspector.repair import repair
from inspector.source import open_source

CLEAN = Path(__file__).parents[3] / "samples/rocksdb/clean-db"


@pytest.mark.parametrize("bit", range(16))
def test_a_flipped_length_bit_in_a_manifest_costs_nothing(bit: int, tmp_path: Path) -> None:
    shutil.copytree(CLEAN, tmp_path / "db")
    manifest = next((tmp_path / "db").glob("MANIFEST-*"))
    data = bytearray(manifest.read_bytes())
    data[4 + bit // 8] ^= 1 << bit % 8  # the length field of the first record
    manifest.write_bytes(data)
    with open_source(str(tmp_path / "db")) as source:
        assert inspect(source, all_formats()).damaged
        result = repair(source, all_formats(), str(tmp_path / "new"), Wishes())
    assert (result.code, result.bytes["lost"]) == (Exit.CLEAN, 0)
    with open_source(str(tmp_path / "new")) as source:
        assert not inspect(source, all_formats()).damaged
