"""What the walk learned about each member, in bounded space, for the checks that compare members."""

from __future__ import annotations

from array import array
from collections import Counter, deque
from collections.abc import Iterator
from itertools import compress
from typing import Any, Final

from msgspec import Struct, field

from inspector.format import FRAME, UNIT, Stretch
from inspector.formats.rocksdb import keys, kinds
from inspector.formats.rocksdb.index import separators
from inspector.formats.rocksdb.table import Table
from inspector.span import Span

MAX_LOST: Final = 1000
MAX_WHY: Final = 1000  # records of one log whose content makes no sense, with what is wrong
TILES: Final = 4096  # of one stretch
_LAST: Final = 64  # blocks at a table's end
_AHEAD, _PER_KEY = 1 << 20, 128  # bytes of keys that are kept for the blocks behind one, and what each takes beside it
MAX_DAMAGE: Final = 1 << 16  # damaged units that one repair tries to correct


class Mark(Struct, frozen=True):
    """One tile that is not sound."""

    span: Span
    kind: int
    mark: int
    stored: int
    computed: int


_PAD_ROLES: Final = bytes((UNIT, FRAME)).ljust(256, b"\0")
_PAD_KINDS: Final = (kinds.WAL_RECORD, kinds.TRAILER)


class Astray(Struct):
    """References to one blob file where no value of their key and size is; the first as (key, offset, size)."""

    count: int = 0
    outside: int = 0  # of these behind the file's end
    samples: list[tuple[bytes, int, int]] = field(default_factory=list)


class Refers(Struct):
    """What entries say of their values, where these are in blob files."""

    missing_blobs: Counter[int] = field(default_factory=Counter)
    astray: dict[int, Astray] = field(default_factory=dict)  # by the number of the blob file
    blob_codecs: dict[int, int] = field(default_factory=dict)  # the compression that entries name, by blob file
    found_blobs: Counter[int] = field(default_factory=Counter)  # entries whose values are here, by blob file
    unread_blobs: int = 0  # entries that say in no known way where their values are
    stacked: int = 0  # entries of a BlobDB whose values are in a folder inside
    expiring: int = 0  # entries with a time at which they expire, whose values are here

    refused: str = ""  # what the engine says of the first of these two kinds

    @property
    def off(self) -> bool:
        """Whether the engine does not read a value to which one of these entries refers."""
        return bool(self.missing_blobs or self.astray or self.unread_blobs or self.expiring)


class TableFacts(Refers):
    """Sums over the data blocks of a table that could be read."""

    entries: int = 0
    types: Counter[int] = field(default_factory=Counter)
    good_blocks: int = 0
    bad_blocks: int = 0
    folded: int = 0  # blocks whose checksum holds and which are not unpacked
    first_key: bytes | None = None  # internal keys
    last_key: bytes | None = None
    max_tag: int = 0  # sequence << 8 | type
    lost: dict[int, bytes | None] = field(default_factory=dict)  # offset of a lost block -> last key before it
    order_faults: int = 0
    endless: bool = False  # no footer, and what stands last is sound: no tile can tell it
    identity: bytes = b""  # what the engine knows the table by; none where its properties are not read
    size: int = 0  # without what is behind its footer
    separators: dict[int, bytes | None] = field(default_factory=dict)  # offset of a block -> its key in the index
    ahead: dict[int, bytes] = field(default_factory=dict)  # the same of the blocks behind the last one looked up
    strays: Any = None  # of `strays`, made when keys are out of order
    disorder: Any = None  # of `strays`: the blocks that the walk marks so, where it could tell the fewest
    leaves: bool | None = None  # whether a repair leaves any entry of it, once that was asked
    asked: int = -1  # damage of the whole database that was known when pages were looked for
    pages: Any = None  # of `exchanged_pages`: how much damage was known, pieces that undo it, what is in order then

    @property
    def unknown(self) -> Counter[int]:
        """Entries of types that no known release writes, by type."""
        return Counter({kind: count for kind, count in self.types.items() if kind not in keys.STORED})


class LogFacts(Refers):
    """Sums over the records of a WAL or MANIFEST."""

    records: int = 0
    lost_records: int = 0
    operations: int = 0
    families: Counter[int] = field(default_factory=Counter)
    first_sequence: int | None = None
    next_sequence: int | None = None
    highest: int = 0  # number that a batch with operations begins with
    jumps: list[tuple[int, int, int]] = field(default_factory=list)  # offset, expected, found: before it, given twice
    jump_count: int = 0
    bad_start: int | None = None  # where the first record that does not verify begins
    torn: int | None = None  # where a record begins inside which the log ends
    zeroes: tuple[int, int] = (0, 0)  # the last run of them where a record was due
    records_before_bad: int = 0
    operations_before_bad: int = 0
    why: dict[int, str] = field(default_factory=dict)  # offset -> what is wrong inside a sound record
    gave_up: int | None = None  # where the first block begins that was not searched to its end
    numbers: Any = None  # of `order`: those of its records, once they were read
    order: Any = None  # of `order`, made when numbers go back
    exchanged: Any = None  # of `exchanged`: pieces that put back blocks that changed places


