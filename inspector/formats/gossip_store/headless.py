"""A store that lost its version byte alone: byte 0 is the first of a record, which verifies from there on.

The walk takes byte 0 for the version byte all the same, so that this record's tile, a gap, begins at 1.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from inspector import kernels
from inspector.crc32c import crc32c
from inspector.finding import Cause
from inspector.format import Edit
from inspector.formats.gossip_store import versions
from inspector.formats.gossip_store.kinds import LEAST, SEALED_HEADER, kind_name
from inspector.formats.gossip_store.structure import plausible
from inspector.span import Span

if TYPE_CHECKING:
    from inspector.formats.gossip_store.check import Checker
    from inspector.formats.gossip_store.walk import Store
    from inspector.source import Source

ANNOUNCEMENT, AMOUNT, ENDED = 256, 4101, 4105
LOST = 5  # the mark of a tile without a record
DELETED = 0x8000
GONE = Cause("shifted", "certain", "a record verifies from byte 0 on: the version byte that stood before it is gone")
_COLUMNS = ("kinds", "flags", "times", "owners", "nodes_a", "nodes_b", "aux")


def headless(source: Source) -> int:
    """Where the record ends that verifies from byte 0 on; 0 where none does, or its amount is not behind it."""
    kind, flags, end = _record(source, 0)
    if kind in (0, ENDED):  # that one no store keeps
        return 0
    if kind == ANNOUNCEMENT:
        behind, mark, _ = _record(source, end)
        if behind != AMOUNT or (mark ^ flags) & DELETED:
            return 0
    return end


def _record(source: Source, at: int) -> tuple[int, int, int]:
    """The type, flags and end of the record at `at`; zeroes where none verifies."""
    head = source.read(at, SEALED_HEADER.size + 2)
    if len(head) < SEALED_HEADER.size + 2:
        return 0, 0, 0
    flags, length, stored, time = SEALED_HEADER.unpack_from(head)
    kind = head[-2] << 8 | head[-1]
    if length < LEAST.get(kind, 1 << 16):
        return 0, 0, 0
    body = source.read(at + SEALED_HEADER.size, length)
    if len(body) < length or crc32c(body, time) != stored or not plausible(kind, body, length, versions.NEWEST):
        return 0, 0, 0
    return kind, flags, at + SEALED_HEADER.size + length


def is_first(end: int, start: int, stop: int) -> bool:
    """Whether the tile [start, stop) is that record; `end` is what `headless` said."""
    return end > 0 and (start, stop) == (1, end)


def set_apart(batch: Any, end: int) -> Any:
    """The first batch with that record's tile by itself, where what follows it is damaged and was one gap with it."""
    first = batch.starts[1] if len(batch) > 1 else batch.end
    if not end or batch.starts[0] != 1 or batch.marks[0] != LOST or first <= end:
        return batch
    columns = {}
    for name in ("starts", "roles", "marks", *_COLUMNS):
        column = getattr(batch, name)
        columns[name] = array(column.typecode, column)
        columns[name].insert(1, end if name == "starts" else column[0] if name in ("roles", "marks") else 0)
    return replace(batch, **columns)


def read_with(store: Store, batch: Any) -> Any:
    """The first batch with the record from byte 0 on in its first tile, for what contradicts it or builds on it."""
    end = store.headless
    if not len(batch) or not is_first(end, batch.starts[0], batch.starts[1] if len(batch) > 1 else batch.end):
        return batch
    window = store.source.read(0, end)
    one = kernels.GossipWalker(len(window), 0).feed(window, True)
    columns = {}
    for name in ("marks", *_COLUMNS):
        column = getattr(batch, name)
        columns[name] = array(column.typecode, column)
        columns[name][0] = getattr(one, name)[0]
    return replace(batch, **columns)


def tell(checker: Checker, span: Span) -> None:
    """Add the finding about the tile of that record."""
    checker.fact("broken", span.start)
    checker.lost_bytes += span.length  # less what is corrected
    what = kind_name(int.from_bytes(checker.store.source.read(SEALED_HEADER.size, 2), "big"))
    text = f"{span.length:,} bytes are all but the first of a {what} that verifies from byte 0 on"
    checker.add("unreadable-stretch", span, text, lambda: (GONE, {"length": span.length}), None, "corrected")


def beginning(store: Store, target: int, whole: bool) -> Iterator[Edit]:
    """The version byte that is gone, and byte 0 with the rest of its record, where that is kept as it is."""
    why = f"the version byte that is gone: the records fit version {target}"
    yield Edit("added", data=bytes([target]), proof="derived", why=why)
    if whole and store.facts["first"][:2] == (store.start, store.headless):
        yield Edit("kept", Span(0, 1), why="the first byte of a record")
    else:
        yield Edit("lost", Span(0, 1), proof="none", why="the first byte of a record that is not kept")
