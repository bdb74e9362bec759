"""A slot of which nothing is left may have had the newer list: it counts as lost, and its records cannot be counted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from inspector.__main__ import main
from tests.builders import known_peers as build
from tests.builders.known_peers import S
from tests.contract.corpus import SAMPLES


def test_the_list_of_an_erased_slot_is_not_called_kept(tmp_path: Path) -> None:
    sample = SAMPLES / "known_peers" / "known_addresses-erased.bin"
    assert main(["repair", str(sample), "-o", str(tmp_path / "out")]) == 4
    assert main(["scan", "-q", str(tmp_path / "out")]) == 0


@pytest.mark.parametrize("left", [3000, 268_060, S])
def test_a_slot_behind_the_end_is_a_loss(left: int, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "known_addresses.bin").write_bytes(build.healthy()[:left])
    assert main(["repair", str(tmp_path / "known_addresses.bin"), "-o", str(tmp_path / "out"), "--json"]) == 4
    assert json.loads(capfd.readouterr().out)["records"]["lost"] is None
