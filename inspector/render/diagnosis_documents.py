"""A diagnosis as a document and as blocks for a screen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from inspector.counted import plural
from inspector.finding import UNKNOWN_CAUSE
from inspector.render.text import Block, para, place
from inspector.sanitize import clean

if TYPE_CHECKING:
    from inspector.diagnosis.model import Diagnosis, Event
    from inspector.diagnosis.reread import Reread
    from inspector.known_issues import KnownIssue

SHOWN = 4  # events and issues on a screen
Document = dict[str, Any]


def diagnosis_part(told: Diagnosis) -> Document:
    return {
        "verdict": told.verdict,
        "confidence": told.confidence,
        "because": told.because,
        "sentence": told.sentence,
        "events": [_event(event) for event in told.events],
        "events_total": told.events_total,
        "issues": [_issue(issue) for issue in told.issues],
        "reread": _reread(told.reread) if told.reread else None,
        **({"given_up": told.given_up} if told.given_up else {}),
    }


def _event(event: Event) -> Document:
    return {
        "file": event.span.member or None,
        "start": event.span.start,
        "end": event.span.end,
        "cause": {"name": event.cause.name, "confidence": event.cause.confidence, "because": event.cause.because},
        "codes": list(event.codes),
        "findings": event.findings,
        "facts": dict(event.facts),
    }


def _issue(issue: KnownIssue) -> Document:
    return {
        "id": issue.id,
        "url": issue.url,
        "program": issue.program,
        "title": issue.title,
        "role": issue.role,
        "affected": issue.affected,
        "fixed": issue.fixed or None,
        "advice": issue.advice,
        "confidence": issue.confidence,
        "because": issue.because,
    }


def _reread(again: Reread) -> Document:
    return {
        "way": again.way,
        "places": again.places,
        "lasting": again.lasting,
        "differing": [{"file": s.member or None, "start": s.start, "end": s.end} for s in again.differing],
        "why": again.why,
    }


def given_up_words(places: int) -> str:
    """Why causes stay unknown that more work may have told."""
    where = "the cause of 1 damaged place was" if places == 1 else f"the causes of {places:,} damaged places were"
    return f"{where} not looked for to the end: what so much damage may cost has a limit"


def diagnosis_blocks(told: Diagnosis) -> Iterator[Block]:
    """Under the answer's first sentence: the events, largest first, and bugs that are known to look like this."""
    for event in told.events[:SHOWN] if told.events_total > 1 else ():
        if event.cause.name == UNKNOWN_CAUSE.name:
            continue
        where = f"{event.span.member} " if event.span.member else ""
        what = f"{event.cause.name} ({event.cause.confidence})"
        count = f"{plural(event.findings, 'finding')}: " if event.findings > 1 else ""
        text = f"{count}{event.cause.because}"
        yield para(
            (clean(f"{where}{place(event.span.start)}", 300), "note"), ", ", what, ": ", clean(text, 400), indent=2
        )
    if told.events_total > SHOWN:
        yield para((f"… {told.events_total - SHOWN:,} more events", "dim"), indent=2)
    if told.given_up:
        yield para((given_up_words(told.given_up), "dim"), indent=2)
    for issue in told.issues[:SHOWN]:
        fixed = f"fixed in {issue.fixed}" if issue.fixed else "no fix is known"
        head = f"known bug ({issue.confidence}): {issue.id}: {issue.title}; {issue.affected}; {fixed}. {issue.advice}"
        yield para(clean(head, 500), indent=2, hang=2)
    if told.reread and told.reread.lasting is not None:
        last = "the same bytes again" if told.reread.lasting else f"other bytes in {len(told.reread.differing)} places"
        yield para((f"read again past the page cache ({told.reread.way}): {last}", "dim"), indent=2)
    elif told.reread and told.events:
        yield para((f"not read again past the page cache: {clean(told.reread.why, 200)}", "dim"), indent=2)
