"""A second, short reader of gossip stores that shares no code with the first one: slow, plain, independent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import crc32c

TYPES = {256, 257, 258, 3503, *range(4101, 4108)}


class Record(NamedTuple):
    at: int
    end: int
    flags: int
    kind: int
    time: int
    body: bytes

    @property
    def live(self) -> bool:
        return not self.flags & 0x8000


def record_at(data: bytes, at: int) -> Record | None:
    """The record whose header is at `at`, if its checksum holds."""
    if at + 14 > len(data):
        return None
    flags, length = int.from_bytes(data[at : at + 2]), int.from_bytes(data[at + 2 : at + 4])
    stored, time = int.from_bytes(data[at + 4 : at + 8]), int.from_bytes(data[at + 8 : at + 12])
    body = data[at + 12 : at + 12 + length]
    if length < 2 or len(body) < length or crc32c.crc32c(body, time) != stored:
        return None
    return Record(at, at + 12 + length, flags, int.from_bytes(body[:2]), time, body)


def walk(data: bytes, start: int = 1) -> Iterator[Record]:
    """Every record that verifies, in order; where none does, the next offset with a known type that does."""
    at, lost = start, False
    while at < len(data):
        found = record_at(data, at)
        if found and (not lost or found.kind in TYPES):
            yield found
            at, lost = found.end, False
        else:
            at, lost = at + 1, True


def channel(record: Record) -> int:
    """The short channel id that a record is about; 0 for those that have none."""
    body, features = record.body, int.from_bytes(record.body[258:260])
    where = {256: 260 + features + 32, 258: 98, 4103: 2, 4106: 2}.get(record.kind)
    return int.from_bytes(body[where : where + 8]) if where is not None else 0


LEAST = {256: 432, 257: 142, 258: 138, 4101: 10, 4103: 10, 4106: 14, 4107: 34}


def objection(data: bytes) -> str:
    """Why gossipd v26.06 would not load this store of version 15 or 16, or "" where it would."""
    if data[:1] not in (b"\x0f", b"\x10"):
        return "version byte"
    at, previous = 1, None
    announced: set[int] = set()
    for record in walk(data):
        if record.at != at:
            return f"stops at {at}"
        at = record.end
        if not record.flags & 0x2000:
            return f"not completed at {record.at}"
        if previous is not None and previous.kind == 256 and previous.live and record.kind != 4101:
            return f"no amount behind {previous.at}"
        previous = record
        if not record.live:
            continue
        if record.kind not in LEAST or len(record.body) < LEAST[record.kind]:
            return f"type {record.kind} of {len(record.body)} bytes at {record.at}"
        if record.kind == 256 and channel(record) in announced:
            return f"announced twice at {record.at}"
        if record.kind == 256:
            announced.add(channel(record))
        if record.kind == 4103:
            announced.discard(channel(record))
    if at != len(data):
        return f"stops at {at}"
    if previous is not None and previous.kind == 256 and previous.live:
        return "ends behind an announcement"
    return ""
