"""Lines that a terminal broke at its width, as they are when somebody copied them from its window."""

from __future__ import annotations

import re
from itertools import pairwise

from msgspec import Struct

from inspector.formats.kad_trace.dialects import ROWS, Clock

NARROWEST, WIDEST = 40, 1000
FEWEST = 8  # rows of the full width: fewer are chance
BEGIN = 5  # characters by which a line is told that begins behind one of just the full width: 2024- or 12:34
SHARE = 0.9  # of the rows behind them that go on without a time, and of all others that begin with one


class Columns(Struct, frozen=True):
    """Lines are broken after `width` bytes; `begin` is what they begin with, as an expression for awk."""

    width: int
    begin: str


def columns(head: bytes, clock: Clock) -> Columns | None:
    """How the lines of a log are broken; None where they are not, or nothing tells it.

    A row of the full width goes on in the next one, which has no time; behind a shorter one a line begins, with its
    time. Lines that were cut off at a width have a time behind each.
    """
    rows = [row.removesuffix(b"\r") for row in head.split(b"\n", ROWS)[:ROWS]]
    width = max(map(len, rows))
    if not NARROWEST <= width <= WIDEST:
        return None
    behind = {True: [0, 0], False: [0, 0]}  # a row of full width -> how often the next one has no time, and has one
    for row, after in pairwise(rows):
        if row and after:
            behind[len(row) == width][clock(after) is not None] += 1
    (goes_on, cut), (loose, begins) = behind[True], behind[False]
    if goes_on < FEWEST or goes_on < SHARE * (goes_on + cut) or begins < SHARE * (loose + begins):
        return None
    first = next(row for row in rows if clock(row) is not None)
    return Columns(width, _like(first[:BEGIN].decode("ascii", "replace")))


def _like(text: str) -> str:
    """What is spelled alike: digits for digits, letters for letters, any for what is neither."""
    return "^" + re.sub(
        "[A-Za-z]", "[A-Za-z]", re.sub("[0-9]", "[0-9]", re.sub(r"[^\w: -]", ".", text, flags=re.ASCII))
    )


def joined(text: str, broken: Columns) -> str:
    """The command that puts broken lines together again and scans them; `text` is the command that gives them."""
    ends = f'NR > 1 && (n != {broken.width} || /{broken.begin}/) {{print ""}}'
    program = f'{ends} {{printf "%s", $0; n = length($0)}} END {{print ""}}'
    return f"{text} | tr -d '\\r' | LC_ALL=C awk '{program}' | inspector scan -"
