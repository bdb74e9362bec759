"""Headers and footers of blob files: nothing protects a header, and the engine reads no value behind a wrong one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from inspector.cli.app import run
from inspector.errors import Exit
from inspector.formats import all_formats
from inspector.formats.rocksdb import blob
from inspector.inspect import inspect
from inspector.source import open_source
from tests.formats.rocksdb.test_blob_moved import NAME, SAMPLE, whole


def damaged(folder: Path, at: int, value: int) -> Path:
    """The database with one byte of its blob file changed, which had no damage before."""
    shutil.copytree(SAMPLE, folder)
    data = bytearray(whole()[0])
    data[at] ^= value
    (folder / NAME).write_bytes(data)
    return folder


def codes(folder: Path) -> set[str]:
    with open_source(str(folder)) as source:
        return {f.rule.code for f in inspect(source, all_formats()).tally.findings()}


@pytest.mark.parametrize("at", range(blob.HEADER))
def test_each_byte_of_a_header_is_held_to_what_speaks_of_the_file(at: int, tmp_path: Path) -> None:
    assert codes(damaged(tmp_path / "db", at, 0x81)) == {"RDB032"}


@pytest.mark.parametrize("at", [1, 4, 8, 12, 13, 14, 29, -20, -16, -5, -1])
def test_a_header_and_a_footer_are_made_as_they_were(at: int, tmp_path: Path) -> None:
    """Where the engine is here it reads the repaired copy, value for value."""
    folder = damaged(tmp_path / "db", at, 0x01)
    assert run(["repair", str(folder), "-o", str(tmp_path / "out")]) == Exit.CLEAN
    assert (tmp_path / "out" / NAME).read_bytes() == whole()[0]


def test_a_healthy_header_is_held_for_nothing_else(tmp_path: Path) -> None:
    assert codes(damaged(tmp_path / "db", 0, 0)) == set()


def test_a_header_alone_keeps_what_it_says_besides(tmp_path: Path) -> None:
    """Nothing but the file itself speaks of its column family and compression."""
    data = bytearray(whole()[0])
    data[8], data[13], data[20] = 3, 7, 1
    (tmp_path / NAME).write_bytes(data)
    assert run(["repair", str(tmp_path / NAME), "-o", str(tmp_path / "out.blob")]) == Exit.CLEAN
    data[20] = 0
    assert (tmp_path / "out.blob").read_bytes() == data


def test_a_value_is_judged_by_the_compression_that_entries_name(tmp_path: Path) -> None:
    """Not by that of a header that is itself wrong: no value would undo it, and each correction be refuted."""
    data, at = bytearray(whole()[0]), whole()[1][0].end - 4
    data[at] ^= 1
    shutil.copytree(SAMPLE, tmp_path / "db")
    (tmp_path / "db" / NAME).write_bytes(data)
    folder = damaged(tmp_path / "both", 13, 0x01)
    both = bytearray((folder / NAME).read_bytes())
    both[at] ^= 1
    (folder / NAME).write_bytes(both)
    told = []
    for path in (tmp_path / "db", folder):
        with open_source(str(path)) as source:
            findings = list(inspect(source, all_formats()).tally.findings())
        told.append([f.evidence["correction"] for f in findings if f.rule.code == "RDB030"])
        headers = [f.message for f in findings if f.rule.code == "RDB032"]
    assert told[0] == told[1] != []
    assert len(headers) == 1


def test_what_is_wrong_with_a_header_is_said(tmp_path: Path) -> None:
    with open_source(str(damaged(tmp_path / "db", 4, 0x02))) as source:
        findings = list(inspect(source, all_formats()).tally.findings())
    assert [f.message for f in findings] == [f"blob header of 30 bytes: {blob.header_fault(header_of(tmp_path))}"]


def header_of(folder: Path) -> bytes:
    return (folder / "db" / NAME).read_bytes()[: blob.HEADER]
