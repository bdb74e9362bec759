"""The values of a diagnosis: clues about a place, events that explain places, the answer to "disk or program?"."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from msgspec import Struct, field

from inspector.finding import Cause, CauseName, Confidence
from inspector.span import Span

if TYPE_CHECKING:
    from inspector.diagnosis.reread import Reread
    from inspector.known_issues import KnownIssue

Verdict = Literal["medium", "software", "interrupted write", "transfer", "unknown"]
Facts = Mapping[str, int | str | bool]
SURENESS: Mapping[Confidence, int] = {"certain": 3, "likely": 2, "possible": 1}


class Clue(Struct, frozen=True):
    """One explanation of a damaged place; `span` are the bytes that it says were hit, as far as that is known."""

    name: CauseName
    confidence: Confidence
    because: str
    span: Span
    facts: Facts = field(default_factory=dict)
    also: tuple[Span, ...] = ()  # other places that the same explanation covers
    whole: bool = False  # everything behind the place follows from it, too

    @property
    def cause(self) -> Cause:
        return Cause(self.name, self.confidence, self.because)


class Event(Struct, frozen=True):
    """One thing that happened, and what of the store it hit."""

    span: Span
    cause: Cause
    codes: tuple[str, ...]  # rules of the findings that it explains
    findings: int
    facts: Facts = field(default_factory=dict)


class Diagnosis(Struct, frozen=True):
    """Whether the program or what lies under it did this, how sure that is, and why."""

    verdict: Verdict
    confidence: Confidence
    because: str
    sentence: str  # the answer in one sentence
    events: tuple[Event, ...] = ()
    events_total: int = 0
    issues: tuple[KnownIssue, ...] = ()
    reread: Reread | None = None
    work: int = 0  # of the budget's trials, how many it took
    given_up: int = 0  # places of unknown cause behind which the budget, or the number of places, ended
