"""Items as a tree for people; a flat list where there are too many to hold."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from inspector.format import Item
from inspector.render.record_lines import field_words
from inspector.render.text import Block, Verbatim, para
from inspector.sanitize import clean

MAX_TREE = 100_000  # items held to find each one's children


def item_lines(items: Iterator[Item], utf8: bool) -> Iterator[Block]:
    """One line per item, children below their parent; beyond MAX_TREE items the rest follows as it comes."""
    held = list(islice(items, MAX_TREE))
    if not held:
        yield para("no items")
        return
    yield from _tree(held, utf8)
    for item in items:
        yield _line("", item, item.parent)


def _tree(held: list[Item], utf8: bool) -> Iterator[Block]:
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
        yield _line(lead, item, item.parent if item.parent not in known else None)
        inner = children.pop(item.id, [])
        tee, last, bar = ("├ ", "└ ", "│ ") if utf8 else ("+ ", "` ", "| ")
        for place, child in reversed(list(enumerate(inner))):
            final = place + 1 == len(inner)
            stack.append((child, below + (last if final else tee), (below + ("  " if final else bar))[-80:]))
    for index, item in enumerate(held):
        if not shown[index]:  # each one's parent is its own descendant
            yield _line("", item, f"{item.parent} (a circle)")


def _line(lead: str, item: Item, parent: str | None) -> Block:
    words = f"  {clean(item.kind)}  {field_words(item.fields)}"
    of = f"  of {clean(parent)}" if parent else ""
    return Verbatim(((lead[-80:], "dim"), (clean(item.id), "strong"), (words.rstrip() + of, "")))
