"""A slot of which nothing is left may have had the newer list: it counts as lost, and its records cannot be counted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from inspector import formats
from inspector.__main__ import main
from inspector.format import Wishes
from inspector.formats.known_peers.state import open_state
from inspector.inspect import inspect
from inspector.source import MemorySource
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


def test_a_node_that_halves_a_longer_file_may_find_slot_b_there() -> None:
    """As many bytes behind each slot: the second half begins where slot B stands now."""
    older, newer = (build.seal(build.payload(build.peers(2), build.WROTE - age)) for age in (5, 0))
    data = build.slot(older) + bytes(10) + build.slot(newer) + bytes(10)
    report = inspect(MemorySource(data, "known_addresses.bin"), formats.all_formats())
    assert report.answer.summary["winner"] == {"slot": 1, "timestamp": build.WROTE, "peers": 2}
    assert report.answer.summary["because"] == "slot B has the later time"
    assert report.answer.loaders[0].outcome.startswith(
        "loads 2 of 2 peers from slot B (slot B has the later time); then"
    )


@pytest.mark.parametrize(
    ("data", "slots", "halves"),
    [
        (b"", ["absent", "absent"], ["absent", "absent"]), (b"x", ["cut", "absent"], ["cut", "absent"]),
        (b"xy", ["cut", "absent"], ["torn", "torn"]), (b"\0\0", ["zero", "absent"], ["zero", "zero"]),
        (b"xyz", ["cut", "absent"], ["torn", "torn"]),
    ],
)  # fmt: skip
def test_a_file_of_a_few_bytes_has_the_halves_that_a_node_makes_of_it(
    data: bytes, slots: list[str], halves: list[str]
) -> None:
    state = open_state(MemorySource(data, "known_addresses.bin"), None, Wishes())
    assert ([slot.verdict for slot in state.slots], [slot.verdict for slot in state.halves]) == (slots, halves)
    assert [slot.index for slot in state.halves] == [0, 1]
