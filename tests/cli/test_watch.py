"""`inspector watch` as a process: lines, signals, exit codes, its state and metrics."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from benchmarks.watch_writer import judge, run
from inspector import formats
from inspector.render.schemas import schema
from tests.builders.live_store import LiveStore


class Process:
    """A watch whose events are read as they come."""

    def __init__(self, path: Path, *options: str) -> None:
        command = [sys.executable, "-m", "inspector", "watch", str(path), "--interval", "0.05s", "--patience", "0.2s"]
        self.process = subprocess.Popen([*command, "--jsonl", *options], stdout=subprocess.PIPE, text=True)
        self.events: list[dict[str, Any]] = []

    def until(self, event: str) -> dict[str, Any]:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.events.append(json.loads(line))
            if self.events[-1]["event"] == event:
                return self.events[-1]
        raise AssertionError(f"it ended without {event}: {self.events}")

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        self.until("end")
        return self.process.wait(20)


@pytest.fixture
def store(tmp_path: Path) -> LiveStore:
    made = LiveStore(tmp_path / "gossip_store", 1)
    made.grow(20)
    return made


def test_it_ends_well_when_it_is_asked_to_and_every_line_is_as_the_schema_says(store: LiveStore) -> None:
    watch = Process(store.path, "--records", "--label", "host=a")
    watch.until("appended")
    store.grow(3)
    watch.until("appended")
    assert watch.end() == 0
    validator = jsonschema.Draft202012Validator(schema("watch", formats.all_formats()))
    for event in watch.events:
        validator.validate(event)
        assert event["labels"] == {"host": "a"}
    assert watch.events[-1]["evidence"]["at"] == len(store.store.data)


def test_an_interrupt_ends_it_with_its_last_line_and_130(store: LiveStore) -> None:
    watch = Process(store.path)
    watch.until("opened")
    assert watch.end(signal.SIGINT) == 130


def test_until_damage_ends_at_the_first_lasting_damage(store: LiveStore) -> None:
    watch = Process(store.path, "--until-damage")
    watch.until("opened")
    _, fill = store.hole()
    watch.until("damage")
    watch.until("end")
    assert watch.process.wait(20) == 3
    fill()


def test_it_goes_on_where_its_state_says_and_writes_metrics(store: LiveStore, tmp_path: Path) -> None:
    options = ("--state", str(tmp_path / "state.json"), "--metrics", str(tmp_path / "m.prom"))
    first = Process(store.path, *options)
    first.until("opened")
    assert first.end() == 0
    at = first.events[-1]["evidence"]["at"]
    store.grow(5)
    second = Process(store.path, *options, "--for", "0.1s")
    assert second.until("opened")["evidence"]["resumed_at"] == at
    end = second.until("end")
    assert end["evidence"]["at"] == len(store.store.data)
    assert second.process.wait(20) == 0
    assert f'inspector_watch_offset_bytes{{path="{store.path}"}} {end["evidence"]["at"]}' in (
        (tmp_path / "m.prom").read_text()
    )


def test_a_reader_that_goes_away_ends_it_quietly(store: LiveStore) -> None:
    watch = Process(store.path, "--records")
    watch.until("appended")
    assert watch.process.stdout is not None
    watch.process.stdout.close()
    deadline = time.monotonic() + 20
    while watch.process.poll() is None and time.monotonic() < deadline:
        store.grow(1)
        time.sleep(0.05)
    assert watch.process.returncode == 0


@pytest.mark.parametrize(
    "options",
    [("-",), ("x", "--keep-corrupt", "absent"), ("x", "--interval", "never"), ("x", "--format", "none"), ("folder",)],
    ids=str,
)
def test_what_cannot_be_meant_is_refused(options: tuple[str, ...], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "inspector", "watch", *options]
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "gossip_store").write_bytes(b"\x10")
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")


def test_some_seconds_of_a_writer_are_told_as_they_were() -> None:
    """benchmarks/watch_writer.py is the long version. A look that came too late on a busy machine proves nothing."""
    lines, truth = run(5.0, 6)
    late = next(e for e in lines if e["event"] == "end")["evidence"]["longest_gap_seconds"]
    if late > 1.5:
        pytest.skip(f"this machine let the watch wait for {late} s")
    assert judge(lines, truth) == []


def test_a_copy_that_was_asked_for_and_could_not_be_kept_is_not_a_success(store: LiveStore, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    watch = Process(store.path, "--keep-corrupt", str(kept))
    watch.until("opened")
    kept.rmdir()
    store.refused()
    assert "not_kept" in watch.until("corrupt-file")["evidence"]
    assert watch.end() == 6
