"""A log, opened and read once: its tiles, and the events that lines with a known message report."""

from __future__ import annotations

import re
import zlib
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator

from msgspec import Struct, field

from inspector.format import GAP, OPAQUE, UNIT, Claim, Stretch, Wishes, accepting, tile
from inspector.formats.kad_trace.bootstrap import Thresholds, thresholds
from inspector.formats.kad_trace.clock import HEAD, line_time
from inspector.formats.kad_trace.columns import Columns, columns
from inspector.formats.kad_trace.dialects import Clock, clock_of, newest_first
from inspector.formats.kad_trace.events import LINES, NEEDLES, PHRASES, PLAIN_LINES, STEPS, Event, Kind, recognise
from inspector.formats.kad_trace.lines import Block, Words, surveyed, surveyed_text
from inspector.formats.kad_trace.packed import MAGIC, Member, Unpacked, until_damage
from inspector.formats.kad_trace.streams import streams
from inspector.formats.kad_trace.tracker import MAX_IO, Tracker
from inspector.kernels.log import HIT, Glide
from inspector.kernels.plain_log import Glide as PlainGlide
from inspector.source import Source

KIND_LINE, KIND_UNREADABLE, KIND_ZEROES, KIND_LONG, KIND_PACKED, KIND_REST = 1, 2, 3, 4, 5, 6
EVENT_KINDS: tuple[Kind, ...] = (
    "started", "step", "succeeded", "failed", "app-step", "finished", "error", "timed-out", "closed", "io-error",
    "process-start",
)  # fmt: skip
KINDS = {
    KIND_LINE: "line",
    KIND_UNREADABLE: "unreadable line",
    KIND_ZEROES: "zeroes",
    KIND_LONG: "line over 1 MiB",
    KIND_PACKED: "gzip member",
    KIND_REST: "not gzip",
    **{100 + i: name for i, name in enumerate(EVENT_KINDS)},  # of `records`; no tile has these
}
BAD = 1
# one search for all words of an error; a connection that closed in peace is only counted, one that broke has IO(
SCANNED = Words((b"ootstrap", b"DSN instance configured", b" error", b"IO("), b"Connection closed")
_PLAIN, _ESCAPED = (re.compile(b"|".join(map(re.escape, words))) for words in (PHRASES, NEEDLES))
WINDOW = 1 << 20  # bytes looked at several times while they are in the cache of a core
MEMBERS = 1024  # packed members told at a time
NEAR = 64  # lines before a hole that are asked for a time
LOOK = 1 << 20  # bytes of the start that decide whether this is a log


class Damage(Struct, frozen=True):
    """Neighbouring tiles that are no text: [start, end) of the text, and how many lines they were."""

    kind: int
    start: int
    end: int
    lines: int


class State(Struct):
    source: Source
    wishes: Wishes
    limits: Thresholds
    packed: bool
    tracker: Tracker
    unpacked: Unpacked
    backwards: bool = False  # the newest line stands first: nothing can be followed
    mixed: tuple[bytes, ...] = ()  # what begins the lines of each of several programs: nothing can be followed
    columns: Columns | None = None  # at which lines are broken: nothing can be followed
    lines: int = 0
    text_size: int = 0
    read: bool = False  # the walk came to its end
    damage: list[Damage] = field(default_factory=list)  # what was not told yet
    damaged: bool = False
    damaged_lines: int = 0
    closed: int = 0

    @property
    def offsets(self) -> str:
        return "unpacked text" if self.packed else "file"

    def text(self) -> Iterator[bytes]:
        """The text from its start, as a fresh stream."""
        windows = (data for _, data in self.source.windows())
        return Unpacked(self.source.size).text(windows) if self.packed else windows


def claim(source: Source, _: object) -> Claim:
    if source.member("") is None:
        return Claim(0, "not a single file")
    packed = source.read(0, 3) == MAGIC
    head = _head(source)
    if packed and not head:
        return Claim(0, "gzip that cannot be unpacked")
    rows = _rows(head)
    timed = sum(line_time(row) is not None for row in rows)
    if not rows or timed * 8 < len(rows):
        if b"\0" not in head and any(needle in head for needle in NEEDLES[:2]):
            return Claim(55, "a log with messages about a Kademlia bootstrap, most lines without a date")
        return Claim(0, "too few lines with a time")
    if any(needle in head for needle in NEEDLES[:2]):
        return Claim(65 if b"\0" in head else 95, "a log with messages about a Kademlia bootstrap")
    if not packed and any(n in source.read(LOOK, 15 << 20) for n in NEEDLES[:2]):
        return Claim(60, "a log with messages about a Kademlia bootstrap")
    return Claim(15, f"a text log: {timed} of its first {len(rows)} lines have a time")


