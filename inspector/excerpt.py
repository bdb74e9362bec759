"""The smallest file of the same format that still shows the same findings: delta debugging over its units.

Damage and what findings point at stay byte for byte; healthy units are left out while the findings stay the same
(Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", 2002). A candidate is never written: it
is a view of the source, so memory holds eight bytes a unit and no content.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from inspector.catalogue import Formats
from inspector.errors import InspectorError, RefusedError
from inspector.finding import Finding, Severity
from inspector.format import UNIT, State, Stretch, Wishes
from inspector.inspect import Progress, Report, detect, inspect
from inspector.source import Source
from inspector.spliced import Holed, Run, Spliced

KEEP: Final = 200  # findings of a rule that are looked at; beyond it a rule need only be shown as often
MOST_TRIES: Final = 4000  # inspections of candidates; the smallest so far is taken then
MOST_BYTES: Final = 1 << 30  # and as many bytes of candidates, or ten times the source
DAMAGE_COSTS: Final = 1 << 18  # bytes that could be read while one damage is judged
MOST_APART: Final = 512  # places of damage that are kept apart from each other
MOST_IDS: Final = 32  # ids that are looked for in the whole source
MOST_KIN: Final = 400  # units that carry the same id as damage does, the first and the last of them
ENDS: Final = 1 << 16  # of a longer finding only the units at its two ends are needed
NOTE: Final = Severity.NOTE
MANY: Final = 16  # notes of one rule: more are only many
NEAR: Final = 24  # units on each side of damage among which healthy neighbours are looked for
CHUNK: Final = 4 << 20

Signature = tuple[Any, ...]


@dataclass(slots=True)
class Excerpt:
    """What was found: the runs of the source that are left, in order."""

    report: Report
    runs: list[Run]
    units: int
    tries: int
    findings: dict[str, int]
    whole: str = ""  # why nothing was left out
    sparse: int | None = None  # bytes of the file where the runs keep their places, with holes between them
    notes: list[str] = field(default_factory=list)

    @property
    def size(self) -> int:
        return sum(end - start for start, end in self.runs)

    def chart(self) -> list[dict[str, int]]:
        """New offsets to old ones."""
        if self.sparse is not None:
            return [{"start": a, "end": b, "source_start": a, "source_end": b} for a, b in self.runs]
        found, at = [], 0
        for start, end in self.runs:
            found.append({"start": at, "end": at + end - start, "source_start": start, "source_end": end})
            at += end - start
        return found


class _Units:
    """Where each unit begins; unit i is [starts[i], starts[i + 1])."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.starts = array("Q")
        self.fixed: set[int] = set()  # what is no healthy unit: version bytes, gaps, damage

    def through(self, bad: frozenset[int], stretches: Iterator[Stretch]) -> Iterator[Stretch]:
        for stretch in stretches:
            base = len(self.starts)
            self.starts.extend(stretch.starts)
            marks, roles = stretch.marks.tobytes(), stretch.roles.tobytes()
            if roles.count(UNIT) != len(stretch) or marks.count(0) != len(stretch):
                self.fixed.update(
                    base + i
                    for i, (role, mark) in enumerate(zip(roles, marks, strict=True))
                    if role != UNIT or mark in bad
                )
            yield stretch

    def at(self, offset: int) -> int:
        return max(0, bisect_right(self.starts, offset) - 1)

    def span(self, index: int) -> Run:
        return self.starts[index], self.starts[index + 1] if index + 1 < len(self.starts) else self.size

    def runs(self, chosen: Iterable[int]) -> list[Run]:
        found: list[Run] = []
        for index in sorted(chosen):
            start, end = self.span(index)
            if found and found[-1][1] == start:
                found[-1] = (found[-1][0], end)
            else:
                found.append((start, end))
        return found


