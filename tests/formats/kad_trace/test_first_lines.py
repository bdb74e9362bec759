"""What the first lines of a log decide for all of it: how times are read, which way it goes, how many programs."""

from __future__ import annotations

import pytest

from inspector.formats.kad_trace import dialects, streams
from inspector.formats.kad_trace.clock import line_time
from inspector.formats.kad_trace.dialects import FEWEST, any_time, clock_of, newest_first
from inspector.kernels.plain_stamp import NOISE

USUAL, OTHER, NONE = b"2024-05-30T12:34:46Z x", b"May 30 12:34:46 host x", b"x"


@pytest.mark.parametrize(
    ("usual", "other", "none", "read"),
    [(0, 1, 0, any_time), (0, 1, 1, any_time), (0, 1, 2, line_time), (1, 7, 0, line_time), (1, 8, 0, any_time),
     (2, 14, 0, line_time), (2, 15, 0, any_time), (0, 0, 1, line_time), (1, 4, 4, line_time), (1, 5, 4, any_time)],
)  # fmt: skip
def test_times_are_read_otherwise_where_half_of_the_lines_have_one_and_an_eighth_no_usual_one(
    usual: int, other: int, none: int, read: dialects.Clock
) -> None:
    assert clock_of([USUAL] * usual + [OTHER] * other + [NONE] * none) is read


def log(times: list[int]) -> bytes:
    return b"\n".join(b"%d" % time for time in times)


def clock(line: bytes) -> int | None:
    return int(line) if line else None


def test_a_log_goes_backwards_where_enough_steps_say_so() -> None:
    long = 10 * NOISE
    for steps in (FEWEST - 1, FEWEST, FEWEST + 1):
        down = [long * (steps - i) for i in range(steps + 1)]
        assert newest_first(log(down), clock) is (steps >= FEWEST)
        assert newest_first(log([time for time in down for _ in range(2)]), clock) is (steps >= FEWEST)
        assert not newest_first(log(down[::-1]), clock)
    for back, found in ((17, False), (18, True), (19, True)):  # of 20 steps
        times = [100 * long]
        for i in range(20):
            times.append(times[-1] + (-long if i < back else 1))
        assert newest_first(log(times), clock) is found
    for whole, found in ((NOISE, False), (NOISE + 1, True)):
        times = [whole, *range(9, -1, -1)]
        assert newest_first(log(times), clock) is found


def test_so_many_lines_are_asked_which_way_a_log_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    down = [10 * NOISE * (FEWEST - i) for i in range(FEWEST + 1)]
    for rows, found in ((FEWEST, False), (FEWEST + 1, True), (FEWEST + 2, True)):
        monkeypatch.setattr(dialects, "ROWS", rows)
        assert newest_first(log(down), clock) is found


def test_so_many_programs_are_told_apart_among_so_many_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [b"node-%02d | Bootstrap\n" % n for n in range(20)]
    names = tuple(b"node-%02d | " % n for n in range(20))
    for most in (15, 16, 17):
        monkeypatch.setattr(streams, "MOST", most)
        assert streams.streams(b"".join(rows), (b"Bootstrap",)) == names[:most]
    for looked in (2, 3, 4):
        monkeypatch.setattr(streams, "LOOKED", looked)
        assert streams.streams(b"".join(rows), (b"Bootstrap",)) == names[:looked]
    monkeypatch.setattr(streams, "LOOKED", 2)  # of each word
    both = rows[0] * 2 + rows[1] + b"node-09 | other\n"
    assert streams.streams(both, (b"Bootstrap", b"other")) == (names[0], names[9])


def test_a_line_that_is_longer_than_any_log_has_ends_the_look() -> None:
    for length, found in (((1 << 16) - 1, 2), (1 << 16, 0)):  # bytes from the word to the end of its line
        head = b"a | Bootstrap".ljust(4 + length, b".") + b"\nb | Bootstrap\n"
        assert len(streams.streams(head, (b"Bootstrap",))) == found


def test_a_log_may_begin_with_the_word_or_with_an_empty_line() -> None:
    for first in (b"", b"\n", b"Bootstrap\n", b"\nBootstrap\n"):
        assert streams.streams(first + b"a | Bootstrap\nb | Bootstrap", (b"Bootstrap",)) == (b"a | ", b"b | ")
