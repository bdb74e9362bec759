"""One element at its place, for whoever asks whether bytes would make sense if they were other ones."""

from __future__ import annotations

from inspector.format import Reading, Traits, Unit
from inspector.formats.piece_cache.elements import State, begins_none
from inspector.formats.piece_cache.hunting import judge
from inspector.formats.piece_cache.layout import ELEMENT

FEW = 8


def unit(state: State, member: str, at: int, read: Reading) -> Unit | None:
    """The element due at `at`; None between two elements, wherever bytes that were put in or lost left them."""
    if at % ELEMENT and all((at - run.start) % ELEMENT for run in state.moved[:FEW]):
        return None
    if state.cut and at == state.source.length() - state.cut and begins_none(state):
        return None
    return Unit(at + ELEMENT, judge(read(at, ELEMENT)) in ("good", "empty"))


def surplus(state: State, member: str) -> int | None:
    """Bytes beside a whole number of elements, to the nearer side."""
    rest = state.source.size % ELEMENT
    return rest if rest <= ELEMENT // 2 else rest - ELEMENT


TRAITS = Traits(unit, surplus)
