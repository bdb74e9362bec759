"""The report as one document: the scan, and around it exhibits, map, known issues, repair, log, timeline, host.

Every renderer draws this document; nothing is shown anywhere that is not in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from inspector import known_issues
from inspector.errors import InspectorError
from inspector.finding import Finding, Severity
from inspector.format import Exhibit, Wishes
from inspector.render import documents
from inspector.render.encoding import jsonable
from inspector.render.format_documents import rule as rule_part
from inspector.render.ledger_documents import change
from inspector.reporting.beside import beside
from inspector.reporting.chart import Chart
from inspector.reporting.environment import environment
from inspector.reporting.tie import exhibit_at
from inspector.reporting.timeline import timeline

if TYPE_CHECKING:
    from inspector.inspect import Report
    from inspector.reporting.hide import Hide
    from inspector.reporting.logs import Heard

MAX_EXHIBITS = 24
FAR = 256 << 20  # to find a record some formats walk up to it: of larger sources fewer are shown
FEW_EXHIBITS = 6
WITH_BESIDE = 6  # exhibits for which a format's whole listing is read to find what lies beside
DUMPED = 1024  # bytes of an exhibit
MAX_FINDINGS = 1000
MAX_FIELDS = 200  # of an exhibit: a structure of a hostile file may repeat
MAX_CHANGES = 100

Document = dict[str, Any]


class Asked(Struct, frozen=True):
    """What the user wants in the report."""

    wishes: Wishes
    environment: bool = True


def report_document(report: Report, chart: Chart, asked: Asked, hide: Hide, heard: Heard | None = None) -> Document:
    """Everything a report shows. The same input and options give the same document."""
    kept = report.tally.findings()
    shown = sorted(kept, key=_weight)[:MAX_FINDINGS]
    scan = documents.scan(report, report.exit_code())
    exhibits = _exhibits(report, shown, hide)
    told = scan | {
        "schema": "inspector/report/1",
        "source": {**scan["source"], "name": PurePath(report.source.label).name or "store"},
        "severities": ", ".join(documents.severity_words(report)),
        "findings": [{"id": f"f{i + 1}", **documents.finding(f, report.source)} for i, f in enumerate(shown)],
        "rules": list(_rules(report, shown)),
        "exhibits": exhibits,
        "diagnosis": hide.all(scan.get("diagnosis")),
        "words": [*_partial(report), *(hide.words(words) for words in scan["words"])],
        "map": hide.all(chart.document(report.bottom.damaged, kept)),
        "known_issues": [_issue(i) for i in known_issues.matching(report)],
        "repair": hide.all(_repair(report, asked.wishes)),
        "log": heard.document(hide) if heard else None,
        "environment": environment(report.source, report.layers, asked.wishes.at, hide) if asked.environment else None,
        "redacted": hide.redactor is not None,
    }
    told["timeline"] = timeline(told)
    safe = jsonable(told)
    assert isinstance(safe, dict)
    return safe


def _partial(report: Report) -> Iterator[str]:
    if report.unchecked:
        yield f"Not fully checked: {report.unchecked}; what is said here is a lower bound."


def _weight(found: Finding) -> tuple[int, bool, str, int, str]:
    """The worst first, then where they lie: what is first here is the report's first damage."""
    return (
        list(Severity).index(found.level),
        not found.bytes_known,
        found.span.member,
        found.span.start,
        found.rule.code,
    )


def _rules(report: Report, shown: Iterable[Finding]) -> Iterator[Document]:
    """The rules that found something, with how often and how bad it was at the worst."""
    counts = documents.counts(report)
    order = list(Severity)
    rules = {f.rule.code: f.rule for f in shown}
    for code, rule in sorted(rules.items()):
        worst = min((level for c, level in report.tally.counts if c == code), key=order.index, default=rule.severity)
        yield {**rule_part(rule), "count": counts[code], "worst": worst.value}


def _exhibits(report: Report, shown: list[Finding], hide: Hide) -> list[Document]:
    """The bytes of the first findings with their fields and neighbours, each place once."""
    limit = MAX_EXHIBITS if report.source.size <= FAR else FEW_EXHIBITS
    places: dict[tuple[str, int], tuple[Exhibit, list[str]]] = {}
    for number, finding in enumerate(shown, 1):
        if not finding.bytes_known or (finding.level is Severity.NOTE and places):
            continue
        exhibit = exhibit_at(report, hide.resolve(finding.span.member), finding.span.start)
        if exhibit is None:
            continue
        place = (exhibit.span.member, exhibit.span.start)
        if place not in places and len(places) == limit:
            break
        places.setdefault(place, (exhibit, []))[1].append(f"f{number}")
    near = beside(report, [one for one, _ in list(places.values())[:WITH_BESIDE] if not one.neighbours], hide)
    found: list[Document] = []
    for place, (exhibit, numbers) in places.items():
        exhibit = replace(exhibit, neighbours=near[place]) if place in near else exhibit
        found.append(_exhibit_part(report, exhibit) | {"of": numbers})
    return found


def _exhibit_part(report: Report, exhibit: Exhibit) -> Document:
    part = documents.show(report.source, report.format.name, exhibit)
    keep = ("title", "file", "start", "end", "state", "fields", "data", "notes", "neighbours")
    part = {"of": [], **{name: part[name] for name in keep}}
    part["data"] = part["data"][: 2 * DUMPED]
    part["fields"] = part["fields"][:MAX_FIELDS]
    return part


def _issue(issue: known_issues.KnownIssue) -> Document:
    return {
        "id": issue.id,
        "program": issue.program,
        "title": issue.title,
        "affected": issue.affected,
        "fixed": issue.fixed,
        "advice": issue.advice,
        "confidence": issue.confidence,
        "because": issue.because,
        "url": issue.url,
    }


def _repair(report: Report, wishes: Wishes) -> Document:
    """The ledger of a repair that is not carried out."""
    from inspector.repair import ACTIONS, Ledger, Result

    maker = next((f for f in report.layers if f.plan is not None), None)
    if maker is None or maker.plan is None:
        return {"offered": False, "why": f"repair is not offered for {report.format.name}"}
    result = Result(report, None)
    ledger = Ledger(result, MAX_CHANGES)
    try:
        plan = maker.plan(report.states[report.layers.index(maker)], wishes)
        result.notes = plan.notes
        for edit in plan.edits:
            ledger.note(edit)
    except InspectorError as error:  # a store that must not be repaired as it is: that is the answer
        return {"offered": False, "why": error.message, "hint": error.hint}
    ledger.close(report.source)
    return {
        "offered": True,
        "records": {name: result.records[name] for name in ACTIONS},
        "bytes": dict(result.bytes),
        "proof": dict(result.proof),
        "changes": [change(e) for e in result.changes],
        "changes_total": result.changes_total,
        "notes": list(result.notes),
    }
