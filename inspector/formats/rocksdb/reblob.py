"""Blob files with damage: records that verify keep their offsets, lost ones become filler, and their keys are removed.

Tables refer to blobs by offset, so nothing may move. A lost record is replaced by one of the same length with an
empty key and zeroes, which nothing refers to; the entries that referred to it become deletes with the same sequence
number, because an older value of the key must not reappear.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

from msgspec import Struct, field

from inspector.counted import counted
from inspector.crc32c import crc32c
from inspector.format import Edit
from inspector.formats.rocksdb import blob, blob_frame, keys, reattach
from inspector.formats.rocksdb.block import Pair
from inspector.formats.rocksdb.checksums import masked_crc
from inspector.formats.rocksdb.coding import MalformedError
from inspector.formats.rocksdb.database import Database, good_blocks, pairs_of
from inspector.formats.rocksdb.edit import BlobFile
from inspector.formats.rocksdb.facts import BlobFacts, LogFacts, TableFacts
from inspector.formats.rocksdb.reattach import LONGEST, Run
from inspector.span import Span
from inspector.windowed import Windowed

_PIECE: Final = 8 << 20  # bytes of one filler
_NOT_HERE: Final = "values that were here are not in the file"


# what is lost with an entry, where no blob file that is here, or listed, tells of it
UNREAD: Final = "what entries say of the place cannot be read"
NO_FILE: Final = "the blob file is neither here nor listed"
BEYOND: Final = "the place is behind the end of the blob file"
OTHERS: Final = "the value of another key stands in the place"
EXPIRY: Final = "kept without the time of expiry, which RocksDB does not read: never to expire"
MOVED: Final = "moved within the blob file"  # which has lost ones, too


class Fate(Struct, frozen=True):
    """Type and value that an entry gets, and what is lost with that."""

    type: int
    value: bytes
    lost: str


class BlobMender(Struct):
    """Knows which blob values are lost, and which entries of which tables refer to them."""

    db: Database
    _lost: dict[int, list[tuple[int, int]]] = field(default_factory=dict)  # blob file -> spans of lost records
    _values: dict[int, tuple[array[int], array[int], array[int]]] = field(default_factory=dict)  # of damaged blob files
    _runs: dict[str, list[Run]] = field(default_factory=dict)  # of files whose values are not at their places
    _known: bool = False
    moved: int = 0  # entries whose values are no longer where they point, as far as tables were looked at

    def is_damaged(self, member: str) -> bool:
        facts = self.db.facts.get(member)
        if not isinstance(facts, BlobFacts):
            return False
        frame = self._header_why(member) or (facts.footer_why and not self._open(member))
        return bool(facts.bad or frame or self._spans(member) or self._missing(member))

    def _header_why(self, member: str) -> str:
        facts = self.db.facts.get(member)
        return (isinstance(facts, BlobFacts) and facts.header_why) or blob_frame.fault(self.db, member)

    def _missing(self, member: str) -> int:
        """Records that the footer counts and of which no byte is in the file; only where all others are sound."""
        facts = self.db.facts.get(member)
        if not isinstance(facts, BlobFacts) or facts.bad or facts.gaps or facts.footer_why:
            return 0
        return max(0, (facts.footer_count or 0) - facts.records)

    def runs(self, member: str) -> list[Run]:
        """Sound records and how far they stand behind their places; none where all of them are there."""
        if member not in self._runs:
            self._runs[member] = reattach.runs(self.db, member, self._end(member))
        return self._runs[member]

    def _open(self, member: str) -> bool:
        """A file alone without a footer: it may still be written; a MANIFEST lists only finished ones."""
        return self.db.single and self._end(member) == self.db.size(member)

    def has_lost(self, member: str) -> bool:
        """Whether a value of this blob file is lost."""
        return bool(self._spans(member) or self._missing(member))

    def _spans(self, member: str) -> list[tuple[int, int]]:
        number = self.db.files[member].number
        if number not in self._lost:
            end = self._end(member)
            read = Windowed(self.db.reader(member))
            start = min(blob.HEADER, self.db.size(member))
            whole = (blob.GOOD, blob.PADDING)
            found = blob.records(read, start, end, self.db.gaps(member))
            self._lost[number] = [(r.start, r.end) for r in found if r.state not in whole]
        return self._lost[number]

    def _in_lost(self, member: str, at: int) -> bool:
        spans = self._spans(member)
        i = bisect_right(spans, (at, self.db.size(member) + 1)) - 1
        return i >= 0 and at < spans[i][1]

    def _end(self, member: str) -> int:
        """Where the records end: before a footer, whole or damaged, else at the end of the file."""
        size = self.db.size(member)
        if size < blob.HEADER + blob.FOOTER:
            return size  # what would be read as a footer begins in the header
        tail = self.db.source.read(size - blob.FOOTER, blob.FOOTER, member)
        try:
            blob.footer(tail)
            return size - blob.FOOTER
        except MalformedError:
            facts = self.db.facts.get(member)
            closed = isinstance(facts, BlobFacts) and tail[4:12] == facts.records.to_bytes(8, "little")
            return size - blob.FOOTER if closed else size

    def changes(self, table: str) -> Counter[str]:
        """How many of a table's entries `fate` changes, by what is lost with that."""
        facts_bad = {n for n, m in self.db.blobs.items() if self.is_damaged(m) and self.has_lost(m)}
        found: Counter[str] = Counter()
        facts = self.db.facts.get(table)
        if not facts_bad and not (isinstance(facts, TableFacts) and facts.off):
            return found
        for _, _, content in good_blocks(self.db.table(table)):
            for key, value in pairs_of(content):
                if key[-8] == keys.BLOB_INDEX and (fate := self.fate(key[:-8], value)):
                    found[fate.lost] += 1
        self.moved += found[MOVED]
        return found

    def refers_badly(self, wal: str) -> bool:
        """Whether `fate` may change operations of a WAL."""
        facts = self.db.facts.get(wal)
        if not isinstance(facts, LogFacts) or self.db.single:
            return False
        return facts.off or any(self._is_bad(number) for number in facts.blob_codecs)

    def _is_bad(self, number: int) -> bool:
        member = self.db.blobs.get(number)
        return member is None or (self.is_damaged(member) and self.has_lost(member))

    def entry(self, pair: Pair) -> Pair:
        """An entry as it goes into a repaired table, under its own sequence number."""
        key, value = pair
        fate = self.fate(key[:-8], value) if key[-8] == keys.BLOB_INDEX else None
        return (key[:-8] + bytes([fate.type]) + key[-7:], fate.value) if fate else pair

    def fate(self, key: bytes, value: bytes) -> Fate | None:
        """What becomes of an entry with this key of the user; None where the engine reads it as it is."""
        try:
            where = blob.index(value)
        except MalformedError:
            return Fate(keys.DELETE, b"", UNREAD)
        if where.type == blob.INLINED_TTL:
            return Fate(keys.PUT, where.inline, EXPIRY)
        lost = self._lost_with(key, where)
        if lost is not None:
            return Fate(keys.DELETE, b"", lost)
        return Fate(keys.BLOB_INDEX, blob.put_index(where), EXPIRY) if where.type == blob.BLOB_TTL else None

    def _lost_with(self, key: bytes, where: blob.BlobIndex) -> str | None:
        """Why the value of a reference is lost, "" where the blob file's own edits tell of it; None where it is not."""
        member = self.db.blobs.get(where.file)
        if member is None:
            lists = self.db.version.families.values() if self.db.version is not None else ()
            return "" if any(where.file in family.blobs for family in lists) else NO_FILE
        if not self.has_lost(member):
            if where.offset + where.size > self.db.size(member):
                listed = self._listed(member)
                cut = listed is not None and self.db.size(member) - blob.HEADER < listed.size
                return "" if cut else BEYOND
            there = blob.stands(self.db.glances(member), key, where.offset, where.size)
            return None if there else OTHERS
        # in a damaged file records may have moved: a reference holds where a sound value begins and ends as it says
        ends, starts, sums = self._sound_values(member)
        at = bisect_left(ends, where.offset + where.size)
        told = (where.offset, where.offset + where.size, crc32c(key[:LONGEST]))
        wrong = at == len(ends) or (starts[at], ends[at], sums[at]) != told
        if not wrong:
            return None
        known = self._missing(member) or self.runs(member) or self._in_lost(member, where.offset)
        return "" if known else MOVED

    def _sound_values(self, member: str) -> tuple[array[int], array[int], array[int]]:
        """Where the values of a file's sound records end and begin, in order, and sums of their keys."""
        number = self.db.files[member].number
        if number not in self._values:
            ends, starts, sums = array("Q"), array("Q"), array("I")
            read, runs = Windowed(self.db.reader(member)), self.runs(member)
            whole = (Run(blob.HEADER, self._end(member), 0),)
            for run in runs or whole:
                for record in blob.records(read, run.start, run.end, self.db.gaps(member)):
                    if record.state == blob.GOOD:
                        ends.append(record.end - run.by)
                        starts.append(record.end - record.value_size - run.by)
                        sums.append(crc32c(read(record.start + blob.RECORD_HEADER, min(record.key_size, LONGEST))))
            self._values[number] = ends, starts, sums
        return self._values[number]

    def edits(self, member: str) -> Iterator[Edit]:
        """The blob file with filler where values are lost; header and footer as they must be."""
        size = self.db.size(member)
        start, end = min(blob.HEADER, size), self._end(member)
        yield from self._header(member, start)
        if runs := self.runs(member):
            yield from self._laid_back(member, runs, end)
            return
        at = start
        gone = self._gone(member)
        for low, high in self._spans(member):
            if at < low:
                yield Edit("kept", Span(at, low, member), out=member, units=1)
            yield Edit("lost", Span(low, high, member), why="blob record does not verify", out=member, units=gone)
            gone = 1
            yield from _filled(high - low, member)
            at = high
        if at < end:
            yield Edit("kept", Span(at, end, member), out=member, units=1)
        if missing := self._missing(member):
            yield Edit("lost", Span(end, end, member), why=_NOT_HERE, out=member, units=missing)
        yield from self._footer(member, end, size, self._count(member, end))

    def _laid_back(self, member: str, runs: list[Run], end: int) -> Iterator[Edit]:
        """Records at the places that the tables name, and filler where they have room for others."""
        at = out = blob.HEADER
        count = 0
        for run in runs:
            place = run.start - run.by
            if at < run.start:
                yield Edit("lost", Span(at, run.start, member), why="blob record does not verify", out=member, units=1)
            elif out < place:
                yield Edit("lost", Span(at, at, member), why=_NOT_HERE, out=member, units=1)
            yield from _filled(place - out, member)
            count += run.count + (place - out >= blob.RECORD_HEADER)
            yield Edit("kept", Span(run.start, run.end, member), out=member, units=run.count)
            at, out = run.end, run.end - run.by
        if at < end:
            yield Edit("lost", Span(at, end, member), why="blob record does not verify", out=member, units=1)
        listed = self._listed(member)
        rest = blob.HEADER + listed.size - out if listed else 0
        if rest > 0 and at == end:
            yield Edit("lost", Span(at, at, member), why=_NOT_HERE, out=member, units=1)
        yield from _filled(rest, member)
        count += rest >= blob.RECORD_HEADER
        yield from self._footer(member, end, self.db.size(member), count)

    def _gone(self, member: str) -> int:
        """Values of the first damaged place: where it is known how many there were in all, the rest of them."""
        facts, listed = self.db.facts.get(member), self._listed(member)
        if not isinstance(facts, BlobFacts):
            return 1
        stated = listed.count if listed else facts.footer_count if not facts.footer_why else None
        return max(1, (stated or 0) - facts.records - len(self._spans(member)) + 1)

    def _listed(self, member: str) -> BlobFile | None:
        """What the MANIFEST says of a blob file."""
        version, number = self.db.version, self.db.files[member].number
        lists = version.families.values() if version is not None else ()
        return next((family.blobs[number] for family in lists if number in family.blobs), None)

    def _header(self, member: str, start: int) -> Iterator[Edit]:
        if not self._header_why(member):
            yield Edit("kept", Span(0, start, member), out=member)
            return
        why = "the header, by what the MANIFEST and the tables say of this file"
        yield Edit("corrected", Span(0, start, member), blob_frame.made(self.db, member), "derived", why, out=member)

    def _count(self, member: str, end: int) -> int:
        read = Windowed(self.db.reader(member))
        start = min(blob.HEADER, self.db.size(member))
        return sum(map(_stays, blob.records(read, start, end, self.db.gaps(member))))

    def _footer(self, member: str, at: int, size: int, count: int) -> Iterator[Edit]:
        """The footer that counts the records; without one the engine does not open the file.

        It tells of expirations only as far as its checksum holds: the engine opens no listed file that has some.
        """
        data, facts = self.db.source.read(at, size - at, member), self.db.facts.get(member)
        expires = data[12:28] if isinstance(facts, BlobFacts) and not facts.footer_why else b""
        body = blob.MAGIC_BYTES + count.to_bytes(8, "little") + expires.ljust(16, b"\0")
        made = body + masked_crc(body).to_bytes(4, "little")
        span = Span(at, size, member)
        if self._open(member):
            return
        if at == size:
            yield Edit("added", None, made, "derived", "the footer, which was missing", out=member)
        elif made == data:
            yield Edit("kept", span, out=member)
        else:
            yield Edit("corrected", span, made, "derived", "counts the records that are here", out=member)

    def listing(self, member: str, number: int) -> tuple[int, BlobFile] | None:
        """Family and MANIFEST entry of a blob file, from its own bytes; None where no record can be read."""
        facts = self.db.facts.get(member)
        if not isinstance(facts, BlobFacts) or not facts.records:
            return None
        family = blob.header(blob_frame.made(self.db, member)).family  # what is written, whatever stands here
        read, end = Windowed(self.db.reader(member)), self._end(member)
        count, total = 0, 0
        for record in blob.records(read, blob.HEADER, end, self.db.gaps(member)):
            count, total = count + _stays(record), total + record.end - record.start
        return family, BlobFile(number, count, total)


