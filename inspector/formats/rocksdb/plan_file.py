"""Repair of one file of a database: a table, a WAL, a MANIFEST or a blob file."""

from __future__ import annotations

from collections.abc import Iterator

from inspector.errors import RefusedError
from inspector.format import Edit, Plan
from inspector.formats.rocksdb import edit as edits
from inspector.formats.rocksdb import log, logical, unsealed
from inspector.formats.rocksdb.coding import MalformedError
from inspector.formats.rocksdb.database import Database
from inspector.formats.rocksdb.facts import BlobFacts, LogFacts, TableFacts
from inspector.formats.rocksdb.manifest_writer import snapshot
from inspector.formats.rocksdb.reblob import BlobMender
from inspector.formats.rocksdb.releases import LEFT_OUT
from inspector.formats.rocksdb.rewal import has_wrong_length, rewrite_wal, wal_is_damaged
from inspector.formats.rocksdb.rewrite import BEHIND, Rewriter, joined
from inspector.formats.rocksdb.strays import strays_of
from inspector.formats.rocksdb.table import Table
from inspector.formats.rocksdb.version import Version
from inspector.formats.rocksdb.whole import NO_END, end_is_missing
from inspector.span import Span

_MORE = 1 << 20  # bytes that a file may grow by


def refusal(db: Database) -> RefusedError | None:
    """Why nothing can be written from a source that is one file, as it was read; None where a plan can be made."""
    kind, facts = db.files[""].kind, db.facts.get("")
    if kind not in ("table", "wal", "manifest", "blob"):
        return RefusedError(f"a {kind} file is not repaired", "only tables, WALs, MANIFESTs and blob files are")
    if kind == "table":
        table = db.table("")
        if table.foreign:
            return RefusedError(table.declined, "use RocksDB's own sst_dump for it")
        unread = not isinstance(facts, TableFacts) or not facts.good_blocks
        if unread and any(trouble.role == "dictionary" for trouble in table.troubles):
            why = "all that is left of this table was compressed with a dictionary that is damaged or not here"
            return RefusedError(why, "look for another copy of this table: its dictionary reads blocks here that hold")
        if unread and table_needs_work(db, "", table):
            return RefusedError("no entry of this table can be read", "there is nothing to write")
        if not isinstance(facts, TableFacts) or not (facts.order_faults or facts.unknown):
            return None
        if not _leaves_any(db, table, facts):
            why = "no entry of this table can be kept: all stand in blocks out of order, or are of no known type"
            return RefusedError(why, "there is nothing to write")
    version = db.version
    if kind == "manifest" and (version is None or not version.edits or _says_nothing(version)):
        return RefusedError("no edit of this MANIFEST can be read", "repair the folder: its tables say what is live")
    if kind == "wal" and _nothing_holds(facts) and wal_is_damaged(db, ""):
        return RefusedError("no record of this log can be read", "there is nothing to write")
    if kind == "blob" and not (isinstance(facts, BlobFacts) and facts.records) and BlobMender(db).is_damaged(""):
        return RefusedError("no value of this blob file can be read", "there is nothing to write")
    return None


def _says_nothing(version: Version) -> bool:
    """Whether of a damaged MANIFEST only edits are left that are empty."""
    return version.damaged and not version.families and not snapshot([], version)


def _nothing_holds(facts: object) -> bool:
    """Whether each record of a WAL is lost, or holds a batch that makes no sense."""
    return isinstance(facts, LogFacts) and facts.records <= len(facts.why)


def plan_file(db: Database) -> Plan:
    """The plan for a source that is one file, of which something can be written."""
    kind, size = db.files[""].kind, db.size("")
    if kind == "table":
        return _table(db, size)
    if kind == "wal":
        if not wal_is_damaged(db, ""):
            return _whole(size)
        return Plan(joined(rewrite_wal(db, "", "")), size + _MORE)
    if kind == "manifest":
        return _manifest(db, size)
    return _blob(db, size)


def _whole(size: int, units: int = 0) -> Plan:
    return Plan(iter([Edit("kept", Span(0, size), units=units, why="healthy")]), size)


def _table(db: Database, size: int) -> Plan:
    table = db.table("")
    if not table_needs_work(db, "", table):
        return _whole(size, table.data_blocks) if not table.spare else Plan(cut(table, "", ""), table.size)
    writer = _rewriter(db, table)
    facts = db.facts.get("")
    strange = isinstance(facts, TableFacts) and facts.unknown
    notes = [f"{LEFT_OUT}: where a newer one wrote this table, do not use the new one"] if strange else []

    def made() -> Iterator[Edit]:
        yield from writer.edits()
        if end_is_missing(db, "", None):
            yield Edit("lost", Span(size, size), why=NO_END, units=-1)
        if lost := writer.lost_ranges():
            notes.append(f"{lost} range deletes are lost; what they had deleted may appear again")

    return Plan(made(), size + _MORE, notes=notes)


def _rewriter(db: Database, table: Table) -> Rewriter:
    return Rewriter(table, "", "", strays=strays_of(db, ""), newest=unsealed.newest(db, ""))


