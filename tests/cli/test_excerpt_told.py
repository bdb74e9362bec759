"""An excerpt that is not taken for what its source was says with which --format it shows the same findings."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from inspector.__main__ import main
from tests.contract.corpus import SAMPLES


def codes(capfd: pytest.CaptureFixture[str], *words: str) -> list[str]:
    capfd.readouterr()
    main(["scan", *words, "--json"])
    return sorted(found["code"] for found in json.loads(capfd.readouterr().out)["findings"])


@pytest.mark.parametrize("size", [0, 9_618])
def test_a_ledger_of_which_no_row_is_left_is_inspected_by_its_name(
    size: int, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    source, out = tmp_path / "ledger", str(tmp_path / "out")
    shutil.copytree(SAMPLES / "crashers/snarkos-2069b8f1abba", source)
    (source / "000004.log").write_bytes(bytes(size) + (source / "000004.log").read_bytes()[size:])
    before = codes(capfd, str(source))
    assert main(["excerpt", str(source), "-o", out, "--json"]) == 0
    notes = json.loads(capfd.readouterr().out)["notes"]
    named = any("--format snarkos" in note for note in notes)
    assert codes(capfd, out, *(["--format", "snarkos"] if named else [])) == before
    assert named is bool(size)


def test_one_that_is_taken_for_what_it_is_says_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "out.img")
    assert main(["excerpt", str(SAMPLES / "longhorn/odd.img"), "-o", out, "--json"]) == 0
    assert "--format" not in capfd.readouterr().out
    assert codes(capfd, out) == codes(capfd, str(SAMPLES / "longhorn/odd.img"))


def test_a_file_that_only_its_name_told_says_so(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    source, out = tmp_path / "MANIFEST-000005", str(tmp_path / "out")
    source.write_bytes(bytes(200))
    assert main(["excerpt", str(source), "-o", out, "--json", "--no-redact"]) == 0
    (note,) = [n for n in json.loads(capfd.readouterr().out)["notes"] if "--format" in n]
    assert "--format rocksdb" in note


def test_a_table_that_nothing_tells_any_more_still_gets_its_excerpt(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """With other keys the one block that told the format had moved: the excerpt was refused as no known format."""
    source, out = str(tmp_path / "a.bin"), str(tmp_path / "b.bin")
    sample = str(SAMPLES / "crashers/rocksdb-03e9367ec0ed.bin")
    assert main(["dev", "inject", sample, "-o", source, "--damage", "shift", "--seed", "459719"]) == 0
    before = codes(capfd, source)
    assert main(["excerpt", source, "-o", out, "--json"]) == 0
    assert "--format rocksdb" in capfd.readouterr().out
    assert codes(capfd, out, "--format", "rocksdb") == before == ["RDB009", "RDB015"]