def signature(report: Report) -> Signature:
    """What two inspections must have in common: findings counted (notes up to MANY), with causes and salvage."""
    tally = report.tally
    counted = tuple(sorted((code, str(level), n) for (code, level), n in tally.counts.items() if level is not NOTE))
    notes = tuple(sorted((code, min(n, MANY)) for (code, level), n in tally.counts.items() if level is NOTE))
    causes = tuple(
        sorted((f.rule.code, f.cause.name, f.salvage or "") for f in tally.findings() if f.level is not NOTE)
    )
    return report.format.name, counted, notes, causes


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
    if source.kind == "folder":
        raise RefusedError(f"{source.label} is a folder", "name the damaged file in it, or use inspector capture")
    units = _Units(source.size)
    bad: list[frozenset[int]] = []
    recorded: list[State] = []

    def tap(state: State, stretches: Iterator[Stretch]) -> Iterator[Stretch]:
        recorded.append(state)
        return units.through(bad[0], stretches)

    chain, _ = detect(source, formats, forced)
    bottom = chain[-1]
    bad.append(bottom.damaged)
    report = inspect(source, formats, wishes, forced, KEEP, progress, tap)
    told = dict(sorted((code, n) for (code, _), n in report.tally.counts.items()))
    all_of_it = Excerpt(report, [(0, source.size)], len(units.starts), 0, told)
    if not source.size:
        all_of_it.whole = "the file is empty"
        return all_of_it
    if not bottom.splices:
        return _only_read(source, formats, wishes, forced, all_of_it)
    search = _Search(source, [*report.layers], wishes, report, units)
    chosen = search.smallest(lambda raw: bottom.kin(recorded[0], raw) if bottom.kin and recorded else ())
    if chosen is None:
        all_of_it.whole = "what it shows depends on its whole"
        return all_of_it
    chosen = search.with_context(chosen, context)
    done = Excerpt(report, units.runs(chosen), len(units.starts), search.tries, told)
    if not search.goes_on():
        done.notes.append("the search ended at its limit of work: a smaller one may exist")
    return done


def _only_read(source: Source, formats: Formats, wishes: Wishes, forced: str | None, whole: Excerpt) -> Excerpt:
    """Where units lie at places that others name: what an inspection reads, at its place, and holes."""
    from inspector.capture import Recorder, merged

    recorder = Recorder(source)
    chain, claim = detect(source, formats, forced)
    recorder.settled = (chain[-1].name, claim.strength, claim.because)
    inspect(recorder, formats, wishes, forced, KEEP)
    runs = merged(recorder.reads.get("", ()))
    view = Holed(source, runs, source.size)
    kept = sum(end - start for start, end in runs)
    if kept < source.size and signature(inspect(view, formats, wishes, forced, KEEP)) == signature(whole.report):
        return Excerpt(whole.report, runs, whole.units, 1, whole.findings, sparse=source.size)
    whole.whole = f"the units of {chain[-1].name} lie where others say, and all are read: none can be left out"
    return whole


