"""An excerpt with other names for what is private, and noise for damaged bytes, that shows the same findings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inspector.catalogue import Formats
from inspector.errors import RefusedError
from inspector.excerpt import KEEP, Excerpt, signature
from inspector.format import GAP, Hide, Wishes
from inspector.inspect import inspect
from inspector.overlay import Overlay, Piece
from inspector.source import Source

if TYPE_CHECKING:
    from inspector.redact import Redactor


def masked(
    found: Excerpt, view: Source, formats: Formats, wishes: Wishes, redactor: Redactor | None, forced: str | None
) -> Source:
    """What is to be written: the view itself, or with a redactor one in which private bytes are others."""
    bottom = found.report.bottom
    if redactor is None:
        return view
    if bottom.mask is None:
        if bottom.private.fields:
            found.notes.append("its bytes are as they were: nothing private can be taken out of units of this format")
        return view
    proved = [f.span for f in inspect(view, formats, wishes, forced, KEEP).tally.findings() if f.salvage == "corrected"]

    def unproved(start: int, end: int) -> bool:
        return not any(span.start < end and start < span.end for span in proved)

    # damaged bytes may be anybody's; those that a proof gives back are gossip, and the correction needs them
    ways: tuple[tuple[Hide, str], ...] = (
        (lambda start, end: True, "damaged bytes are noise of the same shape"),
        (unproved, "damaged bytes that no proof gives back are noise of the same shape"),
        (lambda start, end: False, "damaged bytes are as they were, because findings depend on them: look at them"),
    )
    for hide, words in ways:
        state = bottom.open(view, None, wishes)
        other = Overlay(view, [Piece(at, data, "derived", "") for at, data in bottom.mask(state, redactor.name, hide)])
        again = inspect(other, formats, wishes, forced, KEEP)
        if signature(again) != signature(found.report):
            continue
        if other.pieces:
            found.notes.append(f"{len(other.pieces)} records have other bytes: signatures in them no longer hold")
        if again.account.damaged or again.account.roles[GAP]:
            found.notes.append(words)
        return other
    raise RefusedError("with private things taken out it does not show the same", "--no-redact keeps its bytes")
