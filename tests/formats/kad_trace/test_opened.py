"""Whose line it is, asked of groups that are kept, held against a look at every bootstrap that is followed."""

from __future__ import annotations

import sys
from collections.abc import Callable
from itertools import starmap
from random import Random
from types import FrameType
from typing import Any

import pytest

from inspector.formats.kad_trace import tracker as tracking
from inspector.formats.kad_trace.bootstrap import Bootstrap, Step, Thresholds
from inspector.formats.kad_trace.events import Event, Kind
from inspector.formats.kad_trace.opened import ATTACH, Group, last_of
from inspector.formats.kad_trace.tracker import Tracker

T = 1_717_072_474_000_000
KINDS: tuple[Kind, ...] = (
    "started", "step", "app-step", "succeeded", "failed", "finished", "error", "timed-out", "closed", "io-error",
    "process-start",
)  # fmt: skip


class Looked:
    """The same questions, answered by looking at all of them each time."""

    def __init__(self) -> None:
        self.all: Group = {}

    def note(self, boot: Bootstrap, own: bool = True) -> None:
        self.all[boot.number] = boot

    def drop(self, boot: Bootstrap) -> bool:
        return self.all.pop(boot.number, None) is not None

    def of_query(self, query: int | None) -> Bootstrap | None:
        return next((b for b in reversed(self.all.values()) if b.query == query and b.steps), None)

    def _those(self, fits: Callable[[Bootstrap], bool]) -> Group:
        """In the order of their last lines."""
        return {b.number: b for b in sorted(self.all.values(), key=lambda b: b.resume) if fits(b)}

    @property
    def waiting(self) -> Group:
        return {n: b for n, b in self.all.items() if b.query is None and not b.steps}

    @property
    def apps(self) -> Group:
        return {n: b for n, b in self.all.items() if b.app_only}

    @property
    def over(self) -> Group:
        return self._those(lambda b: not b.open)

    @property
    def lasting(self) -> Group:
        return self._those(lambda b: b.open)

    @property
    def unsaid(self) -> Group:
        return self._those(lambda b: bool(b.steps) and b.finish_line is None)

    @property
    def said(self) -> Group:
        return self._those(lambda b: bool(b.steps) and b.finish_line is None and b.ending == "last")

    @property
    def stepped(self) -> Around:
        return Around(self._those(lambda b: bool(b.steps) and not b.app_only))

    @property
    def silent(self) -> Around:
        return Around({n: b for n, b in self.stepped.group.items() if _silent(b.steps[-1])})


def _silent(step: Step) -> bool:
    return step.ok and step.app_step is None


class Around:
    def __init__(self, group: Group) -> None:
        self.group = group

    def find(self, time: int | None) -> Bootstrap | None:
        near, apart = None, ATTACH + 1
        for boot in sorted(self.group.values(), key=lambda b: -b.number):
            since = boot.last_time
            if time is not None and since is not None and 0 <= time - since < apart:
                near, apart = boot, time - since
        return near or last_of(self.group)


def told(kind: Kind, chance: Random, queries: int) -> dict[str, Any]:
    if kind == "app-step":
        return {"app_step": chance.choice((None, chance.randrange(4)))}
    if kind != "step":
        return {}
    count = chance.choice((None, 1, chance.randrange(1, 8)))
    remaining, last = chance.choice((None, chance.randrange(6))), chance.choice((None, None, True, False))
    query = chance.choice((None, chance.randrange(queries)))
    return {"query": query, "count": count, "ok": chance.random() < 0.7, "remaining": remaining, "last": last}


def story(seed: int) -> list[Event]:
    """Lines of every kind in any order, at the same time and long after each other; the clock may go back."""
    chance = Random(seed)
    now, at, found, odd = T, 0, list[Event](), seed % 2 == 0
    kinds: list[Kind] = ["step", *chance.choices(KINDS, k=chance.choice((2, 5, 12)))]
    queries = chance.choice((3, 20, 400))
    for number in range(chance.choice((30, 300, 900))):
        now += chance.choice((0, 0, 1, 4000, 5000, 5001, 500_000, 30_000_000, 100_000_000))
        if odd and chance.random() < 0.03:
            now -= chance.choice((1_000_000, 2_000_000, 2_000_001, 50_000_000))
        kind, start = chance.choice(kinds), at
        at += chance.randrange(1, 300)
        time = None if odd and chance.random() < 0.05 else now
        found.append(Event(kind, start, at, number, time, **told(kind, chance, queries)))
    return found


def followed(lines: list[Event], opened: Any = None) -> tuple[Any, ...]:
    tracker = Tracker(Thresholds())
    if opened is not None:
        tracker.opened = opened
    for line in lines:
        tracker.take(line)
    still = [(b.number, b.ending, b.query) for b in tracker.open]
    return still, tracker.finish(), tracker.verdicts, tracker.breaches, tracker.run, tracker.segment


@pytest.mark.parametrize("seed", range(60))
def test_each_line_goes_to_the_bootstrap_that_a_look_at_all_of_them_finds(seed: int) -> None:
    lines = story(seed)
    assert followed(lines) == followed(lines, Looked())


def calls(work: Callable[[], None]) -> int:
    """How many functions were called for it."""
    count, before = 0, sys.getprofile()

    def see(frame: FrameType, what: str, of: Any) -> None:
        nonlocal count
        count += what in ("call", "c_call")

    sys.setprofile(see)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count


LATER: dict[str, tuple[Kind, dict[str, Any]]] = {
    "a line of the application": ("app-step", {"app_step": 0}),
    "a step that failed": ("failed", {}),
    "a step": ("step", {"query": 3, "count": 2, "ok": True}),
    "another bootstrap": ("step", {"query": 900, "count": 2, "ok": True}),
    "a finish": ("finished", {}),
    "the end of patience": ("timed-out", {}),
    "a broken connection": ("io-error", {}),
}


@pytest.mark.parametrize("what", LATER)
def test_a_line_costs_the_same_however_many_bootstraps_never_ended(what: str) -> None:
    kind, fields = LATER[what]

    def cost(count: int) -> int:
        tracker = Tracker(Thresholds())
        begun = [("step", 100 * n, T + 9_000_000 * n, {"query": n, "count": 1, "ok": True}) for n in range(count)]
        later = [(kind, 100 * (count + n), T + 9_000_000 * (count + n), fields) for n in range(4)]
        lines = [*starmap(_event, begun), *starmap(_event, later)]
        for line in lines[:count]:
            tracker.take(line)
        assert len(tracker.open) == count

        def go_on() -> None:
            for line in lines[count:]:
                tracker.take(line)

        return calls(go_on)

    assert cost(tracking.MAX_OPEN - 10) <= cost(12) + 60


def _event(kind: Kind, at: int, time: int, fields: dict[str, Any]) -> Event:
    return Event(kind, at, at + 100, at // 100 + 1, time, **fields)
