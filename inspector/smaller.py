"""Excerpts that a format proposes itself, because its units name each other: the first that shows the same is taken."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from inspector.catalogue import Formats
from inspector.composed import Composed, total
from inspector.diagnosis.bytes_at import FEW
from inspector.excerpt import Excerpt
from inspector.format import State, Stretch, Wishes
from inspector.inspect import Report, name_causes
from inspector.reducing import CROWDED, LOOKED, MOST_JUDGED, room, work
from inspector.shown import NOTE, alike, failing_alike, rules_of, shown_by, signature
from inspector.source import Source
from inspector.span import Span

MOST_POINTS = 100_000  # places of damage that are told to the format
MOST_TRIES = 16
PLACE = 2500  # costs of a place whose cause is looked for, in about a microsecond


class Points:
    """Where damage lies, noted while stretches pass."""

    def __init__(self) -> None:
        self.spans: list[Span] = []

    def through(self, _: State, stretches: Iterator[Stretch]) -> Iterator[Stretch]:
        for stretch in stretches:
            if len(self.spans) < MOST_POINTS:
                self.spans += [stretch.span(i) for i in stretch.marked()]
            yield stretch


def affords(report: Report) -> bool:
    """Whether a candidate may be judged: it may cost what the source did, and its copy with other names as much."""
    return 3 * work(report) <= room(report.source.size)


def asks_why(report: Report) -> bool:
    """Name the causes of what the source shows; False where so many places cost too much to ask it three times."""
    damage = sum(found.bytes_known and found.level is not NOTE for found in report.tally.findings())
    spare = CROWDED + max(0, room(report.source.size) - room(1 << 20))
    if damage > FEW and 3 * (PLACE * min(damage, MOST_JUDGED) + work(report)) > spare:
        return False
    return name_causes(report, spare // (3 * LOOKED))


def smaller(
    source: Source, report: Report, points: Sequence[Span], wishes: Wishes, context: int, why: bool
) -> Excerpt | None:
    """The smallest of what the bottom format proposes that shows what `report` says; None where nothing does."""
    propose = report.bottom.excerpts
    assert propose is not None
    layers: Formats = [*report.layers]
    wanted, compared = (signature(report), alike) if why else (rules_of(report), failing_alike)
    tries = 0
    found = [f.span for f in report.tally.findings() if f.bytes_known]
    told = shown_by(report)
    for candidate in propose(report.state_of_bottom, [*points, *found], context):
        tries += 1
        if tries > MOST_TRIES:
            break
        view = Composed(source, candidate)
        if total(candidate) >= source.size:
            continue
        shown = compared(view, layers, wishes, report.format.name, wanted)
        if shown is None:
            continue
        done = Excerpt(report, [], report.account.units, tries, told, why=why, composition=candidate, shown=shown)
        if any(isinstance(part, bytes) for parts in candidate.values() for part in parts):
            done.notes.append("what names blocks or files by their place is made anew; the map says which bytes are")
        return done
    return None
