"""Delta debugging over the units of a store: the fewest that show the same findings.

Damage and what findings point at stay byte for byte; healthy units are left out while the findings stay the same
(Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", 2002). A candidate is never written: it
is a view of the source, so memory holds no content; where units begin goes to a temporary file if they are many.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from typing import Any, Final

from inspector import aligned, kindred
from inspector.catalogue import Formats
from inspector.diagnosis.bytes_at import FEW as FEW_PLACES
from inspector.diagnosis.model import Event
from inspector.errors import InspectorError
from inspector.finding import Finding
from inspector.format import Wishes
from inspector.inspect import Report, inspect, name_causes
from inspector.shown import KEEP, MANY, NOTE, apart, judged, signature
from inspector.source import Source
from inspector.spliced import Spliced
from inspector.units import Units

MOST_UNITS: Final = 1 << 20  # that may each be left out where nothing tells which are needed
MOST_TRIES: Final = 4000  # inspections of candidates; the smallest so far is taken then
# what they may cost together, in about a microsecond: counted and not measured, so that the result is the same
ROOM: Final = 400_000
PER_BYTE: Final = 1  # of the source, up to STEEP of them; a tenth of it for each byte more
STEEP: Final = 16 << 20
TRY: Final = 500  # costs of any inspection
BYTES: Final = 40  # that cost 1
FINDING: Final = 12  # costs of a unit that a finding is made of
SLOW: Final = 70  # costs of a unit that is read by itself, of a format that passes over most at once
DAMAGE: Final = 400  # costs of a damage whose cause is looked for, of MOST_JUDGED
MOST_JUDGED: Final = 200
LOOKED: Final = 8  # costs of a step in which a cause is looked for
READ: Final = 5  # costs of a read
# of many places every one is read and compared anew, so that a step costs more; and they may be of a small file,
# of which an inspection with causes, one of a candidate and one of what is written must be cheap together; both
# limits are those of up to a MiB, and grow with longer files as `room` does
CROWD: Final = 18
CROWDED: Final = 550_000
QUICK: Final = 750_000  # all of a search among them
LOST: Final = 4  # damaged bytes that cost 1
MOST_APART: Final = 512  # places of damage that are kept apart from each other
ENDS: Final = 1 << 16  # of a longer finding only the units at its two ends are needed
MOST_HELPING: Final = 48  # units of the same ids that are tried one by one
FEW: Final = 64  # units that more is looked for, and damages whose neighbours are each tried to be left out
ROUNDS: Final = 4  # of adding what a store misses in which damage stands at its place
BESIDE: Final = 3  # units on both sides that often tell of the same thing
WIDER: Final = (0, 8, 128, 2048, 32_768)  # units on both sides of those whose findings come out different
NEAR: Final = 24  # units on each side of damage among which healthy neighbours are looked for


def work(report: Report) -> int:
    """What looking for what explains this report's findings cost, in a source that nothing else has read."""
    return READ * report.source.reads + (LOOKED * report.diagnosis.work if report.diagnosis else 0)


def room(size: int) -> int:
    """What an excerpt of so many bytes may cost."""
    return ROOM + PER_BYTE * min(size, STEEP) + PER_BYTE * max(0, size - STEEP) // 10


