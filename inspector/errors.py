"""Requests that cannot be carried out: one line, what to do next, and an exit code.

Damage in a source is never one of these; damage is a finding.
"""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """Process exit codes; an unknown code means failure."""

    CLEAN = 0
    BUG = 1
    USAGE = 2
    DAMAGED = 3
    LOST = 4
    UNKNOWN_FORMAT = 5
    IO = 6
    REFUSED = 7
    UNVERIFIED = 8
    PARTIAL = 9
    INTERRUPTED = 130


# the worst input of several decides, in this order
WORST_FIRST = (
    Exit.INTERRUPTED,
    Exit.BUG,
    Exit.IO,
    Exit.UNVERIFIED,
    Exit.PARTIAL,
    Exit.REFUSED,
    Exit.USAGE,
    Exit.LOST,
    Exit.DAMAGED,
    Exit.UNKNOWN_FORMAT,
    Exit.CLEAN,
)


def worst(codes: list[Exit]) -> Exit:
    return min(codes, key=WORST_FIRST.index, default=Exit.CLEAN)


class InspectorError(Exception):
    """A request that cannot be done; `hint` is the next step for the user."""

    code: Exit = Exit.BUG

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class OutOfTime(BaseException):
    """The time limit was reached. Not an Exception, so that no border inside a format takes it for a bug."""


class TimedOutError(InspectorError):
    code = Exit.PARTIAL


class ChangedError(InspectorError):
    """The source lost bytes while it was read, or some cannot be read: what was told of it is a lower bound."""

    code = Exit.PARTIAL


class UsageError(InspectorError):
    code = Exit.USAGE


class UnknownFormatError(InspectorError):
    """`tried` names each format and why it did not claim the source."""

    code = Exit.UNKNOWN_FORMAT

    def __init__(self, message: str, hint: str = "", tried: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(message, hint)
        self.tried = tried


class SourceError(InspectorError):
    code = Exit.IO


class OutputError(InspectorError):
    code = Exit.IO


class RefusedError(InspectorError):
    code = Exit.REFUSED


class UnverifiedError(InspectorError):
    code = Exit.UNVERIFIED
