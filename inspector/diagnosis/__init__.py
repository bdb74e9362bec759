"""Why a store is damaged: events that explain its findings, and the answer to "the program or the disk?".

`diagnose` takes a finished inspection. It reads around damaged places only, within a budget of work, so that it costs
nothing on sound stores and the same on all others. The formats tell it what a unit is (`Format.unit`); everything
else here knows nothing of formats.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, field
from msgspec.structs import replace

from inspector.diagnosis.bytes_at import FEW, budget_for
from inspector.diagnosis.explain import best_of, explain
from inspector.diagnosis.model import SURENESS, Clue, Diagnosis, Event
from inspector.diagnosis.places import Place, is_damage, places, region_of
from inspector.diagnosis.scene import Scene
from inspector.diagnosis.traces import Facts
from inspector.diagnosis.verdict import answer_of
from inspector.finding import UNKNOWN_CAUSE, Cause, Finding
from inspector.medium import UNREADABLE, as_unread
from inspector.span import Span

if TYPE_CHECKING:
    from inspector.inspect import Report

MOST_PLACES = 200  # places that are looked at; the rest keeps what its format says
MOST_EVENTS = 100  # that a report lists
_BLOCKS = frozenset({"stale-page", "swapped"})
SHIFTED = 1 << 15  # bytes before a record that shows a shift in which that began: a log's block
NEAR_SWAP = 1 << 16  # bytes of a block that changed places
ABOUT = 4096  # bytes beside an event in which a finding without a cause of its own follows from it


class _Told(Struct):
    """An event in the making."""

    clue: Clue
    place: Place
    findings: list[Finding] = field(default_factory=list)

    @property
    def spans(self) -> tuple[Span, ...]:
        return (self.clue.span, *self.clue.also)


def diagnose(report: Report) -> Diagnosis:
    """Name the causes; `report.tally` then holds the findings with the causes that are better borne out."""
    found = diagnose_within(report, None)
    assert found is not None
    return found


def diagnose_within(report: Report, most: int | None) -> Diagnosis | None:
    """As `diagnose`; None, and the tally as it was, where the causes of many places take more than `most` trials."""
    findings = [as_unread(found, report.source) for found in report.tally.findings()]
    bottom = report.bottom
    scene = Scene(report.source, bottom, report.state_of_bottom, [])
    apart = scene.traits.apart if scene.traits else frozenset()
    lacking = scene.traits.lacking if scene.traits else frozenset()
    found = places(findings, frozenset(rule.code for rule in bottom.rules) - bottom.standing - apart)
    scene.places, scene.budget = found, budget_for(report.source.size, len(found))
    capped = most is not None and len(found) > FEW and most < scene.budget.trials
    scene.budget.trials = most if capped and most is not None else scene.budget.trials
    allowed = scene.budget.trials
    events: list[_Told] = []
    given_up: list[Place] = []
    for place in found[:MOST_PLACES]:
        if place.explained:
            continue
        if capped and scene.budget.trials <= 0:
            return None
        clue = explain(scene, place, region_of(place, found)) or _own(place)
        told = _Told(clue, place)
        events.append(told)
        if clue.name == "unknown" and scene.budget.used_up:
            given_up.append(place)
        for other in found:
            if not other.explained and (other is place or _covers(clue, place, other)):
                other.explained = True
                told.findings += other.findings
    if capped and scene.budget.trials <= 0:
        return None  # the last of them may have been looked at in part
    events += _unread(findings, events)
    events = _joined(events)
    causes = {id(f): e.clue for e in events for f in e.findings}
    after: list[Finding] = []
    reach = [(told, _about(told.clue.span)) for told in events]
    beside = _beside([f for f in findings if _lacks(f, lacking)], events)
    for finding in findings:
        clue_of = causes.get(id(finding)) or _follows(finding, reach, beside.get(id(finding)))
        after.append(replace(finding, cause=_better(finding, clue_of)) if clue_of else finding)
    report.tally.settle(after)
    answer = answer_of(report, [_event(e) for e in events[:MOST_EVENTS]], len(events), after)
    given_up += (p for p in found[MOST_PLACES:] if not p.explained and best_of(p) is None)
    return replace(answer, work=allowed - max(0, scene.budget.trials), given_up=len(given_up))


def _unread(findings: list[Finding], events: list[_Told]) -> list[_Told]:
    """What the medium did not deliver, where nothing else tells of it."""
    told = [span for event in events for span in (event.clue.span, event.place.span)]
    alone = [f for f in findings if f.rule is UNREADABLE and not any(f.span.overlaps(span) for span in told)]
    clues = [Clue(f.cause.name, f.cause.confidence, f.cause.because, f.span) for f in alone]
    return [_Told(clue, Place(f.span, [f]), [f]) for clue, f in zip(clues, alone, strict=True)]


def _own(place: Place) -> Clue:
    """What the format itself says of a place."""
    cause = best_of(place) or UNKNOWN_CAUSE
    # of two stores one behind the other everything in the second one follows from that
    whole = cause.name == "appended-store"
    named = [f.evidence.get("exchanged_with") for f in place.findings if f.cause == cause]
    others = [at for at in named if isinstance(at, int)]
    also = tuple(Span(at, at + 1, place.span.member) for at in others)
    facts: Facts = {"other": others[0]} if others else {}
    return Clue(cause.name, cause.confidence, cause.because, place.span, facts, also, whole)


def _joined(events: list[_Told]) -> list[_Told]:
    """A place that says little by itself belongs to what was proved to cover it, or to have moved it."""
    events = _begun(events)
    blocks = [e for e in events if e.clue.name in _BLOCKS and e.clue.confidence != "possible"]
    sure = [e for e in events if e.clue.confidence != "possible"]
    out: list[_Told] = []
    for told in events:
        if told.clue.name == "shifted" and told.clue.facts.get("carried"):
            begun = next(
                (e for e in out if e.clue.name == "shifted" and e.place.span.member == told.place.span.member), None
            )
            if begun is not None:
                begun.findings += told.findings
                continue
        if told.clue.confidence == "possible" or told.clue.name == "unknown":
            owner = next((e for e in sure if _owns(e, told)), None)
            if owner is not None:
                owner.findings += told.findings
                continue
        again = next((e for e in out if _one_move(e, told)), None)
        if again is not None:
            again.findings += told.findings
            continue
        near = (told.place.span, told.clue.span)
        block = next((b for b in blocks if b is not told and any(s.overlaps(n) for s in b.spans for n in near)), None)
        if block is None or told in blocks or told.clue.confidence == "certain":
            out.append(told)
        else:
            block.findings += told.findings
    return out


def _one_move(one: _Told, other: _Told) -> bool:
    """Whether a format told two places of the same blocks that changed places, or moved as far."""
    same = one.clue.because == other.clue.because and one.place.span.member == other.place.span.member
    return same and one.clue.name == other.clue.name and one.clue.name in ("swapped", "shifted")


def _begun(events: list[_Told]) -> list[_Told]:
    """A place behind which everything stands elsewhere: bytes were put in there, or lost, as shifts begin somewhere."""
    out: list[_Told] = []
    moved: set[str] = set()  # members of which a shift is told
    for told in events:
        member, start = told.place.span.member, told.place.start
        if told.clue.name == "shifted" and told.clue.facts.get("carried") and member not in moved:
            first = None
            for at in range(len(out) - 1, -1, -1):
                other = out[at].place.span
                if other.member != member or start - other.end >= SHIFTED or out[at].clue.confidence == "certain":
                    break
                first = at
            if first is not None:
                begun = out[first]
                because = f"bytes were put in here, or lost: from {start} on {told.clue.because}"
                out[first] = _Told(Clue("shifted", "likely", because, begun.place.span), begun.place, begun.findings)
        if told.clue.name == "shifted":
            moved.add(member)
        out.append(told)
    return out


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


def _owns(owner: _Told, weak: _Told) -> bool:
    """Whether what explains one place is the better word on another, that the same bytes or the same shift broke."""
    if owner.clue.span.member != weak.clue.span.member:
        return False
    if owner.clue.name == "shifted" and owner.clue.facts.get("carried") and weak.place.start < owner.place.start:
        return 0 <= owner.place.start - weak.place.end < SHIFTED  # it began at the first unit that broke
    if owner.clue.name == "swapped" and weak.clue.name == "unknown":
        return any(abs(s.start - weak.place.start) < NEAR_SWAP for s in owner.spans)  # another end of a block
    if owner.clue.name == "shifted" and weak.clue.name == "shifted" and weak.place.start > owner.place.start:
        return True
    return owner.place.span.overlaps(weak.clue.span) or weak.place.end == owner.clue.span.start


def _about(span: Span) -> Span:
    return Span(max(0, span.start - ABOUT), span.end + ABOUT, span.member)


def _follows(finding: Finding, reach: list[tuple[_Told, Span]], beside: _Told | None) -> Clue | None:
    """The event that a finding about the store's structure follows from: one whose bytes it names, or touches."""
    if not finding.bytes_known:
        return None
    said = finding.cause.name
    structural = finding.level.value != "note" or is_damage(finding)
    for told, near in reach:
        span = told.clue.span
        if finding.span.member != span.member:
            continue
        touches = near.overlaps(finding.span) if finding.span.length else finding.span.start in near
        # pieces of two records read as one, and not as they were written
        torn = told.clue.name in (*_BLOCKS, "shifted") and finding.span.overlaps(span)
        from_here = touches and structural and (said == "unknown" or (said == "software-rule-violation" and torn))
        if from_here or told is beside or (torn and _lacks(finding)):
            return Clue(told.clue.name, "possible", f"follows from damage here: {told.clue.because}", span)
    return None


