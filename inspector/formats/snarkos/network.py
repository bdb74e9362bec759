"""What one pass over the live rows keeps: sortable rows by which the maps are joined afterwards.

Group keys: block hashes and state roots (`values`), heights big-endian (`heights`), transactions, transitions,
inputs and outputs (`parts`: a side byte and the id), programs (the BLAKE2 of the program's key bytes), rejected
deployments and executions (the BLAKE2 of their content, which map 17 repeats).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from hashlib import blake2b
from typing import Final

from msgspec import Struct, field

from inspector.formats.snarkos.reading import FIELD
from inspector.formats.snarkos.rows import Places, Sorter
from inspector.span import Span

BROKEN: Final = 0x80  # added to a tag: the row is there, its value is malformed
BLOCK: Final = 100  # tags of rows that the checks hand on to each other
CLAIMED: Final = 101
ROOT_BEFORE: Final = 102
ONE_WAY: Final = 103  # a state root that no row of map 3 leads back from
LED: Final = 104  # a row leads back to something of a block that names others in its place
BACK: Final = 105  # and to one of a block whose own row is not there
INPUT, OUTPUT = b"\0", b"\1"
UNKNOWN_HEIGHT: Final = b"\xff\xff\xff\xff"  # of rows whose block is not known


class Wrong(Struct, frozen=True):
    """A row whose key or value is not what its map holds."""

    map: int
    key: bytes
    why: str
    place: Span


class Network(Struct):
    """Everything the pass keeps about one network's rows."""

    id: int
    places: Places
    counts: Counter[int] = field(default_factory=Counter)
    block_tip: int | None = None  # the highest height of map 4, as the node sees it
    committee_tip: int | None = None  # the highest height of map 21
    round_tip: int | None = None  # the highest height of map 20
    current_round: int | None = None
    wrong: list[Wrong] = field(default_factory=list)
    wrong_count: int = 0
    wrong_keys: set[bytes] = field(default_factory=set)  # whole keys of the malformed rows, as far as they are held
    shaped: Counter[int] = field(default_factory=Counter)  # values by map that fill their bytes, of maps with no check
    odd_counts: Counter[int] = field(default_factory=Counter)  # and those that do not
    odd: list[Wrong] = field(default_factory=list)
    values: Sorter = field(default_factory=lambda: Sorter(FIELD))
    heights: Sorter = field(default_factory=lambda: Sorter(4))
    transactions: Sorter = field(default_factory=lambda: Sorter(FIELD))
    transitions: Sorter = field(default_factory=lambda: Sorter(FIELD))
    parts: Sorter = field(default_factory=lambda: Sorter(1 + FIELD))
    programs: Sorter = field(default_factory=lambda: Sorter(FIELD))
    rejected: Sorter = field(default_factory=lambda: Sorter(FIELD))

    @property
    def rows(self) -> int:
        return self.counts.total()


Take = Callable[[Network, bytes, bytes, bytes], None]  # network, key, value, packed place


def content_group(content: bytes) -> bytes:
    """The group key of something that has no id of 32 bytes here: a program's key bytes, a rejected execution."""
    return blake2b(content, digest_size=FIELD).digest()


def joined(parts: bytes, size: int = FIELD) -> Iterator[bytes]:
    """Fixed-size ids that were put one behind the other."""
    return (parts[i : i + size] for i in range(0, len(parts), size))
