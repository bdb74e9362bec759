"""Where one thing ends and the next begins: how long a silence is, how near lines are, how much is remembered."""

from __future__ import annotations

from typing import Any

import pytest

from inspector.format import Wishes
from inspector.formats.kad_trace import tracker as tracking
from inspector.formats.kad_trace.bootstrap import Bootstrap, Step, Thresholds, judge
from inspector.formats.kad_trace.check import _near
from inspector.formats.kad_trace.events import Event
from inspector.formats.kad_trace.state import open_log
from inspector.formats.kad_trace.tracker import Tracker
from inspector.source import MemorySource

SECOND = 1_000_000
T = 1_717_072_474 * SECOND


def follow(*events: Event, tracker: Tracker | None = None) -> Tracker:
    tracker = tracker or Tracker(Thresholds())
    for event in events:
        tracker.take(event)
    return tracker


def at(number: int, kind: Any, seconds: float | None = 0.0, **told: Any) -> Event:
    """Line `number` of lines of 100 bytes."""
    time = None if seconds is None else T + round(seconds * SECOND)
    return Event(kind, 100 * number, 100 * number + 100, number + 1, time, **told)


def step(
    number: int, count: int, seconds: float | None = 0.0, query: int | None = 0, ok: bool = True, **told: Any
) -> Event:
    return at(number, "step", seconds, query=query, count=count, ok=ok, **told)


def ended(number: int, query: int, seconds: float = 0.0) -> Event:
    return step(number, 1, seconds, query, remaining=0, last=True)


def broken(tracker: Tracker) -> list[tuple[str, int]]:
    return [(one.name, one.start) for one in tracker.breaches]


@pytest.mark.parametrize(
    ("silence", "about", "verdict"),
    [
        (60 * SECOND - 1, {}, "undetermined"),
        (60 * SECOND, {}, "slow"),
        (120 * SECOND - 1, {}, "slow"),
        (120 * SECOND, {}, "stalled"),
        (40 * SECOND - 1, {"subspace": True}, "undetermined"),
        (40 * SECOND, {"subspace": True}, "slow"),
        (80 * SECOND, {"subspace": True}, "stalled"),
        (300 * SECOND - 1, {"subspace": True, "app_only": True}, "slow"),
        (300 * SECOND, {"subspace": True, "app_only": True}, "stalled"),
        (900 * SECOND, {"later_line": False}, "undetermined"),  # the last line may not have ended
        (900 * SECOND, {"ending": "last"}, "finished"),
        (900 * SECOND, {"ending": "said"}, "finished"),
        (900 * SECOND, {"ending": "no peers"}, "no peers"),
        (120 * SECOND, {"ending": "gave up"}, "stalled"),
        (120 * SECOND - 1, {"ending": "gave up"}, "timed out"),
    ],
)
def test_a_silence_is_a_stall_from_its_limit_on(silence: int, about: dict[str, Any], verdict: str) -> None:
    boot = Bootstrap(0, 0, 0, 0, 10, 1, started=T)
    boot.until, boot.later_line = T + silence, True
    for name, value in about.items():
        setattr(boot, name, value)
    assert judge(boot, Thresholds()) == verdict


def test_five_times_the_usual_pause_is_no_stall_where_steps_are_slow() -> None:
    boot = Bootstrap(0, 0, 0, 0, 10, 1, started=T, later_line=True)
    boot.steps = [Step(n, True, None, T, 0, 9, n, gap=gap) for n, gap in enumerate((None, 20.0, 30.0))]
    assert boot.median_gap == 25.0
    for silence, verdict in ((125 * SECOND - 1, "slow"), (125 * SECOND, "stalled")):
        boot.until = T + silence
        assert judge(boot, Thresholds()) == verdict


def test_the_silence_of_a_bootstrap_counts_from_its_last_step_and_is_never_below_none() -> None:
    boot = Bootstrap(0, 0, 0, 0, 10, 1, started=T, until=T + 7 * SECOND)
    assert boot.gap == 7.0
    boot.last_time = T + 5 * SECOND
    assert boot.gap == 2.0
    boot.last_time = T + 9 * SECOND  # lines up to 2 s out of order
    assert boot.gap == 0.0
    boot.until = None
    assert boot.gap is None


