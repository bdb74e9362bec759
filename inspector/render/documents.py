"""What inspector says as JSON documents: field order fixed, no clock, and no character that a terminal obeys.

Values are exact. Characters that are not safe to show are written as \\uXXXX, which every JSON reader undoes.
"""

from __future__ import annotations

import stat
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inspector import __version__
from inspector.errors import Exit, InspectorError, UnknownFormatError
from inspector.finding import Finding, Severity
from inspector.format import FRAME, FREE, GAP, OPAQUE, UNIT, Entry, Exhibit, Item, Outcome
from inspector.inspect import Report
from inspector.render.encoding import jsonable
from inspector.source import Source

if TYPE_CHECKING:
    pass

Document = dict[str, Any]
TOOL = {"name": "inspector", "version": __version__}


def source_part(source: Source) -> Document:
    return {"path": source.label, "kind": source.kind, "size": source.size}


def scan(report: Report, code: int) -> Document:
    """The document of one inspection, as `inspector schema scan` describes it."""
    account, tally, answer = report.account, report.tally, report.answer
    return {
        "schema": "inspector/scan/1",
        "tool": TOOL,
        "source": source_part(report.source),
        "format": {
            "name": report.format.name,
            "layers": [f.name for f in report.layers],
            "version": answer.version,
            "because": answer.because or report.claim.because,
        },
        "verdict": report.verdict,
        "diagnosis": diagnosis(report),
        "bytes": {
            "total": report.source.size,
            "frame": account.roles[FRAME],
            "records": account.roles[UNIT],
            "opaque": account.roles[OPAQUE],
            "free": account.roles[FREE],
            "gaps": account.roles[GAP],
        },
        "records": {"total": account.units, "damaged": account.damaged, "by_kind": by_kind(report)},
        "findings": [finding(f, report.source) for f in tally.findings()],
        "findings_total": tally.total,
        "counts": counts(report),
        "words": words(report),
        "loaders": [outcome(o) for o in answer.loaders],
        **following(report),
        "summary": dict(answer.summary),
        "partial": report.unchecked,
        **({"live": dict(report.live)} if report.live else {}),
        "exit_code": code,
    }


def failure(path: str, error: InspectorError, schema: str = "inspector/scan/1") -> Document:
    """An input that could not be inspected, in the place of its document."""
    tried = error.tried if isinstance(error, UnknownFormatError) else ()
    return {
        "schema": schema,
        "tool": TOOL,
        "source": {"path": path},
        "error": {
            "message": error.message,
            "hint": error.hint,
            "tried": [{"format": name, "because": why} for name, why in tried],
        },
        "exit_code": int(error.code),
    }


def unchecked(path: str, error: InspectorError) -> Document:
    """An input of which nothing was checked: a scan's document with nothing in it but why."""
    why = error.message
    try:
        there = Path(path).stat()
    except OSError:
        there = None
    kind = "stdin" if path == "-" else "folder" if there is not None and stat.S_ISDIR(there.st_mode) else "file"
    size = there.st_size if there is not None and stat.S_ISREG(there.st_mode) else 0
    unseen = dict.fromkeys(("frame", "records", "opaque", "free", "gaps"), 0)
    return {
        "schema": "inspector/scan/1",
        "tool": TOOL,
        "source": {"path": path, "kind": kind, "size": size},
        "format": {"name": "unknown", "layers": [], "version": "", "because": why},
        "verdict": "partial",
        "diagnosis": None,
        "bytes": {"total": size, **unseen},
        "records": {"total": 0, "damaged": 0, "by_kind": {}},
        "findings": [],
        "findings_total": 0,
        "counts": {},
        "words": [why],
        "loaders": [],
        "next": [],
        "next_why": [],
        "summary": {},
        "partial": why,
        "exit_code": int(Exit.PARTIAL),
    }


def scans(results: list[Document], notes: list[Document], code: int) -> Document:
    return {
        "schema": "inspector/scans/1",
        "tool": TOOL,
        "results": results,
        "comparisons": notes,
        "exit_code": code,
    }


