"""What the walk learned about each member, in bounded space, for the checks that compare members."""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from inspector.format import Stretch

MAX_LOST: Final = 1000
TILES: Final = 4096  # of one stretch


@dataclass(slots=True)
class TableFacts:
    """Sums over the data blocks of a table that could be read."""

    entries: int = 0
    types: Counter[int] = field(default_factory=Counter)
    good_blocks: int = 0
    bad_blocks: int = 0
    first_key: bytes | None = None  # internal keys
    last_key: bytes | None = None
    max_tag: int = 0  # sequence << 8 | type
    lost: dict[int, bytes | None] = field(default_factory=dict)  # offset of a lost block -> last key before it
    order_faults: int = 0
    missing_blobs: Counter[int] = field(default_factory=Counter)
    crc: int = 0


@dataclass(slots=True)
class LogFacts:
    """Sums over the records of a WAL or MANIFEST."""

    records: int = 0
    lost_records: int = 0
    operations: int = 0
    families: Counter[int] = field(default_factory=Counter)
    first_sequence: int | None = None
    next_sequence: int | None = None
    jumps: list[tuple[int, int, int]] = field(default_factory=list)  # offset, expected, found
    jump_count: int = 0
    bad_start: int | None = None  # where the first record that does not verify begins
    records_before_bad: int = 0
    operations_before_bad: int = 0
    why: dict[int, str] = field(default_factory=dict)  # offset -> what is wrong inside a sound record


@dataclass(slots=True)
class BlobFacts:
    """Sums over the records of a blob file."""

    records: int = 0
    bad: int = 0
    header_why: str = ""
    footer_why: str = ""
    footer_count: int | None = None


class Tiles:
    """Collects tiles of one member and gives them as stretches."""

    def __init__(self, member: str) -> None:
        self.member = member
        self.at = 0
        self._reset()

    def _reset(self) -> None:
        self.start = self.at
        self.starts: array[int] = array("Q")
        self.roles: array[int] = array("B")
        self.kinds: array[int] = array("H")
        self.marks: array[int] = array("B")
        self.stored: array[int] = array("I")
        self.computed: array[int] = array("I")

    def add(self, end: int, role: int, kind: int, mark: int = 0, stored: int = 0, computed: int = 0) -> None:
        """A tile from where the last one ended to `end`; nothing where that is empty."""
        if end <= self.at:
            return
        self.starts.append(self.at)
        self.roles.append(role)
        self.kinds.append(kind)
        self.marks.append(mark)
        self.stored.append(stored)
        self.computed.append(computed)
        self.at = end

    @property
    def full(self) -> bool:
        return len(self.starts) >= TILES

    def take(self) -> Stretch:
        """The tiles so far as one stretch; collecting goes on after them."""
        columns = {"stored": self.stored, "computed": self.computed}
        stretch = Stretch(self.start, self.at, self.starts, self.roles, self.kinds, self.marks, self.member, columns)
        self._reset()
        return stretch