@pytest.mark.parametrize(("back", "segments"), [(2 * SECOND, 0), (2 * SECOND + 1, 1)])
def test_two_seconds_back_are_noise_and_more_is_another_clock(back: int, segments: int) -> None:
    tracker = Tracker(Thresholds())
    tracker.tick(T, 0, 10)
    tracker.tick(T + 30 * SECOND, 10, 20)
    tracker.tick(T + 30 * SECOND - back, 20, 30)
    assert tracker.segment == segments
    assert broken(tracker) == [("clock", 20)] * segments
    tracker.tick(T + 40 * SECOND - back, 30, 40)
    # what lies on both sides of the break is added up, the break itself is not
    assert tracker.seconds == (40.0 if segments else 40.0 - back / SECOND)


def test_a_step_is_the_same_line_again_among_the_last_eight_only() -> None:
    steps = [step(n, n, float(n)) for n in range(1, 11)]
    assert broken(follow(*steps, step(11, 3, 3.0))) == [("clock", 1100), ("I1", 1100)]  # another log, another line
    for count, name in ((3, "repeat"), (2, "I1")):
        again = [step(n, n, 1.0) for n in range(1, 11)]
        tracker = follow(*again, step(11, count, 1.0))
        assert broken(tracker) == [(name, 1100)]
        assert tracker.open[0].ok_steps == (10 if name == "repeat" else 11)


def test_a_step_of_another_peer_or_time_is_no_repetition() -> None:
    for changed in ({"peer": "another"}, {"seconds": 1.5}):
        steps = [step(n, n, 1.0, peer="one") for n in (1, 2, 3)]
        told: dict[str, Any] = {"seconds": 1.0, "peer": "one"} | changed
        assert broken(follow(*steps, step(4, 2, **told))) == [("I1", 400)]


def test_the_peers_of_the_last_sixteen_starts_are_told() -> None:
    tracker = follow(*(at(n, "process-start", n, peer=f"peer-{n}") for n in range(18)))
    assert tracker.peers == [f"peer-{n}" for n in range(2, 18)]
    assert tracker.run == 17


def test_of_more_than_256_open_bootstraps_the_oldest_is_given_up() -> None:
    tracker = follow(*(step(n, 1, 0.0, query=n) for n in range(256)))
    assert (len(tracker.open), len(tracker.done)) == (256, 0)
    follow(step(256, 1, 0.0, query=256), tracker=tracker)
    assert [b.query for b in tracker.done] == [0]
    assert [b.query for b in tracker.open] == list(range(1, 257))


def test_eight_bootstraps_that_are_over_wait_for_the_line_that_says_so() -> None:
    tracker = follow(*(ended(n, n) for n in range(8)), at(8, "started"))
    assert (tracker.done, len(tracker.open)) == ([], 9)
    tracker = follow(*(ended(n, n) for n in range(9)), at(9, "started"))
    assert [b.query for b in tracker.done] == [0]


def test_what_is_kept_is_bounded_and_what_is_wrong_is_kept_for_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking, "MAX_KEPT", 2)
    tracker = Tracker(Thresholds())
    for n in range(3):
        follow(ended(3 * n, n, 1000.0 * n), tracker=tracker)
    for n in range(3, 6):
        follow(step(3 * n, 1, 1000.0 * n, query=n), tracker=tracker)
    tracker.tick(T + 90_000 * SECOND, 9000, 9100)
    assert [(b.query, judge(b, tracker.limits)) for b in tracker.finish()] == [
        (0, "finished"), (1, "finished"), (3, "stalled"), (4, "stalled"),
    ]  # fmt: skip
    assert tracker.verdicts == {"finished": 3, "stalled": 3}


def test_errors_without_a_time_are_counted_and_not_placed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking, "MAX_IO", 2)
    tracker = follow(*(at(n, "io-error", seconds) for n, seconds in enumerate((None, 1.0, 2.0, 3.0))))
    assert (list(tracker.io_at), tracker.events["io-error"]) == ([100, 200], 4)
    assert list(tracker.io_time) == [T + SECOND, T + 2 * SECOND]


def test_a_million_errors_are_placed_and_no_more() -> None:
    tracker = Tracker(Thresholds())
    tracker.io_at.frombytes(bytes(8 * 999_999))
    follow(at(5, "io-error", 1.0), at(6, "io-error", 2.0), tracker=tracker)
    assert (len(tracker.io_at), tracker.io_at[-1], list(tracker.io_time)) == (1_000_000, 500, [T + SECOND])


