"""One file of a database under a name that people gave it, or with nothing in it."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import pytest

from inspector.__main__ import main
from tests.contract.corpus import SAMPLES


@pytest.mark.parametrize("size", [0, 200, 70_000])
def test_a_manifest_without_any_edit_is_not_clean(size: int, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """RocksDB refuses to open a database with it."""
    path = tmp_path / "MANIFEST-000005"
    path.write_bytes(bytes(size))
    assert main(["scan", str(path), "--json"]) == 3
    (told,) = json.loads(capfd.readouterr().out)["findings"]
    assert (told["code"], told["start"], told["end"], told["salvage"]) == ("RDB039", 0, size, "lost")


@pytest.mark.parametrize("name", ["manifest-of-jane", "MANIFEST", "MANIFEST-000005", "Manifest.old"])
@pytest.mark.parametrize("damaged", [False, True])
def test_a_capsule_of_a_manifest_says_what_the_file_said(
    name: str, damaged: bool, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Where no record verifies, the name alone tells what it is: a pseudonym of it has to tell the same."""
    data = bytearray((SAMPLES / "rocksdb/clean-db/MANIFEST-000005").read_bytes())
    if damaged:
        data[3::7] = bytes(len(data[3::7]))
    path = tmp_path / name
    path.write_bytes(data)
    found = []
    assert main(["capture", str(path), "-o", str(tmp_path / "c"), "--no-environment"]) == 0
    capfd.readouterr()
    for place in (path, tmp_path / "c"):
        code = main(["scan", str(place), "--json"])
        findings = json.loads(capfd.readouterr().out)["findings"]
        found.append((code, [(f["code"], f["start"], f["end"], f["cause"]["name"]) for f in findings]))
    assert found[0] == found[1]
    assert damaged is bool(found[0][0])
    assert b"jane" not in (tmp_path / "c").read_bytes()


@pytest.mark.parametrize("seed", range(6))
def test_a_blob_file_whose_header_is_noise_is_listed_where_its_tables_are(seed: int, tmp_path: Path) -> None:
    """Without a MANIFEST: the repair wrote a header of its own, and listed the file by what the noise said."""
    folder, rng = tmp_path / "db", random.Random(seed)
    shutil.copytree(SAMPLES / "crashers/rocksdb-06f25b034395", folder)
    (folder / "MANIFEST-000005").write_bytes(bytes(165))
    data = bytearray((folder / "000008.blob").read_bytes())
    data[4:30] = rng.randbytes(26)
    (folder / "000008.blob").write_bytes(data)
    assert main(["repair", str(folder), "-o", str(tmp_path / "out")]) == 4
    assert main(["scan", str(tmp_path / "out")]) == 0
