"""What one step must be after those before it: each invariant kept, and broken by the least that breaks it."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from inspector.errors import UsageError
from inspector.formats.kad_trace.bootstrap import Bootstrap, Step, Thresholds, thresholds
from inspector.formats.kad_trace.events import Event, Stats
from inspector.formats.kad_trace.invariants import buckets_of, step_breaches

SECOND = 1_000_000  # microseconds
LAST = Step(2, True, 10, 100 * SECOND, 0, 50, 1, took=1)
GOOD = Event("step", 50, 99, 2, 105 * SECOND, 1, 3, False, True, 9)


def breaches(event: Event, last: Step | None = LAST, ending: str = "open", buckets: int | None = 11) -> list[str]:
    boot = Bootstrap(run=0, query=1, segment=0, start=0, start_end=10, line=1)
    boot.steps = [last] if last else []
    boot.ending = ending  # type: ignore[assignment]
    boot.buckets = buckets
    assert event.count is not None
    return [name for name, _ in step_breaches(boot, event, event.count, Thresholds())]


def stats(seconds: float | None, requests: int = 5, success: int = 3, failure: int = 2) -> Stats:
    return Stats(requests, success, failure, None if seconds is None else 0, int((seconds or 0) * 1e9))


@pytest.mark.parametrize(
    ("changes", "broken"),
    [
        ({}, []),
        ({"count": 4, "remaining": 8}, ["I1"]),
        ({"count": 2, "remaining": 10}, ["I1"]),
        ({"remaining": 11}, ["I3", "I5"]),
        ({"remaining": 10}, ["I3", "I5"]),
        ({"ok": False, "remaining": 10}, ["I5"]),
        ({"ok": False, "remaining": 8}, []),
        ({"remaining": None}, []),
        ({"last": True}, ["I4"]),
        ({"last": None}, []),
        ({"ok": False, "remaining": None}, ["I4"]),
        ({"ok": False, "remaining": None, "last": True}, ["I4"]),
        ({"ok": False, "remaining": 8, "last": True}, ["I4"]),
        ({"stats": stats(5)}, []),
        ({"stats": stats(7.1)}, ["I6"]),
        ({"stats": stats(7.0)}, []),
        ({"stats": stats(2.9)}, ["I6"]),
        ({"stats": stats(120.1)}, ["I6"]),
        ({"stats": stats(-1)}, ["I6"]),
        ({"stats": stats(None)}, []),
        ({"stats": stats(None, success=4)}, ["I7"]),
        ({"stats": stats(7.1), "time": None}, []),
        ({"stats": stats(120), "time": None}, []),
        ({"stats": stats(120.000001), "time": None}, ["I6"]),
        ({"stats": stats(0), "time": None}, []),
        ({"stats": stats(-0.000001), "time": None}, ["I6"]),
        ({"stats": stats(3.0)}, []),
    ],
)
def test_a_step_breaks_what_it_breaks_and_no_more(changes: dict[str, object], broken: list[str]) -> None:
    assert breaches(replace(GOOD, **changes)) == broken


def test_the_first_step_has_nothing_before_it() -> None:
    assert breaches(replace(GOOD, count=1), None, buckets=None) == []
    assert breaches(replace(GOOD, count=1, ok=False, remaining=None, last=True), None, buckets=None) == []
    assert breaches(replace(GOOD, count=1, stats=stats(90)), None, buckets=None) == []


def test_nothing_comes_after_the_last_step() -> None:
    assert breaches(GOOD, ending="last") == ["I2"]


@pytest.mark.parametrize(
    ("changes", "buckets"),
    [({}, 11), ({"ok": False}, 12), ({"remaining": None}, None), ({"count": None}, None),
     ({"ok": False, "last": True}, None), ({"last": True}, 11)],
)  # fmt: skip
def test_the_number_of_buckets_follows_from_a_step(changes: dict[str, object], buckets: int | None) -> None:
    assert buckets_of(replace(GOOD, **changes), 3) == buckets


def test_a_threshold_is_a_number_of_seconds_and_none_at_all_is_one() -> None:
    assert thresholds({}) == Thresholds()
    assert thresholds({"stall": 0.0}).stall == 0.0
    assert thresholds({"query-timeout": 2.5}).query_timeout == 2.5
    for asked in ({"stall": -0.1}, {"stall": float("nan")}, {"stal": 1.0}):
        with pytest.raises(UsageError):
            thresholds(asked)