def lost_with(changes: Mapping[str, int], member: str, at: int = 0) -> Iterator[Edit]:
    """What is lost with entries that change, where no edit of a blob file tells of it; `at` is their place."""
    for why, count in changes.items():
        if why not in ("", MOVED):
            yield Edit("lost", Span(at, at, member), why=f"{counted(count, 'value')}: {why}", out=member, units=count)


def _filled(length: int, member: str) -> Iterator[Edit]:
    """A filler of this length, in pieces that are small enough to be held."""
    while length > 0:
        piece = length if length < 2 * _PIECE else _PIECE
        yield Edit("added", None, filler(piece), "derived", "filler of the same length", out=member)
        length -= piece


def _stays(record: blob.BlobRecord) -> bool:
    """Whether a repaired file has a record in its place: itself, or a filler where one has room."""
    return record.state == blob.GOOD or record.end - record.start >= blob.RECORD_HEADER


def filler(length: int) -> bytes:
    """A record of this many bytes that holds nothing; shorter than a header it is zeroes."""
    if length < blob.RECORD_HEADER:
        return bytes(length)
    value = bytes(length - blob.RECORD_HEADER)
    head = bytes(8) + len(value).to_bytes(8, "little") + bytes(8)
    return head + masked_crc(head).to_bytes(4, "little") + masked_crc(value).to_bytes(4, "little") + value