@pytest.mark.parametrize(("late", "owner"), [(0.0, 1), (0.005, 1), (0.005001, 2), (-0.000001, 2)])
def test_a_line_of_the_application_belongs_to_the_step_at_most_5_ms_before(late: float, owner: int) -> None:
    """Else to the bootstrap that the log spoke of last."""
    tracker = follow(step(0, 1, 10.0, query=1), step(1, 1, 9.0, query=2), at(2, "app-step", 10.0 + late, app_step=0))
    assert {b.query: b.app_steps for b in tracker.open} == {owner: 1, 3 - owner: 0}
    (mine,) = (b for b in tracker.open if b.query == owner)
    assert mine.resume == 300


def test_of_two_steps_within_5_ms_the_nearer_one_is_meant() -> None:
    tracker = follow(step(0, 1, 1.002, query=1), step(1, 1, 1.001, query=2), at(2, "app-step", 1.003, app_step=0))
    assert {b.query: b.app_steps for b in tracker.open} == {1: 1, 2: 0}


def test_a_step_has_one_line_of_the_application_and_a_timeout_has_none() -> None:
    tracker = follow(
        step(0, 1, 1.0, query=1),
        step(1, 1, 1.001, query=2, ok=False),
        at(2, "app-step", 1.002, app_step=0),  # query 2 has failed
        step(3, 2, 1.003, query=2),
        at(4, "app-step", 1.0035, app_step=0),
    )
    assert {b.query: (b.app_steps, b.resume) for b in tracker.open} == {1: (1, 300), 2: (1, 500)}
    assert broken(tracker) == []


def test_a_line_that_says_another_number_than_the_good_steps_breaks_i8_unless_the_log_begins_late() -> None:
    assert broken(follow(step(0, 1, 1.0), at(1, "app-step", 1.0, app_step=1))) == [("I8", 100)]
    assert broken(follow(step(0, 1, 1.0), at(1, "app-step", 1.0, app_step=0))) == []
    assert broken(follow(step(0, 2, 1.0), at(1, "app-step", 1.0, app_step=5))) == []
    assert broken(follow(step(0, 1, 1.0), at(1, "app-step", 1.0))) == []


def test_finished_belongs_to_the_bootstrap_that_said_its_last_step() -> None:
    tracker = follow(step(0, 1, 1.0, query=1), ended(1, 2, 1.0), step(2, 1, 1.0, query=3), at(3, "finished", 2.0))
    assert {b.query: b.ending for b in tracker.open} == {1: "open", 2: "last", 3: "open"}
    assert broken(tracker) == []
    follow(at(4, "finished", 3.0), tracker=tracker)  # of those that are open the one of which was spoken last
    assert {b.query: b.ending for b in tracker.open} == {1: "open", 2: "last", 3: "said"}
    assert [b.ended for b in tracker.open] == [None, T + 2 * SECOND, T + 3 * SECOND]
    assert broken(tracker) == [("I9", 400)]


def test_of_two_that_said_their_last_step_the_later_one_finished_and_then_the_other() -> None:
    tracker = follow(ended(0, 1, 1.0), ended(1, 2, 1.0), at(2, "finished", 2.0), at(3, "finished", 3.0))
    assert {b.query: b.finish_line for b in tracker.open} == {1: (300, 400), 2: (200, 300)}
    assert broken(follow(at(4, "finished", 4.0), tracker=tracker)) == [("I9", 400)]


def test_who_gives_up_gives_up_the_bootstrap_of_which_was_spoken_last() -> None:
    tracker = follow(step(0, 1, 1.0, query=1), step(1, 1, 1.0, query=2), ended(2, 3, 1.0), at(3, "timed-out", 5.0))
    assert [(b.query, b.ending, b.ended) for b in tracker.done] == [(2, "gave up", T + 5 * SECOND)]
    assert [(b.start, b.ending) for b in follow(at(0, "timed-out", 5.0)).done] == [(0, "gave up")]


def test_a_failure_without_event_lines_is_progress_and_no_step() -> None:
    tracker = follow(
        at(0, "app-step", 1.0, app_step=0), at(1, "failed", 41.0, ok=False), at(2, "succeeded", 50.0, ok=True)
    )
    (boot,) = tracker.open
    assert (boot.steps[0].count, boot.ok_steps, boot.timeouts, boot.last_time) == (1, 1, 1, T + 41 * SECOND)
    assert (boot.resume, boot.later_line, boot.until) == (200, True, T + 50 * SECOND)
    tracker = follow(at(0, "app-step", 1.0, app_step=0), at(1, "failed", None, ok=False))
    assert (tracker.open[0].last_time, tracker.open[0].timeouts) == (T + SECOND, 1)


