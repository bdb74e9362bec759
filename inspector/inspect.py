"""detect -> open -> walk -> check -> answer: one inspection, and the account of every byte."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field, structs

from inspector.account import Account, Progress
from inspector.catalogue import Formats, bottoms, is_packed, named, standing_on
from inspector.errors import Exit, InspectorError, OutOfTime, OutputError, UnknownFormatError
from inspector.finding import Cause, Finding, Rule, Severity, Tally
from inspector.format import FRAME, GAP, Answer, Claim, Format, State, Stretch, Wishes
from inspector.medium import CLOSED, UNREADABLE, add_what_went_bad, findings_of, in_part, refuse_nothing
from inspector.source import Source
from inspector.span import Span

if TYPE_CHECKING:
    from inspector.diagnosis.model import Diagnosis

LATE = "the time limit was reached"
NO_MEMORY = "the memory that this process may have was used up"
SURE = 95  # a claim of this strength rests on checksums of several units

OUR_BUG = Rule(
    "INS001",
    "inspector-bug",
    Severity.ERROR,
    "inspector itself failed; what was found before is complete and true",
    "A part of inspector raised an exception on these bytes. Wrong bytes must never do that: it is a bug of ours.",
    "The original program is not involved.",
    "Please report it with the traceback in the evidence; the findings above it still hold.",
)
CHANGED = Rule(
    "INS003",
    "changed-while-read",
    Severity.NOTE,
    "the source changed while it was read; findings near its end may be writes in flight",
    "Size or modification time differ between the start and the end of the inspection.",
    "The program that owns the store is probably running on it.",
    "Stop the program or inspect a copy, then scan again.",
)
TRANSIENT = Rule(
    "INS004",
    "transient-read",
    Severity.NOTE,
    "bytes that did not verify, and did when they were read again",
    "The store was being written while it was read, or the page cache and the medium disagreed for a moment (ZFS has "
    "given zeroes where data was just written). The second reading is the one that is reported.",
    "The original program, reading at that moment, would have taken it for corruption.",
    "Nothing on the medium is damaged. Where it happens often, watch the store: inspector watch PATH.",
)
IN_FLIGHT = Rule(
    "INS005",
    "maybe-in-flight",
    Severity.NOTE,
    "bytes at the end of a store that its program is writing; they are not judged",
    "Everything before them verifies. Something holds the store open for writing, or it changed while it was read, so "
    "the last record may simply not be finished yet.",
    "The original program knows where its last record ends.",
    "Scan again later, or when the program is stopped: what stays unfinished then is damage.",
)
CACHE = Rule(
    "INS006",
    "cache-and-medium-differ",
    Severity.WARNING,
    "the page cache holds other bytes than the medium",
    "Damaged bytes were read again past the page cache and were different there, while nothing wrote to the file.",
    "The original program reads from the page cache, too, until it is dropped.",
    "Test the memory of this machine; compare with a copy read after: echo 1 > /proc/sys/vm/drop_caches.",
)
CORE_RULES = (OUR_BUG, UNREADABLE, CHANGED, TRANSIENT, IN_FLIGHT, CACHE, CLOSED)


class Report(Struct):
    """The result of an inspection; renderers need nothing else."""

    source: Source
    layers: tuple[Format, ...]  # most specific first
    claim: Claim
    state: State
    account: Account
    tally: Tally
    answer: Answer
    partial: str = ""
    lower: State = None  # the state of the bottom format, where another stands on it
    diagnosis: Diagnosis | None = None  # None where nothing is wrong, or nobody asked
    live: Mapping[str, Any] = field(default_factory=dict)  # what a second look at a store in use found out
    wishes: Wishes = field(default_factory=Wishes)
    forced: str | None = None  # the format that was named instead of detected

    @property
    def state_of_bottom(self) -> State:
        return self.state if self.lower is None else self.lower

    @property
    def states(self) -> tuple[State, ...]:
        """Of the layers, in their order; fewer where one could not be opened."""
        return (self.state,) if len(self.layers) == 1 else (self.state, self.state_of_bottom)

    @property
    def format(self) -> Format:
        return self.layers[0]

    @property
    def ribbon(self) -> tuple[tuple[int, int, int, int], ...]:
        return self.answer.ribbon

    @property
    def bottom(self) -> Format:
        return self.layers[-1]

    @property
    def unchecked(self) -> str:
        """Why not everything was checked: the inspection ended early, or something is of a kind that is not read."""
        return self.partial or self.answer.unjudged

    @property
    def damaged(self) -> bool:
        return bool(self.tally.severity_count(Severity.ERROR) or self.tally.severity_count(Severity.WARNING))

    @property
    def verdict(self) -> str:
        """In one word; "partial" where nothing is wrong in what was checked, and that was not all."""
        return "damaged" if self.damaged else "partial" if self.unchecked else "clean"

    def whole(self) -> Report:
        """This report; raises MemoryError where memory ended it: nothing may be made from half of a state."""
        if self.partial == NO_MEMORY:
            raise MemoryError(NO_MEMORY)
        return self

    def exit_code(self, fail_on: Severity = Severity.WARNING) -> Exit:
        if any(code == OUR_BUG.code for code, _ in self.tally.counts):
            return Exit.BUG
        wrong = self.tally.severity_count(Severity.ERROR)
        if fail_on is not Severity.ERROR:
            wrong += self.tally.severity_count(Severity.WARNING)
        if fail_on is Severity.NOTE:
            wrong += self.tally.severity_count(Severity.NOTE)
        if wrong:
            return Exit.DAMAGED
        return Exit.PARTIAL if self.unchecked else Exit.CLEAN


def detect(source: Source, formats: Formats, forced: str | None = None) -> tuple[list[Format], Claim]:
    """The bottom format that claims the source most strongly, and why; raises UnknownFormatError."""
    if forced:
        chain = [_named(formats, forced)]
        while chain[-1].on:
            chain.append(_named(formats, chain[-1].on))
        return chain, Claim(1, "named on the command line")
    if source.settled:
        name, strength, because = source.settled
        found = _named(formats, name)
        if found.on is None:
            return [found], Claim(strength, because)
    claims: list[tuple[Format, Claim]] = []
    for bottom in bottoms(formats, source):
        claims.append((bottom, bottom.claim(source, None)))
        if claims[-1][1].strength >= SURE:
            break  # proved by checksums: no other format need be imported to be asked
    best, claim = max(claims, key=lambda pair: pair[1].strength)
    if claim.strength <= 0:
        refuse_nothing(source)
        raise _unknown(source, tuple((f.name, c.because) for f, c in claims))
    if not best.unpacks and source.kind != "folder" and is_packed(source):
        raise _unknown(source, ())  # what stands in it unpacked by chance is not the store
    return [best], claim


def _unknown(source: Source, tried: tuple[tuple[str, str], ...]) -> UnknownFormatError:
    from inspector.wrapped import unknown

    return unknown(source, tried)


def _named(formats: Formats, name: str) -> Format:
    found = named(formats, name)
    if found is None:
        raise UnknownFormatError(f"no format is named {name}", "inspector formats lists them")
    return found


def inspect(
    source: Source,
    formats: Formats,
    wishes: Wishes | None = None,
    forced: str | None = None,
    keep: int = 100,
    progress: Progress | None = None,
    tap: Callable[[State, Iterator[Stretch]], Iterator[Stretch]] | None = None,
    deadline: float | None = None,
    causes: bool | Callable[[], bool] = True,
    answers: bool = True,
) -> Report:
    """Inspect a whole source. `tap` sees each stretch as it passes; bugs of ours end as finding INS001.

    Without `causes` the findings are the same and `Report.diagnosis` stays None, without `answers` the format's words
    are left out: for callers that show none. A function that tells whether causes are wanted is asked before they are.
    """
    wishes = wishes or Wishes()
    chain, claim = detect(source, formats, forced)
    bottom = chain[-1]
    tally, account = Tally(keep), Account()
    state: State = None
    answer = Answer("", claim.because, ())
    partial = ""
    layers = [bottom]
    lower: State = None
    try:
        state = lower = bottom.open(source, None, wishes)
        assert bottom.walk is not None
        stretches: Iterator[Stretch] = account.through(bottom.walk(state), source, bottom.damaged, progress)
        if tap:
            stretches = tap(state, stretches)
        if deadline:
            stretches = _until(stretches, deadline)
        bottom.check(state, stretches, tally)
        for _ in stretches:  # a check may stop early; the account must not
            pass
        answer = bottom.answer(state, tally) if answers else answer
        for upper in _uppers(source, formats, chain, state, forced is not None):
            state = upper.open(source, state, wishes)
            upper.check(state, (), tally)
            answer = _above(upper.answer(state, tally), answer) if answers else answer
            layers.insert(0, upper)
    except InspectorError:
        raise
    except (TimeoutError, OutOfTime):
        partial = LATE
        tally.agree()
    except MemoryError:
        partial = NO_MEMORY
    except OSError as error:  # the source's own became findings: this is one of a temporary file
        raise OutputError(f"a temporary file: {error.strerror or error}", "TMPDIR names another place") from error
    except Exception as error:  # noqa: BLE001  the one border: a bug of ours becomes a finding
        _our_bug(tally, source, account.done, error)
    for hole in account.holes:
        _our_bug(tally, source, account.done, AssertionError(hole))
    refuse_nothing(source)
    for finding in findings_of(source):
        tally.put(finding)
    report = Report(source, tuple(layers), claim, state, account, tally, in_part(answer, source), partial, lower)
    report.wishes, report.forced = wishes, forced
    try:
        _conclude(report, causes)
    except OutOfTime:  # it comes once: what was found stands, some of its causes do not
        report.partial = LATE
        tally.agree()
    return _veiled(report)


def _conclude(report: Report, causes: bool | Callable[[], bool]) -> None:
    _say_whether_it_changed(report)
    wanted = causes() if callable(causes) else causes
    if wanted and report.partial != LATE:  # causes may take longer than the walk did
        name_causes(report)


def _veiled(report: Report) -> Report:
    veil = report.format.veil
    if veil is None:
        return report
    try:
        shown: Report = veil(report)
    except OutOfTime:
        report.partial = LATE
        shown = veil(report)
    return shown


def name_causes(report: Report, most: int | None = None) -> bool:
    """What `inspect` without `causes` left out; False where so many places took more than `most` trials."""
    named = _diagnose(report, most)
    if report.diagnosis is not None and not report.source.changed:  # damaged places were read once more
        _say_whether_it_changed(report)
    return named


def _say_whether_it_changed(report: Report) -> None:
    source = report.source
    if not source.still_same():
        report.partial = report.partial or source.changed
        report.tally.put(Finding(CHANGED, Span(0, 0), source.changed, bytes_known=False))


def _diagnose(report: Report, most: int | None) -> bool:
    """Name the causes, where anything can be wrong; a failure of that takes nothing else away."""
    # a flipped bit in bytes that nobody reads any more is only a note, and it is the same disk
    if report.state is None or not any(
        f.level is not Severity.NOTE or f.rule.severity is Severity.ERROR for f in report.tally.findings()
    ):
        return True
    from inspector.diagnosis import diagnose_within

    try:
        report.diagnosis = diagnose_within(report, most)
        if report.source.unreadable.news():  # zeroes were read for what could be read before: no cause rests on them
            report.tally.settle(None)
            add_what_went_bad(report)
            report.diagnosis = diagnose_within(report, most)
        return report.diagnosis is not None
    except InspectorError:
        raise
    except MemoryError:
        report.partial = report.partial or NO_MEMORY
    except Exception as error:  # noqa: BLE001  the same border as above
        _our_bug(report.tally, report.source, report.account.done, error)
    return True


def _uppers(source: Source, formats: Formats, chain: list[Format], state: State, forced: bool) -> Iterator[Format]:
    if forced:  # a named format is the uppermost one, also where another would fit on it
        yield from reversed(chain[:-1])
        return
    for upper in standing_on(formats, chain[-1].name):
        if upper.claim(source, state).strength > 0:
            yield upper
            return


def _above(answer: Answer, below: Answer) -> Answer:
    """What the format below does not read, the one that stands on it has not seen."""
    return structs.replace(answer, unjudged=answer.unjudged or below.unjudged) if below.unjudged else answer


def _until(stretches: Iterator[Stretch], deadline: float) -> Iterator[Stretch]:
    for stretch in stretches:
        yield stretch
        if time.monotonic() > deadline:
            raise TimeoutError


def _our_bug(tally: Tally, source: Source, at: int, error: BaseException) -> None:
    import traceback

    lines = traceback.format_exception(error)
    at = min(at, source.size)
    tally.put(
        Finding(
            OUR_BUG,
            Span(at, at),
            f"{type(error).__name__}: {error}",
            {"traceback": "".join(lines)[-4000:]},
            Cause("unknown", "certain", "a bug of inspector"),
            bytes_known=False,
        )
    )


__all__ = ["CORE_RULES", "FRAME", "GAP", "Report", "detect", "inspect", "name_causes"]
