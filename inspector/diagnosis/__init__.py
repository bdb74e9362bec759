"""Why a store is damaged: events that explain its findings, and the answer to "the program or the disk?".

`diagnose` takes a finished inspection. It reads around damaged places only, within a budget of work, so that it costs
nothing on sound stores and the same on all others. The formats tell it what a unit is (`Format.unit`); everything
else here knows nothing of formats.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from inspector.diagnosis.explain import Scene, best_of, explain
from inspector.diagnosis.model import SURENESS, Clue, Diagnosis, Event
from inspector.diagnosis.places import Place, is_damage, places, region_of
from inspector.diagnosis.verdict import answer_of
from inspector.finding import UNKNOWN_CAUSE, Cause, Finding
from inspector.span import Span

if TYPE_CHECKING:
    from inspector.inspect import Report

MOST_PLACES = 200  # places that are looked at; the rest keeps what its format says
MOST_EVENTS = 100  # that a report lists
ABOUT = 4096  # bytes beside an event in which a finding without a cause of its own follows from it


@dataclass(slots=True)
class _Told:
    """An event in the making."""

    clue: Clue
    findings: list[Finding] = field(default_factory=list)


def diagnose(report: Report) -> Diagnosis:
    """Name the causes; `report.tally` then holds the findings with the causes that are better borne out."""
    findings = report.tally.findings()
    bottom = report.bottom
    scene = Scene(report.source, bottom, report.state_of_bottom, [])
    apart = scene.traits.apart if scene.traits else frozenset()
    found = places(findings, frozenset(rule.code for rule in bottom.rules) - bottom.standing - apart)
    scene.places = found
    events: list[_Told] = []
    for place in found[:MOST_PLACES]:
        if place.explained:
            continue
        clue = explain(scene, place, region_of(place, found)) or _own(place)
        told = _Told(clue)
        events.append(told)
        for other in found:
            if not other.explained and (other is place or _covers(clue, place, other)):
                other.explained = True
                told.findings += other.findings
    causes = {id(f): e.clue for e in events for f in e.findings}
    after: list[Finding] = []
    for finding in findings:
        clue_of = causes.get(id(finding)) or _follows(finding, events)
        after.append(replace(finding, cause=_better(finding, clue_of)) if clue_of else finding)
    report.tally.settle(after)
    return answer_of(report, [_event(e) for e in events[:MOST_EVENTS]], len(events), after)


def _own(place: Place) -> Clue:
    """What the format itself says of a place."""
    cause = best_of(place) or UNKNOWN_CAUSE
    return Clue(cause.name, cause.confidence, cause.because, place.span)


def _covers(clue: Clue, place: Place, other: Place) -> bool:
    """Whether an explanation of one place reaches another: within its block, in the block's other end, or behind it."""
    if other.span.member != clue.span.member or _proved(other):
        return False
    if clue.whole and (other.start >= place.start or clue.span.start == 0):
        return True
    if clue.name in ("bit-flip", "multi-bit"):
        return False
    return any(s.overlaps(other.span) for s in (clue.span, *clue.also))


def _proved(place: Place) -> bool:
    cause = best_of(place)
    return cause is not None and cause.name in ("bit-flip", "unreadable-medium") and cause.confidence == "certain"


def _follows(finding: Finding, events: list[_Told]) -> Clue | None:
    """The event that a finding about the store's structure follows from: one whose bytes it names."""
    if not finding.bytes_known or (finding.level.value == "note" and not is_damage(finding)):
        return None
    for told in events:
        span = told.clue.span
        near = Span(max(0, span.start - ABOUT), span.end + ABOUT, span.member)
        touches = near.overlaps(finding.span) if finding.span.length else finding.span.start in near
        if finding.span.member == span.member and touches and finding.cause.name == "unknown":
            return Clue(told.clue.name, "possible", f"follows from {told.clue.because}", span)
    return None


def _better(finding: Finding, clue: Clue) -> Cause:
    """The clue's cause unless the format's own is as sure of the same thing."""
    own = finding.cause
    if own.name == clue.name and SURENESS[own.confidence] >= SURENESS[clue.confidence]:
        return own
    return clue.cause


def _event(told: _Told) -> Event:
    codes = tuple(sorted({f.rule.code for f in told.findings}))
    return Event(told.clue.span, told.clue.cause, codes, len(told.findings), told.clue.facts)


__all__ = ["Clue", "Diagnosis", "Event", "diagnose"]
