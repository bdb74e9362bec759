"""From events to the one answer: is it this program's bug or the disk, and how sure is that?"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from inspector import known_issues
from inspector.diagnosis.model import SURENESS, Diagnosis, Event, Verdict
from inspector.diagnosis.reread import reread_all
from inspector.finding import Confidence, Finding, Severity
from inspector.translations import undoing

if TYPE_CHECKING:
    from inspector.inspect import Report
    from inspector.known_issues import KnownIssue

_BLAME: dict[str, Verdict] = {
    "bit-flip": "medium",
    "multi-bit": "medium",
    "zeroed-range": "medium",
    "ones-range": "medium",
    "overwritten": "medium",
    "stale-page": "medium",
    "swapped": "medium",
    "unreadable-medium": "medium",
    "torn-write": "interrupted write",
    "truncated": "transfer",
    "shifted": "transfer",
    "appended-store": "transfer",
    "software-rule-violation": "software",
}
RARE = 1 << 16  # one in so many: block boundaries that are none by chance
_BLOCKED = frozenset({"overwritten", "zeroed-range", "stale-page", "swapped"})  # whole blocks: no program's own write
_SAID: dict[Verdict, str] = {
    "medium": "The disk or the memory did this, not the program",
    "software": "A program wrote this: it is a bug and not the disk",
    "interrupted write": "A write was interrupted (power cut, full disk or killed process): no bug, no bad disk",
    "transfer": "This came from outside, as in a copy or a transfer: no bug of the program, no bad disk",
    "unknown": "Nothing in these bytes tells whether the program or the disk did this",
}
_DOUBT: dict[Confidence, str] = {"certain": "", "likely": " (likely)", "possible": " (possible)"}


def answer_of(report: Report, events: list[Event], total: int, findings: list[Finding]) -> Diagnosis:
    """The diagnosis of a report whose findings have their causes."""
    names = {layer.name for layer in report.layers}
    issues = known_issues.matching_findings(names, report.answer.version, report.source.size, findings)
    verdict, confidence, because = _judge(events, issues, findings)
    again = reread_all(report.source, (e.span for e in events if e.span.length))
    if again.differing:
        verdict, confidence = "medium", "certain"
        because = f"the medium gives other bytes now in {len(again.differing)} places: the damage was in memory"
    sentence = _sentence(verdict, confidence, because) if events or verdict != "unknown" else ""
    if verdict == "transfer" and report.source.kind != "folder" and any(undoing(event.facts) for event in events):
        sentence += " That can be taken back, and what it cost with it: the first command under Next."
    return Diagnosis(verdict, confidence, because, sentence, tuple(events), total, issues, again)


def _judge(
    events: list[Event], issues: tuple[KnownIssue, ...], findings: list[Finding]
) -> tuple[Verdict, Confidence, str]:
    """Events of bytes first; where there are none, what findings about structure say."""
    weights: Counter[Verdict] = Counter()
    best: dict[Verdict, Event] = {}
    for event in events:
        blame = _blame(event)
        weights[blame] += SURENESS[event.cause.confidence] * min(event.findings, 4)
        before = best.get(blame)
        if before is None or SURENESS[event.cause.confidence] > SURENESS[before.cause.confidence]:
            best[blame] = event
    known = next((i for i in issues if i.confidence != "possible" and (i.role == "writes" or not events)), None)
    if known and weights["medium"] <= 3:
        return "software", known.confidence, f"{known.program}: {known.title} ({known.id})"
    told = [blame for blame, _ in weights.most_common() if blame != "unknown"]
    if told:
        event = best[told[0]]
        confidence = event.cause.confidence
        if event.cause.name == "overwritten" and confidence == "certain" and int(event.facts.get("one_in", 0)) < RARE:
            confidence = "likely"
        if len(told) > 1 and weights[told[1]] * 2 > weights[told[0]] and confidence == "certain":
            confidence = "likely"
        like = sum(_blame(other) == told[0] for other in events) - 1
        more = f"; {like:,} more such places" if like > 0 else ""
        return told[0], confidence, f"{_name(event)}: {event.cause.because}{more}"
    wrong = [f for f in findings if f.level is not Severity.NOTE and f.cause.name == "software-rule-violation"]
    if wrong and not events:
        cause = wrong[0].cause
        return "software", "likely" if cause.confidence == "certain" else cause.confidence, cause.because
    return "unknown", "possible", "no event leaves marks that tell"


def _blame(event: Event) -> Verdict:
    name = event.cause.name
    if event.facts.get("writers"):
        return "software"
    if name == "truncated" and event.cause.confidence == "possible":
        return "unknown"
    if name == "zeroed-range" and event.facts.get("tail"):
        return "interrupted write"
    if name in _BLOCKED and event.cause.confidence == "possible":
        return "unknown"
    return _BLAME.get(name, "unknown")


def _name(event: Event) -> str:
    return event.cause.name.replace("-", " ")


def _sentence(verdict: Verdict, confidence: Confidence, because: str) -> str:
    if verdict == "unknown":
        return f"{_SAID[verdict]}."
    return f"{_SAID[verdict]}{_DOUBT[confidence]}: {because}."
