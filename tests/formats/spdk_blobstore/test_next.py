"""The commands at the end of a scan work as they are pasted."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from inspector.__main__ import main
from tests.contract.corpus import SAMPLES


@pytest.mark.parametrize("name", ["spdk_blobstore/chain-broken.img", "spdk_blobstore/names.img", "longhorn/odd.img"])
def test_the_extract_that_a_scan_names_works(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["scan", str(SAMPLES / name), "--json"]) == 3
    (command,) = [one for one in json.loads(capfd.readouterr().out)["next"] if " extract " in one]
    assert main(shlex.split(command)[1:]) == 0
    assert (tmp_path / "volume.raw").stat().st_size
