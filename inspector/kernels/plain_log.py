"""Blocks of log lines surveyed and passed over: the plain twin of `_log`."""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable
from typing import Literal

from msgspec import Struct

from inspector.kernels.plain_lines import line_starts, lines_never_text, lines_with
from inspector.kernels.plain_stamp import COLOUR, HIT, NEVER, NOISE, SAMPLE, line_time

WRAP = 4096  # bytes of a line in which JSON begins
TARGET = 256  # bytes before a message in which its target stands
Clock = Callable[[bytes], int | None]  # the time of a line
Kind = Literal["nothing", "closed", "broken", "read"]
_ESCAPED = re.compile(rb"\\u001[bB]\[[0-9;]{0,8}m|\x1b?\[[0-9;]{0,8}m")
_RUN = re.compile(rb"[A-Za-z0-9_:-]*\Z")


def survey(
    data: bytes, size: int, at: int, words: tuple[bytes, ...], counted: bytes
) -> tuple[array[int], array[int], int]:
    """Of the first `size` bytes: where each line begins, its flags, and how often `counted` stands there."""
    if min(map(len, (*words, counted))) < 2:
        raise ValueError("a word of a single byte")
    data = data[:size]
    starts = line_starts(data, at)
    flags = array("B", bytes(len(starts)))
    for index in lines_with(data, starts, at, words):
        flags[index] |= HIT
    for index in lines_never_text(data, starts, at):
        flags[index] |= NEVER
    return starts, flags, data.count(counted)


class LineWords(Struct, kw_only=True, frozen=True):
    """What a line of a log is judged by.

    A line without any of `needles` says nothing, one with any of `told` must be read. `closed` is a connection that
    ended; `broken` if one of `causes` follows. `broken` words alone say so, too.
    """

    needles: tuple[bytes, ...]
    told: tuple[bytes, ...]
    closed: tuple[bytes, ...]
    causes: tuple[bytes, ...]
    broken: tuple[bytes, ...]


def _holds(text: bytes, words: tuple[bytes, ...]) -> bool:
    return any(word in text for word in words)


def _first(text: bytes, words: tuple[bytes, ...]) -> int:
    """The place of the first word in their order that stands in the text, or -1."""
    return next((at for word in words if (at := text.find(word)) >= 0), -1)


def judge(line: bytes, words: LineWords, target: bool, clock: Clock = line_time) -> tuple[Kind, int | None, bool]:
    """What a line (without its end) says, its time, and with `target` whether its target names subspace.

    Of a line in JSON that says something it leaves the reading to the caller; the compiled twin reads the usual forms.
    """
    if line.startswith(b"\0"):
        return "read", None, False
    if not _holds(line, words.needles):
        return "nothing", None, False
    json = b'{"' in line[:WRAP]
    text = (_ESCAPED if json else COLOUR).sub(b"", line)
    if _holds(text, words.told):
        return "read", None, False
    if json:
        sought = (*words.closed, *words.broken)
        hidden = _holds(text, (rb"\u", rb"\/", *sought)) or _holds(line, (*words.told, *sought))
        return ("read" if hidden else "nothing"), None, False
    at = _first(text, words.closed)
    kind: Kind = "broken"
    if at >= 0:
        kind = "broken" if _holds(text[at:], words.causes) else "closed"
    else:
        at = _first(text, words.broken)
        if at < 0:
            return "nothing", None, False
    named = _subspace(text, at) if target else False
    if named is None:
        return "read", None, False
    return kind, clock(text), named


def _subspace(text: bytes, at: int) -> bool | None:
    """Whether the target before a message at `at` names subspace; None where that takes a closer look."""
    before = text[max(0, at - TARGET) : at]
    if b"subspace" not in text[:at]:
        return False
    if not before.isascii():
        return None
    if before.endswith(b"] "):
        return None
    if not before.endswith(b": "):
        return False
    run = _RUN.search(before[:-2])
    return run is not None and b"subspace" in run.group()


class Glide:
    """Passes over the lines of a block of which only kind and time matter, and stops at those that must be read.

    Looked at are lines with a word, each `SAMPLE`-th line, and lines from the end backwards until one has a time;
    before a line that says something also the last one with a time. Nothing is done about the line it stops at.
    Times are read by `clock`; the compiled twin knows the usual ones alone.
    """

    def __init__(
        self, data: bytes, size: int, at: int, starts: array[int], flags: array[int], words: LineWords,
        clock: Clock = line_time,
    ) -> None:  # fmt: skip
        self._clock = clock
        self._data, self._size, self._at, self._starts = data, size, at, starts
        self._flags, self._words = flags, words
        self._index = 0
        self.before: int = -1  # the line that was looked at last
        self.hit = False  # whether the line it stopped at has a word
        self.latest: int | None = None  # the latest time so far
        self.ticked: int | None = None  # where the last line begins whose time counted
        self.closed = self.broken = 0
        self.subspace = False
        self._tail = count = len(starts)
        while self._tail > max(0, count - SAMPLE):
            self._tail -= 1
            if self._time(self._tail) is not None:
                break

    def _line(self, index: int) -> bytes:
        end = self._starts[index + 1] - self._at if index + 1 < len(self._starts) else self._size
        raw = self._data[self._starts[index] - self._at : end]
        return raw[:-1].removesuffix(b"\r") if raw.endswith(b"\n") else raw

    def _time(self, index: int) -> int | None:
        return self._clock(self._line(index))

    def on(self, latest: int | None, subspace: bool, broken_at: array[int], broken_time: array[int], room: int) -> int:
        """Go on; the number of the line that must be read, or -1 at the end. At most `room` lines are appended."""
        self.latest, self.subspace, self.ticked = latest, subspace, None
        self.closed = self.broken = 0
        for index in range(self._index, len(self._starts)):
            self.hit = bool(self._flags[index] & HIT)
            if not self.hit and index % SAMPLE and index < self._tail:
                continue
            kept = len(broken_at)
            if not self._pass(index, broken_at, broken_time, room):
                self._index = index + 1
                return index
            room -= len(broken_at) - kept
            self.before = index
        self._index = len(self._starts)
        return -1

    def _pass(self, index: int, broken_at: array[int], broken_time: array[int], room: int) -> bool:
        line = self._line(index)
        kind, time, named = (
            judge(line, self._words, not self.subspace, self._clock) if self.hit else ("nothing", None, False)
        )
        if kind == "read":
            return False
        if kind == "nothing":
            return self._tick([(index, self._clock(line))])
        if time is not None and self._back(time, self.latest):
            return False
        earlier = ((i, self._time(i)) for i in range(index - 1, self.before, -1))
        last = next(((i, t) for i, t in earlier if t is not None), (index, None))
        if not self._tick([last, (index, time)]):
            return False
        self.closed += kind == "closed"
        self.broken += kind == "broken"
        if kind == "broken" and time is not None and room > 0:
            broken_at.append(self._starts[index])
            broken_time.append(time)
        self.subspace = self.subspace or named
        return True

    def _back(self, time: int, latest: int | None) -> bool:
        return latest is None or time < latest - NOISE

    def _tick(self, times: list[tuple[int, int | None]]) -> bool:
        """Take these times, all of them or none."""
        latest, ticked = self.latest, self.ticked
        for index, time in times:
            if time is None:
                continue
            if self._back(time, latest):
                return False
            assert latest is not None  # else the time steps back
            latest, ticked = max(latest, time), self._starts[index]
        self.latest, self.ticked = latest, ticked
        return True

    def took(self, index: int) -> None:
        """The caller did with this line what had to be done."""
        self.before = index
