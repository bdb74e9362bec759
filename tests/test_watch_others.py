"""Logs, write-ahead logs, and stores that are scanned whole, followed while they are written."""

from __future__ import annotations

import os
from pathlib import Path
from random import Random

import pytest

from inspector import formats, rescan
from inspector.errors import SourceError
from inspector.fingerprint import fingerprint
from inspector.inspect import inspect
from inspector.source import Source, open_source
from inspector.watch import Event, Watch
from tests.builders.rocksdb import log_of

PATIENCE = 3.0


def test_a_log_is_followed_line_by_line_over_rotation(tmp_path: Path) -> None:
    path = tmp_path / "node.log"
    line = "2025-01-31T12:00:{:02}.000000Z  INFO kad: Kademlia bootstrap started\n"
    path.write_text("".join(line.format(k) for k in range(20)))
    events: list[Event] = []
    watch = Watch(str(path), formats.all_formats(), events.append, forced="kad-trace", patience=0.0)
    watch.poll()
    with path.open("ab") as log:
        log.write(line.format(20).encode()[:30])
        log.flush()
        watch.poll()
        watch.poll()
        log.write(line.format(20).encode()[30:])
        log.write(bytes(512) + b"\n" + line.format(21).encode())
        log.flush()
        watch.poll()
        watch.poll()
    path.rename(tmp_path / "node.log.1")
    path.write_text(line.format(22))
    watch.poll()
    assert [e.event for e in events] == ["opened", "damage", "rotated", "opened"]
    assert watch.units["line"] == 23


@pytest.mark.parametrize("seed", range(3))
def test_a_write_ahead_log_is_followed_record_by_record(seed: int, tmp_path: Path) -> None:
    rng = Random(seed)
    records = [rng.randbytes(rng.randrange(1, 20_000)) for _ in range(20)]
    data = log_of(records)
    path = tmp_path / "000014.log"
    path.write_bytes(data[:40_000])
    events: list[Event] = []
    watch = Watch(str(path), formats.all_formats(), events.append, forced="rocksdb", patience=0.0)
    watch.poll()
    at = 40_000
    while at < len(data):
        step = rng.choice([1, 5, 100, 5_000, 40_000])
        with path.open("ab") as file:
            file.write(data[at : at + step])
        at += step
        watch.poll()
    assert [e.event for e in events] == ["opened"]
    assert watch.follower is not None
    assert watch.follower.at == len(data)
    with path.open("ab") as file:
        file.write(bytes(3 * 32_768))  # room that was set aside
    watch.poll()
    watch.poll()
    assert [e.event for e in events] == ["opened"]


def test_a_hole_in_a_write_ahead_log_is_damage_and_a_table_is_scanned_whole(tmp_path: Path) -> None:
    data = log_of([bytes([65 + k]) * 3_000 for k in range(20)])
    path = tmp_path / "000014.log"
    path.write_bytes(data[:20_000] + bytes(300) + data[20_300:])
    events: list[Event] = []
    watch = Watch(str(path), formats.all_formats(), events.append, forced="rocksdb", patience=0.0)
    watch.poll()
    watch.poll()
    assert {e.event for e in events} == {"opened", "damage"}
    path.write_bytes(data)
    watch.poll()
    assert {e.event for e in events} == {"opened", "damage", "healed"}
    table = Path(__file__).parents[1] / "samples" / "rocksdb" / "clean-v7.sst"
    told: list[Event] = []
    watch = Watch(str(table), formats.all_formats(), told.append)
    watch.poll()
    assert [e.event for e in told] == ["opened", "rescans", "scanned"]


def test_another_store_is_scanned_whole_when_it_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rescan, "REST", 0.0)
    sample = Path(__file__).parents[1] / "samples" / "known_peers" / "known_addresses-v3.bin"
    path = tmp_path / "known_addresses.bin"
    good = sample.read_bytes()
    path.write_bytes(good)
    events: list[Event] = []
    watch = Watch(str(path), formats.all_formats(), events.append)
    watch.poll()
    watch.poll()
    path.write_bytes(bytes([good[0] ^ 1]) + good[1:])
    os.utime(path, ns=(1, 1))
    watch.poll()
    names = [e.event for e in events]
    assert names[:2] == ["rescans", "scanned"]
    assert "damage" in names[2:]
    path.write_bytes(good)
    os.utime(path, ns=(2, 2))
    watch.poll()
    assert "healed" in [e.event for e in events]


def test_a_store_that_is_being_written_is_looked_at_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that is written in place is wrong for a moment, and its program may be another user's."""
    monkeypatch.setattr(rescan, "REST", 0.0)
    good = (Path(__file__).parents[1] / "samples" / "known_peers" / "known_addresses-v3.bin").read_bytes()
    path = tmp_path / "known_addresses.bin"
    path.write_bytes(good)
    clock, told = [1_000.0], list[str]()
    times = {"now": lambda: clock[0], "tick": lambda: clock[0]}
    watch = Watch(str(path), formats.all_formats(), lambda e: told.append(e.event), patience=PATIENCE, **times)  # type: ignore[arg-type]

    def look(data: bytes, seconds: float = 1.0) -> list[str]:
        path.write_bytes(data)
        os.utime(path, (clock[0], clock[0]))
        del told[:]
        watch.poll()
        clock[0] += seconds
        return [event for event in told if event != "scanned"]

    bad = bytes([good[0] ^ 1]) + good[1:]
    assert look(good) == ["rescans"]
    assert look(bad) == []
    assert look(good) == ["transient"]
    assert look(bad, PATIENCE) == []
    watch.poll()  # nothing changed, and it is still there
    assert told.count("damage") == 1
    assert look(bad) == []
    assert look(good) == ["healed"]


def test_damage_that_a_baseline_has_is_no_news_in_a_store_that_is_scanned_whole(tmp_path: Path) -> None:
    sample = Path(__file__).parents[1] / "samples" / "known_peers" / "known_addresses-flipped.bin"
    path = tmp_path / "known_addresses.bin"
    path.write_bytes(sample.read_bytes())
    os.utime(path, ns=(1, 1))
    with open_source(str(path)) as source:
        report = inspect(source, formats.all_formats())
        known = frozenset(fingerprint(found, source) for found in report.tally.findings())
    told: list[Event] = []
    watch = Watch(str(path), formats.all_formats(), told.append, known=known)
    watch.poll()
    assert "known-damage" in {e.event for e in told}
    assert not watch.damaged


def test_a_store_that_could_not_be_read_once_is_looked_at_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing in it changes; damage must not wait until something does."""
    monkeypatch.setattr(rescan, "REST", 0.0)
    sample = Path(__file__).parents[1] / "samples" / "known_peers" / "known_addresses-flipped.bin"
    path = tmp_path / "known_addresses.bin"
    path.write_bytes(sample.read_bytes())
    os.utime(path, ns=(1, 1))
    events: list[Event] = []
    watch = Watch(str(path), formats.all_formats(), events.append)
    right = open_source

    def fails(_: str) -> Source:
        raise SourceError("for a moment")

    monkeypatch.setattr(rescan, "open_source", fails)
    watch.poll()
    assert "damage" not in [e.event for e in events]
    monkeypatch.setattr(rescan, "open_source", right)
    watch.poll()
    assert "damage" in [e.event for e in events]