def test_lines_about_a_step_extend_it() -> None:
    tracker = follow(step(0, 1, 1.0, ok=False), at(1, "failed", 1.0, ok=False))
    (boot,) = tracker.open
    assert (boot.timeouts, boot.resume, boot.later_line) == (1, 200, False)


def test_steps_of_the_application_that_do_not_grow_are_another_run() -> None:
    first = [at(n, "app-step", 10.0 * n, app_step=n) for n in range(3)]
    tracker = follow(*first, at(3, "app-step", 25.0, app_step=2))
    assert [(b.run, b.ending) for b in [*tracker.done, *tracker.open]] == [(0, "restart"), (1, "open")]
    assert broken(tracker) == []
    tracker = follow(*first, at(3, "app-step", 20.0, app_step=2))  # the same line
    assert ([b.ok_steps for b in tracker.open], broken(tracker)) == ([3], [("repeat", 300)])
    tracker = follow(*first, at(3, "app-step", 30.0, app_step=4))
    assert ([b.ok_steps for b in tracker.open], broken(tracker)) == ([4], [("I8", 300)])
    tracker = follow(*first, at(3, "app-step", 30.0))  # without a number it goes on
    assert ([b.steps[-1].count for b in tracker.open], broken(tracker)) == ([4], [])


def test_a_restart_ends_the_silence_of_what_was_open() -> None:
    tracker = follow(step(0, 1, 0.0), at(1, "process-start", 100.0, peer="p"))
    (boot,) = tracker.done
    assert (boot.ending, boot.gap, boot.later_line, boot.run, tracker.run) == ("restart", 100.0, True, 0, 1)
    tracker = follow(step(0, 1, 0.0), at(1, "process-start", 0.0, peer="p"))
    assert (tracker.done[0].gap, tracker.done[0].later_line) == (0.0, False)
    tracker = follow(at(0, "process-start", 0.0, peer="p"), step(1, 1, 1.0))
    assert tracker.open[0].run == 0  # the first start is no restart


def test_of_a_long_bootstrap_the_first_and_the_last_steps_are_kept() -> None:
    tracker = follow(*(step(n, n, float(n)) for n in range(1, 515)))
    (boot,) = tracker.open
    assert [s.count for s in boot.steps] == [1, *range(4, 515)]
    assert (boot.step_count, boot.ok_steps, boot.longest) == (514, 514, 1.0)


def test_a_bootstrap_without_ids_goes_on_while_less_remains_and_ends_with_nothing() -> None:
    def left(number: int, remaining: int) -> Event:
        return at(number, "step", float(number), ok=True, remaining=remaining)

    tracker = follow(left(0, 3), left(1, 2), left(2, 2), left(3, 3), left(4, 0), left(5, 0))
    assert [(b.step_count, b.ending) for b in tracker.finish()] == [(3, "next"), (2, "last"), (1, "last")]


def test_a_bootstrap_that_is_over_and_begins_again_is_another_run() -> None:
    tracker = follow(ended(0, 7), *(ended(n, 100 + n) for n in range(1, 9)), at(9, "started"))
    assert [b.query for b in tracker.done] == [7]  # its place was needed
    follow(step(10, 1, 1.0, query=7), tracker=tracker)
    assert (tracker.run, [b.query for b in tracker.open if b.run == 1]) == (1, [7])


def test_errors_near_a_stall_are_those_around_it_in_time_and_in_the_file() -> None:
    state = open_log(MemorySource(b"", "node.log"), None, Wishes())
    boot = Bootstrap(0, 0, 0, 0, 6000, 1, started=T)
    for seconds in (-10.000001, -10.0, 60.0, 60.000001):
        state.tracker.io_at.append(len(state.tracker.io_at))
        state.tracker.io_time.append(T + round(seconds * SECOND))
    assert _near(state, boot) == [1, 2]
    state = open_log(MemorySource(b"", "node.log"), None, Wishes())
    state.tracker.io_at.extend(range(12_000))
    state.tracker.io_time.extend([T] * 12_000)
    assert _near(state, boot) == list(range(1001, 11_001))  # 5000 to each side are looked at
    boot.started = None
    assert _near(state, boot) == []
