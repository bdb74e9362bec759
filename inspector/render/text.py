"""Words for people as blocks, and their layout in columns; the plain and the coloured renderer print the same lines.

Every part of every line is made safe here, last of all, whatever its source: no text reaches a terminal otherwise.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from inspector.counted import plural as plural  # where renderers look for it
from inspector.sanitize import clean
from inspector.sanitize import quoted as quoted  # for a shell

Style = Literal["", "strong", "dim", "good", "bad", "warn", "note", "code", "f0", "f1", "f2", "f3", "f4", "f5"]
VERDICTS: dict[str, Style] = {"damaged": "bad", "partial": "warn", "clean": "good"}
NOT_ALL = "no damage in what was checked"  # what people read for "partial"
Part = tuple[str, Style]
Line = tuple[Part, ...]

NO_LIMIT = 1 << 30
MIN_WRAP = 8  # columns that a wrapping column keeps at least
MAX_WORD = 28  # a longer word may be cut, a shorter one only where nothing else helps
MAX_NATURAL = 1000  # of one column: no cell makes the fitting long


class Text(Struct, frozen=True):
    """A paragraph, wrapped; later lines are indented by `hang` more."""

    parts: Line
    indent: int = 0
    hang: int = 0


class Verbatim(Struct, frozen=True):
    """A line that is never wrapped: a command to copy, a row of a dump, a map."""

    parts: Line
    indent: int = 0


class Heading(Struct, frozen=True):
    """A title with a blank line before it."""

    title: str
    rest: str = ""


class Column(Struct, frozen=True):
    """`wrap` columns share what the others leave of the width."""

    title: str
    right: bool = False
    wrap: bool = False


class Table(Struct, frozen=True):
    columns: tuple[Column, ...]
    rows: Sequence[tuple[Part, ...]]
    indent: int = 2


Block = Text | Verbatim | Heading | Table


def reworded(blocks: Iterable[Block], word: Callable[[str], str]) -> Iterator[Block]:
    """The same blocks with each text replaced."""
    for block in blocks:
        match block:
            case Text() | Verbatim():
                yield replace(block, parts=tuple((word(text), style) for text, style in block.parts))
            case Heading():
                yield Heading(word(block.title), word(block.rest))
            case Table():
                rows = [tuple((word(text), style) for text, style in one) for one in block.rows]
                yield replace(block, rows=rows)


def para(*parts: str | Part, indent: int = 0, hang: int = 0) -> Text:
    return Text(tuple((p, "") if isinstance(p, str) else p for p in parts), indent, hang)


def row(*cells: str | int | Part) -> tuple[Part, ...]:
    return tuple(c if isinstance(c, tuple) else (f"{c:,}" if isinstance(c, int) else c, "") for c in cells)


def size_words(count: int) -> str:
    """A byte count exactly, and rounded where that helps."""
    text = plural(count, "byte")
    value = float(count)
    for unit in ("KiB", "MiB", "GiB", "TiB", "PiB"):
        value /= 1024
        if value < 1024 or unit == "PiB":
            break
    return text if count < 10_000 else f"{text} ({value:.1f} {unit})"


def fraction_words(value: float) -> str:
    """Two digits below one (a chance may be 2.7e-07), else two decimals at most: seconds are never 5.8e+02."""
    return f"{value:.2g}" if abs(value) < 1 else f"{value:,.2f}".rstrip("0").rstrip(".")


def place(at: int) -> str:
    return f"{at} (0x{at:x})"


def cells(text: str) -> int:
    """Columns that a terminal needs for `text`."""
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(c) else 1 + (unicodedata.east_asian_width(c) in "WF") for c in text)


def lay(blocks: Iterable[Block], width: int) -> Iterator[Line]:
    """Lines of at most `width` columns (verbatim ones excepted)."""
    for block in blocks:
        match block:
            case Text():
                yield from _wrapped(_safe(block.parts), width, block.indent, block.hang)
            case Verbatim():
                yield ((" " * block.indent, ""), *_safe(block.parts))
            case Heading():
                yield ()
                line = _safe(((block.title, "strong"), *(((f"  {block.rest}", "dim"),) if block.rest else ())))
                yield from (line,) if sum(cells(text) for text, _ in line) <= width else _wrapped(line, width, 0, 2)
            case Table():
                yield from _table(block, width)


def _safe(parts: Iterable[Part]) -> Line:
    return tuple((clean(text, NO_LIMIT), style) for text, style in parts)


def _wrapped(parts: Line, width: int, indent: int, hang: int) -> Iterator[Line]:
    """Greedy filling, word by word; a word wider than the line is cut."""
    line: list[Part] = []
    room = width - indent
    used = 0
    for word, style, glued in _words(parts, max(1, width - indent - hang)):
        need = cells(word) + (0 if glued or not used else 1)
        if used and used + need > room:
            yield ((" " * indent, ""), *line)
            line, used, room = [(" " * hang, "")] if hang else [], 0, width - indent - hang
            need = cells(word)
        elif used and not glued:
            word = " " + word
        line.append((word, style))
        used += need
    if line:
        yield ((" " * indent, ""), *line)


def _words(parts: Line, limit: int) -> Iterator[tuple[str, Style, bool]]:
    """Each word with its style; glued ones follow the word before without a space."""
    spaced = True
    for text, style in parts:
        first = True
        for word in text.split(" "):
            if not first:
                spaced = True
            first = False
            if not word:
                continue
            glued = not spaced
            for piece in _pieces(word, limit):
                yield piece, style, glued
                glued = True
            spaced = False


def _pieces(word: str, limit: int) -> Iterator[str]:
    while cells(word) > limit:
        cut = limit
        while cut > 1 and cells(word[:cut]) > limit:
            cut -= 1
        yield word[:cut]
        word = word[cut:]
    yield word


def _table(table: Table, width: int) -> Iterator[Line]:
    rows = [_safe(r) for r in table.rows]
    titles = [c.title for c in table.columns]
    natural = [min(MAX_NATURAL, max([cells(t), *(cells(r[i][0]) for r in rows)])) for i, t in enumerate(titles)]
    floors = [
        min(n, max([MIN_WRAP, *(cells(w) for r in rows for w in r[i][0].split(" ") if cells(w) <= MAX_WORD)]))
        if c.wrap
        else n
        for i, (c, n) in enumerate(zip(table.columns, natural, strict=True))
    ]
    widths = _fit(natural, floors, width - table.indent)
    widths = _fit(
        widths,
        [min(n, MIN_WRAP) if c.wrap else n for c, n in zip(table.columns, widths, strict=True)],
        width - table.indent,
    )
    if any(titles):
        yield from _row(row(*((t, "dim") for t in titles)), table, widths)
    for cells_of_row in rows:
        yield from _row(cells_of_row, table, widths)


def _fit(widths: list[int], floors: list[int], width: int) -> list[int]:
    """Columns shrink, the widest first, until the row fits or all are at their floors."""
    widths = list(widths)
    over = sum(widths) + 2 * (len(widths) - 1) - width
    while over > 0:
        candidates = [i for i, w in enumerate(widths) if w > floors[i]]
        if not candidates:
            break
        widest = max(candidates, key=lambda i: widths[i])
        widths[widest] -= 1
        over -= 1
    return widths


def _row(parts: Sequence[Part], table: Table, widths: list[int]) -> Iterator[Line]:
    columns = [
        ["".join(t for t, _ in line) for line in _wrapped(((text, ""),), w, 0, 0)] or [""]
        if table.columns[i].wrap
        else [text]
        for i, ((text, _), w) in enumerate(zip(parts, widths, strict=True))
    ]
    for at in range(max(len(lines) for lines in columns)):
        line: list[Part] = [(" " * table.indent, "")]
        for i, lines in enumerate(columns):
            text = lines[at] if at < len(lines) else ""
            pad = " " * (widths[i] - cells(text))
            if table.columns[i].right:
                line += [(pad, ""), (text, parts[i][1])]
            else:
                line += [(text, parts[i][1]), (pad if i + 1 < len(columns) else "", "")]
            if i + 1 < len(columns):
                line.append(("  ", ""))
        yield tuple(line)
