"""Rows of a block that lead back to what does not name them, where that names others in their place.

The row that should name them is then the wrong one: they have rows of their own beside, and nothing else claims them.
"""

from __future__ import annotations

from typing import Final

from inspector.formats.snarkos import rules
from inspector.formats.snarkos.judge import Judge
from inspector.formats.snarkos.names import block_name, transaction_name, transition_name
from inspector.formats.snarkos.network import INPUT, OUTPUT, UNKNOWN_HEIGHT
from inspector.formats.snarkos.rows import Row

LISTS: Final = {INPUT: (34, 35), OUTPUT: (42, 43)}


def not_in_block(judge: Judge, key: bytes, height: bytes, row: Row, real: bool) -> bytes:
    """A confirmed transaction names a block that does not list it; its height, from the other block or this one."""
    at, gaps, block = row.payload[:4], row.payload[4], row.payload[5:]
    if height != UNKNOWN_HEIGHT:
        message = f"{transaction_name(key)} is of {block_name(block)} by its own row, and another block lists it"
        judge.wrong(rules.MALFORMED, 17, key, height, row.place, message)
        return height
    if not gaps or not real:  # left over: that block has all that it lists
        judge.orphan(17, key, at, row.place, key)
        return height
    message = f"{block_name(block)} does not list {transaction_name(key)}, which is of it alone"
    judge.wrong(rules.MALFORMED, 14, block, at, row.place, message)
    return at


def not_named(judge: Judge, key: bytes, height: bytes, row: Row) -> None:
    """A transition that no transaction names leads back to one of a block: the row of that one is wrong, not this."""
    owner, number = row.payload[5:], 29 if row.payload[4] else 32
    message = f"{transaction_name(owner)} does not name {transition_name(key)}, which leads back to it alone"
    judge.wrong(rules.MALFORMED, number, owner, height, row.place, message)


def not_listed(judge: Judge, side: bytes, key: bytes, row: Row, real: bool) -> None:
    """A row leads from an input or output to a transition that does not list it; `real` where that has its own row."""
    height, transition, owner = row.payload[:4], row.payload[4:36], row.payload[36:]
    number, reverse = LISTS[side]
    if not real:
        judge.orphan(reverse, key, height, row.place, owner)
        return
    message = f"{transition_name(transition)} does not list {key.hex()}, which leads back to it alone"
    judge.wrong(rules.MALFORMED, number, transition, height, row.place, message)
