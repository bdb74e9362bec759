"""The database's own words about itself: what happened, what was lost, what is at risk, what to do now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from inspector.counted import counted
from inspector.finding import Severity, Tally
from inspector.format import Answer
from inspector.formats.rocksdb import edit as edits
from inspector.formats.rocksdb import folders, keys, loader, names, stacked
from inspector.formats.rocksdb.database import Database
from inspector.formats.rocksdb.facts import BlobFacts, LogFacts, Refers, TableFacts
from inspector.formats.rocksdb.identity import own_name
from inspector.formats.rocksdb.releases import release_of
from inspector.formats.rocksdb.whole import counts, unlisted_blobs

if TYPE_CHECKING:
    from inspector.formats.rocksdb import order
else:  # a log in its order needs none
    from inspector.postponed import Postponed

    order = Postponed("inspector.formats.rocksdb.order")

_LOSS: Final = ("RDB001", "RDB002", "RDB009", "RDB010", "RDB011", "RDB020", "RDB021", "RDB023", "RDB030", "RDB038")
_NEEDED: Final = frozenset({"table", "wal", "blob", "manifest", "current"})  # what an open of the engine reads
_OPENING: Final = frozenset({"RDB003", "RDB004", "RDB005", "RDB009"})

SCHEMA: Final = {
    "type": "object",
    "properties": {
        "engine": {"type": "string", "description": "rocksdb or leveldb"},
        "written_by": {"type": ["string", "null"], "description": "release named in OPTIONS"},
        "manifest": {"type": ["string", "null"], "description": "the MANIFEST that was read"},
        "manifest_trusted": {"type": "boolean"},
        "column_families": {"type": "array", "items": {"type": "string"}},
        "tables": {"type": "integer"},
        "format_versions": {"type": "array", "items": {"type": "integer"}},
        "entries": {"type": "integer", "description": "in data blocks of listed tables that verify, all versions"},
        "entries_lost": {"type": ["integer", "null"], "description": "counted by properties and not found"},
        "wal_operations": {"type": "integer", "description": "in WALs that are replayed on open"},
        "last_sequence": {"type": "integer"},
    },
}

_COPIED_FIRST: Final = frozenset({"RDB012", "RDB020", "RDB021", "RDB026", "RDB027", "RDB029", "RDB039", "RDB040",
                                  "RDB041"})  # fmt: skip


def answer(db: Database, tally: Tally) -> Answer:
    """The answer about a whole database, or about one file of it."""
    facts = gather(db, tally)
    summary = summarise(db, facts)
    codes = {code for code, _ in tally.counts}
    words = _words(db, tally, codes, summary, facts)
    following = []
    blobs = unlisted_blobs(db)
    if blobs or codes & _COPIED_FIRST:
        deleted = "blob files" if blobs else "tables"
        following.append(
            f"cp -a {{path}} {{path}}.copy   # before any program opens it: a read-write open may delete {deleted}"
        )
    if db.leveldb and not db.single and tally.total:
        following.append("inspector extract {path} cf:default -o keys.jsonl   # every live key and value as JSON lines")
    if codes - {"RDB035", "RDB037", "RDB044"} or any(level != "note" for _, level in tally.counts):
        following += _repair(db, tally)
    name = "LevelDB" if db.leveldb else "RocksDB"
    versions = ", ".join(str(v) for v in summary["format_versions"])
    because = db.manifest_because if not db.single else "one file of a database"
    return Answer(
        f"{name}, table format {versions}" if versions else name,
        because,
        tuple(words),
        summary,
        () if db.single else loader.outcomes(facts),
        tuple(following),
        unjudged=unread(db, tally),
    )


def unread(db: Database, tally: Tally) -> str:
    """What is of a kind, or too large, to be read; empty where nothing is."""
    others = [(member, db.table(member).declined) for member in db.tables.values() if db.table(member).foreign]
    kinds = [f"{member} is {why}" if member else f"it is {why}" for member, why in others]
    parts = [f"{kinds[0]}, and so are {len(kinds) - 1} more" if kinds[1:] else kinds[0]] if kinds else []
    if folded := sum(n for (code, _), n in tally.counts.items() if code == "RDB035") - len(kinds):
        parts.append(f"{counted(folded, 'block or record', 'blocks or records')} too large to be unpacked (--max-unit)")
    if inside := stacked.folder(db):
        parts.append(f"the blob files in {inside}/, which a BlobDB (utilities/blob_db) wrote")
    return "; ".join(parts)


def _repair(db: Database, tally: Tally) -> list[str]:
    """A repair as it will be carried out; none where the plan refuses it."""
    from inspector.formats.rocksdb.plan import refusal  # a healthy database needs no plan of a repair

    plain = ["inspector repair {path} -o {path}.repaired"]
    corrected = any(finding.salvage == "corrected" for finding in tally.findings())
    if not refusal(db) or corrected:
        return plain
    if any(finding.evidence.get("correction") == "unique" for finding in tally.findings()):
        return [f"{plain[0]} --accept unique   # nothing can be read without what only its checksum speaks for"]
    return []


def _undone(tally: Tally) -> bool:
    """Whether something was damaged that holds entries, and a repair brings all of it back."""
    kept = [finding for finding in tally.findings() if finding.level != "note" and finding.rule.code in _LOSS]
    count = sum(n for (code, level), n in tally.counts.items() if level != "note" and code in _LOSS)
    return bool(kept) and len(kept) == count and all(finding.salvage == "corrected" for finding in kept)


def _words(db: Database, tally: Tally, codes: set[str], summary: dict[str, Any], facts: loader.Facts) -> list[str]:
    words: list[str] = []
    if db.single:
        what = {"wal": "write-ahead log", "info-log": "info log"}.get(db.files[""].kind, db.files[""].kind)
        return [f"One {what} file; what else its database holds is not known here."]
    tables = (
        f"{counted(len(db.tables), 'table')} with {counted(summary['entries'], 'entry', 'entries')} that can be read"
    )
    words.append(f"{tables}, {summary['wal_operations']} operations in WALs that are replayed on open.")
    lost = summary["entries_lost"]
    if _undone(tally):
        words.append("A repair undoes all damage to the data: no entry is lost.")
    elif lost:
        words.append(f"{lost} of {summary['entries'] + lost} entries in tables can no longer be read.")
    elif lost is None and codes & set(_LOSS) and (codes & set(_LOSS) != {"RDB011"} or not folders.missing(db)):
        words.append(
            "Entries are lost; how many cannot be known, because the tables that counted them are damaged or not here."
        )
    words += stacked.words(db)
    words += folders.words(db, none_here="RDB011" in codes and not db.tables)
    if astray := _astray(db):
        entries = counted(astray, "entry stands", "entries stand")
        words.append(
            f"{entries} in blocks out of order, and nothing proves that they belong there: a repair loses them."
        )
    if db.strangers:
        names = ", ".join(sorted(db.strangers)[:4])
        words.append(f"{names}: another file stands in its place, and what the MANIFEST lists there is lost.")
    if codes & {"RDB026", "RDB027", "RDB039"}:
        words.append("The set of live tables is not certain: do not start the program on this folder; copy it first.")
    if "RDB012" in codes and not db.trusted:
        words.append(loader.of_unlisted(facts))
    if codes & {"RDB020", "RDB021"}:
        words.append("By default the engine silently drops every WAL operation after the damage.")
    if "RDB007" in codes:
        words.append("Range deletes are lost: old values may appear again.")
    from inspector.formats.rocksdb import view

    for family in view.families(db, files=False):
        if keys.order_of(family.comparator) is None:
            what = f"Only its program knows the comparator {family.comparator} of column family {family.name}"
            words.append(f"{what}: the order of keys is not checked, and views do not apply range deletes.")
    if "RDB034" in codes:
        words.append("Another process has the database open; its newest entries may not be on disk yet.")
    return words


def _astray(db: Database) -> int:
    """Entries that can be read, in blocks that a repair leaves out."""
    listed = [m for m, f in db.facts.items() if isinstance(f, TableFacts) and f.order_faults]
    if not listed:
        return 0
    from inspector.formats.rocksdb.strays import strays_of

    return sum(strays_of(db, member).entries for member in listed)


def _renamed(db: Database) -> str:
    """The first listed table that is here under another number only, under which the engine does not look for it."""
    named = {names.classify(member).number for member, what in db.files.items() if what.kind == "table"}
    live = db.version.live_tables() if db.version is not None else ()
    found = (file.number for _, file in live if file.number in db.tables and file.number not in named)
    return next(map(names.table_name, found), "")


def _stranger(db: Database) -> str:
    """The first table that the engine refuses as another than the listed one."""
    for _, file in db.version.live_tables() if db.version is not None else ():
        name = names.table_name(file.number)
        other = name in db.strangers or (name in db.files and own_name(db, name) != name)
        if other and (db.size(name) != file.size or file.field(edits.CUSTOM_UNIQUE_ID)):
            return name
    return ""


def _malformed_first(db: Database, tally: Tally) -> bool:
    """Whether the first record of the MANIFEST that the engine refuses is one that verifies."""
    wrong = [f for f in tally.findings() if f.rule.code in ("RDB026", "RDB028") and f.level != "note"]
    first = min(wrong, key=lambda f: (f.span.member != db.current, f.span.start), default=None)
    return first is not None and first.rule.code == "RDB028"


def _first(tally: Tally, *codes: str) -> str:
    for finding in tally.findings():
        if finding.rule.code in codes and finding.level != "note":
            return f"{finding.span.member}@{finding.span.start}"
    return ""


def gather(db: Database, tally: Tally) -> loader.Facts:
    """What matters to the engine, from the findings that stand."""
    codes = {code for code, level in tally.counts if level != "note"}
    facts = loader.Facts(leveldb=db.leveldb, release=release_of(db))
    bad: set[str] = set()
    for finding in tally.findings():
        if finding.rule.code in _OPENING | {"RDB001", "RDB002", "RDB007", "RDB010"} and finding.level != "note":
            bad.add(finding.span.member)
    for member, found in db.facts.items():
        if isinstance(found, TableFacts):
            table = db.table(member)
            if table.footer or table.data_blocks:
                facts.format_versions.add(max(table.context.version, 0))
            if member in bad:
                facts.damaged_tables += 1
                facts.entries_in_damaged += found.entries
    needed = (name for name in db.source.closed if name in db.files and db.files[name].kind in _NEEDED)
    facts.closed = min(needed, default="") if not db.single else ""
    facts.current_bad = next((f.message for f in tally.findings() if f.rule.code == "RDB029"), "")
    facts.wal = min((name for name in db.wals.values() if not name.startswith("archive/")), default="")
    damaged = bool(codes & {"RDB026", "RDB028"})
    facts.manifest_foreign = next((name for name, other in db.foreign.items() if other.tables), "")
    facts.stranger = _stranger(db)
    facts.manifest_none = (
        "RDB039" in codes and not db.foreign and (db.current not in db.files or not (db.unread_manifests or damaged))
    )
    facts.manifest_blank = "RDB039" in codes and bool(db.unread_manifests) and not damaged
    facts.manifest_lacks = db.version.lacks if db.version else ()
    facts.manifest_malformed, facts.manifest_bad = _malformed_first(db, tally), damaged
    stale = db.version.stale if db.version else []
    facts.manifest_refused = next((f"{db.manifest}@{s.start}: {s.why}" for s in stale if s.refused), "")
    facts.manifest_torn = "RDB027" in codes or (db.version is not None and db.version.damaged)
    facts.missing = _first(tally, "RDB011").partition("@")[0] or _renamed(db)
    facts.afar = any(True for _ in folders.listed(db))
    if facts.missing in (gone := folders.missing(db)) and tally.counts.get(("RDB011", Severity.ERROR)) == len(gone):
        facts.missing_afar = gone[0]
    facts.wrong_size = _first(tally, "RDB010", "RDB013").partition("@")[0]
    facts.unopenable = _first(tally, *_OPENING).partition("@")[0]
    facts.overlap = "RDB017" in codes
    facts.bad_data = _first(tally, "RDB001", "RDB002")
    facts.bad_value = _unread_value(db)
    facts.wal_bad = _first(tally, "RDB020", "RDB021", "RDB023")
    facts.wal_dropped, back = _dropped(db)
    facts.wal_bad = facts.wal_bad or back
    if not db.trusted:
        facts.unlisted = tuple(sorted(db.unlisted().values())) if db.version or db.foreign else ()
        facts.manifest_torn = facts.manifest_torn or bool(db.foreign and not facts.manifest_foreign)
    return facts


def _unread_value(db: Database) -> str:
    """What the engine says of an entry whose value it does not read; "" where the blob file itself is to tell."""
    lists = db.version.families.values() if db.version else ()
    listed, unlisted = {number for family in lists for number in family.blobs}, unlisted_blobs(db)
    for member, found in db.facts.items():
        if db.single or not isinstance(found, Refers) or not counts(db, member):
            continue
        for number in sorted(found.missing_blobs):
            blob = db.facts.get(db.blobs.get(number, ""))
            if isinstance(blob, BlobFacts) and not blob.footer_why:
                return "Corruption: Invalid blob offset"
            if number not in db.blobs:
                gone = f"IO error: No such file or directory: {names.blob_name(number)}"
                return gone if number in listed else "Corruption: Invalid blob file number"
        if unlisted & found.found_blobs.keys():
            return "Corruption: Invalid blob file number"
        if isinstance(found, TableFacts) and found.unknown:
            return "Corruption: In DBIter: : Corrupted Key"
        if found.refused:
            return found.refused
    return ""


def _dropped(db: Database) -> tuple[int, str]:
    """Operations that can be read and that a replay does not show; where numbers are given again, if that is why."""
    dropped, bad, where = 0, False, ""
    for _, name in db.live_wals():
        log = db.facts.get(name)
        if not isinstance(log, LogFacts):
            continue
        back = None if bad or not log.jumps else order.again(db, name)
        if bad:
            dropped += log.operations
        elif log.bad_start is not None and (back is None or log.bad_start < back.at):
            bad = True
            dropped += log.operations - log.operations_before_bad
        elif back is not None:  # the engine goes back to that number: what came before with a higher one is not shown
            bad, where = True, f"{name}@{back.at}"
            dropped += log.operations - max(0, back.number - (log.first_sequence or 0))
    return dropped, where


def summarise(db: Database, facts: loader.Facts) -> dict[str, Any]:
    """The summary of the JSON document."""
    unlisted = set(db.unlisted().values()) if db.trusted and not db.single else set()
    entries, lost, known = 0, 0, True
    for member, found in db.facts.items():
        if not isinstance(found, TableFacts) or member in unlisted:
            continue
        entries += found.entries
        table = db.table(member)
        stated = table.properties.number("num.entries") if table.properties else None
        known = known and not found.folded
        if found.bad_blocks or table.gaps or table.properties is None:
            ranges = (table.properties.number("num.range-deletions") or 0) if table.properties else 0
            known = known and stated is not None
            lost += max(0, (stated or 0) - ranges - found.entries)
    missing = [file for _, file in db.version.live_tables() if file.number not in db.tables] if db.version else []
    known = known and not missing
    families = sorted(f.name for f in db.version.families.values()) if db.version and not db.single else []
    logs = (f for _, name in db.live_wals() if isinstance(f := db.facts.get(name), LogFacts))
    return {
        "engine": "leveldb" if db.leveldb else "rocksdb",
        "written_by": facts.release or None,
        "manifest": db.manifest,
        "manifest_trusted": db.trusted,
        "column_families": families,
        "tables": len(db.tables),
        "format_versions": sorted(facts.format_versions),
        "entries": entries,
        "entries_lost": lost if known else None,
        "wal_operations": sum(log.operations for log in logs),
        "last_sequence": db.version.last_sequence if db.version else 0,
    }