def _head(source: Source) -> bytes:
    """The first MiB of the text, or what of it can be unpacked."""
    head = source.read(0, LOOK)
    if not head.startswith(MAGIC):
        return head
    try:
        return zlib.decompressobj(wbits=31).decompress(head, LOOK)
    except zlib.error:
        text = b""
        for piece in until_damage(zlib.decompressobj(wbits=31), head):
            text = (text + piece)[:LOOK]
            if len(text) == LOOK:
                break
        return text


def _rows(head: bytes) -> list[bytes]:
    """The first lines that hold anything."""
    return [row for row in head[: 64 << 10].split(b"\n")[:200] if row.strip(b"\0")]


def open_log(source: Source, _: object, wishes: Wishes) -> State:
    accepting(wishes, frozenset({"unsealed"}), "a log")
    limits = thresholds(wishes.thresholds)
    packed = source.read(0, 3) == MAGIC
    head = _head(source)
    tracker = Tracker(limits, clock_of(_rows(head)))
    mixed = streams(head, NEEDLES[:2])
    backwards = newest_first(head, tracker.clock)
    broken = columns(head, tracker.clock)
    return State(source, wishes, limits, packed, tracker, Unpacked(source.size), backwards, mixed, broken)


def walk(state: State) -> Iterator[Stretch]:
    if state.packed:
        yield from _walk_packed(state)
    else:
        for block in surveyed(state.source, WINDOW, SCANNED):
            yield _study(state, block)
    state.read = True


def _walk_packed(state: State) -> Iterator[Stretch]:
    """Lines are read from the text; the tiles are the packed members, which carry a checksum each."""
    told = 0
    unpacked = state.unpacked
    for block in surveyed_text(unpacked.text(data for _, data in state.source.windows()), SCANNED):
        _study(state, block)
        if len(unpacked.members) - told >= MEMBERS:
            yield _members(unpacked.members[told:])
            told = len(unpacked.members)
    if unpacked.members[told:]:
        yield _members(unpacked.members[told:])
    if unpacked.rest < state.source.size:
        yield tile(unpacked.rest, state.source.size, OPAQUE, KIND_REST)


def _members(found: list[Member]) -> Stretch:
    marks = array("B", [BAD if member.problem else 0 for member in found])
    roles, kinds = array("B", bytes([UNIT])) * len(found), array("H", [KIND_PACKED]) * len(found)
    return Stretch(found[0].start, found[-1].end, array("Q", [m.start for m in found]), roles, kinds, marks)


def _study(state: State, block: Block) -> Stretch:
    """Feed the block's events to the tracker; return its tiles."""
    state.text_size = block.end
    if block.over:
        state.lines += block.data.endswith(b"\n")
        return tiles(state, block)
    state.lines += len(block.starts)
    state.closed += block.counted
    if state.backwards or state.mixed or state.columns:
        return tiles(state, block)
    found = tiles(state, block)
    _note_holes(state.tracker, block, found)  # before what follows them is taken
    _events(state.tracker, block)
    return found


def _note_holes(tracker: Tracker, block: Block, found: Stretch) -> None:
    """Tell the tracker where tiles of a block are no text, neighbours as one."""
    marks = found.marks.tobytes()
    first = marks.find(BAD)
    while first >= 0:
        last = first + 1
        while last < len(marks) and marks[last] == BAD:
            last += 1
        start, end = found.starts[first], found.starts[last] if last < len(marks) else found.end
        line = bisect_right(block.starts, start) - 1
        before = _near(tracker, block, range(line - 1, line - 1 - NEAR, -1))
        tracker.holes.note(start, end, tracker.latest if before is None else before, _behind(tracker, block, end))
        first = marks.find(BAD, last)


def _behind(tracker: Tracker, block: Block, end: int) -> int | None:
    """The first time behind a hole: zeroes may end inside a line, in front of its time."""
    rest = block.data[end - block.at : min(block.size, end - block.at + HEAD)].partition(b"\n")[0]
    time = tracker.clock(rest)
    after = bisect_left(block.starts, end)
    return _near(tracker, block, range(after, after + NEAR)) if time is None else time


def _near(tracker: Tracker, block: Block, lines: range) -> int | None:
    """The first time that one of these lines of a block has."""
    times = (_time(tracker, block, index) for index in lines if 0 <= index < len(block.starts))
    return next((time for time in times if time is not None), None)


