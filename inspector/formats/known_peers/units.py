"""One slot at its place, for whoever asks whether bytes would make sense if they were other ones."""

from __future__ import annotations

from inspector.format import Reading, Traits, Unit
from inspector.formats.known_peers.payload import DIGEST
from inspector.formats.known_peers.slots import sealed_as
from inspector.formats.known_peers.state import State
from inspector.span import Span

_PAGE = bytes(4096)
LONGEST = 1 << 16  # bytes of a slot that are read for one question; lists are 3 to 60 KB


def unit(state: State, member: str, at: int, read: Reading) -> Unit | None:
    """The slot due at `at`."""
    room = state.geometry.room
    if at not in (0, room):
        return None
    data = read(at, min(room, LONGEST))
    data = data[: _used(data) + DIGEST]  # zeroes decode as peers without a name, thousands of them
    return Unit(at + room, sealed_as(data) is not None)


def _used(data: bytes) -> int:
    """How many bytes there are before the zeroes at the end."""
    end = len(data)
    while end >= len(_PAGE) and data.endswith(_PAGE, 0, end):  # stripped, each zero would be looked at
        end -= len(_PAGE)
    return len(data[:end].rstrip(b"\0"))


def surplus(state: State, member: str) -> int | None:
    return state.geometry.size - 2 * state.geometry.room


def reach(state: State, span: Span) -> Span:
    """The slot's bytes up to the last that is not zero: a list that breaks off says nothing about what follows."""
    room = state.geometry.room
    if span.start not in (0, room):
        return span
    own = room + min(0, state.geometry.size - 2 * room)  # where bytes were lost the other slot lies in this one's room
    data = state.source.read(span.start, max(1, min(own, LONGEST))).rstrip(b"\0")
    return Span(span.start, max(span.start + 1, min(span.start + len(data), state.source.size)), span.member)


TRAITS = Traits(unit, surplus, reach=reach, apart=frozenset({"KNP003"}))
