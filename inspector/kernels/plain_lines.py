"""Lines of a block of text and those that hold a word: the plain twin of `_lines`."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from itertools import accumulate
from operator import add

# zero, and bytes that no UTF-8 text contains
NEVER_TEXT = (0x00, 0xFF, 0xFE, 0xC0, 0xC1, *range(0xF5, 0xFE))


def line_starts(data: bytes, at: int) -> array[int]:
    """The offset of each line of `data`, which lies at `at`; a last line without an end counts, an empty one not."""
    parts = data.split(b"\n")
    if not parts[-1]:
        del parts[-1]
    # the sums end one late, and each line end adds one byte per line before it
    return array("Q", map(add, accumulate(map(len, parts), initial=at), range(len(parts))))


def lines_with(data: bytes, starts: array[int], at: int, needles: tuple[bytes, ...]) -> set[int]:
    """Numbers of the lines that contain any of the needles; a needle holds no line end."""
    found: set[int] = set()
    count = len(starts)
    for needle in needles:
        place = data.find(needle)
        while place >= 0:
            index = bisect_right(starts, at + place) - 1
            found.add(index)
            if index + 1 >= count:
                break
            place = data.find(needle, starts[index + 1] - at)
    return found


def lines_never_text(data: bytes, starts: array[int], at: int) -> set[int]:
    """Numbers of the lines with a byte that text never holds."""
    bad = NEVER_TEXT[:1] if data.isascii() else NEVER_TEXT
    return lines_with(data, starts, at, tuple(bytes([b]) for b in bad if b in data))


def occurrences(data: bytes, needle: bytes) -> int:
    """How often a word stands in a block, without overlap."""
    return data.count(needle)
