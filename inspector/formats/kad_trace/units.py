"""A log has no units that could be checked: it is text, and text is no stranger in it."""

from __future__ import annotations

from inspector.format import Reading, State, Traits, Unit


def unit(state: State, member: str, at: int, read: Reading) -> Unit | None:
    return None


TRAITS = Traits(unit, marks=frozenset({"text"}))
