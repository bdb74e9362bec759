"""A store followed while it is written: every event told once, none invented."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from itertools import pairwise
from pathlib import Path
from random import Random
from unittest import mock

import pytest

from inspector import formats
from inspector.trouble import LOOKS
from inspector.watch import DAMAGE, Event, Watch
from tests.builders.gossip import healthy
from tests.builders.live_store import LiveStore

PATIENCE = 3.0


class Stage:
    """A store, a watch of it, and a clock that only moves when it is told to."""

    def __init__(self, folder: Path, seed: int = 1, keep_in: Path | None = None, known: frozenset[str] = frozenset()):
        self.time = 1_000.0
        self.events: list[Event] = []
        self.store = LiveStore(folder / "gossip_store", seed)
        self.watch = Watch(
            str(folder / "gossip_store"),
            formats.all_formats(),
            self.events.append,
            patience=PATIENCE,
            each=True,
            keep_in=str(keep_in) if keep_in else None,
            known=known,
            now=lambda: self.time,
            tick=lambda: self.time,
        )
        self.poll()

    def poll(self, seconds: float = 1.0) -> list[Event]:
        """One look, `seconds` after the last; what it told."""
        before = len(self.events)
        self.time += seconds
        self.watch.poll()
        return self.events[before:]

    def names(self) -> Counter[str]:
        return Counter(e.event for e in self.events if e.event not in ("appended", "changed"))


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def test_what_is_appended_and_flagged_is_verified_and_nothing_is_told(stage: Stage) -> None:
    for _ in range(30):
        stage.store.grow(4)
        stage.poll()
    assert stage.names() == {"opened": 1}
    assert stage.watch.follower is not None
    assert stage.watch.follower.at == len(stage.store.store.data)
    ends = [(e.start, e.end) for e in stage.events if e.event == "appended"]
    assert ends[0][0] == 1
    assert all(a[1] == b[0] for a, b in pairwise(ends))
    changed = {e.start for e in stage.events if e.event == "changed"}
    assert changed <= set(stage.store.store.flagged)
    assert len(changed) >= len(set(stage.store.store.flagged)) // 2


def test_every_flag_that_a_new_record_announces_is_seen(stage: Stage) -> None:
    """Looked at after each step, no record is deleted before it was verified alive."""
    for _ in range(60):
        stage.store.grow(1)
        stage.poll()
    stage.poll()
    assert {e.start for e in stage.events if e.event == "changed"} == set(stage.store.store.flagged)


def test_a_record_in_flight_is_no_event(stage: Stage) -> None:
    finish = stage.store.tear()
    stage.poll()
    finish()
    stage.poll()
    stage.store.grow()
    stage.poll()
    assert stage.names() == {"opened": 1}


def test_an_append_that_stays_unfinished_is_torn_and_then_healed(stage: Stage) -> None:
    finish = stage.store.tear()
    for _ in range(5):
        stage.poll()
    finish()
    stage.poll()
    assert stage.names() == {"opened": 1, "torn": 1, "healed": 1}
    torn = next(e for e in stage.events if e.event == "torn")
    assert torn.evidence["codes"] == ["GSP007"]


def test_a_hole_that_fills_is_transient_with_the_bytes_seen(stage: Stage) -> None:
    (start, end), fill = stage.store.hole()
    stage.poll()
    fill()
    [event] = [e for e in stage.poll() if e.event == "transient"]
    assert (event.start, event.end) == (start, end)
    assert event.evidence["sha256"] == hashlib.sha256(bytes(end - start)).hexdigest()
    assert event.evidence["bytes_now"] == bytes(stage.store.store.data[start : start + 64]).hex()
    stage.store.grow()
    stage.poll()
    assert stage.names() == {"opened": 1, "transient": 1}
    assert not stage.watch.damaged


def test_a_hole_that_stays_is_damage_once_and_the_rest_goes_on(stage: Stage) -> None:
    (start, end), fill = stage.store.hole()
    for _ in range(6):
        stage.store.grow()
        stage.poll()
    assert stage.names() == {"opened": 1, "damage": 1}
    damage = next(e for e in stage.events if e.event == "damage")
    assert (damage.start, damage.end) == (start, end)
    assert damage.evidence["codes"] == ["GSP006"]
    assert stage.watch.follower is not None
    assert stage.watch.follower.at == len(stage.store.store.data)
    fill()
    stage.poll()
    assert stage.names() == {"opened": 1, "damage": 1, "healed": 1}


def test_a_bit_of_an_old_record_is_found_by_the_sweep(stage: Stage) -> None:
    stage.store.grow(40)
    stage.poll()
    at, restore = stage.store.flip()
    stage.poll()
    assert stage.names() == {"opened": 1}
    for _ in range(4):
        stage.poll()
    damage = next(e for e in stage.events if e.event == "damage")
    assert damage.start is not None
    assert damage.end is not None
    assert damage.start <= at < damage.end
    assert damage.evidence["cause"].startswith("bit-flip")
    restore()
    stage.poll()
    assert stage.names() == {"opened": 1, "damage": 1, "healed": 1}


def test_known_damage_is_no_news(tmp_path: Path) -> None:
    first = Stage(tmp_path)
    first.store.flip()
    for _ in range(6):
        first.poll()
    [damage] = [e for e in first.events if e.event == "damage"]
    again: list[Event] = []
    watch = Watch(
        str(tmp_path / "gossip_store"),
        formats.all_formats(),
        again.append,
        patience=0.0,
        known=frozenset(damage.evidence["fingerprints"]),
    )
    watch.poll()
    watch.poll()
    assert [e.event for e in again] == ["opened", "known-damage"]
    assert not watch.damaged


def test_a_compacted_store_that_takes_the_name_is_followed_and_its_ended_record_is_no_damage(stage: Stage) -> None:
    stage.store.grow(20)
    stage.poll()
    stage.store.grow(3)  # not yet seen when the name changes hands
    stage.store.rotate()
    told = stage.poll()
    assert [e.event for e in told if e.event != "changed"] == ["appended", "rotated", "opened", "appended"]
    stage.store.grow()
    stage.poll()
    assert not DAMAGE & set(stage.names())


def test_a_corrupt_file_is_told_and_kept_before_the_next_one_overwrites_it(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    stage = Stage(tmp_path, keep_in=kept)
    contents = set()
    for _ in range(3):
        stage.store.grow(10)
        stage.poll()
        stage.store.refused()
        contents.add((tmp_path / "gossip_store.corrupt").read_bytes())
        told = [e for e in stage.poll() if e.event == "corrupt-file"]
        assert [e.evidence.get("was_followed") for e in told] == [True]
    assert stage.names() == {"opened": 4, "rotated": 3, "corrupt-file": 3}
    assert {p.read_bytes() for p in kept.iterdir()} == contents
    assert all(hashlib.sha256(p.read_bytes()).hexdigest().startswith(p.suffix[1:]) for p in kept.iterdir())


def test_a_copy_that_cannot_be_kept_is_said_and_the_watch_goes_on(tmp_path: Path) -> None:
    stage = Stage(tmp_path, keep_in=tmp_path / "absent")
    stage.store.refused()
    [event] = [e for e in stage.poll() if e.event == "corrupt-file"]
    assert "absent" in event.evidence["not_kept"]
    stage.store.grow()
    assert [e.event for e in stage.poll()] == ["appended"]


def test_a_store_that_is_removed_and_comes_back_is_followed_again(stage: Stage) -> None:
    path = stage.store.path
    data = path.read_bytes()
    path.unlink()
    stage.poll()
    stage.poll()
    path.write_bytes(data)
    stage.poll()
    assert stage.names() == {"opened": 2, "removed": 1}


def test_a_store_that_becomes_shorter_is_read_from_its_start(stage: Stage) -> None:
    stage.store.grow(20)
    stage.poll()
    os.truncate(stage.store.path, stage.store.net.channels[0].announcement)
    stage.poll()
    assert stage.names()["truncated"] == 1
    assert not DAMAGE & set(stage.names())


def test_a_missing_store_is_waited_for(tmp_path: Path) -> None:
    events: list[Event] = []
    watch = Watch(str(tmp_path / "gossip_store"), formats.all_formats(), events.append)
    watch.poll()
    watch.poll()
    store = LiveStore(tmp_path / "gossip_store", 1)
    watch.poll()
    assert [e.event for e in events] == ["missing", "opened"]
    assert watch.units.total() == 11
    store.store.close()


def test_a_watch_goes_on_where_it_ended_and_not_on_another_file(stage: Stage, tmp_path: Path) -> None:
    stage.store.grow(30)
    stage.poll()
    saved = stage.watch.saved()
    assert saved is not None
    stage.store.grow(30)
    events: list[Event] = []
    second = Watch(str(stage.store.path), formats.all_formats(), events.append, each=True)
    second.saved_before = saved
    second.poll()
    assert events[0].evidence["resumed_at"] == saved["follower"]["at"]
    assert events[1].start == saved["follower"]["at"]
    stage.store.rotate()
    other: list[Event] = []
    third = Watch(str(stage.store.path), formats.all_formats(), other.append)
    third.saved_before = saved
    third.poll()
    assert "resumed_at" not in other[0].evidence


@pytest.mark.parametrize("seed", range(4))
def test_a_writer_that_does_all_of_it_has_every_event_told_and_none_invented(seed: int, tmp_path: Path) -> None:
    stage, rng = Stage(tmp_path, seed), Random(seed)
    wanted: Counter[str] = Counter(opened=1)
    for _ in range(40):
        what = rng.choice(
            ["grow", "grow", "grow", "tear", "torn", "hole", "zeroes", "flip", "rot", "rotate", "refused"]
        )
        match what:
            case "grow":
                stage.store.grow(rng.randrange(1, 9))
            case "tear" | "torn":
                finish = stage.store.tear()
                for _ in range(1 if what == "tear" else 5):
                    stage.poll()
                finish()
                wanted += Counter() if what == "tear" else Counter(torn=1, healed=1)
            case "hole" | "zeroes":
                _, fill = stage.store.hole()
                for _ in range(1 if what == "hole" else 5):
                    stage.poll()
                fill()
                wanted += Counter(transient=1) if what == "hole" else Counter(damage=1, healed=1)
            case "flip" | "rot":
                _, restore = stage.store.flip()
                for _ in range(1 if what == "flip" else 5):
                    stage.poll()
                restore()
                wanted += Counter(transient=1) if what == "flip" else Counter(damage=1, healed=1)
            case "rotate":
                stage.store.rotate()
                wanted += Counter(rotated=1, opened=1)
            case "refused":
                stage.store.refused()
                wanted += Counter({"rotated": 1, "opened": 1, "corrupt-file": 1})
        stage.poll()
    assert stage.names() == wanted


def _anew(path: Path, data: bytes) -> None:
    with path.open("r+b") as file:
        file.truncate(0)
        file.write(data)


@pytest.mark.parametrize("more", [0, 5000])
def test_a_store_written_anew_between_two_looks_is_read_from_its_start(more: int, stage: Stage, tmp_path: Path) -> None:
    """Its size tells nothing: it is the same, or larger."""
    stage.store.grow(30)
    stage.poll()
    other = LiveStore(tmp_path / "other", 99)
    while len(other.store.data) < len(stage.store.store.data) + more:
        other.grow(1)
    old = len(stage.store.store.data)
    _anew(stage.store.path, bytes(other.store.data) if more else bytes(other.store.data)[:old])
    for _ in range(3):
        stage.poll(0.5)
    assert stage.names() == {"opened": 1, "truncated": 1}
    assert "anew" in next(e.message for e in stage.events if e.event == "truncated")


def test_a_log_that_is_copied_truncated_and_longer_at_the_next_look_loses_no_line(tmp_path: Path) -> None:
    path = tmp_path / "node.log"
    lines = (Path(__file__).parents[1] / "samples" / "kad_trace" / "finished.log").read_bytes()
    path.write_bytes(lines[: len(lines) // 2])
    events: list[Event] = []
    watch = Watch(str(path), formats.all_formats(), events.append, each=True)
    watch.poll()
    told = sum(watch.units.values())
    _anew(path, lines[len(lines) // 3 :])
    watch.poll()
    assert [e.event for e in events if e.event not in ("appended", "odd")] == ["opened", "truncated"]
    assert sum(watch.units.values()) > told + lines[len(lines) // 3 :].count(b"\n") // 2
    watch.close()


def test_years_of_flags_are_no_other_file(stage: Stage) -> None:
    """Every update is superseded some day: one bit of nearly every record changes, a few between two looks."""
    stage.store.grow(40)
    stage.poll()
    for _ in range(300):
        stage.store.grow(4)
        stage.poll()
    assert stage.names() == {"opened": 1}


def test_a_watch_that_starts_within_a_torn_record_waits_for_it(tmp_path: Path) -> None:
    store, events, clock = LiveStore(tmp_path / "gossip_store", 3), list[Event](), [1000.0]
    store.grow(10)
    finish = store.tear()
    watch = Watch(str(store.path), formats.all_formats(), events.append, patience=PATIENCE, tick=lambda: clock[0])
    watch.poll()
    clock[0] += 2
    finish()
    watch.poll()
    assert [e.event for e in events] == ["opened"]
    assert watch.follower is not None
    assert watch.follower.at == len(store.store.data)
    watch.close()


def test_damage_in_thousands_of_places_costs_a_watch_nothing_while_the_file_rests(tmp_path: Path) -> None:
    """Each place was read again at every look, a MiB at a time: a watch of such a store never rested."""
    data, at, hurt = bytearray(healthy(16, 150_000, 1)), 1, 0
    while at < len(data):
        length = int.from_bytes(data[at + 2 : at + 4])
        if hurt % 3:
            data[at + 12 + length // 2] ^= 1
        at, hurt = at + 12 + length, hurt + 1
    path = tmp_path / "gossip_store"
    path.write_bytes(data)
    clock, told = [1.7e9], list[str]()
    watch = Watch(str(path), formats.all_formats(), lambda e: told.append(e.event), patience=2.0, tick=lambda: clock[0])
    for _ in range(4):
        watch.poll()
        clock[0] += 1
    assert told.count("damage") == len(watch.troubles.wrong) > 400
    with mock.patch("inspector.source.Source.read", return_value=b"") as read:
        watch.troubles.check(watch._source(), watch.follower, "gossip-store")  # type: ignore[arg-type]
    assert read.call_count <= 2 * LOOKS
    # a heal is told all the same, when its turn comes
    start = max(watch.troubles.wrong)
    data[start + 12 + int.from_bytes(data[start + 2 : start + 4]) // 2] ^= 1
    path.write_bytes(data)
    for _ in range(2 + len(watch.troubles.wrong) // LOOKS):
        watch.poll()
    assert told.count("healed") == 1
