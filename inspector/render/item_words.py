"""Items as a tree for people; a flat list where there are too many to hold."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from inspector.format import Item
from inspector.render.record_lines import field_words
from inspector.render.text import Block, Line, Text, Verbatim, lay, para
from inspector.sanitize import clean

MAX_TREE = 100_000  # items held to find each one's children
_HANG = 4  # columns by which what is known of an item goes on behind its beginning: a branch, and a bit
_INDENTED = 2  # parts of such a line that are blank
MAX_LEAD = 80  # columns of a tree's branches: those of the nearest parents


def item_lines(items: Iterator[Item], utf8: bool, width: int | None = None) -> Iterator[Block]:
    """One line per item, children below their parent; beyond MAX_TREE items the rest follows as it comes.

    `width`: columns of a terminal, in which what is known of an item goes on below its beginning.
    """
    held = list(islice(items, MAX_TREE))
    if not held:
        yield para("no items")
        return
    yield from _tree(held, utf8, width)
    for item in items:
        yield from _lines("", "  ", item, item.parent, width)


def _tree(held: list[Item], utf8: bool, width: int | None) -> Iterator[Block]:
    known = {item.id for item in held}
    children: dict[str, list[int]] = {}
    roots = []
    for index, item in enumerate(held):
        if item.parent is None or item.parent not in known:
            roots.append(index)
        else:
            children.setdefault(item.parent, []).append(index)
    shown = [False] * len(held)
    stack = [(index, "", "") for index in reversed(roots)]
    while stack:  # explicit: a chain of parents from a hostile file may be long
        index, lead, below = stack.pop()
        if shown[index]:
            continue
        shown[index] = True
        item = held[index]
        inner = children.pop(item.id, [])
        tee, last, bar = ("├ ", "└ ", "│ ") if utf8 else ("+ ", "` ", "| ")
        of = item.parent if item.parent not in known else None
        yield from _lines(lead, below + (bar if inner else "  "), item, of, width)
        for place, child in reversed(list(enumerate(inner))):
            final = place + 1 == len(inner)
            stack.append((child, below + (last if final else tee), (below + ("  " if final else bar))[-MAX_LEAD:]))
    for index, item in enumerate(held):
        if not shown[index]:  # each one's parent is its own descendant
            yield from _lines("", "  ", item, f"{item.parent} (a circle)", width)


def _lines(lead: str, below: str, item: Item, parent: str | None, width: int | None) -> Iterator[Block]:
    """An item behind its branch of the tree; `below` stands before what goes on in further lines."""
    words = f"  {clean(item.kind)}  {field_words(item.fields)}"
    of = f"  of {clean(parent)}" if parent else ""
    parts: Line = ((clean(item.id), "strong"), (words.rstrip() + of, ""))
    if width is None:
        yield Verbatim(((lead[-MAX_LEAD:], "dim"), *parts))
        return
    most = min(MAX_LEAD, width // 4 * 2)  # the other half is for words
    for number, line in enumerate(lay([Text(parts, 0, _HANG)], width - min(len(lead), most))):
        if number == 0:
            yield Verbatim(((lead[-most:], "dim"), *line))
        else:
            yield Verbatim(((below[-most - 2 :] + "  ", "dim"), *line[_INDENTED:]))
