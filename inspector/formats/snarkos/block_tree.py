"""The block_tree cache beside the tables (2026): is it the tree of this ledger's last block?

Its layout differs between releases, so it is not taken apart. The node compares its height and root with the store's
(ledger/src/lib.rs); a tree of the last block contains that block's state root.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from inspector.formats.snarkos.judge import Judge
from inspector.source import Source

NAME: Final = "block_tree"


class Tree(Struct, frozen=True):
    """What was found; `stale` where the last root is known and is not in the file."""

    size: int
    stale: bool


def look(source: Source, judge: Judge) -> Tree | None:
    """None where there is no such file."""
    member = source.member(NAME)
    if member is None:
        return None
    root = judge.last_root
    return Tree(member.size, root is not None and not any(root in window for window in _overlapping(source)))


def _overlapping(source: Source) -> Iterator[bytes]:
    """The file in windows that share their last 31 bytes."""
    tail = b""
    for _, data in source.windows(NAME):
        yield tail + data
        tail = data[-31:]
