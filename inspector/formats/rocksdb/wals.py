"""WALs that must be here: those that the MANIFEST lists as synced, the one it keeps from, and what WALs say of others.

The engine opens without a missing WAL and says nothing, unless it was told to track them. A checkpoint or backup of
RocksDB has no WAL that was empty, so only a folder that the engine itself wrote in (its LOCK is there) can miss one.
LevelDB makes neither: it never deletes the log that its MANIFEST names, and each open begins one (DBImpl::Recover).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct

from inspector.counted import counted
from inspector.finding import Cause, Evidence, Finding, Severity, Tally
from inspector.formats.rocksdb import log, names
from inspector.formats.rocksdb.coding import u64
from inspector.formats.rocksdb.database import Database
from inspector.formats.rocksdb.facts import LogFacts
from inspector.formats.rocksdb.rules import BY_CODE
from inspector.span import Span

if TYPE_CHECKING:
    from inspector.formats.rocksdb import cause
else:
    from inspector.postponed import Postponed

    cause = Postponed("inspector.formats.rocksdb.cause")

PREDECESSOR: Final = (130, 131)  # record types (db/log_format.h kPredecessorWALInfoType)
_OPTIONS: Final = 1 << 20  # bytes of an OPTIONS file that are read


class Predecessor(Struct, frozen=True):
    """What a WAL says of the one before it (db/dbformat.h PredecessorWALInfo)."""

    number: int
    size: int
    last_sequence: int


def check(db: Database, tally: Tally) -> None:
    """One finding for each WAL that is missing or too short."""
    assert db.version
    oldest, said = db.oldest_wal(), set()
    for number, size in sorted(db.version.wal_sizes.items()):
        if number >= oldest and _size(db, number) < size:
            said.add(number)
            _short(db, number, f"was synced with {size} bytes", {"synced": size}, tally)
    for _, name in db.live_wals():
        told = predecessor(db, name)
        if told and told.number >= oldest and told.number not in said and _size(db, told.number) < told.size:
            said.add(told.number)
            evidence: Evidence = {"told_by": name, "stated": told.size, "last_sequence": told.last_sequence}
            _short(db, told.number, f"ended with {told.size} bytes, as {name} says", evidence, tally)
    missing = first_missing(db)
    if missing is not None and missing not in said:
        _missing(db, missing, tally)


def predecessor(db: Database, member: str) -> Predecessor | None:
    """What the first records of a WAL say of the one before; releases before 10 write no such record."""
    reader = log.LogReader(db.reader(member), min(db.size(member), log.BLOCK), db.files[member].number or None)
    for piece in reader.pieces():
        if piece.type in log.FRAGMENT or piece.state != log.GOOD:
            return None
        if piece.type in PREDECESSOR and len(piece.payload) == 24:
            found = Predecessor(*(u64(piece.payload, at) for at in (0, 8, 16)))
            return found if found.number < db.files[member].number else None
    return None


def first_missing(db: Database) -> int | None:
    """The number of the oldest WAL that is needed, where it was in this folder and is not.

    A number above the MANIFEST's own was given to a WAL that this very run of the engine began; a smaller one may be
    only the last one that recovery read, plus one.
    """
    version = db.version
    own = db.leveldb or "LOCK" in db.files
    if db.single or version is None or not db.trusted or not own or _elsewhere(db):
        return None
    number = db.oldest_wal()
    begun = number > db.files[db.manifest or ""].number
    return number if begun and number not in db.wals else None


def _elsewhere(db: Database) -> bool:
    """Whether the WALs lie in another folder: OPTIONS has wal_dir only then."""
    found = max(((w.number, name) for name, w in db.files.items() if w.kind == "options"), default=None)
    return found is not None and b"\n  wal_dir=" in db.source.read(0, _OPTIONS, found[1])


def _size(db: Database, number: int) -> int:
    return db.size(db.wals[number]) if number in db.wals else 0


def _short(db: Database, number: int, what: str, evidence: Evidence, tally: Tally) -> None:
    member, here = db.wals.get(number), _size(db, number)
    where = Span(here, here, member) if member else Span(0, 0, names.wal_name(number))
    message = f"{names.wal_name(number)} {what}, {here} are here"
    cut = Cause("truncated", "certain", f"it {what}, {here} are left")
    why = cut if member else cause.MISSING
    finding = Finding(BY_CODE["RDB036"], where, message, {**evidence, "size": here}, why, "lost", None, bool(member))
    tally.put(finding)


def _missing(db: Database, number: int, tally: Tally) -> None:
    """A WAL of which only the number is known; numbers between the last flush and what follows were in it."""
    assert db.version
    later = (f.first_sequence for _, name in db.live_wals() if isinstance(f := db.facts.get(name), LogFacts))
    following = next((first for first in later if first is not None), db.version.last_sequence + 1)
    flushed = db.version.flushed
    gone = following - flushed - 1 if flushed and following else 0
    name = names.wal_name(number)
    evidence: Evidence = {"flushed": flushed or None, "following": following if gone > 0 else None}
    message, severity = f"{name} is missing: what was written after the last flush is gone, if anything was", None
    if gone > 0:
        lost = counted(gone, "operation", "operations")
        message = f"{name} is missing: {lost} from number {flushed + 1} on were in it"
    else:
        severity = Severity.WARNING
    where = Span(0, 0, name)
    tally.put(Finding(BY_CODE["RDB036"], where, message, evidence, cause.MISSING, "lost", severity, bytes_known=False))
