"""Carving: write batches of write-ahead logs, one new log for each piece in which records follow one another.

Batches are written anew in the log format, from offset 0: their own place in 32 KiB blocks is not known for sure.
Pieces are never joined: on a disk with two databases equal sequence numbers prove nothing. Logs are numbered in the
order of their sequence numbers, so that a database replays them in that order.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

from msgspec import Struct, field

from inspector.account import Progress
from inspector.carve import DUPLICATE, WRITTEN, Carver, CarveWishes, Found, Haul, Sums
from inspector.descriptors import pwrite_all
from inspector.errors import SourceError, UnverifiedError
from inspector.finding import Severity
from inspector.format import Wishes
from inspector.formats.rocksdb import batch, log_runs
from inspector.formats.rocksdb.coding import MalformedError
from inspector.formats.rocksdb.log import Piece
from inspector.formats.rocksdb.log_writer import frame
from inspector.formats.rocksdb.logical import BROKEN, CUT, WHOLE, Assembler, Record
from inspector.formats.rocksdb.names import wal_name
from inspector.inspect import inspect
from inspector.kernels.carving import log_places
from inspector.output import Place
from inspector.scratch import kept_on_disk, scratch
from inspector.search import Area, Window, search
from inspector.source import Source, open_source
from inspector.windowed import Windowed

MAX_LOGS: Final = 100_000
CHUNK: Final = 4 << 20
BATCH_ROWS: Final = 20_000
TORN: Final = "a fragment whose rest does not follow"
OTHER: Final = "verifies, but holds no write batch"
TOO_MANY: Final = f"more than {MAX_LOGS:,} separate pieces"


class Batches(Struct):
    """What was found, in a private temporary database: `records` may be millions."""

    db: sqlite3.Connection = field(default_factory=scratch)
    rows: list[tuple[object, ...]] = field(default_factory=list)
    run: int = 0

    def __post_init__(self) -> None:
        self.db.execute("CREATE TABLE found (at, end, sequence, count, run, packed, digest, fate)")

    def add(self, record: Record, packed: bool) -> None:
        fate, sequence, count, digest = TORN, 0, 0, b""
        if record.fate == WHOLE:
            try:
                sequence, count = batch.header(record.data)
                for _ in batch.operations(record.data):
                    pass
                fate, digest = WRITTEN, blake2b(record.data, digest_size=16).digest()
            except MalformedError:
                fate = OTHER
        elif record.fate not in (BROKEN, CUT):
            fate = OTHER
        signed = sequence - (1 << 64) if sequence >> 63 else sequence
        self.rows.append((record.start, record.end, signed, count, self.run, packed, digest, fate))
        if len(self.rows) >= BATCH_ROWS:
            self.flush()

    def flush(self) -> None:
        self.db.executemany("INSERT INTO found VALUES (?, ?, ?, ?, ?, ?, ?, ?)", self.rows)
        self.rows = []


def hunt(area: Area, wishes: CarveWishes, progress: Progress | None) -> Haul:
    with kept_on_disk(), ExitStack() as held:
        batches = Batches()
        held.callback(batches.db.close)
        _collect(area, batches, progress)
        _judge(batches.db)
        haul = _haul(area, batches.db)
        held.pop_all()  # from here on the haul closes it
        return haul


def _collect(area: Area, batches: Batches, progress: Progress | None) -> None:
    end = 0
    for window, starts in search(area, _look, log_runs.OVERLAP, progress):
        read = Windowed(lambda at, n, top=window.island.end: area.source.read(at, min(n, top - at)))  # type: ignore[misc]
        for at in starts:
            if at >= end:
                end = _follow(read, at, batches)
    batches.flush()


def _look(window: Window) -> list[int]:
    return [window.start + at for at in log_places(window.data, window.stop - window.start)]


def _follow(read: Windowed, start: int, batches: Batches) -> int:
    """Take in the piece of a log that begins at `start`; where it ends."""
    batches.run += 1
    assembler, ends, following = Assembler(), [start + 1], 0

    def seen() -> Iterator[Piece]:
        for piece in log_runs.pieces(read, start):
            ends.append(piece.end)
            yield piece

    for record in assembler.records(seen()):
        if record.fate == WHOLE and len(record.data) >= batch.HEADER:
            sequence, count = batch.header(record.data)
            batches.run += sequence < following  # an older log goes on here
            following = sequence + count
        batches.add(record, assembler.compressed)
    return ends[-1]


def _judge(db: sqlite3.Connection) -> None:
    """The first copy of each batch is taken; logs get their numbers in the order of their sequence numbers."""
    db.execute(
        "UPDATE found SET fate = ? WHERE fate = ? AND rowid NOT IN"
        " (SELECT min(rowid) FROM found WHERE fate = ? GROUP BY digest)",
        (DUPLICATE, WRITTEN, WRITTEN),
    )
    db.execute("CREATE INDEX found_run ON found (run)")
    db.execute(
        "CREATE TABLE log AS SELECT run, row_number() OVER (ORDER BY low, first) AS number FROM"
        " (SELECT run, min(sequence) AS low, min(at) AS first FROM found WHERE fate = ? GROUP BY run)",
        (WRITTEN,),
    )
    db.execute(
        "UPDATE found SET fate = ? WHERE fate = ? AND run IN (SELECT run FROM log WHERE number > ?)",
        (TOO_MANY, WRITTEN, MAX_LOGS),
    )


def _haul(area: Area, db: sqlite3.Connection) -> Haul:
    sums = Sums()
    for fate, units, size in db.execute("SELECT fate, count(*), sum(end - at) FROM found GROUP BY fate ORDER BY fate"):
        sums.add(fate, units, size)
        sums.found["write batch" if fate in (WRITTEN, DUPLICATE, TOO_MANY) else "log record"] += units
    (logs,) = db.execute("SELECT count(*) FROM log WHERE number <= ?", (MAX_LOGS,)).fetchone()
    haul = Haul(
        sums,
        lambda: _spans(db),
        lambda place: _write(place, area.source, db, sums),
        sums.bytes[WRITTEN] + 16 * sums.units[WRITTEN],
        frozenset({TORN, TOO_MANY}),
        area.bytes / 2**38 / 2**32,
        "a type, five zero bytes and a tag at their places, and a checksum of 32 bits",
        notes=["fragments whose beginning is not there are not looked for: they say nothing about themselves"],
        after=lambda output: (
            f"inspector records {output}/{wal_name(1)}",
            "to replay them: copy the logs that the database lacks into its folder, above its last log number, then "
            "inspector scan the folder",
        ),
        close=db.close,
    )
    if logs:
        haul.notes.append(
            f"{logs:,} {'log' if logs == 1 else 'logs'}, one for each piece in which batches follow one another"
        )
    if not sums.units[WRITTEN]:
        haul.empty = "no write batch was found"
    return haul


def _spans(db: sqlite3.Connection) -> Iterator[Found]:
    with kept_on_disk():
        query = "SELECT at, end, fate, number FROM found LEFT JOIN log USING (run) ORDER BY at"
        for at, end, fate, number in db.execute(query):
            kind = "write batch" if fate in (WRITTEN, DUPLICATE, TOO_MANY) else "log record"
            yield Found(at, end, kind, fate, out=wal_name(number) if fate == WRITTEN else "")


def _write(place: Place, source: Source, db: sqlite3.Connection, sums: Sums) -> dict[str, Any]:
    assert place.folder is not None
    read = Windowed(source.read)
    with kept_on_disk():
        for run, number in db.execute("SELECT run, number FROM log WHERE number <= ? ORDER BY number", (MAX_LOGS,)):
            path = place.folder / wal_name(number)
            rows = db.execute("SELECT at, packed FROM found WHERE run = ? AND fate = ? ORDER BY rowid", (run, WRITTEN))
            payload = _write_log(path, read, rows)
            sums.proof["sealed"] += payload
            sums.proof["derived"] += path.stat().st_size - payload
            _verify(path)
    why = "rocksdb: logs alone are no database"
    return {"ok": True, "by": ["inspector"], "engine": {"ran": False, "why": why}}


def _write_log(path: Path, read: Windowed, rows: Iterable[tuple[int, int]]) -> int:
    """One log, record by record; the bytes of batches in it."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        held, at, payload = bytearray(), 0, 0
        for start, packed in rows:
            record = next(Assembler(compressed=bool(packed)).records(log_runs.pieces(read, start)), None)
            if record is None or record.fate != WHOLE:  # it verified a moment ago
                hint = "nothing was written: carve an image of it (ddrescue), or when nothing writes to it"
                raise SourceError(f"the batch at byte {start} cannot be read again as it was found", hint)
            held += frame(record.data, at + len(held))
            payload += len(record.data)
            if len(held) >= CHUNK:
                pwrite_all(fd, held, at)
                at += len(held)
                held.clear()
        pwrite_all(fd, held, at)
        os.fsync(fd)
    finally:
        os.close(fd)
    return payload


def _verify(path: Path) -> None:
    from inspector.formats import all_formats

    with open_source(str(path)) as written:
        again = inspect(written, all_formats(), Wishes(), "rocksdb", causes=False)
    wrong = [f for f in again.tally.findings() if f.level is not Severity.NOTE]
    if wrong or again.partial:
        first = f"{wrong[0].rule.code} at {wrong[0].span.start}: {wrong[0].message}" if wrong else again.partial
        raise UnverifiedError(
            f"{path.name} does not pass its own inspection ({first})", "nothing was written; please report this"
        )


CARVER = Carver(
    name="rocksdb-log",
    title="Write batches of RocksDB and LevelDB logs, written as new logs",
    format="rocksdb",
    hunt=hunt,
    folder=True,
    verified="every log read again and inspected: clean",
)
