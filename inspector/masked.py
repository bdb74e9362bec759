"""An excerpt with other names for what is private, and noise for damaged bytes, that shows the same findings."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

from inspector.catalogue import Formats
from inspector.composed import Composed
from inspector.counted import counted
from inspector.errors import RefusedError
from inspector.excerpt import Excerpt
from inspector.finding import Severity
from inspector.format import GAP, Format, Hide, Wishes
from inspector.inspect import Report, inspect, name_causes
from inspector.overlay import Overlay, Piece
from inspector.shown import KEEP, alike, failing_alike, numbers_of, rules_of, signature
from inspector.source import Source
from inspector.span import Span
from inspector.uniform import past_holes

if TYPE_CHECKING:
    from inspector.redact import Redactor

MOST: Final = 20_000  # originals that are looked for
PIECE: Final = 4 << 20
OVERLAP: Final = 4096
MOST_ASKED: Final = 10_000  # steps that causes of a source may have taken for those of a copy of all of it to be asked


def masked(
    found: Excerpt, view: Source, formats: Formats, wishes: Wishes, redactor: Redactor | None, forced: str | None
) -> Source:
    """What is to be written: the view itself, or with a redactor one in which private bytes are others."""
    bottom, claim = found.report.bottom, found.report.claim
    if redactor is None:
        found.notes += [] if found.why or found.whole else [_unasked(found)]
        return view
    if not any(form.private.fields for form in found.report.layers[:1]):
        return view  # what the uppermost format reads is public
    settled = None if forced else (bottom.name, claim.strength, claim.because)  # each try would ask every format again
    view.settled = view.settled or settled
    if bottom.disguised is not None:
        return _anew(found, view, formats, wishes, redactor, forced)
    if bottom.mask is None:
        if bottom.private.fields:
            found.notes.append("its bytes are as they were: nothing private can be taken out of units of this format")
        return view
    for form, state in zip(found.report.layers, found.report.states, strict=False):
        for noun, original in islice(form.private.originals(state), MOST) if form.private.originals else ():
            if original not in form.private.public:
                redactor.know(noun, original)  # looked for in what comes out
    same = bool(found.whole) or found.runs == [(0, found.report.source.size)]  # nothing was left out
    shown = found.report if same else found.shown or inspect(view, formats, wishes, forced, KEEP, answers=False)
    of, compared = (signature, alike) if found.why else (rules_of, failing_alike)
    wanted = of(found.report)
    told = shown.tally.findings()
    proved = [f.span for f in told if f.salvage == "corrected"]
    # a unit may be kept because of what stands right behind it: its end, or a unit that is corrected
    proved += [Span(f.span.end, f.span.end + 1) for f in told if f.salvage == "kept" and f.level is not Severity.NOTE]

    def unproved(start: int, end: int) -> bool:
        return not any(span.start < end and start < span.end for span in proved)

    # damaged bytes may be anybody's; those that a proof gives back are gossip, and corrections need them
    ways: tuple[tuple[Hide, str], ...] = (
        (lambda start, end: True, "damaged bytes are noise of the same shape"),
        (
            unproved,
            "damaged bytes are noise of the same shape, but for those that a proof gives back or findings depend on",
        ),
        (lambda start, end: False, "damaged bytes are as they were, because findings depend on them: look at them"),
    )
    for hide, words in ways:
        if hide is unproved and not proved:
            continue  # it hides what the way before did
        state = bottom.open(view, None, wishes)
        other = Overlay(view, [Piece(at, data, "derived", "") for at, data in bottom.mask(state, redactor.name, hide)])
        other.settled = settled
        again = compared(other, formats, wishes, forced, wanted) if other.pieces else shown
        if again is None or of(again) != wanted:
            continue
        _search(other, redactor)
        if other.pieces:
            found.notes.append(_changed(bottom, len(other.pieces)))
            found.notes += [] if found.why else [_unasked(found)]
        if again.account.damaged or again.account.roles[GAP]:
            found.notes.append(words)
        return other
    raise RefusedError("with private things taken out it does not show the same", "--no-redact keeps its bytes")


def _changed(bottom: Format, count: int) -> str:
    """What the changed places of an excerpt cost."""
    what = "signatures in them no longer hold" if bottom.name == "gossip-store" else "their checksums are new"
    noun = "record" if bottom.splices else "place"
    return f"{counted(count, f'{noun} has other bytes', f'{noun}s have other bytes')}: {what}"


def _anew(
    found: Excerpt, view: Source, formats: Formats, wishes: Wishes, redactor: Redactor, forced: str | None
) -> Source:
    """A store that is written anew, because what stands for private bytes has other lengths."""
    bottom, report = found.report.bottom, found.report
    tried = found.shown or inspect(view, formats, wishes, forced, KEEP, causes=False, answers=False)
    assert bottom.disguised is not None
    parts = bottom.disguised(tried.state_of_bottom, redactor.name, lambda start, end: True)
    other = Composed(view, parts)
    other.settled = view.settled
    again = inspect(other, formats, wishes, forced, KEEP, causes=False, answers=False)
    if numbers_of(again) != numbers_of(report):
        raise RefusedError("with private things taken out it does not show the same", "--no-redact keeps its bytes")
    _search(other, redactor)
    found.composition = parts
    found.notes[:] = ["it is written anew with other keys and filler for values: the map names no bytes of the source"]
    found.notes += _of_causes(found, again)
    return other


def _dear(found: Excerpt) -> bool:
    """Whether causes took too long to be asked for once more of a copy of all of it."""
    diagnosis = found.report.diagnosis
    return bool(found.whole) and diagnosis is not None and diagnosis.work > MOST_ASKED


def _unasked(found: Excerpt) -> str:
    again = "again " if found.report.diagnosis is not None else ""
    return f"the same units fail; so many do that it was not asked {again}why: a cause may be another"


def _of_causes(found: Excerpt, again: Report) -> list[str]:
    """What is to be said of why the units of a store that was written anew fail."""
    if not found.why or _dear(found):
        return [_unasked(found)]
    name_causes(again)
    if signature(again) == signature(found.report):
        return []
    return ["the same units fail, but noise stands for damaged bytes: a cause or a correction is another"]


def _search(view: Source, redactor: Redactor) -> None:
    """Raises RefusedError where something private is left; pieces overlap, so that none is cut in two."""
    leaks, originals = redactor.search()
    for member in view.members:
        for span in view.data_ranges(member.name):
            for at, data in past_holes(view, Span(span.start, span.end, member.name), PIECE, OVERLAP):
                for hit in leaks.hits(data):
                    noun = originals[hit.number].partition("\0")[0]
                    raise RefusedError(
                        f"the redacted excerpt still holds a private {noun} at byte {at + hit.start}",
                        "nothing is written; --no-redact keeps its bytes",
                    )