def _events(tracker: Tracker, block: Block) -> None:
    """Lines of which only kind and time matter are passed over; the others are read one by one."""
    about = (block.data, block.size, block.at, block.starts, block.flags)
    glide = Glide(*about, LINES) if tracker.clock is line_time else PlainGlide(*about, PLAIN_LINES, tracker.clock)
    while True:
        room = max(0, MAX_IO - len(tracker.io_at))
        index = glide.on(tracker.latest, tracker.subspace, tracker.io_at, tracker.io_time, room)
        tracker.glided(glide)
        if index < 0:
            return
        event = event_at(block, index, tracker.clock) if block.flags[index] & HIT else None
        if event is None and block.flags[index] & HIT and any(word in block.line(index) for word in STEPS):
            tracker.unreadable(block.bounds(index)[0], _time(tracker, block, index))
        _line(tracker, block, index, glide.before, event)
        glide.took(index)


def _line(tracker: Tracker, block: Block, index: int, before: int, event: Event | None) -> None:
    """Take one line; of those since line `before` only the times that matter here are read."""
    time = event.time if event else _time(tracker, block, index)
    if time is not None and tracker.steps_back(time):
        for between in range(before + 1, index):  # the break lies at one of these
            _tick(tracker, block, between)
    elif event is not None:
        for between in range(index - 1, before, -1):  # an event may end a silence: how long the log went on counts
            if _tick(tracker, block, between):
                break
    if event is not None:
        tracker.take(event)
    elif time is not None:
        tracker.tick(time, *block.bounds(index))


def _tick(tracker: Tracker, block: Block, index: int) -> bool:
    time = _time(tracker, block, index)
    if time is not None:
        tracker.tick(time, *block.bounds(index))
    return time is not None


def _time(tracker: Tracker, block: Block, index: int) -> int | None:
    return tracker.clock(block.line(index)[:HEAD])


def event_at(block: Block, index: int, clock: Clock = line_time) -> Event | None:
    """The event of a line; zeroes before it, as a power cut leaves them, are no part of it."""
    raw = block.line(index)
    # what is escaped in no way holds a phrase as it is, or none
    if not (_ESCAPED if b"\\" in raw or b"\x1b" in raw else _PLAIN).search(raw):
        return None
    start, end = block.bounds(index)
    text = raw.lstrip(b"\0")
    return recognise(text, start + len(raw) - len(text), end, block.first + index, clock)


ERASED = b"\xff" * 32  # no text of any encoding


def readable(raw: bytes) -> bool:
    """Text, or at least a line whose time can be read; zeroes make it neither."""
    if 0 in raw:
        return False
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return line_time(raw) is not None and ERASED not in raw
    return True


def tiles(state: State, block: Block) -> Stretch:
    """A tile per line; those that are no text are noted in `state.damage`."""
    if block.over:
        whole = block.data.endswith(b"\n")
        _damaged(state, KIND_LONG, block.at, block.end, int(whole))
        return tile(block.at, block.end, GAP, KIND_LONG, BAD)
    count, suspects = len(block.starts), block.suspects()
    if not suspects:
        roles, marks = array("B", bytes([UNIT])) * count, array("B", bytes(count))
        kinds = array("H", [KIND_LINE]) * count
        return Stretch(block.at, block.end, block.starts, roles, kinds, marks, counts={KIND_LINE: count})
    starts, roles, kinds, marks = array("Q"), array("B"), array("H"), array("B")
    for index in range(count):
        start, end = block.bounds(index)
        pieces = _pieces(block.line(index), start, end) if index in suspects else ((start, end, UNIT, KIND_LINE),)
        for at, stop, role, kind in pieces:
            starts.append(at)
            roles.append(role)
            kinds.append(kind)
            marks.append(0 if kind == KIND_LINE else BAD)
            if kind != KIND_LINE:
                _damaged(state, kind, at, stop, int(role == UNIT))
    return Stretch(block.at, block.end, starts, roles, kinds, marks)


def _pieces(raw: bytes, start: int, end: int) -> tuple[tuple[int, int, int, int], ...]:
    """A line with bytes that are no text: zeroes in front are a gap of their own if a readable line follows."""
    zeroes = len(raw) - len(raw.lstrip(b"\0"))
    if zeroes == len(raw) and zeroes:
        return ((start, end, GAP, KIND_ZEROES),)
    rest = readable(raw[zeroes:])
    if not rest:
        return ((start, end, UNIT, KIND_UNREADABLE),)
    if not zeroes:
        return ((start, end, UNIT, KIND_LINE),)
    return ((start, start + zeroes, GAP, KIND_ZEROES), (start + zeroes, end, UNIT, KIND_LINE))


def _damaged(state: State, kind: int, start: int, end: int, lines: int) -> None:
    state.damaged_lines += lines
    state.damaged = True
    last = state.damage[-1] if state.damage else None
    if last and last.kind == kind and last.end == start:
        state.damage[-1] = Damage(kind, last.start, end, last.lines + lines)
    else:
        state.damage.append(Damage(kind, start, end, lines))
