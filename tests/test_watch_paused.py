"""A machine that stands still in the middle of a look: nobody saw what was in flight for that long."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from inspector import formats, rescan
from inspector.live import inspect as inspect_live
from inspector.source import Source
from inspector.watch import Watch
from tests.test_watch import PATIENCE, Stage, stage

__all__ = ["stage"]


@pytest.mark.parametrize("what", ["tear", "hole"])
def test_a_machine_that_stands_still_in_the_middle_of_a_look_makes_no_damage_of_what_was_in_flight(
    what: str, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bytes were read before the pause and are told after it: nobody saw them for that long."""
    finish = stage.store.tear() if what == "tear" else stage.store.hole()[1]
    stage.poll()
    taken = stage.watch._source

    def paused() -> Source:
        source = taken()
        stage.time += 20 * PATIENCE
        return source

    monkeypatch.setattr(stage.watch, "_source", paused)
    stage.poll()
    monkeypatch.undo()
    finish()
    stage.poll()
    assert not stage.names() & Counter(torn=1, damage=1, healed=1)


def test_a_scan_that_takes_longer_than_the_patience_makes_no_damage_of_what_was_being_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = (Path(__file__).parents[1] / "samples" / "known_peers" / "known_addresses-v3.bin").read_bytes()
    path = tmp_path / "known_addresses.bin"
    path.write_bytes(bytes([good[0] ^ 1]) + good[1:])
    clock, told = [1_000.0], list[str]()
    os.utime(path, (clock[0], clock[0]))
    scan = inspect_live

    def slow(*args: Any) -> Any:
        report = scan(*args)
        clock[0] += 20 * PATIENCE
        return report

    monkeypatch.setattr(rescan, "inspect", slow)
    times = {"now": lambda: clock[0], "tick": lambda: clock[0]}
    watch = Watch(str(path), formats.all_formats(), lambda e: told.append(e.event), patience=PATIENCE, **times)  # type: ignore[arg-type]
    watch.poll()
    assert "damage" not in told
