"""What is wrong, where, why, and what can be saved: rules, causes, findings and their tally."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from functools import partial
from typing import Any, Literal, TypeVar

from msgspec import Struct, field

from inspector.span import Span


class Severity(StrEnum):
    """About data: lost or untrusted; the original program will choke; odd but legal."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


CauseName = Literal[
    "bit-flip",
    "multi-bit",
    "zeroed-range",
    "ones-range",
    "torn-write",
    "truncated",
    "overwritten",
    "shifted",
    "appended-store",
    "stale-page",
    "swapped",
    "software-rule-violation",
    "newer-version",
    "unreadable-medium",
    "unknown",
]
Confidence = Literal["certain", "likely", "possible"]
Salvage = Literal["kept", "corrected", "lost"]


class Cause(Struct, frozen=True):
    name: CauseName
    confidence: Confidence = "possible"
    because: str = ""


UNKNOWN_CAUSE = Cause("unknown", "possible", "nothing in these bytes tells")


class Rule(Struct, frozen=True):
    """A stable code (never reused) and everything `inspector explain CODE` prints."""

    code: str
    slug: str
    severity: Severity
    summary: str  # one line
    explanation: str  # what it means
    loader: str  # what the original program does when it meets this
    advice: str  # what to do next
    source: str = ""  # file and function of the original program


Evidence = Mapping[str, int | str | float | bool | list[int] | list[str] | None]


class Finding(Struct, frozen=True):
    rule: Rule
    span: Span
    message: str
    evidence: Evidence = field(default_factory=dict)
    cause: Cause = UNKNOWN_CAUSE
    salvage: Salvage | None = None
    severity: Severity | None = None  # only where this case differs from its rule
    bytes_known: bool = True  # False: about something that has no bytes here (a missing file)

    @property
    def level(self) -> Severity:
        return self.severity or self.rule.severity


T = TypeVar("T")


class Later(Sequence[T]):
    """Things that are made of their numbers when they are asked for: few of very many findings are kept."""

    def __init__(self, numbers: Sequence[int], make: Callable[[int], T]) -> None:
        self._numbers, self._make = numbers, make

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, i: Any) -> Any:
        return self._make(self._numbers[i])


def _place(found: Finding) -> tuple[str, int, int, str]:
    return found.span.member, found.span.start, found.span.end, found.rule.code


class Tally:
    """Counts every finding exactly and keeps the first and last few of each rule and severity.

    `add` takes the means to make a finding, not the finding: evidence is built only for those kept.
    """

    def __init__(self, keep: int = 100) -> None:
        self._half = max(1, keep // 2)
        self._first: dict[tuple[str, Severity], list[Finding]] = {}
        self._last: dict[tuple[str, Severity], deque[Callable[[], Finding]]] = {}
        self.counts: dict[tuple[str, Severity], int] = {}
        self.view: Callable[[list[Finding]], list[Finding]] | None = None  # how they are shown once all are counted
        self._settled: list[Finding] | None = None
        self._made: list[Finding] | None = None

    def add(self, rule: Rule, make: Callable[[], Finding], severity: Severity | None = None) -> None:
        """Count one finding of `rule`; `severity` must be what `make().level` will be."""
        self._settled = self._made = None
        key = (rule.code, severity or rule.severity)
        count = self.counts.get(key, 0)
        self.counts[key] = count + 1
        if count < self._half:
            self._first.setdefault(key, []).append(make())
        else:
            self._last.setdefault(key, deque(maxlen=self._half)).append(make)

    def add_each(
        self, rule: Rule, things: Sequence[T], make: Callable[[T], Finding], severity: Severity | None = None
    ) -> None:
        """As `add` for each of them in turn, without a step for those of which no finding is kept."""
        shown = min(len(things), self._half)
        for i in (*range(shown), *range(max(shown, len(things) - self._half), len(things))):
            self.add(rule, partial(make, things[i]), severity)
        skipped = len(things) - shown - min(len(things) - shown, self._half)
        if skipped:
            self.counts[rule.code, severity or rule.severity] += skipped

    def put(self, finding: Finding) -> None:
        """Count a finding that exists already; the others keep the causes that they were settled with."""
        settled = self._settled
        self.add(finding.rule, lambda: finding, finding.level)
        if settled is not None:
            self._settled = sorted((*settled, finding), key=_place)

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    def severity_count(self, severity: Severity) -> int:
        return sum(n for (_, level), n in self.counts.items() if level == severity)

    def findings(self) -> list[Finding]:
        """The kept findings in the order of member and offset."""
        kept = self._settled
        if kept is None:
            if self._made is None:
                kept = [f for group in self._first.values() for f in group]
                kept += [make() for group in self._last.values() for make in group]
                self._made = sorted(kept, key=_place)
            kept = self._made
        return list(kept if self.view is None else self.view(kept))

    def agree(self) -> None:
        """Count no finding that is not kept though it would be: time may end while one is made."""
        for key, count in self.counts.items():
            kept = len(self._first.get(key, ())) + len(self._last.get(key, ()))
            if kept < min(count, 2 * self._half):
                self.counts[key] = kept
        self.counts = {key: count for key, count in self.counts.items() if count}

    def settle(self, findings: list[Finding] | None) -> None:
        """Keep these in place of what `findings` gave: the same ones, with causes that are known better now.

        None takes that back.
        """
        self._settled = findings and list(findings)
