"""The chosen records as a store: given places in the order that gossipd wants, copied in the order of the source."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from typing import Any

from inspector import crc32c
from inspector.carve import Sums, opened
from inspector.descriptors import pwrite_all
from inspector.errors import UnverifiedError
from inspector.finding import Severity
from inspector.format import Wishes
from inspector.formats.gossip_store import versions
from inspector.formats.gossip_store.choosing import WRITTEN
from inspector.formats.gossip_store.finds import HEX_MESSAGE, HEX_RECORD, JOINED, RECORD
from inspector.formats.gossip_store.kinds import SEALED_HEADER
from inspector.formats.gossip_store.signed import own_time
from inspector.inspect import inspect
from inspector.output import Place
from inspector.scratch import kept_on_disk
from inspector.source import Source

AHEAD = 1 << 20


class Reader:
    """Records by where they were found, read in runs: most are asked for in the order of the source."""

    def __init__(self, source: Source, db: sqlite3.Connection) -> None:
        self._source, self._db, self._at, self._data = source, db, 0, b""

    def read(self, at: int, n: int) -> bytes:
        low = at - self._at
        if low < 0 or low + n > len(self._data):
            self._at, self._data, low = at, self._source.read(at, max(n, AHEAD)), 0
        return self._data[low : low + n]

    def record(self, at: int, n: int, enc: int) -> bytes:
        """Header and body; a message without a record gets the header that its own time makes."""
        if enc == JOINED:
            query = "SELECT at, data FROM joined WHERE at <= ? ORDER BY at DESC LIMIT 1"
            start, both = self._db.execute(query, (at,)).fetchone()
            return bytes(both[at - start : at - start + n])
        raw = self.read(at, n)
        if enc == RECORD:
            return raw
        raw = bytes.fromhex(raw.decode("ascii"))
        if enc == HEX_MESSAGE:
            time = own_time(raw) or 0
            header: bytes = SEALED_HEADER.pack(0, len(raw), crc32c.crc32c(raw, time), time)
            return header + raw
        return raw


def written_store(place: Place, db: sqlite3.Connection, target: int, reader: Reader, sums: Sums) -> dict[str, Any]:
    with kept_on_disk():
        _write(place, db, target, reader, sums)
    return _verify(place)


def _write(place: Place, db: sqlite3.Connection, target: int, reader: Reader, sums: Sums) -> None:
    """Places are given in the order that gossipd wants, bytes are copied in the order of the source."""
    head = bytes([target]) + (_uuid(db) if versions.needs_uuid(target) else b"")
    _give_places(db, len(head))
    pwrite_all(place.fd, head, 0)
    sums.added = len(head)
    sums.proof["derived"] += len(head)
    for at, n, more, enc, dying, to in db.execute(
        "SELECT at, n, more, enc, dying, place FROM one JOIN placed ON placed.r = one.rowid ORDER BY at"
    ):
        record = bytearray(reader.record(at, n, enc))
        _convert(record, 0, target, dying)
        if more:
            record += reader.record(at + n, more, HEX_RECORD if enc == HEX_MESSAGE else enc)
            _convert(record, len(record) - 22, target, dying)
        pwrite_all(place.fd, record, to)
        sums.proof["derived" if enc == HEX_MESSAGE else "sealed"] += len(record)
    os.fsync(place.fd)


def _give_places(db: sqlite3.Connection, start: int) -> None:
    """Each channel with its amount, its updates and its end, then the nodes."""
    db.execute("DROP TABLE IF EXISTS placed")
    db.execute("CREATE TABLE placed (r INTEGER PRIMARY KEY, place)")
    db.execute(
        "INSERT INTO placed SELECT r, ? + sum(bytes) OVER (ORDER BY late, first, kind, side, at) - bytes FROM ("
        "  SELECT one.rowid AS r, one.kind = 257 AS late, coalesce(channel.at, one.at) AS first, kind, side,"
        "  one.at AS at, size + (more > 0) * 22 AS bytes FROM one LEFT JOIN channel"
        "  ON one.kind != 257 AND channel.scid = one.scid WHERE fate = ?)",
        (start, WRITTEN),
    )


def _convert(record: bytearray, at: int, target: int, dying: int) -> None:
    """Flags as this version has them: whole, alive, and dying where any copy says so. The checksum leaves them out."""
    flags = (record[at] << 8 | record[at + 1]) & (versions.PUSH | versions.DYING)
    flags |= versions.DYING if dying else 0
    flags |= versions.COMPLETED if versions.has_completed(target) else 0
    record[at : at + 2] = flags.to_bytes(2, "big")


def _uuid(db: sqlite3.Connection) -> bytes:
    """A uuid record derived from what is written, so that the same finds give the same store."""
    digest = hashlib.sha256(b"store-inspector carve\0")
    for (one,) in db.execute("SELECT digest FROM one WHERE fate = ? ORDER BY digest", (WRITTEN,)):
        digest.update(one)
    body = (4107).to_bytes(2, "big") + digest.digest()
    header: bytes = SEALED_HEADER.pack(versions.COMPLETED, len(body), crc32c.crc32c(body, 0), 0)
    return header + body


def _verify(place: Place) -> dict[str, Any]:
    from inspector.formats import all_formats

    with opened(place) as written:
        again = inspect(written, all_formats(), Wishes(), "gossip-store", causes=False)
        wrong = [f for f in again.tally.findings() if f.level is not Severity.NOTE]
        if wrong or again.partial:
            first = f"{wrong[0].rule.code} at {wrong[0].span.start}: {wrong[0].message}" if wrong else again.partial
            raise UnverifiedError(
                f"the carved store does not pass its own inspection ({first})",
                "nothing was written; please report this",
            )
        digest = hashlib.sha256()
        for _, data in written.windows():
            digest.update(data)
    why = "gossip-store: the original program is not a library"
    return {"ok": True, "by": ["inspector"], "engine": {"ran": False, "why": why}, "sha256": digest.hexdigest()}
