"""WALs that must be here: those that the MANIFEST lists as synced, the one it keeps from, and what WALs say of others.

The engine opens without a missing WAL and says nothing, unless it was told to track them. A checkpoint or backup of
RocksDB has no WAL that was empty, so only a folder that the engine itself wrote in (its LOCK is there) can miss one.
LevelDB makes neither: it never deletes the log that its MANIFEST names, and each open begins one (DBImpl::Recover).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from inspector.counted import counted
from inspector.finding import Cause, CauseName, Evidence, Finding, Severity, Tally
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


class Gone(Struct, frozen=True):
    """A WAL that is missing or too short: what is told of it, and the bytes of it that are here."""

    number: int
    here: int
    message: str
    evidence: Evidence
    why: Cause
    severity: Severity | None = None


def check(db: Database, tally: Tally) -> None:
    """One finding for each WAL that is missing or too short."""
    for one in gone(db):
        rule, span, there = BY_CODE["RDB036"], where(db, one), one.number in db.wals
        tally.put(Finding(rule, span, one.message, one.evidence, one.why, "lost", one.severity, there))


def where(db: Database, one: Gone) -> Span:
    """The place at which the bytes that are gone would be."""
    return Span(one.here, one.here, db.wals.get(one.number) or names.wal_name(one.number))


def gone(db: Database) -> Iterator[Gone]:
    """The WALs that are missing or too short, each once."""
    if db.single:
        return
    oldest, said = db.oldest_wal(), set()
    for number, size in sorted(db.version.wal_sizes.items()) if db.version is not None else ():
        if number >= oldest and _size(db, number) < size:
            said.add(number)
            yield _short(db, number, f"was synced with {size} bytes", {"synced": size})
    for _, name in db.live_wals():
        told = predecessor(db, name)
        if told and told.number >= oldest and told.number not in said and _size(db, told.number) < told.size:
            said.add(told.number)
            evidence: Evidence = {"told_by": name, "stated": told.size, "last_sequence": told.last_sequence}
            yield _short(db, told.number, f"ended with {told.size} bytes, as {name} says", evidence)
    for number, later in gone_on(db):
        if number not in said:
            here = _size(db, number)
            torn = isinstance(f := db.facts.get(db.wals[number]), LogFacts) and f.torn is not None
            ends = "inside a record" if torn else "in zeroes"
            message = f"{db.wals[number]} ends {ends}, and the log went on in {later}"
            shape: CauseName = "truncated" if torn else "zeroed-range"
            why = Cause(shape, "likely", "the log went on in another file: this one had been written to its end")
            yield Gone(number, here, message, {"size": here, "went_on_in": later}, why)
    missing = first_missing(db)
    if missing is not None and missing not in said:
        yield _missing(db, missing)


def gone_on(db: Database) -> Iterator[tuple[int, str]]:
    """WALs that end inside a record, or in zeroes, though the log went on in another one, not where this one stops.

    Where it goes on with the number that was due a crash tore the record, and the engine kept the file when it
    started again (avoid_flush_during_recovery). An empty log tells nothing: then it counts whether a column family
    was flushed since, because the engine refuses that (db_impl_open.cc, "SST file is ahead of WALs"). Where the file
    set cannot be taken from the MANIFEST the next log's first record tells it all the same.
    """
    live = db.live_wals()
    for i, (number, name) in enumerate(live[:-1]):
        facts = db.facts.get(name)
        blank = isinstance(facts, LogFacts) and 0 < facts.zeroes[1] == db.size(name)
        if not isinstance(facts, LogFacts) or (facts.torn is None and not blank):
            continue
        later = ((f.first_sequence, n) for _, n in live[i + 1 :] if isinstance(f := db.facts.get(n), LogFacts))
        found, after = next(((first, n) for first, n in later if first is not None), (None, live[i + 1][1]))
        if found is None:
            told = db.version.families.values() if db.version is not None and db.trusted else ()
            flushed = any(f.files and f.log_number > number for f in told)
            went_on = flushed and facts.torn is not None
        else:
            went_on = found > (facts.next_sequence or 0) and (facts.next_sequence is not None or blank)
        if went_on:
            yield number, after


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
    """The number of the oldest WAL that is needed and that the MANIFEST names, where it was in this folder and is not.

    Each column family names the one that followed its last flush, and none from the oldest of them on is deleted. A
    number above the MANIFEST's own was given to a WAL that this very run of the engine began; a smaller one may be only
    the last one that recovery read, plus one.
    """
    version = db.version
    own = db.leveldb or "LOCK" in db.files
    believed = db.is_last and version is not None and not version.damaged and not version.lacks
    believed = believed and not db.lost_edits
    if db.single or version is None or not believed or not own or elsewhere(db):
        return None
    least = max(db.oldest_wal(), db.files[db.manifest or ""].number + 1)
    named = (family.log_number for family in version.families.values())
    return min((number for number in named if number >= least and number not in db.wals), default=None)


def elsewhere(db: Database) -> str:
    """The file that says that the WALs lie in another folder, if one does: OPTIONS has wal_dir only then."""
    found = max(((w.number, name) for name, w in db.files.items() if w.kind == "options"), default=None)
    return found[1] if found and b"\n  wal_dir=" in db.source.read(0, _OPTIONS, found[1]) else ""


def _size(db: Database, number: int) -> int:
    return db.size(db.wals[number]) if number in db.wals else 0


def _short(db: Database, number: int, what: str, evidence: Evidence) -> Gone:
    here = _size(db, number)
    message = f"{names.wal_name(number)} {what}, {here} are here"
    cut = Cause("truncated", "certain", f"it {what}, {here} are left")
    return Gone(number, here, message, {**evidence, "size": here}, cut if number in db.wals else cause.MISSING)


def _missing(db: Database, number: int) -> Gone:
    """A WAL of which only the number is known; numbers between the last flush and what follows were in it."""
    assert db.version
    behind = (db.facts.get(name) for other, name in db.live_wals() if other > number)
    later = (facts.first_sequence for facts in behind if isinstance(facts, LogFacts))
    following = next((first for first in later if first is not None), db.version.last_sequence + 1)
    flushed = db.version.flushed
    count = following - flushed - 1 if flushed and following else 0
    name = names.wal_name(number)
    evidence: Evidence = {"flushed": flushed or None, "following": following if count > 0 else None}
    if count > 0:
        lost = counted(count, "operation", "operations")
        message, severity = f"{name} is missing: {lost} from number {flushed + 1} on were in it", None
    else:
        message = f"{name} is missing: what was written after the last flush is gone, if anything was"
        severity = Severity.WARNING
    return Gone(number, 0, message, evidence, cause.MISSING, severity)