class _Search:
    """Candidates, and whether they show the same."""

    def __init__(self, source: Source, layers: Formats, wishes: Wishes, report: Report, units: _Units) -> None:
        self.source, self.layers, self.wishes, self.units = source, layers, wishes, units
        self.forced = report.format.name
        self.wanted = signature(report)
        self.findings = report.tally.findings()
        self.tries = 0
        self._bare: dict[Any, int] | None = None
        self.left = max(MOST_BYTES, 10 * source.size)

    def goes_on(self) -> bool:
        """Whether more may be tried; the smallest so far is taken then."""
        return self.tries < MOST_TRIES and self.left > 0

    def shows(self, chosen: Iterable[int]) -> bool:
        self.tries += 1
        view = Spliced(self.source, self.units.runs(chosen))
        self.left -= view.size + DAMAGE_COSTS * len(self.units.fixed)
        try:
            found = inspect(view, self.layers, self.wishes, self.forced, KEEP)
        except InspectorError:
            return False  # not a store of this format any more
        return signature(found) == self.wanted

    def smallest(self, kin: Callable[[bytes], Iterable[bytes]]) -> set[int] | None:
        """A small set of units that shows the same; None where not even all of them do."""
        needed = self.units.fixed | {0} | {i for f in self._pointing() for i in self._at(f)}
        if self.shows(needed):
            return self._less(needed, set())
        apart = self._harmless()
        if self.shows(needed | apart):
            return self._less(needed, apart)
        related = self._related(needed, kin) - needed
        for more in (related, related | apart):
            if self.shows(needed | more):
                return self._less(needed, more)
        everything = set(range(len(self.units.starts)))
        if not self.shows(everything):
            return None
        return self._less(needed, everything - needed)

    def _pointing(self) -> Iterator[Finding]:
        """Every error and warning, and as many notes of each rule as count."""
        notes: Counter[str] = Counter()
        for found in self.findings:
            notes[found.rule.code] += found.level is NOTE
            if found.bytes_known and (found.level is not NOTE or notes[found.rule.code] <= MANY):
                yield found

    def _at(self, found: Finding) -> Iterator[int]:
        span = found.span
        first, last = self.units.at(span.start), self.units.at(max(span.start, span.end - 1))
        if span.length > ENDS:
            yield from (first, last)
        else:
            yield from range(first, last + 1)
        for value in found.evidence.values():  # another record that the finding names by its offset
            if isinstance(value, int) and not isinstance(value, bool) and 0 < value < self.units.size:
                index = self.units.at(value)
                if self.units.starts[index] == value:
                    yield index

    def _harmless(self) -> set[int]:
        """Healthy units before and behind each damage that need no others: they keep one damage from the next."""
        found: set[int] = set()
        last = len(self.units.starts)
        for index in sorted(self.units.fixed - {0})[:MOST_APART]:
            for step in (-1, 1):
                for distance in range(1, NEAR + 1):
                    near = index + step * distance
                    if not 0 < near < last or near in self.units.fixed:
                        break
                    group = self._alone(near)
                    if group:
                        found |= group
                        break
        return found

    def _alone(self, index: int) -> set[int]:
        """The unit, or it and the next one, where they add no finding to the head of the store; else nothing."""
        head = {0, 1} - (self.units.fixed - {0})
        if self._bare is None:
            self._bare = self._counts(head)
        for group in ({index}, {index, index + 1}):
            inside = max(group) < len(self.units.starts) and not group & self.units.fixed
            if inside and self._counts(head | group) == self._bare:
                return group
        return set()

    def _counts(self, chosen: set[int]) -> dict[Any, int] | None:
        """How often each rule is broken by a store of these units; None where it is no store."""
        self.tries += 1
        try:
            view = Spliced(self.source, self.units.runs(chosen))
            return dict(inspect(view, self.layers, self.wishes, self.forced, KEEP).tally.counts)
        except InspectorError:
            return None

    def _related(self, needed: set[int], kin: Callable[[bytes], Iterable[bytes]]) -> set[int]:
        """Units with the same ids as what is needed, and those right behind."""
        found: set[int] = set()
        ids: dict[bytes, None] = {}
        for index in sorted(needed)[:MOST_KIN]:
            start, end = self.units.span(index)
            ids.update(dict.fromkeys(kin(self.source.read(start, min(end - start, ENDS)))))
        for needle in list(ids)[:MOST_IDS]:
            more = self._carriers(needle)
            found |= more | {i + 1 for i in more if i + 1 < len(self.units.starts)}
        return found

    def _carriers(self, needle: bytes) -> set[int]:
        found: list[int] = []
        at, tail = 0, b""
        for start, data in self.source.windows(size=CHUNK):
            base, held = start - len(tail), tail + data
            place = held.find(needle)
            while place >= 0:
                index = self.units.at(base + place)
                if not found or found[-1] != index:
                    found.append(index)
                place = held.find(needle, place + 1)
            tail = held[-len(needle) + 1 :]
            at = start
            if len(found) > 4 * MOST_KIN:
                found = found[:MOST_KIN] + found[-MOST_KIN:]
        return set(found[: MOST_KIN // 2]) | set(found[-MOST_KIN // 2 :]) if at >= 0 else set()

    def _less(self, needed: set[int], optional: set[int]) -> set[int]:
        """Minimising delta debugging: no unit of the result's optional part can be left out alone."""
        kept = sorted(optional)
        parts = 2
        if kept and self.shows(needed):
            kept = []
        while len(kept) >= 1 and self.goes_on():
            size = -(-len(kept) // parts)
            pieces = [kept[i : i + size] for i in range(0, len(kept), size)]
            smaller = self._one_of(needed, kept, pieces, parts > 2)
            if smaller is not None:
                alone, kept = smaller
                parts = 2 if alone else max(parts - 1, 2)
            elif size == 1:
                break
            else:
                parts = min(len(kept), 2 * parts)
        return self._without_needed(needed, set(kept))

    def _one_of(
        self, needed: set[int], kept: list[int], pieces: list[list[int]], rest: bool
    ) -> tuple[bool, list[int]] | None:
        for piece in pieces:
            if len(piece) < len(kept) and self.goes_on() and self.shows(needed.union(piece)):
                return True, piece
        for piece in pieces if rest or len(pieces) == 1 else ():
            gone = set(piece)
            left = [i for i in kept if i not in gone]
            if self.goes_on() and self.shows(needed.union(left)):
                return False, left
        return None

    def _without_needed(self, needed: set[int], kept: set[int]) -> set[int]:
        """What findings pointed at may be healthy and spare, too; damage itself never is."""
        for index in sorted(needed - self.units.fixed - {0})[:64]:
            if self.goes_on() and self.shows((needed | kept) - {index}):
                needed = needed - {index}
        return needed | kept

    def with_context(self, chosen: set[int], context: int) -> set[int]:
        """Up to `context` healthy units around each place of damage, where they change nothing."""
        last = len(self.units.starts)
        for index in sorted(self.units.fixed & chosen)[:16]:
            for step in (-1, 1):
                left = context
                for distance in range(1, NEAR + 1):
                    near = index + step * distance
                    if not left or not 0 < near < last or near in self.units.fixed:
                        break
                    pair = {near, near + 1} if near + 1 < last else {near}  # an announcement and its amount
                    for more in ({near}, pair):
                        if not more <= chosen and self.goes_on() and self.shows(chosen | more):
                            chosen = chosen | more
                            left -= 1
                            break
        return chosen
