"""Delta debugging over the units of a store: the fewest that show the same findings.

Damage and what findings point at stay byte for byte; healthy units are left out while the findings stay the same
(Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", 2002). A candidate is never written: it
is a view of the source, so memory holds no content; where units begin goes to a temporary file if they are many.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any, Final

from inspector.catalogue import Formats
from inspector.errors import InspectorError
from inspector.finding import Finding
from inspector.format import UNIT, Stretch, Wishes
from inspector.inspect import Report, inspect
from inspector.numbers import Numbers
from inspector.shown import KEEP, MANY, NOTE, apart, judged, signature
from inspector.source import Source
from inspector.span import Run
from inspector.spliced import Spliced

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
LOST: Final = 4  # damaged bytes that cost 1
MOST_APART: Final = 512  # places of damage that are kept apart from each other
MOST_IDS: Final = 32  # ids that are looked for in the whole source
MOST_KIN: Final = 400  # units that carry the same id as damage does, the first and the last of them
ENDS: Final = 1 << 16  # of a longer finding only the units at its two ends are needed
MOST_HELPING: Final = 48  # units of the same ids that are tried one by one
FEW: Final = 64  # units that more is looked for, and damages whose neighbours are each tried to be left out
WIDER: Final = (0, 8, 128, 2048, 32_768)  # units on both sides of those whose findings come out different
NEAR: Final = 24  # units on each side of damage among which healthy neighbours are looked for
CHUNK: Final = 4 << 20


class Units:
    """Where each unit begins; unit i is [starts[i], starts[i + 1])."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.starts = Numbers()
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
        self._bare: dict[Any, int] | None = None
        self.left = room(source.size)
        self._unit = FINDING * min(1.0, report.tally.total / max(1, len(units.starts)))
        lost = sum(end - start for start, end in map(units.span, units.fixed - {0}))
        self._damage = TRY + DAMAGE * min(MOST_JUDGED, len(units.fixed)) + lost // LOST
        bottom = report.bottom
        self._slow = bottom.slow(report.state_of_bottom) if bottom.slow else 0
        self._looking = work(report)  # what it will cost for a candidate, as far as one can tell before
        # what was spent on the source itself, and will be on its excerpt with other names in it
        self.left -= self._damage + self._looking + source.size // BYTES + int(self._unit * len(units.starts))

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
        return signature(found) == self.wanted

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

    def smallest(self, kin: Callable[[bytes], Iterable[bytes]]) -> set[int] | None:
        """A small set of units that shows the same; None where not even all of them do."""
        needed = self.units.fixed | {0} | {i for f in self._pointing() for i in self._at(f)}
        if self.shows(needed):
            return self._less(needed, set())
        if self.left <= self._damage + self._looking:
            self.left = 0
            return None  # no candidate with all the damage can be judged any more
        apart = self._harmless()
        if self.shows(needed | apart):
            return self._less(needed, apart)
        astray = self._astray(needed | apart)
        for more in self._wider(needed | apart, astray, kin):
            if self.shows(needed | apart | more):
                few = len(self.units.fixed) <= FEW
                return self._less(needed, apart | more) if few else self._less(needed | apart, more)
        related = self._related(needed, kin) - needed
        for more in (related, related | apart):
            if self.shows(needed | more):
                return self._less(needed, more)
        if len(self.units.starts) > MOST_UNITS:
            return None
        everything = set(range(len(self.units.starts)))
        if not self.shows(everything):
            return None
        return self._less(needed, everything - needed)

    def _astray(self, chosen: set[int]) -> set[int]:
        """Units whose findings come out different in a store of these units."""
        if (inspected := self._inspected(chosen)) is None:
            return set()
        view, report = inspected
        found = report.tally.findings()
        there = {(f.rule.code, f.cause.name, f.salvage, view.below_at(f.span.start)) for f in found if f.bytes_known}
        return {
            self.units.at(f.span.start)
            for f in self._pointing()
            if (f.rule.code, f.cause.name, f.salvage, f.span.start) not in there
        }

    def _wider(self, chosen: set[int], astray: set[int], kin: Callable[[bytes], Iterable[bytes]]) -> Iterator[set[int]]:
        """What bears on a few units: those of the same ids that help, all of the same ids, and more beside them."""
        if not 0 < len(astray) <= FEW:
            return
        related = self._related(astray, kin) - self.units.fixed
        yield self._helping(chosen, related - chosen)
        last = len(self.units.starts)
        for reach in WIDER:
            beside = {i for at in astray for i in range(max(1, at - reach), min(last, at + reach + 1))}
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
        head = {0, 1} - (self.units.fixed - {0})
        if self._bare is None:
            self._bare = self._counts(head)
        for group in ({index}, {index, index + 1}):
            inside = max(group) < len(self.units.starts) and not group & self.units.fixed
            if inside and self.goes_on() and self._counts(head | group) == self._bare:
                return group
        return set()

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

    def _related(self, needed: set[int], kin: Callable[[bytes], Iterable[bytes]]) -> set[int]:
        """Units with the same ids as what is needed, and those right behind."""
        found: set[int] = set()
        ids: dict[bytes, None] = {}
        right: dict[int, tuple[int, int]] = {}
        for f in self.findings:
            at, bit = f.evidence.get("flip_at"), f.evidence.get("flip_bit")
            if isinstance(at, int) and isinstance(bit, int) and f.span.start <= at < f.span.start + ENDS:
                right[f.span.start] = (at, 1 << bit)
        for index in sorted(needed)[:MOST_KIN]:
            start, end = self.units.span(index)
            raw = self.source.read(start, min(end - start, ENDS))
            ids.update(dict.fromkeys(kin(raw)))
            if start in right:  # a flipped bit may be one of an id
                at, bit = right[start]
                ids.update(
                    dict.fromkeys(kin(raw[: at - start] + bytes([raw[at - start] ^ bit]) + raw[at - start + 1 :]))
                )
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
