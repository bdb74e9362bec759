"""Rust's `Debug` text read into a tree: `Ok(BootstrapOk { peer: PeerId("1A.."), num_remaining: 3 })`.

One pass over the text with an explicit stack; nothing here can recurse, backtrack or raise on content.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct, field

MAX_TEXT = 64 << 10
MAX_DEPTH = 64
MAX_NODES = 4096
_TOKEN = re.compile(r'\s*(?:([A-Za-z_]\w*(?:::\w+)*)|(-?\d[\w.+-]*)|"((?:[^"\\]|\\.)*)"|([{}()\[\],:])|(\.\.))')
_MARK = re.compile(r'"(?:[^"\\]|\\[\s\S]?)*+"?|[{}()\[\] \t]')  # a string counts as one, also one without an end
_OPEN, _CLOSE = "{([", "})]"


class Node(Struct):
    """`name` with its parts; a part of a struct has a key, that of a tuple or list an empty one."""

    name: str
    parts: list[tuple[str, Node]] = field(default_factory=list)
    text: str | None = None  # of a string or a number

    def get(self, key: str) -> Node | None:
        return next((part for name, part in self.parts if name == key), None)

    @property
    def first(self) -> Node | None:
        return self.parts[0][1] if self.parts else None

    @property
    def number(self) -> int | None:
        """The value where this is a whole number, also in `Some(3)`."""
        node: Node | None = self
        if self.name == "Some":
            node = self.first
        if node is None or node.text is None or not node.text.isascii() or not node.text.isdigit():
            return None
        return int(node.text[:20])

    def walk(self) -> Iterator[Node]:
        stack = [self]
        while stack:
            node = stack.pop()
            yield node
            stack.extend(part for _, part in reversed(node.parts))


def parse_debug(text: str) -> Node | None:
    """The tree of the value at the start of `text`; None where it is no whole `Debug` value."""
    text = text[:MAX_TEXT]
    root = Node("")
    stack, keys = [root], [""]
    at = count = 0
    last: Node | None = None
    while match := _TOKEN.match(text, at):
        at = match.end()
        name, number, string, mark, _ = match.groups()
        if mark is None:
            count += 1
            if count > MAX_NODES:
                return None
            last = Node(name or "", [], number if number is not None else string)
            stack[-1].parts.append((keys[-1], last))
        elif mark in _OPEN:
            if last is None or last.text is not None:
                last = Node("")
                stack[-1].parts.append((keys[-1], last))
            if len(stack) > MAX_DEPTH:
                return None
            stack.append(last)
            keys.append("")
            last = None
        elif mark in _CLOSE:
            if len(stack) == 1:
                break
            stack.pop()
            keys.pop()
            last = None
        elif mark == ":":
            if last is None or not stack[-1].parts:
                return None
            stack[-1].parts.pop()  # the name was a key; what follows is the part
            keys[-1], last = last.name, None
        else:
            keys[-1], last = "", None
        if len(stack) == 1 and mark is not None and mark in _CLOSE:
            break
    return root.first if len(stack) == 1 and root.parts else None


def value_end(text: str, at: int) -> int:
    """Where the `Debug` value that begins at `at` ends in a line of `key=value` pairs."""
    depth = 0
    while match := _MARK.search(text, at):
        mark = match.group()
        if mark in _OPEN:
            depth += 1
        elif mark in _CLOSE:
            depth -= 1
        elif mark in " \t" and depth <= 0 and text[match.end() : match.end() + 1] != "{":
            return match.start()
        at = match.end()
    return len(text)
