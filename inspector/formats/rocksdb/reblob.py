"""Blob files with damage: records that verify keep their offsets, lost ones become filler, and their keys are removed.

Tables refer to blobs by offset, so nothing may move. A lost record is replaced by one of the same length with an
empty key and zeroes, which nothing refers to; the entries that referred to it become deletes with the same sequence
number, because an older value of the key must not reappear.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from inspector.format import Edit
from inspector.formats.rocksdb import blob, keys
from inspector.formats.rocksdb.checksums import masked_crc
from inspector.formats.rocksdb.coding import MalformedError
from inspector.formats.rocksdb.database import Database, Windowed, good_blocks, pairs_of
from inspector.formats.rocksdb.edit import BlobFile
from inspector.formats.rocksdb.facts import BlobFacts
from inspector.span import Span


@dataclass(slots=True)
class BlobMender:
    """Knows which blob values are lost, and which entries of which tables refer to them."""

    db: Database
    _lost: dict[int, list[tuple[int, int]]] = field(default_factory=dict)  # blob file -> spans of lost records
    _known: bool = False

    def is_damaged(self, member: str) -> bool:
        facts = self.db.facts.get(member)
        if not isinstance(facts, BlobFacts):
            return False
        return bool(facts.bad or facts.header_why or facts.footer_why or self._spans(member))

    def has_lost(self, member: str) -> bool:
        """Whether a value of this blob file is lost."""
        return bool(self._spans(member))

    def _spans(self, member: str) -> list[tuple[int, int]]:
        number = self.db.files[member].number
        if number not in self._lost:
            end = self._end(member)
            read = Windowed(self.db.reader(member))
            start = min(blob.HEADER, self.db.size(member))
            self._lost[number] = [(r.start, r.end) for r in blob.records(read, start, end) if r.state != blob.GOOD]
        return self._lost[number]

    def _end(self, member: str) -> int:
        """Where the records end: before a footer, whole or damaged, else at the end of the file."""
        size = self.db.size(member)
        tail = self.db.source.read(max(0, size - blob.FOOTER), blob.FOOTER, member)
        try:
            blob.footer(tail)
            return size - blob.FOOTER
        except MalformedError:
            facts = self.db.facts.get(member)
            closed = isinstance(facts, BlobFacts) and tail[4:12] == facts.records.to_bytes(8, "little")
            return size - blob.FOOTER if closed else size

    def lost_in(self, table: str) -> frozenset[bytes]:
        """Internal keys of a table's entries whose values are lost."""
        facts_bad = {n for n, m in self.db.blobs.items() if self.is_damaged(m) and self._spans(m)}
        missing = self.db.facts.get(table)
        gone = set(getattr(missing, "missing_blobs", {}))
        if not facts_bad and not gone:
            return frozenset()
        found: set[bytes] = set()
        for _, _, content in good_blocks(self.db.table(table)):
            for key, value in pairs_of(content):
                if key[-8] == keys.BLOB_INDEX and self._is_lost(value):
                    found.add(key)
        return frozenset(found)

    def _is_lost(self, value: bytes) -> bool:
        try:
            where = blob.index(value)
        except MalformedError:
            return True
        if where.type == blob.INLINED_TTL:
            return False
        member = self.db.blobs.get(where.file)
        if member is None or where.offset + where.size > self.db.size(member):
            return True
        return any(start <= where.offset < end for start, end in self._spans(member))

    def edits(self, member: str) -> Iterator[Edit]:
        """The blob file with filler where values are lost; header and footer as they must be."""
        db, size = self.db, self.db.size(member)
        start, end = min(blob.HEADER, size), self._end(member)
        yield from self._header(member, start)
        at = start
        for low, high in self._spans(member):
            if at < low:
                yield Edit("kept", Span(at, low, member), out=member, units=1)
            yield Edit("lost", Span(low, high, member), why="blob record does not verify", out=member, units=1)
            yield Edit("added", None, filler(high - low), "derived", "filler of the same length", out=member)
            at = high
        if at < end:
            yield Edit("kept", Span(at, end, member), out=member, units=1)
        if end < size:
            yield from self._footer(member, end, size, db)

    def _header(self, member: str, start: int) -> Iterator[Edit]:
        facts = self.db.facts[member]
        assert isinstance(facts, BlobFacts)
        if not facts.header_why:
            yield Edit("kept", Span(0, start, member), out=member)
            return
        data = self.db.source.read(0, start, member)
        fixed = blob.MAGIC_BYTES + (1).to_bytes(4, "little") + data[8:]
        yield Edit("corrected", Span(0, start, member), fixed.ljust(blob.HEADER, b"\0"), "derived", "magic", out=member)

    def _footer(self, member: str, at: int, size: int, db: Database) -> Iterator[Edit]:
        read = Windowed(db.reader(member))
        count = sum(1 for _ in blob.records(read, min(blob.HEADER, size), at))
        data = db.source.read(at, size - at, member)
        body = blob.MAGIC_BYTES + count.to_bytes(8, "little") + data[12:28].ljust(16, b"\0")
        made = body + masked_crc(body).to_bytes(4, "little")
        span = Span(at, size, member)
        if made == data:
            yield Edit("kept", span, out=member)
        else:
            yield Edit("corrected", span, made, "derived", "counts the records that are here", out=member)

    def listing(self, member: str, number: int) -> tuple[int, BlobFile] | None:
        """Family and MANIFEST entry of a blob file, from its own bytes; None where no record can be read."""
        facts = self.db.facts.get(member)
        if not isinstance(facts, BlobFacts) or not facts.records:
            return None
        try:
            family = blob.header(self.db.source.read(0, blob.HEADER, member)).family
        except MalformedError:
            family = 0
        read, end = Windowed(self.db.reader(member)), self._end(member)
        count, total = 0, 0
        for record in blob.records(read, blob.HEADER, end):
            count, total = count + 1, total + record.end - record.start
        return family, BlobFile(number, count, total)


def filler(length: int) -> bytes:
    """A record of this many bytes that holds nothing; shorter than a header it is zeroes."""
    if length < blob.RECORD_HEADER:
        return bytes(length)
    value = bytes(length - blob.RECORD_HEADER)
    head = bytes(8) + len(value).to_bytes(8, "little") + bytes(8)
    return head + masked_crc(head).to_bytes(4, "little") + masked_crc(value).to_bytes(4, "little") + value
