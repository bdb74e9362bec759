"""What a repair did to every byte of its source, added up from the edits themselves while they are executed."""

from __future__ import annotations

from collections import deque
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from inspector.errors import Exit
from inspector.format import Edit
from inspector.inspect import Report
from inspector.source import Source
from inspector.span import Span

ACTIONS = ("kept", "corrected", "dropped", "lost")
DRY = "dry run: nothing was written"
UNREAD = "the medium could not deliver these bytes; zeroes stand for them in the copy"


class Result(Struct):
    """What a repair did, or with a dry run would do. Counts are of units and bytes of the source."""

    report: Report
    output: str | None
    size: int = 0
    sha256: str | None = None
    records: dict[str, int | None] = field(default_factory=lambda: dict.fromkeys(ACTIONS, 0))
    bytes: dict[str, int] = field(default_factory=lambda: dict.fromkeys((*ACTIONS, "added"), 0))
    proof: dict[str, int] = field(default_factory=lambda: dict.fromkeys(("sealed", "derived", "placed", "none"), 0))
    changes: list[Edit] = field(default_factory=list)
    changes_total: int = 0
    verified: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    after: tuple[str, ...] = ()
    source_sha256: str | None = None
    code: Exit = Exit.CLEAN


def unverified(why: str) -> dict[str, Any]:
    """What `Result.verified` says where nothing was read again."""
    return {"ok": False, "by": [], "engine": {"ran": False, "why": why}}


def _unread(source: Source, span: Span) -> bool:
    """Whether a part of it could not be read: what is left out on purpose is known."""
    return any(True for _ in source.unreadable.within(span))


class Ledger:
    """Adds up edits as they are executed."""

    def __init__(self, result: Result, keep: int) -> None:
        self.result = result
        self._half = max(1, keep // 2)
        self._last: deque[Edit] = deque(maxlen=self._half)

    def note(self, edit: Edit) -> None:
        result = self.result
        if edit.action == "dropped" and edit.origin and _unread(result.report.source, edit.origin):
            edit = replace(edit, action="lost", why=f"{edit.why}; it could not be read")
        length = edit.origin.length if edit.origin else 0
        if edit.action != "added":
            result.bytes[edit.action] += length
            known = result.records[edit.action]
            result.records[edit.action] = None if known is None or edit.units < 0 else known + edit.units
        else:
            result.bytes["added"] += len(edit.data or b"")
        if edit.action in ("kept", "corrected", "added") or edit.data is not None:
            result.proof[edit.proof] += len(edit.data) if edit.data is not None else length
        if edit.action != "kept":
            result.changes_total += 1
            if len(result.changes) < self._half:
                result.changes.append(edit)
            else:
                self._last.append(edit)

    def note_copied(self, edit: Edit, source: Source) -> None:
        """An edit that was carried out: of what is kept, bytes that the medium did not deliver are lost.

        Nothing reads content without a checksum before it is copied; zeroes stand in the output for what is not there.
        """
        kept = edit.action == "kept" and edit.data is None and edit.origin is not None
        bad = list(source.unreadable.within(edit.origin)) if kept and edit.origin is not None else []
        if edit.origin is None or not bad:
            self.note(edit)
            return
        at, units = edit.origin.start, edit.units
        for span in bad:
            if span.start > at:
                self.note(replace(edit, origin=Span(at, span.start, span.member), units=units))
                units = 0
            self.note(
                replace(edit, action="lost", origin=span, proof="none", why=UNREAD, units=-1 if edit.units else 0)
            )
            at = span.end
        if at < edit.origin.end:
            self.note(replace(edit, origin=Span(at, edit.origin.end, edit.origin.member), units=units))

    def close(self, source: Source) -> None:
        self.result.changes += self._last
        told = sum(self.result.bytes[action] for action in ACTIONS)
        if told != source.size:
            raise AssertionError(f"the ledger accounts for {told} of {source.size} bytes")