class Search:
    """Candidates, and whether they show the same."""

    def __init__(self, source: Source, layers: Formats, wishes: Wishes, report: Report, units: Units) -> None:
        self.source, self.layers, self.wishes, self.units = source, layers, wishes, units
        self.forced = report.format.name
        self.wanted = signature(report)
        self.findings = report.tally.findings()
        self.tries = 0
        self.shown: tuple[Collection[int], Report] | None = None  # the smallest so far, and what was found in it
        self.events: tuple[Event, ...] = ()
        self._bare: dict[Any, int] | None = None
        self._framed: set[int] | None = None
        self._alone_before: dict[range, bool] = {}
        self.left, self.crowded = room(source.size), len(units.fixed) > FEW_PLACES
        more = max(0, self.left - room(1 << 20))
        if self.crowded:
            self.left = min(self.left, QUICK + more)
        self._unit = FINDING * min(1.0, report.tally.total / max(1, len(units.starts)))
        lost = sum(end - start for start, end in map(units.span, units.fixed - {0}))
        self._damage = TRY + DAMAGE * min(MOST_JUDGED, len(units.fixed)) + lost // LOST
        bottom = report.bottom
        self._slow = bottom.slow(report.state_of_bottom) if bottom.slow else 0
        self._looking = 0  # what causes will cost for a candidate, as far as one can tell before
        # what was spent on the source itself, and will be on its excerpt with other names in it
        once = self._damage + source.size // BYTES + int(self._unit * len(units.starts))
        self.left -= once
        self._spare = max(0, CROWDED + more - 2 * once)

    def asks_why(self, report: Report) -> bool:
        """Name the causes of what the source shows; False where so many places cost too much to ask it three times."""
        if not name_causes(report, self._spare // (3 * CROWD)):
            return False
        self.wanted, self.findings = signature(report), report.tally.findings()
        self.events = report.diagnosis.events if report.diagnosis else ()
        self._looking = work(report)
        self.left -= self._looking
        return True

    def goes_on(self) -> bool:
        """Whether more may be tried; the smallest so far is taken then."""
        return self.tries < MOST_TRIES and self.left > 0

    def _view(self, chosen: Collection[int], damage: bool = True) -> Spliced | None:
        """A store of these units; None where an inspection of it costs more than is left."""
        view = Spliced(self.source, self.units.runs(chosen))
        self.tries += 1
        self.left -= (self._damage if damage else TRY) + view.size // BYTES + int(self._unit * len(chosen))
        self.left -= SLOW * min(self._slow, len(chosen))
        more = self._looking if damage else 0
        return view if self.left > more and self.tries <= MOST_TRIES else None

    def shows(self, chosen: Collection[int]) -> bool:
        if len(chosen) == len(self.units.starts):
            return True  # all of it
        view = self._view(chosen)
        found = judged(view, self.layers, self.wishes, self.forced, self.wanted) if view is not None else None
        if found is None:
            return False
        self.left -= work(found)
        if signature(found) != self.wanted:
            return False
        self.shown = chosen, found
        return True

    def _inspected(self, chosen: set[int]) -> tuple[Spliced, Report] | None:
        """A store of these units with its causes; None where it is none, or costs more than is left."""
        view = self._view(chosen)
        if view is None:
            return None
        try:
            found = inspect(view, self.layers, self.wishes, self.forced, KEEP)
        except InspectorError:
            return None
        self.left -= work(found)
        return view, found

    def smallest(self, kin: kindred.Kin) -> set[int] | None:
        """A small set of units that shows the same; None where not even all of them do."""
        head = {0, 1} if len(self.units.starts) > 1 else {0}  # a first unit may name the store
        needed = self.units.fixed | head | {i for f in self._pointing() for i in self._at(f)}
        needed |= aligned.named(self.units, self.events)
        if self.shows(needed):
            return self._less(needed, set())
        if self.left <= self._damage + self._looking:
            self.left = 0
            return None  # no candidate with all the damage can be judged any more
        apart = self._harmless()
        if self.shows(needed | apart):
            return self._less(needed, apart)
        if (settled := self._settled(needed | apart)) is not None:
            return self._less(settled, set())
        astray = self._astray(needed | apart)
        for more in self._wider(needed | apart, astray, kin):
            for filler in self._in_place(needed | apart | more):
                if self.shows(needed | apart | more | filler):
                    few = len(self.units.fixed) <= FEW
                    always = needed | filler
                    return self._less(always, apart | more) if few else self._less(always | apart, more)
        related = kindred.related(self.source, self.units, self.findings, needed, kin) - needed
        for more in (related, related | apart):
            if self.shows(needed | more):
                return self._less(needed, more)
        if len(self.units.starts) > MOST_UNITS:
            return None
        everything = set(range(len(self.units.starts)))
        if not self.shows(everything):
            return None
        return self._less(needed, everything - needed)

    def _settled(self, chosen: set[int]) -> set[int] | None:
        """These units with damage at its place in its block, and what is missed there; None where few do not do."""
        places = aligned.anchors(self.units, self.events)
        for block in aligned.BLOCKS if places else ():
            more = set(chosen)
            for _ in range(ROUNDS):
                found = aligned.filled(self.units, more, places, block, self._stands_alone)
                if found is None:
                    break
                if self.shows(found):
                    return found
                astray = self._astray(found)
                near = self._beside(astray, BESIDE) - found
                if not near or len(astray) > FEW:
                    break
                more |= near
        return None

    def _beside(self, units: set[int], reach: int) -> set[int]:
        """These units and those on both sides of each."""
        last = len(self.units.starts)
        return {i for at in units for i in range(max(1, at - reach), min(last, at + reach + 1))}

    def _in_place(self, chosen: set[int]) -> Iterator[set[int]]:
        """Nothing, and what brings damage back to its place in a block, where why it is damaged may rest on that."""
        yield set()
        places = aligned.anchors(self.units, self.events)
        for block in aligned.BLOCKS if places else ():
            found = aligned.filled(self.units, chosen, places, block, self._stands_alone)
            if found is not None:
                yield found - chosen

    def _astray(self, chosen: set[int]) -> set[int]:
        """Units whose findings come out different in a store of these units."""
        if (inspected := self._inspected(chosen)) is None:
            return set()
        view, report = inspected
        found = report.tally.findings()
        there = {(f.rule.code, f.cause.name, f.salvage, view.below_at(f.span.start)) for f in found if f.bytes_known}
        here = {(f.rule.code, f.cause.name, f.salvage, f.span.start) for f in self._pointing()}
        return {self.units.at(start) for *_, start in here ^ there}

    def _wider(self, chosen: set[int], astray: set[int], kin: kindred.Kin) -> Iterator[set[int]]:
        """What bears on a few units: those behind them, of the same ids that help, all of these, more beside them."""
        if not 0 < len(astray) <= FEW:
            return
        last = len(self.units.starts)
        behind = {i + 1 for i in astray if i + 1 < last} - self.units.fixed  # what a unit needs may follow it
        yield behind
        near = self._beside(astray, BESIDE) - self.units.fixed
        yield near
        related = kindred.related(self.source, self.units, self.findings, astray, kin) - self.units.fixed
        yield behind | self._helping(chosen | behind, related - chosen)
        yield near | self._helping(chosen | near, related - chosen)
        for reach in WIDER:
            beside = self._beside(astray, reach)
            yield related | beside
            if len(beside) >= last - 1:
                return

    def _helping(self, chosen: set[int], related: set[int]) -> set[int]:
        """Those that, each with the unit behind it, bring the findings nearer to what is wanted."""
        best, helping = self._distance(chosen), set[int]()
        last = len(self.units.starts)
        by_size = sorted(related, key=lambda i: (self.units.span(i)[0] - self.units.span(i)[1], i))
        for index in by_size[:MOST_HELPING]:  # what others rest on says more than they do
            pair = helping | ({index, index + 1} - self.units.fixed if index + 1 < last else {index})
            if not best or not self.goes_on():
                break
            distance = self._distance(chosen | pair)
            if distance is not None and (best is None or distance < best):
                best, helping = distance, pair
        return helping

    def _distance(self, chosen: set[int]) -> int | None:
        """How many findings and causes too many or too few; None where it is no store."""
        if (inspected := self._inspected(chosen)) is None:
            return None
        found = signature(inspected[1])
        return sum(apart(one, two) for one, two in zip(self.wanted[1:], found[1:], strict=True))

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
        for group in (range(index, index + 1), range(index, index + 2)):
            inside = group.stop <= len(self.units.starts) and self.units.fixed.isdisjoint(group)
            if inside and self._stands_alone(group):
                return set(group)
        return set()

    def _stands_alone(self, group: range) -> bool:
        """Whether healthy units add no finding between the head of the store and its end."""
        if group not in self._alone_before:
            if not self.goes_on():
                return False
            frame = self._frame()
            self._alone_before[group] = self._counts(frame.union(group)) == self._bare
        return self._alone_before[group]

    def _frame(self) -> set[int]:
        """A head and an end that add no finding: what misses something behind it shows so only before others."""
        if self._framed is None:
            head, last = {0, 1} - (self.units.fixed - {0}), len(self.units.starts)
            self._framed, self._bare = head, self._counts(head)
            for index in range(last - 1, max(1, last - NEAR) - 1, -1):
                end = {index, min(index + 1, last - 1)}
                if self.goes_on() and end.isdisjoint(self.units.fixed) and self._counts(head | end) == self._bare:
                    self._framed = head | end
                    break
        return self._framed

    def _counts(self, chosen: set[int]) -> dict[Any, int] | None:
        """How often each rule is broken by a store of these units; None where it is no store."""
        view = self._view(chosen, damage=False)
        if view is None:
            return None
        try:
            found = inspect(view, self.layers, self.wishes, self.forced, KEEP, causes=False, answers=False)
            return dict(found.tally.counts)
        except InspectorError:
            return None

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
