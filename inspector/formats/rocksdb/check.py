"""Findings of one member at a time, from its tiles and its facts; `whole.py` compares members."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from itertools import compress, islice
from typing import TYPE_CHECKING, Any, Final

from inspector.counted import counted
from inspector.finding import UNKNOWN_CAUSE, Cause, Evidence, Finding, Later, Salvage, Severity, Tally
from inspector.format import Stretch
from inspector.formats.rocksdb import kinds, log, sequences
from inspector.formats.rocksdb.codecs import FOLDED_WHY
from inspector.formats.rocksdb.database import Database
from inspector.formats.rocksdb.facts import (
    MAX_DAMAGE,
    BlobFacts,
    LogFacts,
    Mark,
    TableFacts,
    lost_range,
    mark_of,
    marks_of,
)
from inspector.formats.rocksdb.rules import BY_CODE
from inspector.formats.rocksdb.table import Table
from inspector.formats.rocksdb.whole import check_whole, end_is_missing
from inspector.span import Span

if TYPE_CHECKING:
    from inspector.formats.rocksdb import cause, exchanged, exchanged_pages, mending
else:  # a healthy table needs nobody to explain or to undo damage
    from inspector.postponed import Postponed

    cause, mending = Postponed("inspector.formats.rocksdb.cause"), Postponed("inspector.formats.rocksdb.mending")
    exchanged = Postponed("inspector.formats.rocksdb.exchanged")
    exchanged_pages = Postponed("inspector.formats.rocksdb.exchanged_pages")

_BLOCK_RULES: Final = {
    kinds.INDEX: "RDB003",
    kinds.TOP_INDEX: "RDB003",
    kinds.METAINDEX: "RDB004",
    kinds.PROPERTIES: "RDB004",
    kinds.OTHER_BLOCK: "RDB004",
    kinds.FOOTER: "RDB005",
    kinds.FILTER: "RDB006",
    kinds.RANGE_DELETES: "RDB007",
    kinds.DICTIONARY: "RDB008",
}
_DATA_RULES: Final = {
    kinds.CHECKSUM: "RDB001",
    kinds.STREAM: "RDB002",
    kinds.SHAPE: "RDB002",
    kinds.ORDER: "RDB015",
}
_WAL_RULES: Final = {
    kinds.CHECKSUM: "RDB020",
    kinds.FRAGMENT: "RDB021",
    kinds.GONE: "RDB021",
    kinds.TORN: "RDB022",
    kinds.CONTENT: "RDB023",
    kinds.RELENGTH: "RDB024",
    kinds.SPOILT: "RDB044",
}
_MANIFEST_RULES: Final = {
    kinds.CHECKSUM: "RDB026",
    kinds.FRAGMENT: "RDB026",
    kinds.GONE: "RDB026",
    kinds.TORN: "RDB027",
    kinds.CONTENT: "RDB028",
    kinds.RELENGTH: "RDB024",
    kinds.SPOILT: "RDB044",
}
_LOST: Final = frozenset({"RDB001", "RDB002", "RDB007", "RDB008", "RDB009", "RDB020", "RDB021", "RDB023",
                          "RDB030", "RDB038"})  # fmt: skip
_MOVABLE: Final = frozenset({"RDB020", "RDB021", "RDB023", "RDB001", "RDB003", "RDB004", "RDB006", "RDB007", "RDB008",
                             "RDB009", "RDB015"})  # fmt: skip


def check(db: Database, stretches: Iterable[Stretch], tally: Tally) -> None:
    """Findings of every tile with a mark, then of every member, then of the whole."""
    for stretch in stretches:
        if len(db.damage) < MAX_DAMAGE:
            db.damage += islice(marks_of(stretch), MAX_DAMAGE - len(db.damage))
        _judge(db, stretch, tally)
    for member, facts in db.facts.items():
        if isinstance(facts, TableFacts):
            _table(db, member, facts, tally)
        elif isinstance(facts, LogFacts):
            sequences.along(db, member, facts, severity_of(db, "RDB040", member), tally)
            if db.files[member].kind == "wal" and 0 < facts.zeroes[1] == db.size(member):
                span = Span(*facts.zeroes, member)
                message = (
                    f"{counted(span.length, 'zero', 'zeroes')} at the end: room that was made, or records that were"
                )
                tally.put(Finding(BY_CODE["RDB022"], span, message, {"length": span.length}, cause.BLANK))
        elif isinstance(facts, BlobFacts):
            _blob(db, member, facts, tally)
    if db.single and db.files[""].kind == "table" and not db.size(""):
        _endless(db, "", "the file is empty: a table has a footer at least", tally)
    _stale_edits(db, tally)
    check_whole(db, tally)


def _stale_edits(db: Database, tally: Tally) -> None:
    if db.version is None or db.manifest is None:
        return
    for one in db.version.stale:
        evidence: Evidence = {"refused": one.refused}
        span = Span(one.start, one.end, db.manifest)
        tally.put(Finding(BY_CODE["RDB041"], span, one.why, evidence, cause.BACK))


def severity_of(db: Database, code: str, member: str) -> Severity | None:
    """A note for damage in a file that the database does not need; None where the rule decides."""
    if db.single or not db.trusted or db.version is None:
        return None
    what = db.files[member]
    if what.kind == "table" and db.is_unlisted(what.number):
        return Severity.NOTE
    if what.kind == "wal" and not db.is_live(member):
        return Severity.NOTE
    if what.kind == "manifest" and member != db.manifest:
        return Severity.NOTE
    return None


def rule_of(db: Database, mark: Mark) -> str:
    """The rule that a marked tile breaks."""
    what = db.files[mark.span.member].kind
    if mark.mark == kinds.UNCHECKED:
        return "RDB035"
    if what == "wal":
        return _WAL_RULES[mark.mark]
    if what == "manifest":
        return _MANIFEST_RULES[mark.mark]
    if what == "blob":
        if mark.kind in (kinds.BLOB_HEADER, kinds.BLOB_FOOTER):
            return "RDB032"
        return "RDB038" if mark.mark == kinds.GONE else "RDB030"
    if mark.kind == kinds.DATA:
        return _DATA_RULES[mark.mark]
    if mark.kind in _BLOCK_RULES:
        return _BLOCK_RULES[mark.kind]
    table = db.table(mark.span.member)
    if not _in_tail(table, mark.span):
        return "RDB009"
    return "RDB005" if table.footer is None and table.meta and mark.span.end == table.size else "RDB004"


def _in_tail(table: Table, span: Span) -> bool:
    """Whether a gap lies behind all data: a block that is no data block stands before it."""
    tail = [h.offset for role, h in table.tail if role not in ("data", "range-deletes")]
    return bool(tail) and span.start > min(tail)


def _judge(db: Database, stretch: Stretch, tally: Tally) -> None:
    """Count the tiles that are not sound; those of one rule at once, because there may be one in every few bytes."""
    marked = list(stretch.marked())
    if not marked:
        return  # also of a file that is not the database's own
    db.damage_count += len(marked)
    alike: dict[tuple[int, int], list[int]] = {}
    if len(one := {*compress(zip(stretch.kinds, stretch.marks, strict=True), stretch.marks)}) == 1:
        alike[one.pop()] = marked
    else:
        for i in marked:
            alike.setdefault((stretch.kinds[i], stretch.marks[i]), []).append(i)
    table = db.files[stretch.member].kind == "table"
    for (kind, _), found in alike.items():
        # of a table's other blocks, and of its gaps, the place counts, too
        groups = [found] if kind == kinds.DATA or not table else [[i] for i in found]
        for group in groups:
            code = rule_of(db, mark_of(stretch, group[0]))
            severity = severity_of(db, code, stretch.member)
            units = Later(group, partial(mark_of, stretch))
            tally.add_each(BY_CODE[code], units, partial(_finding, db, code, severity), severity)


def _finding(db: Database, code: str, severity: Severity | None, mark: Mark) -> Finding:
    evidence: dict[str, Any] = {"length": mark.span.length}
    if mark.mark == kinds.CHECKSUM and (mark.stored or mark.computed):
        evidence |= {"stored": mark.stored, "computed": mark.computed}
    message = _message(db, mark, code, evidence)
    salvage: Salvage = "lost" if code in _LOST else "corrected" if mark.mark == kinds.RELENGTH else "kept"
    if mark.mark == kinds.ORDER:
        from inspector.formats.rocksdb.strays import strays_of  # a table in order needs none

        strays = strays_of(db, mark.span.member)
        if strays.pairs is not None:
            salvage, message = "corrected", f"{message}; a repair puts all entries of the table in order"
        elif mark.span.start not in strays.copies:
            salvage = "lost"
    why = _cause(db, mark)
    if moved := _put_back(db, mark) if code in _MOVABLE else None:
        why, salvage, message = moved, "corrected", f"{message}; a repair undoes it"
    elif undone := mending.of_mark(db, mark, why):
        why, more, corrected = undone
        evidence |= more
        if corrected:
            salvage = "corrected"
            message += f"; a repair undoes it: {more['undone'][0]}"
    return Finding(BY_CODE[code], mark.span, message, evidence, why, salvage, severity)


def _put_back(db: Database, mark: Mark) -> Cause | None:
    """What broke a tile that holds again where blocks or pages that changed places are put back."""
    table = isinstance(db.facts.get(mark.span.member), TableFacts)
    return exchanged_pages.undone(db, mark) if table else exchanged.undone(db, mark)


def _message(db: Database, mark: Mark, code: str, evidence: dict[str, Any]) -> str:
    member, span = mark.span.member, mark.span
    facts = db.facts.get(member)
    what = kinds.KINDS[mark.kind].replace("_", " ")
    if isinstance(facts, TableFacts) and (mark.kind == kinds.DATA or code == "RDB009"):
        low, high = lost_range(db.table(member), facts, span)
        evidence["after_key"], evidence["up_to_key"] = show_key(low), show_key(high)
        said = f"{what} of {span.length} bytes: keys after {show_key(low)} up to {show_key(high)}"
        if code == "RDB009":
            said += _sought(db.table(member), span)
        return f"{said}: {FOLDED_WHY}" if mark.mark == kinds.UNCHECKED else said
    if isinstance(facts, LogFacts) and span.start in facts.why:
        return f"{what}: {facts.why[span.start]}"
    if (
        isinstance(facts, LogFacts)
        and facts.gave_up is not None
        and mark.mark == kinds.GONE
        and span.end > facts.gave_up
    ):
        return f"{what} of {span.length} bytes: more places of this log are damaged than are read past"
    why = kinds.MARK_NAMES[mark.mark]
    if isinstance(facts, BlobFacts) and mark.kind in (kinds.BLOB_HEADER, kinds.BLOB_FOOTER):
        why = (facts.header_why if mark.kind == kinds.BLOB_HEADER else facts.footer_why) or why
    return f"{what} of {span.length} bytes: {why}"


def _sought(table: Table, span: Span) -> str:
    """How far blocks were looked for in a gap, where that was not to its end."""
    if table.other[0] < span.end and span.start < table.other[1]:
        return "; what verifies in it is another table's, of which most is not here"
    if table.sought:
        return f"; {table.sought}"
    if any(start < span.end and span.start < end for start, end in table.unsearched):
        return "; the search for blocks in it was given up, because it cost too much"
    return ""


def show_key(key: bytes | None) -> str:
    """A user key for people: text where all of it is printable ASCII, else hexadecimal; long ones are cut."""
    if key is None:
        return "?"
    cut, more = key[:64], "…" if len(key) > 64 else ""
    if cut and all(0x20 <= byte < 0x7F for byte in cut):
        return repr(cut.decode("ascii")) + more
    return "0x" + cut.hex() + more


def _cause(db: Database, mark: Mark) -> Cause:
    if mark.mark == kinds.CONTENT and isinstance(db.facts.get(mark.span.member), LogFacts):
        kind = db.reader(mark.span.member)(mark.span.start + 6, 1)
        if kind and log.FRAGMENT.get(kind[0], log.FULL) != log.FULL:
            return cause.MIXED
    if mark.mark == kinds.ORDER and db.table(mark.span.member).by:
        return UNKNOWN_CAUSE  # bytes were put into this table: a block of it, as it seems
    if mark.mark in (kinds.CONTENT, kinds.ORDER, kinds.STREAM):
        if db.files[mark.span.member].kind == "table" and db.table(mark.span.member).bare:
            seen = cause.of_bytes(db.reader(mark.span.member), mark.span.start, mark.span.end)
            return cause.UNSEALED if seen is UNKNOWN_CAUSE else seen
        if mark.mark == kinds.STREAM and any(t.role == "dictionary" for t in db.table(mark.span.member).troubles):
            return cause.NO_DICTIONARY
        return cause.WRITTEN
    if mark.mark == kinds.UNCHECKED:
        return cause.UNREAD
    if mark.mark == kinds.FRAGMENT:
        return cause.REST
    if mark.mark == kinds.TORN:
        return cause.TORN
    if mark.mark == kinds.RELENGTH:
        return cause.LENGTH_FLIP
    if mark.mark == kinds.SPOILT:
        trailer = int.from_bytes(db.reader(mark.span.member)(mark.span.start, mark.span.length), "little")
        return cause.TRAILER_FLIP if trailer.bit_count() == 1 else UNKNOWN_CAUSE
    if mark.mark == kinds.GONE and _is_covered(db, mark.span):
        return cause.LAID_OVER
    if mark.mark in (kinds.GONE, kinds.CHECKSUM) and (moved := _moved(db, mark)):
        return moved
    return cause.of_bytes(db.reader(mark.span.member), mark.span.start, mark.span.end)


def _is_covered(db: Database, span: Span) -> bool:
    """Whether a gap of a table holds blocks of another one."""
    start, end = db.table(span.member).other if db.files[span.member].kind == "table" else (0, 0)
    return span.start < end and start < span.end


def _moved(db: Database, mark: Mark) -> Cause | None:
    """Why a part of a table cannot be read behind which all stands elsewhere than before it."""
    if db.files[mark.span.member].kind != "table":
        return None
    context, span = db.table(mark.span.member).context, mark.span
    by = context.shift(span.end) - context.shift(max(0, span.start - 1))
    return cause.put_in(by, span.end) if by else None


def _put(db: Database, tally: Tally, code: str, where: Span, message: str, why: Cause, evidence: Evidence) -> None:
    severity = severity_of(db, code, where.member)
    tally.put(Finding(BY_CODE[code], where, message, evidence, why, None, severity))


def _table(db: Database, member: str, facts: TableFacts, tally: Tally) -> None:
    table = db.table(member)
    if table.foreign:
        _put(db, tally, "RDB035", Span(0, 0, member), table.declined, cause.OTHER_KIND, {})
        return
    for trouble in table.troubles:
        if trouble.role == "dictionary" and trouble.start == trouble.end:  # no block is known to be it
            _put(db, tally, "RDB008", Span(trouble.start, trouble.end, member), trouble.why, UNKNOWN_CAUSE, {})
    if facts.endless:
        message = "the file ends behind a block that holds; the footer that was due there is not in it"
        _endless(db, member, message, tally)
    if table.footer and table.bare:
        here = Span(table.footer.start, table.footer.start, member)
        _put(db, tally, "RDB037", here, "checksum type none", cause.CHOSEN, {})
    if facts.unknown:
        kinds_of = ", ".join(str(kind) for kind in sorted(facts.unknown))
        message = f"{counted(facts.unknown.total(), 'entry', 'entries')} of a type that is not known: {kinds_of}"
        found: Evidence = {"count": facts.unknown.total(), "types": sorted(facts.unknown)}
        _put(db, tally, "RDB043", Span(0, 0, member), message, cause.WRITTEN, found)
    if table.spare and (db.version is None or db.is_unlisted(db.files[member].number)):
        end, level = table.size, severity_of(db, "RDB013", member)
        zero = ("zero", "zeroes") if table.spare_is == "zeroes" else ("byte", "bytes")
        message, facts_of = f"{counted(table.spare, *zero)} behind the footer", {"footer_end": end}
        span, why = Span(end, end + table.spare, member), cause.appended(table)
        tally.put(Finding(BY_CODE["RDB013"], span, message, facts_of, why, "kept", level))
    stated = table.properties.number("num.entries") if table.properties else None
    ranges = table.properties.number("num.range-deletions") if table.properties else None
    if table.vanished:
        at, gone = table.edge + table.by, counted(table.vanished, "block is", "blocks are")
        message = f"{gone} not here that the index names before the one at {at}"
        tally.put(Finding(BY_CODE["RDB009"], Span(at, at, member), message, {"blocks": table.vanished}, cause.TAKEN_OUT,
                          "lost", severity_of(db, "RDB009", member)))  # fmt: skip
    whole = not facts.bad_blocks and not facts.folded and not table.gaps
    whole = whole and not table.vanished and not (table.by and facts.order_faults)
    if stated is not None and whole and stated - (ranges or 0) != facts.entries and stated != facts.entries:
        message = f"the properties count {stated} entries, the blocks hold {facts.entries}"
        why = cause.UNSEALED if table.bare else cause.WRITTEN
        _put(db, tally, "RDB019", Span(0, 0, member), message, why, {"stated": stated, "found": facts.entries})


def _endless(db: Database, member: str, message: str, tally: Tally) -> None:
    at, level = Span(db.size(member), db.size(member), member), severity_of(db, "RDB005", member)
    salvage: Salvage = "lost" if end_is_missing(db, member, None) else "kept"
    tally.put(Finding(BY_CODE["RDB005"], at, message, {}, cause.ENDLESS, salvage, level))


def _blob(db: Database, member: str, facts: BlobFacts, tally: Tally) -> None:
    found = facts.records
    whole = not (facts.bad or facts.gaps or facts.footer_why)
    if facts.footer_count is not None and whole and found != facts.footer_count:
        at = db.size(member)
        message = f"the footer counts {facts.footer_count} records, {found} are here"
        evidence: Evidence = {"stated": facts.footer_count, "found": found}
        level = severity_of(db, "RDB038", member)
        tally.put(Finding(BY_CODE["RDB038"], Span(at, at, member), message, evidence, cause.TAKEN_OUT, "lost", level))