def _beside(lacking: list[Finding], events: list[_Told]) -> dict[int, _Told]:
    """By finding: the event whose damaged bytes may have held what its record lacks, for they stand beside it.

    Records that belong together stand together: what the first of them lacks with those bytes, the next lacks, too.
    """
    ends: dict[tuple[str, int], _Told] = {}
    starts: dict[tuple[str, int], _Told] = {}
    for told in events:
        for span in (told.place.span, *(f.span for f in told.findings)):
            if span.length:
                ends.setdefault((span.member, span.end), told)
                starts.setdefault((span.member, span.start), told)
    out: dict[int, _Told] = {}
    for finding in sorted(lacking, key=lambda f: (f.span.member, f.span.start)):
        span = finding.span
        event = ends.get((span.member, span.start)) or starts.get((span.member, span.end))
        if event is not None:
            out[id(finding)] = event
            ends.setdefault((span.member, span.end), event)
    return out


def _lacks(finding: Finding, lacking: frozenset[str] = frozenset()) -> bool:
    """Whether a whole record lacks another one, or is there twice, and nothing says why."""
    cause = finding.cause
    if cause.confidence != "possible" or not finding.bytes_known or not finding.span.length:
        return False
    return cause.name == "software-rule-violation" or (cause.name == "unknown" and finding.rule.code in lacking)


def _better(finding: Finding, clue: Clue) -> Cause:
    """The clue's cause unless the format's own is as sure of the same thing."""
    own = finding.cause
    if own.name == clue.name and SURENESS[own.confidence] >= SURENESS[clue.confidence]:
        return own
    return clue.cause


def _event(told: _Told) -> Event:
    codes = tuple(sorted({f.rule.code for f in told.findings}))
    return Event(told.clue.span, told.clue.cause, codes, len(told.findings), told.clue.facts)


__all__ = ["Clue", "Diagnosis", "Event", "diagnose", "diagnose_within"]