class BlobFacts(Struct):
    """Sums over the records of a blob file."""

    records: int = 0
    bad: int = 0
    gaps: int = 0
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
        self.counts: dict[int, int] = {}  # tiles by kind

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
        self.counts[kind] = self.counts.get(kind, 0) + 1
        self.at = end

    def extend(
        self, starts: array[int], end: int, role: int, kind: int, stored: array[int], computed: array[int]
    ) -> None:
        """Sound tiles of one kind, the first where the last tile ended, the last up to `end`."""
        count = len(starts)
        self.starts += starts
        self.roles += array("B", [role]) * count
        self.kinds += array("H", [kind]) * count
        self.marks += array("B", [0]) * count
        self.stored += stored
        self.computed += computed
        self.counts[kind] = self.counts.get(kind, 0) + count
        self.at = end

    def mark(self, marks: bytes) -> None:
        """The marks of the last tiles, one for each."""
        self.marks[len(self.marks) - len(marks) :] = array("B", marks)

    def extend_log(self, starts: array[int], end: int, stored: array[int], pads: bytes) -> None:
        """Sound records of a WAL, and the trailers of its blocks where `pads` is 1."""
        count = len(starts)
        self.starts += starts
        self.roles += array("B", pads.translate(_PAD_ROLES))
        self.kinds += array("H", map(_PAD_KINDS.__getitem__, pads))
        self.marks += array("B", [0]) * count
        self.stored += stored
        self.computed += stored
        padded = pads.count(1)
        for kind, found in zip(_PAD_KINDS, (count - padded, padded), strict=True):
            self.counts[kind] = self.counts.get(kind, 0) + found
        self.at = end

    @property
    def full(self) -> bool:
        return len(self.starts) >= TILES

    def take(self) -> Stretch:
        """The tiles so far as one stretch; collecting goes on after them."""
        columns = {"stored": self.stored, "computed": self.computed}
        lists = (self.starts, self.roles, self.kinds, self.marks)
        stretch = Stretch(self.start, self.at, *lists, self.member, columns, self.counts)
        self._reset()
        return stretch


def mark_of(stretch: Stretch, i: int) -> Mark:
    """Tile `i`, which is not sound."""
    stored, computed = stretch.columns.get("stored"), stretch.columns.get("computed")
    sums = (stored[i], computed[i]) if stored is not None and computed is not None else (0, 0)
    return Mark(stretch.span(i), stretch.kinds[i], stretch.marks[i], *sums)


def marks_of(stretch: Stretch) -> Iterator[Mark]:
    """The tiles of a stretch that are not sound."""
    marks = stretch.marks.tobytes()
    if marks.count(0) == len(marks):
        return iter(())
    starts, member, nothing = stretch.starts, stretch.member, array("I", bytes(4)) * len(stretch)
    stored, computed = (stretch.columns.get(name, nothing) for name in ("stored", "computed"))
    tiles = zip(starts, [*starts[1:], stretch.end], stretch.kinds, marks, stored, computed, strict=True)
    return (
        Mark(Span(start, end, member), kind, mark, was, now)
        for start, end, kind, mark, was, now in compress(tiles, marks)
    )


def lost_range(table: Table, facts: TableFacts, span: Span) -> tuple[bytes | None, bytes | None]:
    """User keys between which a lost block's entries lay: after the last good key, up to the index separator."""
    low = facts.lost.get(span.start)
    if span.start not in facts.separators and span.start not in facts.ahead:
        _look_up(table, facts, span.start)
    high = facts.ahead.get(span.start, facts.separators.get(span.start))
    if high is not None and not table.shape.user_keys:
        high = high[:-8]
    return (low[:-8] if low else None), high


def _look_up(table: Table, facts: TableFacts, wanted: int) -> None:
    """One pass over the index answers for every block whose loss is told: the first ones, and the last ones.

    A correction asks for each damaged block in order: the next ones are kept, as far as their keys have room.
    """
    last: deque[tuple[int, bytes]] = deque(maxlen=_LAST)
    facts.ahead, room = {}, 0
    for key, handle in separators(table):
        if handle.offset == wanted or handle.offset in facts.lost:
            facts.separators[handle.offset] = key
        room = _AHEAD if handle.offset == wanted else room - len(key) - _PER_KEY
        if room > 0:
            facts.ahead[handle.offset] = key
        last.append((handle.offset, key))
    facts.separators.update(last)
    facts.separators.setdefault(wanted, None)
