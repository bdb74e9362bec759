"""What could not be read: findings of its own, and the same word in every finding whose bytes are zeroes for that."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from msgspec.structs import replace

from inspector.counted import counted
from inspector.errors import SourceError
from inspector.finding import Cause, Finding, Rule, Severity
from inspector.span import Span

if TYPE_CHECKING:
    from inspector.format import Answer
    from inspector.inspect import Report
    from inspector.source import Source

UNREADABLE = Rule(
    "INS002",
    "unreadable",
    Severity.ERROR,
    "the medium could not deliver these bytes",
    "The read failed with an input/output error, again for each 4096-byte piece. The bytes are unknown, not zero.",
    "The original program gets the same error and usually stops.",
    "Image the medium with ddrescue first and inspect the image; do not run repairs on a failing disk.",
)
CLOSED = Rule(
    "INS007",
    "not-opened",
    Severity.ERROR,
    "a file or folder of the store could not be opened",
    "The system refused to open it: missing rights, a sick file system, or something else took its name since the "
    "folder was listed. All else was inspected; what is in it is unknown, not damaged.",
    "The original program may run as another user, who may open it.",
    "Run the scan as the owner of the store or as root; where the file went away, stop the program and scan again.",
)
NAMED = 4  # files that could not be opened and are named in the answer
# what is told of a finding's bytes by something else than these bytes
_APART = frozenset({"truncated", "software-rule-violation", "newer-version", "appended-store"})


def findings_of(source: Source) -> Iterator[Finding]:
    """One for each range that could not be read and for each file or folder that could not be opened."""
    for span in source.unreadable.joined():
        if span.member not in source.closed:
            yield _unreadable(span, source)
    source.unreadable.told()
    for name, why in sorted(source.closed.items()):
        member = source.member(name)
        span = Span(0, member.size if member else 0, name)
        kind = "it" if member else "the folder"
        yield Finding(
            CLOSED,
            span,
            f"{kind} could not be opened: {why}",
            {"length": span.length, "why": why},
            Cause("unknown", "certain", f"the system does not open it: {why}"),
            bytes_known=member is not None,
        )


def add_what_went_bad(report: Report) -> None:
    """Findings of what could be read when it was judged, and cannot be read any more; a lower bound where it shrank."""
    source = report.source
    for span in source.unreadable.news():
        if span.member not in source.closed:
            report.tally.put(_unreadable(span, source))
    source.unreadable.told()
    if source.shrunk and not report.partial:
        report.partial = source.changed


def refuse_nothing(source: Source) -> None:
    """Raise where not one byte could be read: there is nothing to tell of."""
    asked = sum(member.size for member in source.members if not member.secret)
    if asked and sum(span.length for span in source.unreadable) >= asked:
        why = next((f"{name}: {why}" for name, why in sorted(source.closed.items()) if source.member(name)), "")
        raise SourceError(f"{source.label}: nothing of it could be read: {why or source.unread_because}")


def in_part(answer: Answer, source: Source) -> Answer:
    """The same answer, which says first what it was given without: that is neither gone nor empty."""
    if not source.closed or not answer.words:
        return answer
    names = sorted(source.closed)
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    what = f"{counted(len(names), 'file or folder', 'files or folders')} could not be opened"
    without = "it" if len(names) == 1 else "them"
    told = f"{what}: {', '.join(names[:NAMED])}{more}. What is said here is said without {without}."
    return replace(answer, words=(told, *answer.words))


def lacks_rights(source: Source) -> bool:
    """Whether another user may open what could not be opened."""
    return not {os.strerror(number) for number in (errno.EACCES, errno.EPERM)}.isdisjoint(source.closed.values())


def _unreadable(span: Span, source: Source) -> Finding:
    message = f"{counted(span.length, 'byte')} could not be read from the medium"
    because = Cause("unreadable-medium", "certain", source.unread_because)
    return Finding(UNREADABLE, span, message, {"length": span.length}, because, "lost")


def as_unread(finding: Finding, source: Source) -> Finding:
    """The same finding, which says so where zeroes stand in its bytes for what could not be read."""
    if not finding.bytes_known or finding.rule in (UNREADABLE, CLOSED) or not finding.span.length:
        return finding
    lost = sum(span.length for span in source.unreadable.within(finding.span))
    if not lost:
        return finding
    why = source.closed.get(finding.span.member)
    cause = Cause("unreadable-medium", "certain", source.unread_because)
    if why:
        cause = Cause("unknown", "certain", f"the file could not be opened: {why}")
    if finding.cause.name in _APART:
        cause = finding.cause
    message = f"{finding.message}; {counted(lost, 'byte')} of it could not be read and {'is' if lost == 1 else 'are'} "
    return replace(finding, message=f"{message}unknown, not zero", cause=cause)