def _leaves_any(db: Database, table: Table, facts: TableFacts) -> bool:
    """Whether anything of the table stays in a new one: nearly always that is known with its first block.

    It is asked for what to do next and for the plan, and found out once.
    """
    if facts.leaves is None:
        writer = _rewriter(db, table)
        facts.leaves = any(writer.blocks or writer.ranges for _ in writer.edits())
    return facts.leaves


def cut(table: Table, member: str, out: str) -> Iterator[Edit]:
    """A table without what stands behind its footer."""
    end = table.size
    yield Edit("kept", Span(0, end, member), units=table.data_blocks, why="all of the table", out=out)
    yield Edit("dropped", Span(end, end + table.spare, member), why=BEHIND.format(table.spare_is), out=out)


def table_needs_work(db: Database, member: str, table: Table) -> bool:
    """Whether a table must be written again: anything in it does not verify or is out of order."""
    if table.declined:
        return not table.foreign
    if not db.size(member):
        return db.single  # an engine that was killed leaves such: in a folder there is nothing to write again
    facts = db.facts.get(member)
    if not isinstance(facts, TableFacts):
        raise AssertionError(f"{member} was not walked before its repair was planned")
    stated = table.properties.number("num.entries") if table.properties else None
    ranges = (table.properties.number("num.range-deletions") or 0) if table.properties else 0
    miscounted = stated is not None and not facts.folded and facts.entries not in (stated, stated - ranges)
    miscounted = miscounted or facts.max_tag >> 8 > unsealed.newest(db, member)
    damaged = facts.bad_blocks or facts.order_faults or table.gaps or table.troubles or not table.footer
    return bool(damaged or miscounted or facts.unknown or db.bad_tails.get(member))


def _manifest(db: Database, size: int) -> Plan:
    """A snapshot of what the edits that verify say, in place of a MANIFEST with others among them."""
    version = db.version
    assert version is not None
    if not version.damaged and not has_wrong_length(db, ""):
        return _whole(size)
    notes = [
        f"edits lost or out of place: {version.fault_count}; tables that lost ones added are not in the new MANIFEST",
        "repair the folder instead where it is at hand: there every table on disk is looked at",
        "a database that is opened with it deletes the tables that it does not list: copy the folder first",
    ]
    return Plan(_snapshot(db, version, size), size + _MORE, notes=notes if version.fault_count else [])


def _snapshot(db: Database, version: Version, size: int) -> Iterator[Edit]:
    done = 0
    for start, end, why in _lost_edits(db, size):
        if done < start:
            yield Edit("dropped", Span(done, start), why="its edits are in the snapshot")
        if done < end:
            yield Edit("lost", Span(max(done, start), end), why=why, units=1)
            done = end
    if done < size:
        yield Edit("dropped", Span(done, size), why="its edits are in the snapshot")
    if version.stale:
        why = "what stood here before records of another place were written over it, if anything did"
        yield Edit("lost", Span(size, size), why=why, units=-1)
    body = snapshot((version.families[i] for i in sorted(version.families)), version)
    yield Edit("added", None, body, "derived", "a snapshot of the edits that verify")


def _lost_edits(db: Database, size: int) -> list[tuple[int, int, str]]:
    """Bytes of a MANIFEST that give no edit, in order, and why."""
    lost: list[tuple[int, int, str]] = []
    known = db.version.malformed_at if db.version else {}
    all_known = db.version is not None and db.version.malformed_count == len(known)

    def seen() -> Iterator[logical.Record]:
        for batch in log.LogReader(db.reader(""), size, None).batches():
            if not isinstance(batch, log.Sound):
                if batch[0].state in (log.BAD, log.UNREAD, log.TORN):
                    lost.append((batch[0].start, batch[0].end, f"log record: {log.STATES[batch[0].state]}"))
            elif batch.whole and assembler.idle and all_known and known.keys().isdisjoint(batch.starts):
                continue  # each is an edit
            yield from assembler.feed(batch)
        yield from assembler.end()

    assembler = logical.Assembler()
    for record in seen():
        if record.fate != logical.WHOLE:
            lost += [(start, end, logical.FATES[record.fate]) for start, end in record.spans]
            continue
        why = known.get(record.start, "") if all_known else _malformed(record.data)
        if why:
            lost += [(start, end, why) for start, end in record.spans]
    return sorted(lost)


def _malformed(data: bytes) -> str:
    try:
        edits.decode(data)
    except MalformedError as error:
        return str(error)
    return ""


def _blob(db: Database, size: int) -> Plan:
    """The blob file with filler where values are lost: tables refer to values by their offset."""
    facts = db.facts.get("")
    mender = BlobMender(db)
    if not mender.is_damaged(""):
        return _whole(size)
    note = "tables still refer to the lost values: repair the folder, and those entries become deletes"
    bad = isinstance(facts, BlobFacts) and facts.bad
    notes = [note] if bad or mender.has_lost("") else []
    return Plan(joined(mender.edits("")), size, notes=notes)
