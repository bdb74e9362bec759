"""Blocks as text without any escape sequence; rich is not needed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from inspector.render.text import Block, lay


class Writer(Protocol):
    def write(self, text: str) -> int: ...


def write(blocks: Iterable[Block], out: Writer, width: int) -> None:
    for line in lay(blocks, width):
        out.write("".join(text for text, _ in line).rstrip() + "\n")
