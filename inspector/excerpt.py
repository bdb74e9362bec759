"""The smallest file of the same format that still shows the same findings, in the way that suits its format.

Units that follow each other are searched (see `reducing`); a format whose units name each other proposes smaller
stores itself (see `smaller`); of any other what an inspection reads stays at its place, with holes between.
"""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Final

from msgspec import Struct, field

from inspector.account import Progress
from inspector.catalogue import Formats
from inspector.composed import Composed, Composition, chart, total
from inspector.errors import RefusedError
from inspector.format import State, Stretch, Wishes
from inspector.inspect import Report, detect, inspect, name_causes
from inspector.reducing import Search
from inspector.shown import KEEP, alike, shown_by, signature
from inspector.source import Source
from inspector.span import Run, Span
from inspector.spliced import Holed, Spliced
from inspector.units import Units

ENDED: Final = "the search for a smaller one ended at its limit of work"
TOO_MUCH: Final = "so much fails that no smaller one was tried: judging one is beyond the limit of work"


class Excerpt(Struct):
    """What was found: the runs of the source that are left, in order."""

    report: Report
    runs: list[Run]
    units: int
    tries: int
    findings: dict[str, int]
    whole: str = ""  # why nothing was left out
    why: bool = True  # whether it was asked why things are wrong; else only the rules that they break are compared
    sparse: int | None = None  # bytes of the file where the runs keep their places, with holes between them
    composition: Composition | None = None  # instead of runs: the parts of each file
    shown: Report | None = None  # an inspection of it, where one was made
    notes: list[str] = field(default_factory=list)

    @property
    def size(self) -> int:
        if self.composition is not None:
            return total(self.composition)
        return sum(end - start for start, end in self.runs)

    def chart(self) -> list[dict[str, int | str | None]]:
        """New offsets to old ones."""
        if self.sparse is not None:
            return [{"file": None, "start": a, "end": b, "source_start": a, "source_end": b} for a, b in self.runs]
        return list(chart(self.composition or {"": [Span(start, end) for start, end in self.runs]}))

    def view(self, source: Source) -> Source:
        """The excerpt of `source` as a source of its own."""
        if self.composition is not None:
            return Composed(source, self.composition)
        return Spliced(source, self.runs) if self.sparse is None else Holed(source, self.runs, self.sparse)


def excerpt(
    source: Source,
    formats: Formats,
    wishes: Wishes,
    *,
    forced: str | None = None,
    context: int = 2,
    progress: Progress | None = None,
) -> Excerpt:
    """Find the runs of `source` that show what all of it shows; raises RefusedError where its format has no such."""
    chain, claim = detect(source, formats, forced)
    bottom = chain[-1]
    if not forced:
        source.settled = source.settled or (bottom.name, claim.strength, claim.because)  # no format is asked again
    if bottom.excerpts is not None:
        return _proposed(source, formats, wishes, forced, context, progress)
    if source.kind == "folder":
        raise RefusedError(f"{source.label} is a folder", "name the damaged file in it, or use inspector capture")
    units = Units(source.size)
    recorded: list[State] = []

    def tap(state: State, stretches: Iterator[Stretch]) -> Iterator[Stretch]:
        recorded.append(state)
        return units.through(bottom.damaged, stretches)

    report = inspect(source, formats, wishes, forced, KEEP, progress, tap, causes=False).whole()
    all_of_it = Excerpt(report, [(0, source.size)], len(units.starts), 0, shown_by(report))
    if not source.size:
        all_of_it.whole = "the file is empty"
        return all_of_it
    if not bottom.splices:
        name_causes(report)
        report.whole()
        return _only_read(source, formats, wishes, forced, all_of_it)
    search = Search(source, [*report.layers], wishes, report, units)
    if not search.asks_why(report):
        all_of_it.whole, all_of_it.why = TOO_MUCH, False
        return all_of_it
    all_of_it.findings = told = shown_by(report.whole())
    chosen = search.smallest(lambda raw: bottom.kin(recorded[0], raw) if bottom.kin and recorded else ())
    if chosen is None:
        all_of_it.whole = "what it shows depends on its whole" if search.goes_on() else ENDED
        all_of_it.why = search.goes_on() or not search.crowded
        return all_of_it
    chosen = search.with_context(chosen, context)
    done = Excerpt(report, units.runs(chosen), len(units.starts), search.tries, told)
    if search.shown is not None and search.shown[0] == chosen:
        done.shown = search.shown[1]
    if done.runs == all_of_it.runs and not search.goes_on():
        done.whole, done.why = ENDED, not search.crowded  # so many places are not asked why once more
    elif not search.goes_on():
        done.notes.append("the search ended at its limit of work: a smaller one may exist")
    return done


def _proposed(
    source: Source, formats: Formats, wishes: Wishes, forced: str | None, context: int, progress: Progress | None
) -> Excerpt:
    """Where the format knows how to leave out what others name."""
    from inspector.smaller import Points, affords, asks_why, smaller

    points = Points()
    report = inspect(source, formats, wishes, forced, KEEP, progress, points.through, causes=False).whole()
    why = asks_why(report)
    report.whole()
    tried = affords(report)
    found = smaller(source, report, points.spans, wishes, context, why) if tried else None
    if found is None:
        told = shown_by(report)
        patterns = [pattern for form in report.layers for pattern in form.private.files]
        whole = {
            one.name: [Span(0, one.size, one.name)] if one.size else []
            for one in source.members  # of a folder those that are the store's own, and never a file with keys
            if not one.name or (not one.secret and any(fnmatchcase(one.name.split("/")[-1], p) for p in patterns))
        }
        found = Excerpt(report, [], report.account.units, 0, told, why=why, composition=whole)
        found.whole = "what it shows depends on its whole" if tried else TOO_MUCH
        if list(whole) == [one.name for one in source.members]:
            found.shown = report
    return found


def _only_read(source: Source, formats: Formats, wishes: Wishes, forced: str | None, whole: Excerpt) -> Excerpt:
    """Where units lie at places that others name: what an inspection reads, at its place, and holes."""
    from inspector.recorder import Recorder

    recorder = Recorder(source, vouching=False)
    recorder.settled = source.settled
    inspect(recorder, formats, wishes, forced, KEEP).whole()
    runs = recorder.noted.wanted("")
    recorder.close()
    view = Holed(source, runs, source.size)
    view.settled = source.settled
    kept = sum(end - start for start, end in runs)
    if kept < source.size and alike(view, formats, wishes, forced, signature(whole.report)):
        return Excerpt(whole.report, runs, whole.units, 1, whole.findings, sparse=source.size)
    name = whole.report.bottom.name
    whole.whole = f"the units of {name} lie where others say, and all are read: none can be left out"
    return whole
