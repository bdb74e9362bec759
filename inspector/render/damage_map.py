"""A source from its first to its last byte on one line: where it lives, is deleted, damaged, lost."""

from __future__ import annotations

from collections.abc import Sequence

from inspector.render.text import Block, Line, Part, Style, Verbatim

Slice = tuple[int, int, int, int]  # bytes of one slice of the source: live, deleted, damaged, lost

NAMES = ("live", "deleted", "damaged", "lost")
STYLES: tuple[Style, ...] = ("good", "dim", "warn", "bad")
BLOCKS = ("█", "░", "x", "!")
ASCII = ("#", ".", "x", "!")
EMPTY = " "  # frame, free or opaque bytes only


def damage_map(ribbon: Sequence[Slice], width: int, utf8: bool) -> list[Block]:
    """The map and its legend; nothing for a source without units."""
    if not ribbon or not any(any(s) for s in ribbon):
        return []
    signs = BLOCKS if utf8 else ASCII
    states = [_state(s) for s in _merged(ribbon, width)]
    seen = [i for i in range(4) if i in states]
    legend: list[Part] = []
    for i in seen:
        legend += [(signs[i], STYLES[i]), (f" {NAMES[i]}   ", "")]
    return [Verbatim((("│", "dim"), *_runs(states, signs), ("│", "dim")), 2), Verbatim(tuple(legend), 3)]


def _merged(ribbon: Sequence[Slice], width: int) -> list[Slice]:
    """At most `width` slices; neighbours are added up, so that no damage can fall between two columns."""
    count = len(ribbon)
    columns = max(1, min(width, count))
    merged = []
    for i in range(columns):
        part = ribbon[i * count // columns : (i + 1) * count // columns]
        live, deleted, damaged, lost = (sum(s[k] for s in part) for k in range(4))
        merged.append((live, deleted, damaged, lost))
    return merged


def _state(part: Slice) -> int | None:
    """The worst thing in a slice decides: one lost byte shows, however wide the slice is."""
    live, deleted, damaged, lost = part
    if lost:
        return 3
    if damaged:
        return 2
    if live or deleted:
        return 0 if live >= deleted else 1
    return None


def _runs(states: list[int | None], signs: Sequence[str]) -> Line:
    runs: list[Part] = []
    for state in states:
        sign = EMPTY if state is None else signs[state]
        style: Style = "" if state is None else STYLES[state]
        if runs and runs[-1][1] == style:
            runs[-1] = (runs[-1][0] + sign, runs[-1][1])
        else:
            runs.append((sign, style))
    return tuple(runs)