def by_kind(report: Report) -> dict[str, int]:
    names = report.bottom.kinds
    found = {names.get(kind, f"kind {kind}"): count for kind, count in report.account.kinds.items()}
    return dict(sorted(found.items()))


def counts(report: Report) -> dict[str, int]:
    totals: dict[str, int] = {}
    for (code, _), count in sorted(report.tally.counts.items()):
        totals[code] = totals.get(code, 0) + count
    return totals


def finding(found: Finding, source: Source) -> Document:
    from inspector.fingerprint import fingerprint

    known = found.bytes_known
    return {
        "code": found.rule.code,
        "rule": found.rule.slug,
        "severity": found.level.value,
        "file": found.span.member or None,
        "start": found.span.start if known else None,
        "end": found.span.end if known else None,
        "message": found.message,
        "evidence": dict(found.evidence),
        "cause": {
            "name": found.cause.name,
            "confidence": found.cause.confidence,
            "because": found.cause.because,
        },
        "salvage": found.salvage,
        "fingerprint": fingerprint(found, source),
    }


def words(report: Report) -> list[str]:
    """The answer in plain words; whether the program or the disk did it comes first."""
    told = report.diagnosis
    first = [told.sentence] if told and told.sentence and report.damaged else []
    return [*first, *report.answer.words]


def diagnosis(report: Report) -> Document | None:
    """Why it is damaged; null where nothing asks for a reason."""
    told = report.diagnosis
    if told is None:
        return None
    from inspector.render.diagnosis_documents import diagnosis_part

    return diagnosis_part(told)


def outcome(found: Outcome) -> Document:
    return {
        "program": found.program,
        "release": found.release,
        "outcome": found.outcome,
        "message": found.message,
    }


def entry(found: Entry) -> Document:
    """One record; `file` only where the source is a folder."""
    span = found.span
    told: Document = {
        "start": span.start,
        "end": span.end,
        "kind": found.kind,
        "state": found.state,
        "fields": found.fields,
    }
    return {"file": span.member, **told} if span.member else told


def following(report: Report) -> Document:
    """Commands that can be run as they are, and why each is offered; "" where it speaks for itself."""
    from inspector.render.next_steps import steps

    found = steps(report)
    return {"next": [step.command for step in found], "next_why": [step.remark for step in found]}


def severity_words(report: Report) -> list[str]:
    found = [(report.tally.severity_count(s), s.value) for s in Severity]
    return [f"{n:,} {name}{'s' if n != 1 else ''}" for n, name in found if n]


def show(source: Source, name: str, exhibit: Exhibit) -> Document:
    """One exhibit; `data` is hexadecimal, and the first bytes of the span where it is long."""
    span = exhibit.span
    return {
        "schema": "inspector/show/1",
        "tool": TOOL,
        "source": source_part(source),
        "format": name,
        "title": exhibit.title,
        "file": span.member or None,
        "start": span.start,
        "end": span.end,
        "state": exhibit.state,
        "matched": exhibit.matched,
        "fields": [
            {
                "name": f.name,
                "start": f.start,
                "end": f.end,
                "value": jsonable(f.value),
                "text": f.text,
                "meaning": f.meaning,
                "privacy": f.privacy,
            }
            for f in exhibit.fields
        ],
        "data": exhibit.data.hex(),
        "notes": list(exhibit.notes),
        "neighbours": [entry(e) for e in exhibit.neighbours],
        "findings": [finding(f, source) for f in exhibit.findings],
    }


def show_item(source: Source, name: str, found: Item) -> Document:
    return {
        "schema": "inspector/show/1",
        "tool": TOOL,
        "source": source_part(source),
        "format": name,
        "item": item(found),
    }


def item(found: Item) -> Document:
    return {
        "id": found.id,
        "kind": found.kind,
        "parent": found.parent,
        "fields": jsonable(found.fields),
        "spans": [{"file": s.member or None, "start": s.start, "end": s.end} for s in found.spans],
    }


def items(source: Source, name: str, found: Iterable[Item]) -> Document:
    listed = [item(i) for i in found]
    return {
        "schema": "inspector/items/1",
        "tool": TOOL,
        "source": source_part(source),
        "format": name,
        "items": listed,
        "items_total": len(listed),
    }
