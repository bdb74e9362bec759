"""A log followed by itself: what has landed, what has not ended yet, and which lines a look back finds."""

from __future__ import annotations

from inspector.follow import Landed
from inspector.formats.kad_trace.follow import KEY, follow
from inspector.source import MemorySource

LINES = [b"one\n", b"two is longer\n", b"three\n", b"four\n"]
TEXT = b"".join(LINES)


def test_lines_land_when_they_end() -> None:
    follower = follow(None)
    assert not follower.judges_all  # a stall is told by many lines
    with MemorySource(TEXT[:-2], "log") as source:
        assert list(follower.advance(source)) == [
            Landed("sound", 0, 24, "", {KEY: 3}),
            Landed("unfinished", 24, len(TEXT) - 2, "a line without its end"),
        ]
    assert follower.at == 24
    with MemorySource(TEXT, "log") as source:
        assert list(follow(follower.save()).advance(source)) == [Landed("sound", 24, len(TEXT), "", {KEY: 1})]


def test_a_line_that_is_no_text_is_broken_and_the_lines_before_it_are_sound() -> None:
    for wrong, words in (
        (b"\0" * 5, "zeroes where a line was due"),
        (b"a\0b", "zeroes inside a line"),
        (b"\xff\xfe\xfd\xfc", "a line that is no text"),
    ):
        with MemorySource(LINES[0] + wrong + b"\n" + TEXT, "log") as source:
            first, second = follow(None).advance(source)
        assert first == Landed("sound", 0, 4, "", {KEY: 1})
        assert second == Landed("broken", 4, 5 + len(wrong), words)


def test_a_look_back_counts_the_lines_between_two_places() -> None:
    with MemorySource(TEXT, "log") as source:
        follower = follow(None)
        assert follower.heal(source, 4, 18) == {KEY: 1}
        assert follower.heal(source, 4, len(TEXT)) == {KEY: 3}
        assert follower.sound(source, 4, 24)
        assert not follower.sound(source, 4, 23)  # it ends within a line
