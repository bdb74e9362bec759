"""Values of a blob file that are no longer where the tables point, because bytes were put in or are missing.

A record carries its key, and an entry of a table says of which key and size the value at an offset is: so each record
is led back to its place. Records that no entry refers to go with the ones before them.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from itertools import islice
from typing import Final

from msgspec import Struct

from inspector.crc32c import crc32c
from inspector.formats.rocksdb import blob, keys
from inspector.formats.rocksdb.coding import MalformedError
from inspector.formats.rocksdb.database import Database, good_blocks, pairs_of
from inspector.windowed import Windowed

MOST: Final = 500_000  # entries that refer to one file: no more are held
LONGEST: Final = 1 << 20  # bytes of a key
_AHEAD: Final = 64  # records among which one is looked for that moved as far


class Run(Struct):
    """Sound records [start, end) that stand `by` bytes behind their places."""

    start: int
    end: int
    by: int
    count: int = 1


class References(Struct):
    """What entries of tables say of one blob file: where a value is, its size, and a sum of its key; by offset."""

    offsets: array[int]
    sizes: array[int]
    sums: array[int]

    def at(self, offset: int, size: int, told: int) -> int:
        """The number of the reference to this value; -1 where there is none."""
        i = bisect_left(self.offsets, offset)
        right = i < len(self.offsets) and (self.offsets[i], self.sizes[i], self.sums[i]) == (offset, size, told)
        return i if right else -1


def references(db: Database, number: int) -> References | None:
    """All references to a blob file; None where they are too many to be held."""
    found: set[tuple[int, int, int]] = set()  # a table that was left over names the same ones as its successor
    for member in db.tables.values():
        for _, _, content in good_blocks(db.table(member)):
            for key, value in pairs_of(content):
                if key[-8] != keys.BLOB_INDEX:
                    continue
                try:
                    where = blob.index(value)
                except MalformedError:
                    continue
                if where.type != blob.INLINED_TTL and where.file == number:
                    found.add((where.offset, where.size, crc32c(key[:-8])))
        if len(found) > MOST:
            return None
    ranked = sorted(found)
    return References(
        array("Q", [f[0] for f in ranked]), array("Q", [f[1] for f in ranked]), array("I", [f[2] for f in ranked])
    )


def runs(db: Database, member: str, end: int) -> list[Run]:
    """The sound records up to `end`, and how far each run of them stands behind its place; none where all are there."""
    if db.single or (known := references(db, db.files[member].number)) is None:
        return []
    read = Windowed(db.reader(member))
    sound = (r for r in blob.records(read, blob.HEADER, end) if r.state == blob.GOOD and r.key_size <= LONGEST)
    records = list(islice(sound, 2 * MOST))
    if len(records) == 2 * MOST:
        return []
    sums = array("I", [crc32c(read(r.start + blob.RECORD_HEADER, r.key_size)) for r in records])
    attached = bytearray(len(known.offsets))
    own = [known.at(r.end - r.value_size, r.value_size, told) for r, told in zip(records, sums, strict=True)]
    for i in own:
        if i >= 0:
            attached[i] = 1
    loose: dict[tuple[int, int], list[int]] = {}
    for i, taken in enumerate(attached):
        if not taken:
            loose.setdefault((known.sizes[i], known.sums[i]), []).append(known.offsets[i])
    if not loose:
        return []
    found = _Found(records, sums, own, loose, _end_of(db, member))
    made: list[Run] = []
    done = blob.HEADER
    shifts = found.all_shifts()
    due = _next_places(found, shifts)
    for i, (record, by) in enumerate(zip(records, shifts, strict=True)):
        if record.start - by < done or record.end - by > due[i]:
            continue  # its place is taken: it is no value of this file any more
        done = record.end - by
        if made and made[-1].end == record.start and made[-1].by == by:
            made[-1].end, made[-1].count = record.end, made[-1].count + 1
        else:
            made.append(Run(record.start, record.end, by))
    return made if any(run.by for run in made) else []


def _end_of(db: Database, member: str) -> int | None:
    """Where the records of a blob file ended, as the MANIFEST counts them."""
    number = db.files[member].number
    families = db.version.families.values() if db.version is not None else ()
    listed = next((family.blobs[number] for family in families if number in family.blobs), None)
    return blob.HEADER + listed.size if listed is not None else None


def _next_places(found: _Found, shifts: array[int]) -> array[int]:
    """Before each record the place of the next one that an entry refers to; others may not reach into it."""
    due, place = array("Q", bytes(8 * len(shifts))), (1 << 64) - 1
    for i in reversed(range(len(shifts))):
        due[i] = place
        if found.own[i] >= 0 or shifts[i] in found.shifts(i):
            due[i], place = (1 << 64) - 1, found.records[i].start - shifts[i]
    return due


class _Found(Struct, frozen=True):
    """Sound records, their references where they stand, and those whose values are not at their places."""

    records: list[blob.BlobRecord]
    sums: array[int]
    own: list[int]
    loose: dict[tuple[int, int], list[int]]
    end: int | None

    def shifts(self, i: int) -> list[int]:
        record = self.records[i]
        value = record.end - record.value_size
        return [value - at for at in self.loose.get((record.value_size, self.sums[i]), ())]

    def all_shifts(self) -> array[int]:
        """How far each record stands behind its place."""
        made, by = array("q"), 0
        for i, own in enumerate(self.own):
            by = 0 if own >= 0 else self.led_back(i, by)
            made.append(by)
        return made

    def led_back(self, i: int, by: int) -> int:
        """How far a record stands behind its place: as its reference tells, else as the one before.

        An older value of a key may have the size of a lost one, so that one reference alone moves nothing.
        """
        shifts = self.shifts(i)
        if by in shifts or len(shifts) != 1 or not self._borne_out(i, shifts[0]):
            return by
        return shifts[0]

    def _borne_out(self, i: int, by: int) -> bool:
        """Whether the next record with a reference stands as far from its place, or this one ends where all did."""
        for later in range(i + 1, min(len(self.records), i + _AHEAD)):
            if self.own[later] >= 0:
                return False
            if shifts := self.shifts(later):
                return by in shifts
        return i + 1 == len(self.records) and self.records[i].end - by == self.end
