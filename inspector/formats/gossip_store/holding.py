"""Runs of sound records without their bodies: what the walk takes from them, packed for a capsule and unpacked again.

Kept of each record: its length, flags, checksum and time (its whole header), its kind, whom it names, and what is odd
about it; of node announcements also the node's id. Numbers lie byte plane by byte plane, so that they compress.
"""

from __future__ import annotations

import sys
from array import array
from functools import partial
from typing import Any, Final

from msgspec import Struct

from inspector.errors import SourceError
from inspector.formats.gossip_store.structure import NODE_ID, node_at
from inspector.kernels.gossip_tiles import LONGEST_RECORD, OK, REACH, ROLE_UNIT, Batch
from inspector.source import Source
from inspector.vouching import Vouched, column, planes

WHAT: Final = "gossip"
ANNOUNCEMENT, NODE = 256, 257
SHORTEST: Final = 14  # bytes of a record that has a type
# Behind damage bytes are kept, because the walk decides about it by what follows: nearly always by the longest record
# that may begin there; where it follows claimed lengths, by as much as that search may reach.
APART: Final = LONGEST_RECORD + 4096
FAR: Final = REACH + 4 * LONGEST_RECORD
_COLUMNS: Final = (
    *(("lengths", "I"), ("kinds", "H"), ("flags", "H"), ("times", "I"), ("sums", "I")),
    *(("owners", "Q"), ("nodes_a", "Q"), ("nodes_b", "Q"), ("aux", "B"), ("odd", "B")),
)
_ROW: Final = sum(array(code).itemsize for _, code in _COLUMNS)


class Held(Struct, frozen=True):
    """What stands in a stretch for bodies that are not here: checksums of its records, and ids of its nodes."""

    sums: array[int]
    node_ids: bytes  # of node announcements, in their order


def vouch(source: Source, batch: Batch, odd: array[int], data: bytes, at: int, clear: int) -> int:
    """Vouch for the sound records of a batch that lie apart from damage; where that is from now on. `data` is at `at`.

    A run never ends between an announcement and its amount.
    """
    count, low = len(batch), 0
    marks = batch.marks.tobytes()
    while low < count:
        high = low
        while high < count and marks[high] == OK and batch.roles[high] == ROLE_UNIT:
            high += 1
        end = batch.starts[high] if high < count else batch.end
        while low < high and (batch.starts[low] < clear or (low and batch.kinds[low - 1] == ANNOUNCEMENT)):
            low += 1
        if low < high:
            source.vouch(WHAT, batch.starts[low], end, partial(_packed, batch, odd, data, at, low, high))
        if high < count:
            clear = (batch.starts[high + 1] if high + 1 < count else batch.end) + (FAR if source.wide else APART)
        low = high + 1
    return clear


def _packed(batch: Batch, odd: array[int], data: bytes, at: int, low: int, high: int) -> bytes:
    starts = batch.starts[low:high]
    ends = [*starts[1:], batch.starts[high] if high < len(batch) else batch.end]
    lengths = array("I", (end - start for start, end in zip(starts, ends, strict=True)))
    sums = array("I", b"".join([data[start - at + 4 : start - at + 8] for start in starts]))
    if sys.byteorder == "little":
        sums.byteswap()
    own = {"lengths": lengths, "sums": sums, "odd": odd[low:high]}
    columns = [own[name] if name in own else getattr(batch, name)[low:high] for name, _ in _COLUMNS]
    nodes = [
        node_at(data, start - at) for start, kind in zip(starts, batch.kinds[low:high], strict=True) if kind == NODE
    ]
    return b"".join([(high - low).to_bytes(4, "little"), *map(planes, columns), *nodes])


def unpacked(run: Vouched) -> tuple[Batch, array[int], Held]:
    """The records of a run as the walk gave them, with what is odd about each; raises SourceError on other words."""
    told, count = run.told, int.from_bytes(run.told[:4], "little")
    if count * _ROW > len(told) - 4 or not count:
        raise _wrong(run)
    columns: dict[str, Any] = {}
    place = 4
    for name, code in _COLUMNS:
        columns[name] = column(code, told, place, count)
        place += count * columns[name].itemsize
    lengths = columns.pop("lengths")
    if min(lengths) < SHORTEST:  # a run that goes nowhere would be met again and again
        raise _wrong(run)
    starts, at = array("Q"), run.start
    for length in lengths:
        starts.append(at)
        at += length
    if at != run.end or len(told) - place != NODE_ID * columns["kinds"].count(NODE):
        raise _wrong(run)
    odd, sums = columns.pop("odd"), columns.pop("sums")
    roles, marks = array("B", [ROLE_UNIT]) * count, array("B", [OK]) * count
    return Batch(end=run.end, starts=starts, roles=roles, marks=marks, **columns), odd, Held(sums, told[place:])


def _wrong(run: Vouched) -> SourceError:
    return SourceError(
        f"what stands for [{run.start}, {run.end}) does not fit it", "ask for the capsule to be made again"
    )
