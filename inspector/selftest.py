"""How well inspector does on the user's own store: damaged copies of it, inspected, repaired, and held to the truth.

Nothing is tuned here: the damage comes from a seed, the truth from the healthy bytes. It is made in bytes that a
checksum or a rule covers, as the healthy store's tiles say: most of a volume is content that nothing could notice.
"""

from __future__ import annotations

import time
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

from msgspec import Struct, field

from inspector import damage
from inspector.catalogue import Formats
from inspector.diagnosis.model import Event
from inspector.edited import Edited
from inspector.errors import InspectorError, OutputError, RefusedError, SourceError, UnverifiedError
from inspector.finding import Finding, Severity
from inspector.format import FRAME, FREE, UNIT, State, Stretch, Wishes
from inspector.inject import all_was_read, harm
from inspector.inspect import Report, inspect
from inspector.output import passing_folder, take_away
from inspector.repair import Result, repair
from inspector.source import Source
from inspector.span import Span

MAX_UNITS = 8_000_000  # of the healthy store that are remembered: 64 MiB; a larger one is judged without them
SEEN = 10_000  # findings and changes kept of each round


class Round(Struct):
    """One damage and what became of it; None where a question has no answer for this format or size."""

    kind: str
    seed: int
    member: str
    spans: tuple[Span, ...]  # of the damage, in the damaged copy
    sealed: bool  # it changed, or moved, bytes that a checksum or a rule covers
    detected: bool
    localised: bool
    codes: tuple[str, ...]
    causes: tuple[str, ...]
    cause_right: bool
    untouched: int | None  # units of the healthy store that the damage did not touch
    sound: int  # units of the damaged copy that verify
    corrections_right: int
    corrections_wrong: int
    repair: str  # ok, lost, refused, unverified, failed, not offered
    seconds: float


class Selftest(Struct):
    """All rounds, and the healthy store they were made from."""

    format: str
    size: int
    units: int
    sealed: int  # bytes that a checksum or a rule covers
    rounds: list[Round] = field(default_factory=list)


class _Units(Struct):
    """Where the healthy store's units, and the stretches that something covers, begin and end, by member."""

    starts: dict[str, array[int]] = field(default_factory=dict)
    ends: dict[str, array[int]] = field(default_factory=dict)
    count: int = 0
    covered: dict[str, tuple[array[int], array[int]]] = field(default_factory=dict)

    def tap(self, _: State, stretches: Iterator[Stretch]) -> Iterator[Stretch]:
        for stretch in stretches:
            if self.count <= MAX_UNITS:
                self._take(stretch)
            yield stretch

    def _take(self, stretch: Stretch) -> None:
        starts = self.starts.setdefault(stretch.member, array("Q"))
        ends = self.ends.setdefault(stretch.member, array("Q"))
        after = [*stretch.starts[1:], stretch.end]
        low, high = self.covered.setdefault(stretch.member, (array("Q"), array("Q")))
        for start, end, role, mark in zip(stretch.starts, after, stretch.roles, stretch.marks, strict=True):
            if role in (FRAME, UNIT) and start < end:
                if high and high[-1] == start:
                    high[-1] = end
                else:
                    low.append(start)
                    high.append(end)
            if role == UNIT and not mark:
                starts.append(start)
                ends.append(end)
                self.count += 1

    def emptied(self, spans: tuple[Span, ...], free: _Free) -> bool:
        """Whether all that these spans touch became room that was never written, as far as the format can know."""
        hit = 0
        for span in spans:
            low, high = self.covered.get(span.member, (array("Q"), array("Q")))
            for i in range(bisect_right(high, span.start), bisect_left(low, span.end)):
                hit += 1
                if not free.covers(span.member, low[i], high[i]):
                    return False
        return bool(hit)

    def ranges(self) -> dict[str, damage.Ranges]:
        """The covered bytes of each member that has any."""
        made = {member: damage.Ranges(low, high) for member, (low, high) in self.covered.items()}
        return {member: ranges for member, ranges in made.items() if ranges.total}

    def covers(self, spans: tuple[Span, ...], moved: bool) -> bool:
        """Whether any of these spans of the healthy store, or what lies behind the first where it moved, is covered."""
        for span in spans:
            if span.member not in self.covered:
                continue
            low, high = self.covered[span.member]
            if moved:
                return bool(high) and span.start < high[-1]
            first = bisect_right(high, span.start)
            if first < len(low) and low[first] < span.end:
                return True
        return False

    def untouched(self, spans: tuple[Span, ...]) -> int | None:
        """Units that none of these spans of the healthy store touches; spans are sorted and do not overlap."""
        if self.count > MAX_UNITS:
            return None
        hit = 0
        seen = -1
        for span in spans:
            starts, ends = self.starts.get(span.member), self.ends.get(span.member)
            if starts is None or ends is None:
                continue
            # what is put in between two units touches neither
            first = max(bisect_right(ends, span.start), seen + 1)
            last = bisect_left(starts, span.end if span.end > span.start else span.start)
            hit += max(0, last - first)
            seen = max(seen, last - 1)
        return self.count - hit


