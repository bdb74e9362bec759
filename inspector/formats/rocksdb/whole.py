"""Findings about the database as a whole: files against the MANIFEST, levels, numbers, what is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from inspector.counted import counted
from inspector.finding import UNKNOWN_CAUSE, Cause, Evidence, Finding, Salvage, Severity, Tally
from inspector.formats.rocksdb import blob, blob_frame, identity, keys, levels, log_names, names, sequences, wals
from inspector.formats.rocksdb import edit as edits
from inspector.formats.rocksdb.database import Database, pairs_of
from inspector.formats.rocksdb.edit import NewFile
from inspector.formats.rocksdb.facts import BlobFacts, Refers, TableFacts
from inspector.formats.rocksdb.identity import Misplaced
from inspector.formats.rocksdb.rules import BY_CODE
from inspector.formats.rocksdb.table import Table
from inspector.formats.rocksdb.version import Family
from inspector.formats.rocksdb.walk_table import file_crc
from inspector.span import Span

if TYPE_CHECKING:
    from inspector.formats.rocksdb import cause
else:
    from inspector.postponed import Postponed

    cause = Postponed("inspector.formats.rocksdb.cause")

# the only whole-file checksum that RocksDB itself brings; four bytes, big-endian (util/file_checksum_helper.h)
_FILE_CRC: Final = b"FileChecksumCrc32c"
NO_END: Final = "blocks of the table are not in the file: how much was in them is not known"

NO_LIST: Final = (
    "the list of files is lost: a table, blob file or WAL that it named and that is not here is lost untold"
)


def _say(
    tally: Tally,
    code: str,
    span: Span,
    message: str,
    evidence: Evidence | None = None,
    why: Cause = UNKNOWN_CAUSE,
    salvage: Salvage | None = None,
    severity: Severity | None = None,
    has_bytes: bool = True,
) -> None:
    tally.put(Finding(BY_CODE[code], span, message, evidence or {}, why, salvage, severity, has_bytes))


def check_whole(db: Database, tally: Tally) -> None:
    """Everything that needs more than one member; of a single file only whether a MANIFEST says all that it must."""
    if db.version is not None and db.version.lacks:
        _ends_early(db, db.version.lacks, tally)
    if db.single:
        if db.files[""].kind == "manifest" and not (db.version and db.version.edits) and not db.damage:
            span = Span(0, db.source.size)
            _say(tally, "RDB039", span, "no edit can be read: nothing tells which files are live", salvage="lost")
        return
    _current(db, tally)
    _options(db, tally)
    if (holder := db.source.locked_by("LOCK")) is not None:
        _say(tally, "RDB034", Span(0, 0, "LOCK"), f"process {holder} holds the lock", {"pid": holder}, has_bytes=False)
    if db.version is None:
        return
    for one in identity.settle(db):
        _misplaced(db, one, "RDB016", tally)
    for one in identity.settle_blobs(db):
        _misplaced(db, one, "RDB031", tally)
    for family, file in db.version.live_tables():
        _listed(db, family, file, tally)
    for family in db.version.families.values():
        _levels(family, tally)
        _blob_files(db, family, tally)
    _references(db, tally)
    _unlisted(db, tally)
    wals.check(db, tally)
    log_names.check(db, tally)
    sequences.across(db, tally)


def bad_sums(db: Database, members: set[str]) -> set[str]:
    """Those of these tables that do not match the whole-file checksum in the MANIFEST."""
    live = db.version.live_tables() if db.version is not None and members else ()
    named = ((file, db.tables.get(file.number)) for _, file in live)
    return {name for file, name in named if name in members and _wrong_sum(db, file, name) is not None}


def _wrong_sum(db: Database, file: NewFile, member: str) -> tuple[int, int] | None:
    """The whole-file checksum that is stored and the one that is computed, where they differ."""
    if file.field(edits.CUSTOM_CHECKSUM_NAME) != _FILE_CRC:
        return None
    if db.size(member) > file.size and db.table(member).size == file.size:
        return None  # what is behind its footer is told, and no part of it
    stored, computed = int.from_bytes(file.field(edits.CUSTOM_CHECKSUM) or b"", "big"), file_crc(db, member)
    return None if stored == computed else (stored, computed)


def _current(db: Database, tally: Tally) -> None:
    for name, other in db.foreign.items():
        _say(tally, "RDB039", Span(0, db.size(name), name), f"{name} is {other.why}", {}, cause.REPLACED, "lost")
    unread = max(db.unread_manifests, default=None)
    if unread is not None:
        known = db.version is not None and db.version.edits
        older = f"{db.manifest} tells what an earlier start knew" if known else "nothing tells which files are live"
        span = Span(0, db.size(unread), unread)
        evidence: Evidence = {"manifest_used": db.manifest} if known else {}
        _say(tally, "RDB039", span, f"no edit in {unread} can be read; {older}", evidence, salvage="lost")
    elif (db.version is None or not db.version.edits) and (db.tables or db.blobs) and not db.foreign:
        _say(tally, "RDB039", Span(0, 0), "no MANIFEST can be read", has_bytes=False)
    if db.current is None or db.current not in db.files:
        there = "CURRENT" in db.files
        message = _of_current(db) if there else "CURRENT is missing"
        span = Span(0, db.size("CURRENT"), "CURRENT") if there else Span(0, 0, "CURRENT")
        _say(tally, "RDB029", span, message, {"manifest_used": db.manifest}, salvage="kept", has_bytes=there)


def _of_current(db: Database) -> str:
    if db.current:
        return f"CURRENT names {db.current}, which is not there"
    ended = db.source.read(0, 64, "CURRENT").endswith(b"\n")
    return "CURRENT holds no MANIFEST name" + ("" if ended else ", and no line feed ends it")


def lost_list(db: Database) -> str:
    """The MANIFEST of which no byte is here, as far as its name is known; empty where one tells the set of files.

    Without it no file that is here tells of one that is not.
    """
    if db.is_last or any(db.size(name) for name in db.unread_manifests):
        return ""
    return db.current if db.current is not None and db.current not in db.foreign else "MANIFEST"


def _ends_early(db: Database, lacks: tuple[str, ...], tally: Tally) -> None:
    name = db.manifest or ""
    where = Span(db.size(name), db.size(name), name)
    message = f"it verifies, and ends before the edits that say {', '.join(lacks)}: every MANIFEST has them"
    severity = Severity.NOTE if db.single else None  # its folder can tell what is live, and it alone cannot be mended
    why = Cause("truncated", "possible", "what is here verifies, and what follows in every MANIFEST does not follow")
    _say(tally, "RDB027", where, message, {"lacks": list(lacks)}, why, "lost", severity, has_bytes=False)


def _options(db: Database, tally: Tally) -> None:
    found = sorted((what.number, name) for name, what in db.files.items() if what.kind == "options")
    if not found:
        return
    name = found[-1][1]
    data = db.source.read(0, 1 << 20, name)
    if b"[Version]" not in data or b"[DBOptions]" not in data or b"\0" in data:
        why = cause.of_bytes(db.reader(name), 0, len(data))
        _say(tally, "RDB033", Span(0, len(data), name), f"{name} has no [Version] and [DBOptions] sections", {}, why)


def _misplaced(db: Database, one: Misplaced, code: str, tally: Tally) -> None:
    span, table = Span(0, db.size(one.member), one.member), code == "RDB016"
    named = names.table_name if table else names.blob_name
    home = named(one.home) if one.home is not None else ""
    if one.member not in db.strangers | db.displaced:
        message, why = f"this is {home} under another's name: a repair gives it its own", cause.RENAMED
        _say(tally, code, span, message, {"number": one.home}, why, "corrected", Severity.WARNING)
        return
    message, why = f"another {'table' if table else 'blob file'} stands here, which is not listed", cause.REPLACED
    if home:
        message, why = f"{home} stands here once more", cause.copy_of(home)
    _say(tally, code, span, message, {"number": one.home}, why, "lost", Severity.ERROR)


def _listed(db: Database, family: Family, file: NewFile, tally: Tally) -> None:
    member = db.tables.get(file.number)
    if member is None:
        name = names.table_name(file.number)
        entries = f"{file.size} bytes of column family {family.name}, level {file.level}"
        if file.path_id:
            entries += f"; it lies in folder {file.path_id} of the program's db_paths"
        _say(tally, "RDB011", Span(0, 0, name), f"{name} is missing: {entries}", {"size": file.size}, cause.MISSING,
             "lost", has_bytes=False)  # fmt: skip
        return
    if member in db.strangers:
        return  # which is told already
    size = db.size(member)
    if size < file.size:
        message = f"{size} of {file.size} bytes are here"
        why = cause.CUT if db.table(member).footer is None else cause.missing(file.size - size)
        _say(tally, "RDB010", Span(size, size, member), message, {"size": size, "listed": file.size}, why, "lost")
    elif size > file.size:
        message = f"{counted(size - file.size, 'byte')} more than the MANIFEST lists"
        table = db.table(member)
        why, saved = (cause.appended(table), "kept") if size - file.size == table.spare else (UNKNOWN_CAUSE, None)
        facts_of: Evidence = {"size": size, "listed": file.size}
        _say(tally, "RDB013", Span(file.size, size, member), message, facts_of, why, saved)  # type: ignore[arg-type]
    wrong = _wrong_sum(db, file, member)
    if wrong is not None:
        db.bad_sums.add(member)
        evidence: Evidence = {"stored": wrong[0], "computed": wrong[1]}
        _say(tally, "RDB014", Span(0, size, member), "whole-file checksum differs", evidence)
    facts = db.facts.get(member)
    if isinstance(facts, TableFacts):
        _range(db, family, file, member, facts, tally)


def _range(db: Database, family: Family, file: NewFile, member: str, facts: TableFacts, tally: Tally) -> None:
    order = keys.order_of(family.comparator)
    if order and facts.first_key and facts.last_key:
        low, high = order(facts.first_key[:-8]), order(facts.last_key[:-8])
        smallest, largest = order(file.smallest[:-8]), order(file.largest[:-8])
        if high < smallest or largest < low:
            db.strangers.add(member)
            message = "another table stands here: none of its keys lies in the range in the MANIFEST"
            _say(tally, "RDB016", Span(0, db.size(member), member), message, salvage="lost", severity=Severity.ERROR)
        elif low < smallest or largest < high:
            _say(tally, "RDB016", Span(0, db.size(member), member), "keys lie outside the range in the MANIFEST")
    assert db.version
    newest = facts.max_tag >> 8
    if db.trusted and newest > db.version.last_sequence and not db.version.leveldb:
        message = f"sequence number {newest}, the database's last is {db.version.last_sequence}"
        _say(tally, "RDB018", Span(0, 0, member), message, {"found": newest, "last": db.version.last_sequence})


def _levels(family: Family, tally: Tally) -> None:
    for left, right in levels.overlaps(family):
        message = f"level {right.level} of {family.name}: {left.number:06d} and {right.number:06d} overlap"
        _say(tally, "RDB017", Span(0, 0, names.table_name(right.number)), message, {"level": right.level})


def _blob_files(db: Database, family: Family, tally: Tally) -> None:
    for number, listed in family.blobs.items():
        if number not in db.blobs:
            name = names.blob_name(number)
            message = f"{name} is missing: {counted(listed.count, 'value')} of column family {family.name}"
            _say(tally, "RDB031", Span(0, 0, name), message, {"values": listed.count}, cause.MISSING, "lost",
                 has_bytes=False)  # fmt: skip
            continue
        member = db.blobs[number]
        facts, size = db.facts.get(member), db.size(member)
        if isinstance(facts, BlobFacts) and not facts.header_why and (fault := blob_frame.fault(db, member)):
            span = Span(0, min(blob.HEADER, size), member)
            _say(tally, "RDB032", span, f"blob header: {fault}", {"length": span.length}, salvage="corrected")
        if isinstance(facts, BlobFacts) and facts.footer_count is None:
            message = f"{member} has no footer, and the MANIFEST lists only files that were finished"
            _say(tally, "RDB032", Span(size, size, member), message, {"size": size}, salvage="kept")


def _references(db: Database, tally: Tally) -> None:
    unlisted = unlisted_blobs(db)
    for member, facts in db.facts.items():
        if isinstance(facts, Refers) and counts(db, member):
            for number in sorted(unlisted & facts.found_blobs.keys()):
                count = facts.found_blobs[number]
                refer = counted(count, "entry refers", "entries refer")
                message = f"{refer} to values in {names.blob_name(number)}, which is here and is listed by no edit"
                _say(tally, "RDB031", Span(0, 0, member), message, {"blob_file": number, "count": count},
                     salvage="corrected")  # fmt: skip
            if facts.unread_blobs:
                say = counted(facts.unread_blobs, "entry says", "entries say")
                message = f"{say} in no known way where {'its value is' if facts.unread_blobs == 1 else 'values are'}"
                _say(tally, "RDB031", Span(0, 0, member), message, {"count": facts.unread_blobs}, salvage="lost")
            if facts.stacked:
                values = counted(facts.stacked, "value is", "values are")
                message = (
                    f"{values} kept as a BlobDB does, which only that reads: its blob files lie in a folder inside"
                )
                _say(tally, "RDB042", Span(0, 0, member), message, {"count": facts.stacked, "stacked": True},
                     cause.STACKED, "kept", Severity.NOTE)  # fmt: skip
            if facts.expiring:
                message = f"{counted(facts.expiring, 'value expires', 'values expire')}: RocksDB reads none that does"
                _say(tally, "RDB042", Span(0, 0, member), message, {"count": facts.expiring}, cause.STACKED, "kept")
            for number, count in sorted(facts.missing_blobs.items()):
                if (name := db.blobs.get(number)) and names.classify(name).number != number:
                    continue  # looked for in another file, which stood under this one's name
                refer = counted(count, "entry refers", "entries refer")
                message = f"{refer} to values that are not in {names.blob_name(number)}"
                _say(tally, "RDB031", Span(0, 0, member), message, {"blob_file": number, "count": count})
            for number, count in sorted(identity.astray(db, facts).items()):
                refer = counted(count, "entry refers", "entries refer")
                message = f"{refer} to a place of {names.blob_name(number)} where the value of another key stands"
                _say(tally, "RDB031", Span(0, 0, member), message, {"blob_file": number, "count": count},
                     cause.ASTRAY, "lost")  # fmt: skip


def unlisted_blobs(db: Database) -> set[int]:
    """Blob files that are here and hold values of the database, and that its MANIFEST does not list, though whole."""
    if not db.trusted or db.version is None:
        return set()
    listed = {number for family in db.version.families.values() for number in family.blobs}
    found = (facts.found_blobs for m, facts in db.facts.items() if isinstance(facts, Refers) and counts(db, m))
    return {number for one in found for number in one if number not in listed}


def counts(db: Database, member: str) -> bool:
    """Whether the engine reads the entries of this table or WAL."""
    if db.files[member].kind == "table":
        return db.version is None or not db.is_unlisted(db.files[member].number)
    return db.is_live(member)


def _unlisted(db: Database, tally: Tally) -> None:
    assert db.version
    if not db.version.edits:
        return  # it lists nothing, which is told already
    for number, name in sorted(db.unlisted().items()):
        severity = Severity.NOTE if db.trusted else None
        if number in db.version.removed and not db.version.damaged:
            severity = Severity.NOTE
        facts = db.facts.get(name)
        count = facts.entries if isinstance(facts, TableFacts) else 0
        message = f"{name} with {counted(count, 'entry', 'entries')} is listed by no edit"
        span = Span(0, db.size(name), name)
        _say(tally, "RDB012", span, message, {"entries": count}, salvage="kept", severity=severity)


def end_is_missing(db: Database, member: str, listed: int | None) -> bool:
    """Whether blocks of a table are not in the file: how much was in them nobody knows then.

    `listed` is its size in the MANIFEST. An index, or as many entries as the properties count, show that none is
    missing.
    """
    table, facts, size = db.table(member), db.facts.get(member), db.size(member)
    cut = size < listed if listed is not None else not size or (isinstance(facts, TableFacts) and facts.endless)
    if table.vanished:
        return True
    if not cut or table.whole_index or table.edge:
        return False
    stated = table.properties.number("num.entries") if table.properties else None
    if stated is None or not isinstance(facts, TableFacts):
        return True
    ranges = (table.properties and table.properties.number("num.range-deletions")) or 0
    return facts.entries < stated - ranges or _ranges_here(table) < ranges


def _ranges_here(table: Table) -> int:
    """Range deletes in the blocks of them that verify."""
    blocks = (table.load(handle) for role, handle in table.tail if role == "range-deletes")
    return max((len(pairs_of(loaded.content)) for loaded in blocks if loaded.ok), default=0)
