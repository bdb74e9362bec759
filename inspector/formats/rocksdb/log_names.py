"""WALs under each other's names. Records of a log whose files are used again repeat its number (db/log_format.h).

A file that was begun over an older log holds that one's records until it is written: with lower numbers than its own,
of a log that nobody needs. Two files that hold each other's numbers are no such thing, nor is one that holds the number
of a log that the MANIFEST needs and that is not here. The engine takes the records for left-overs, replays none of
them, and opens without a word.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from inspector.finding import Cause, Evidence, Finding, Severity, Tally
from inspector.formats.rocksdb import log, names
from inspector.formats.rocksdb.coding import u32
from inspector.formats.rocksdb.database import Database
from inspector.formats.rocksdb.names import FileName
from inspector.formats.rocksdb.rules import BY_CODE
from inspector.formats.rocksdb.version import Version
from inspector.span import Span

_M32: Final = 0xFFFFFFFF
_SWAPPED: Final = Cause("swapped", "certain", "its records have the number of another log, which is not under its name")


def settle(db: Database) -> None:
    """Give logs that stand under other names their own numbers."""
    held = {number: own for number, name in db.wals.items() if (own := _number_in(db, name, number)) is not None}
    needed = _needed(db.version) - db.wals.keys() if db.version else set[int]()
    moved = {number: own for number, own in held.items() if held.get(own) == number or (own in needed and own)}
    if len(set(moved.values())) < len(moved):
        return  # two copies of one log: nothing tells which is the newer
    members = {number: db.wals.pop(number) for number in moved}
    for number, own in moved.items():
        db.wals[own] = members[number]
        db.files[members[number]] = FileName("wal", own)


def _needed(version: Version) -> set[int]:
    """Logs with which the replay of a family begins; one without anything to replay may name one that is gone."""
    return {f.log_number for f in version.families.values() if f.log_number >= version.min_log_to_keep}


def _number_in(db: Database, name: str, number: int) -> int | None:
    """The number in the log's first record where that verifies and has another one than the file."""
    if name.startswith("archive/"):
        return None
    head = db.source.read(0, log.RECYCLABLE_HEADER, name)
    if (
        len(head) < log.RECYCLABLE_HEADER
        or log.header_size(head[6]) != log.RECYCLABLE_HEADER
        or u32(head, 7) == number & _M32
    ):
        return None
    first = next(log.LogReader(db.reader(name), min(db.size(name), log.BLOCK)).pieces(), None)
    return u32(head, 7) if first is not None and first.state == log.GOOD and first.start == 0 else None


def misplaced(db: Database) -> Iterator[tuple[str, str]]:
    """Members that stand under another log's name, and their own."""
    for number, name in sorted(db.wals.items()):
        if not name.startswith("archive/") and names.classify(name).number != number:
            yield name, names.wal_name(number)


def check(db: Database, tally: Tally) -> None:
    for member, own in misplaced(db):
        message = f"this is {own} under another's name, and the engine replays none of it: a repair gives it its own"
        evidence: Evidence = {"number": db.files[member].number}
        span = Span(0, db.size(member), member)
        tally.put(Finding(BY_CODE["RDB040"], span, message, evidence, _SWAPPED, "corrected", Severity.WARNING))