class _Free(Struct):
    """Room of the damaged copy that its format takes for never written."""

    runs: dict[str, list[tuple[int, int]]] = field(default_factory=dict)

    def tap(self, _: State, stretches: Iterator[Stretch]) -> Iterator[Stretch]:
        for stretch in stretches:
            found = self.runs.setdefault(stretch.member, [])
            for i, role in enumerate(stretch.roles if FREE in stretch.roles else ()):
                if role == FREE and len(found) < SEEN:
                    found.append((stretch.span(i).start, stretch.span(i).end))
            yield stretch

    def covers(self, member: str, start: int, end: int) -> bool:
        return any(low <= start and end <= high for low, high in self.runs.get(member, ()))


def selftest(
    source: Source,
    formats: Formats,
    rounds: int,
    seed: int,
    kinds: tuple[str, ...] = tuple(damage.KINDS),
    *,
    forced: str | None = None,
    anywhere: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Selftest:
    """Damage, inspect and repair `rounds` copies; raises RefusedError where the store is not healthy to begin with.

    `anywhere`: also in bytes that nothing covers.
    """
    units = _Units()
    healthy = inspect(source, formats, Wishes(), forced, tap=units.tap).whole()
    if healthy.damaged or healthy.unchecked:
        found = next((f for f in healthy.tally.findings() if f.level is not Severity.NOTE), None)
        why = f"{found.rule.code}: {found.message}" if found else healthy.unchecked
        raise RefusedError(f"{source.label} is not healthy ({why})", "a self-test needs a store without damage")
    noted = {(f.rule.code, f.span) for f in healthy.tally.findings()}
    covers = healthy.bottom.sealed is None or healthy.bottom.sealed(healthy.state_of_bottom)
    ranges = units.ranges() if covers else {}
    test = Selftest(healthy.format.name, source.size, healthy.account.units, sum(one.total for one in ranges.values()))
    aims = {} if anywhere else ranges
    with passing_folder("inspector-selftest-") as folder:
        for number in range(rounds):
            kind = kinds[number % len(kinds)]
            member = _member(source, aims, seed + number)
            try:
                damaged, harms = harm(source, [kind], seed + number, member, None, None, aims.get(member or ""))
            except RefusedError:
                continue  # this kind would change nothing here, a text translation of a file without line ends
            assert isinstance(damaged, Edited)
            before = harms[0].before
            known = units.untouched(before) if harms[0].count == len(before) else None
            moved = damaged.length(damaged.changed_member) != source.length(damaged.changed_member)
            sealed = covers and units.covers(before, moved)
            made = (kind, seed + number, sealed)
            free = _Free()
            told = _round(damaged, formats, healthy, noted, made, known, folder / f"{number}", free)
            if not told.detected and not moved and units.emptied(before, free):
                told.sealed = False  # a store in which that was never written looks the same
            test.rounds.append(told)
            all_was_read(source)  # else a round was held to other bytes than those that were damaged
            if progress:
                progress(number + 1, rounds)
    return test


def _member(source: Source, aims: dict[str, damage.Ranges], seed: int) -> str | None:
    """A member of a folder that has bytes to aim at, one with more of them more often."""
    if source.kind != "folder" or not aims:
        return None
    secret = {m.name for m in source.members if m.secret}
    able = [name for name in sorted(aims) if name not in secret]
    return Random(f"{seed}/member").choices(able, [aims[name].total for name in able])[0] if able else None


def _round(
    damaged: Edited,
    formats: Formats,
    healthy: Report,
    noted: set[tuple[str, Span]],
    made: tuple[str, int, bool],
    untouched: int | None,
    output: Path,
    free: _Free,
) -> Round:
    begun = time.monotonic()
    forced = healthy.format.name
    # half a report would count as missed
    report = inspect(damaged, formats, Wishes(), forced, keep=SEEN, tap=free.tap).whole()
    found = [f for f in report.tally.findings() if (f.rule.code, f.span) not in noted]
    spans = tuple(damaged.touched())
    near = [f for f in found if _about(f, spans)]
    outcome, right, wrong = _repaired(damaged, formats, forced, output)
    kind, seed, sealed = made
    # what a scan says first: the events of the diagnosis; a finding's own cause only where there is none
    events = report.diagnosis.events if report.diagnosis else ()
    told = [e for e in events if _about(e, spans)] or list(events) or near or found
    causes = tuple(dict.fromkeys(one.cause.name for one in told))
    return Round(
        kind=kind,
        seed=seed,
        member=damaged.changed_member,
        spans=spans[:SEEN],
        sealed=sealed,
        detected=bool(found),
        localised=bool(near),
        codes=tuple(dict.fromkeys(f.rule.code for f in found)),
        causes=causes,
        cause_right=bool(_right(damaged, kind, spans).intersection(causes)),
        untouched=untouched,
        sound=report.account.units - report.account.damaged,
        corrections_right=right,
        corrections_wrong=wrong,
        repair=outcome,
        seconds=time.monotonic() - begun,
    )


def _right(damaged: Edited, kind: str, spans: tuple[Span, ...]) -> frozenset[str]:
    """Causes that may rightly be named: where what was written is all zeroes or ones, the bytes tell no more."""
    right: frozenset[str] = damage.KINDS[kind].causes
    for span in spans[:SEEN]:
        values = set(damaged.read(span.start, min(span.length, 1 << 16), span.member)) if span.length >= 64 else ()
        if len(values) == 1 and (value := min(values)) in (0, 255):
            right |= {"ones-range" if value else "zeroed-range"}
    return right


def _about(one: Finding | Event, spans: tuple[Span, ...]) -> bool:
    """Whether its bytes hold, or end at, the place of a change."""
    here = one.span
    return any(here.member == span.member and here.start <= span.end and span.start <= here.end for span in spans)


def _repaired(damaged: Edited, formats: Formats, forced: str, output: Path) -> tuple[str, int, int]:
    """What a repair says, and how many of the units it corrected are, and are not, what they were."""
    try:
        result = repair(damaged, formats, str(output), Wishes(), forced=forced, force=True, copy=True, keep=SEEN)
    except UnverifiedError:
        return "unverified", 0, 0
    except RefusedError as error:
        return ("not offered" if "not offered" in error.message else "refused"), 0, 0
    except (OutputError, SourceError):
        raise  # a full disk, no memory to verify with, no descriptor left: it says nothing about this store
    except InspectorError:
        return "failed", 0, 0
    finally:
        _remove(output)
    right, wrong = _held_to_truth(damaged, result)
    return "lost" if result.code else "ok", right, wrong


def _held_to_truth(damaged: Edited, result: Result) -> tuple[int, int]:
    right = wrong = 0
    for edit in result.changes:
        if edit.action != "corrected" or edit.proof != "sealed" or edit.origin is None or edit.data is None:
            continue
        truth = _as_it_was(damaged, edit.origin)
        if truth is None:
            continue
        found = damaged.read(edit.origin.start, edit.origin.length, edit.origin.member)
        good = _undone(truth, found, edit.data)
        right += good
        wrong += not good
    return right, wrong


def _undone(truth: bytes, found: bytes, data: bytes) -> bool:
    """Whether each byte that a correction changed is what it was; what no checksum covers stays as it was found."""
    if len(data) != len(truth):
        return False
    return all(new == was for was, old, new in zip(truth, found, data, strict=True) if new != old)


def _as_it_was(damaged: Edited, span: Span) -> bytes | None:
    """The healthy bytes of a span of the copy; None where the damage moved or took some of them."""
    if span.member != damaged.changed_member:
        return damaged.below.read(span.start, span.length, span.member)
    shift = 0
    for change in damaged.changes:
        if change.at + shift >= span.end:
            break
        if len(change.data) != change.removed:
            if change.at + shift + len(change.data) > span.start:
                return None
            shift += len(change.data) - change.removed
    return damaged.below.read(span.start - shift, span.length, span.member)


def _remove(output: Path) -> None:
    if output.is_dir():
        take_away(output, strict=True)
    elif output.exists():
        output.unlink()
