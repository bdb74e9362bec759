"""Known bugs of the programs that write and read these stores, held against what an inspection found.

The table is data (`known_issues_table.py`); here is only what a condition means. A match is a lead and not a verdict:
it says that this store looks as that bug leaves it, or that a program which opens it runs into that bug.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Literal

from msgspec import Struct, field
from msgspec.structs import replace

from inspector.finding import Confidence, Finding, Severity

if TYPE_CHECKING:
    from inspector.inspect import Report

Role = Literal["writes", "reads"]  # the bug makes such a store, or chokes on one that anything else damaged
Value = int | str | bool


class Sign(Struct, frozen=True):
    """One way to recognise a bug: everything that is said here must hold of one and the same finding.

    `versions` are format versions as `Answer.version` spells them. `evidence` names values that a finding's evidence
    must have; `at_least` gives lower bounds. An empty field asks nothing.
    """

    codes: frozenset[str] = frozenset()
    causes: frozenset[str] = frozenset()
    versions: frozenset[str] = frozenset()
    severities: frozenset[Severity] = frozenset()
    evidence: Mapping[str, Value] = field(default_factory=dict)
    at_least: Mapping[str, int] = field(default_factory=dict)
    without: frozenset[str] = frozenset()  # codes that must not be found anywhere in the source
    larger_than: int = 0  # bytes of the source
    confidence: Confidence = "possible"


class KnownIssue(Struct, frozen=True):
    """A bug that is public: what it does in our words, who has it, who has not, what to do about it."""

    id: str  # OWNER/REPOSITORY#NUMBER
    program: str
    title: str
    affected: str
    fixed: str  # "" where no fix is known
    advice: str
    formats: frozenset[str]
    role: Role
    signs: tuple[Sign, ...] = ()
    messages: tuple[str, ...] = ()  # what the program prints when it meets it: constant parts, for logs
    related: tuple[str, ...] = ()  # other reports of the same
    confidence: Confidence = "possible"
    because: str = ""  # filled in by `matching`

    @property
    def url(self) -> str:
        repository, _, number = self.id.partition("#")
        return f"https://github.com/{repository}/issues/{number}"


_ORDER: Mapping[Confidence, int] = {"certain": 0, "likely": 1, "possible": 2}


def matching(report: Report) -> tuple[KnownIssue, ...]:
    """The known bugs whose marks this report shows, surest first; `because` names the finding that shows it."""
    names = {layer.name for layer in report.layers}
    return matching_findings(names, report.answer.version, report.source.size, report.tally.findings())


def matching_findings(
    formats: Iterable[str], version: str, size: int, findings: Iterable[Finding]
) -> tuple[KnownIssue, ...]:
    from inspector.known_issues_table import ISSUES

    names, kept = set(formats), list(findings)
    found = (_match(issue, version, size, kept) for issue in ISSUES if issue.formats & names)
    return tuple(sorted((m for m in found if m is not None), key=lambda m: (_ORDER[m.confidence], m.id)))


def messages_of(formats: Iterable[str]) -> dict[str, KnownIssue]:
    """Constant parts of log lines -> the bug that prints them, for a log beside the store."""
    from inspector.known_issues_table import ISSUES

    names = set(formats)
    return {text: issue for issue in ISSUES if issue.formats & names for text in issue.messages}


def _match(issue: KnownIssue, version: str, size: int, findings: list[Finding]) -> KnownIssue | None:
    codes = {f.rule.code for f in findings}
    best: tuple[int, str] | None = None
    for sign in issue.signs:
        if size <= sign.larger_than or sign.without & codes or (sign.versions and version not in sign.versions):
            continue
        shown = next((f for f in findings if _shows(sign, f)), None)
        if shown is None:
            continue
        rank = _ORDER[sign.confidence]
        if best is None or rank < best[0]:
            best = rank, shown.rule.code
    if best is None:
        return None
    confidence = next(name for name, rank in _ORDER.items() if rank == best[0])
    return replace(issue, confidence=confidence, because=best[1])


def _shows(sign: Sign, found: Finding) -> bool:
    if sign.codes and found.rule.code not in sign.codes:
        return False
    if sign.causes and found.cause.name not in sign.causes:
        return False
    if sign.severities and found.level not in sign.severities:
        return False
    if any(found.evidence.get(name) != value for name, value in sign.evidence.items()):
        return False
    for name, least in sign.at_least.items():
        value = found.evidence.get(name)
        if not isinstance(value, int) or value < least:
            return False
    return True
