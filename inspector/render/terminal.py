"""The same lines as plain.py in colours; only the sixteen named ones, which follow the user's light or dark theme."""

from __future__ import annotations

from collections.abc import Iterable
from typing import IO, cast

from rich.console import Console
from rich.text import Text

from inspector.render.plain import Writer
from inspector.render.text import Block, lay

STYLES = {
    "": "",
    "strong": "bold",
    "dim": "dim",
    "good": "green",
    "bad": "bold red",
    "warn": "yellow",
    "note": "cyan",
    "code": "bold cyan",
    "f0": "green",
    "f1": "magenta",
    "f2": "cyan",
    "f3": "red",
    "f4": "yellow",
    "f5": "bright_blue",
}


def write(blocks: Iterable[Block], out: Writer, width: int) -> None:
    # the blocks are laid out and sanitised already: rich adds colours and nothing else
    console = Console(
        file=cast("IO[str]", out), force_terminal=True, width=width, highlight=False, markup=False, emoji=False
    )
    for line in lay(blocks, width):
        text = Text()
        for part, style in line:
            text.append(part, STYLES[style])
        text.rstrip()
        console.print(text, soft_wrap=True)
