"""What is true of a store with one place changed, held against what inspector says of it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from msgspec import Struct, field

from inspector import formats
from inspector.errors import InspectorError, RefusedError, UnverifiedError
from inspector.finding import Finding, Severity
from inspector.format import ROLE_NAMES, UNIT, State, Stretch
from inspector.inspect import OUR_BUG, Report, inspect
from inspector.render import documents
from inspector.render.encoding import encode
from inspector.render.scan_words import scan_blocks
from inspector.render.text import lay
from inspector.repair import Result, repair
from inspector.source import open_source
from inspector.span import Span
from tests.contract.corpus import memory
from tests.fuzz.commands import ACTIVE
from tests.proof_stores import AGAINST, Store, wishes

# a page of a volume says nothing without the volume's other pages and its snapshot's
_FOLLOWS = re.compile(
    r"its snapshot \S+ is lost|extent page \d+ is not an extent page|chain of metadata pages|root page"
)
KEEP = 400  # findings of a rule
SHOWN = 16  # of so many cases one is laid out for the terminal, too


class Tile(Struct, frozen=True):
    """One tile of a store as the walk told it."""

    span: Span
    role: int
    kind: str
    sound: bool


class Case(Struct, frozen=True):
    """One member with one byte changed (`change` is what was xor-ed), or cut at `at` (0)."""

    member: str
    at: int
    change: int = 0

    @property
    def words(self) -> str:
        name = self.member or "byte"
        return f"{name} {self.at} ^ {self.change:#x}" if self.change else f"{name} cut to {self.at}"

    def made(self, data: bytes) -> bytes:
        head = data[: self.at]
        return head + bytes([data[self.at] ^ self.change]) + data[self.at + 1 :] if self.change else head


STORY = ("KDT001", "KDT010", "KDT011", "KDT012")  # steps that contradict each other, and where they stop


class Verdict(Struct):
    """What became of a case: `told` damage, a `note`, `silent`, or a request that was `refused`."""

    outcome: str
    faults: list[str] = field(default_factory=list)
    where: str = ""  # role and kind of the tile that the place lies in
    foreign: tuple[str, ...] = ()  # codes of findings that lie in other, untouched units only
    repair: str = ""


class Truth:
    """A store as it is, and how each case differs from it."""

    def __init__(self, store: Store) -> None:
        self.store, self.members = store, store.members()
        self.seen = 0
        report, tiles = self._inspected(self.members)
        self.tiles = tiles
        self.noted = Counter(map(_told, report.tally.findings()))
        self.hurt = [f.span for f in report.tally.findings() if f.level is Severity.ERROR]
        self.units = {t.span for t in tiles if t.role == UNIT and t.sound and not any(map(t.span.overlaps, self.hurt))}
        self.by_member: dict[str, list[Tile]] = {}
        for tile in tiles:
            self.by_member.setdefault(tile.span.member, []).append(tile)

    def _inspected(self, members: dict[str, bytes]) -> tuple[Report, list[Tile]]:
        tiles: list[Tile] = []

        def tap(_: State, stretches: Iterator[Stretch]) -> Iterator[Stretch]:
            for stretch in stretches:
                for i in range(len(stretch)):
                    sound = stretch.marks[i] not in bad
                    kind = kinds.get(stretch.kinds[i], "")
                    tiles.append(Tile(stretch.span(i), stretch.roles[i], kind, sound))
                yield stretch

        form = self.store.form
        bottom = form if form.on is None else next(f for f in formats.all_formats() if f.name == form.on)
        bad, kinds = bottom.damaged, bottom.kinds
        files = {name: data for name, data in members.items() if name != AGAINST}
        every = formats.all_formats()
        return inspect(memory(files), every, wishes(members), form.name, KEEP, tap=tap), tiles

    def tile_of(self, member: str, at: int) -> Tile | None:
        return next((t for t in self.by_member.get(member, ()) if t.span.start <= at < t.span.end), None)

    def judge(self, case: Case) -> Verdict:
        """Inspect the changed store and hold the report to what is known."""
        self.seen += 1
        changed = {**self.members, case.member: case.made(self.members[case.member])}
        tile = self.tile_of(case.member, case.at)
        where = f"{ROLE_NAMES[tile.role]} {tile.kind}" if tile else case.member
        try:
            report, tiles = self._inspected(changed)
        except InspectorError as error:
            return Verdict("refused", _unclean(str(error)), where)
        verdict = Verdict("silent", [], where)
        verdict.faults += _broken(report, sum(len(d) for n, d in changed.items() if n != AGAINST), self.seen)
        if case.member == AGAINST:
            verdict.outcome = _outcome(self._new(report))
            return verdict
        self._held(case, tile, report, tiles, verdict)
        return verdict

    def _new(self, report: Report) -> list[Finding]:
        left = self.noted.copy()
        found = []
        for finding in report.tally.findings():
            if left[_told(finding)] > 0:
                left[_told(finding)] -= 1
            else:
                found.append(finding)
        return found

    def _held(self, case: Case, tile: Tile | None, report: Report, tiles: list[Tile], verdict: Verdict) -> None:
        new = self._new(report)
        verdict.outcome = _outcome(new)
        touched = self._touched(case)
        # what is told of flags without a checksum, and of a member that ends behind a whole unit, are consequences
        flags = self.store.form.name == "gossip-store" and tile is not None and case.at - tile.span.start < 2
        follows = flags if case.change else any(case.at == span.start for span in self.units)
        # other words in one line tell another story, and what it is found to be stands where the story shows it
        follows |= bool(tile and tile.kind == "line") and all(f.rule.code in STORY for f in new)
        if new and not follows and not any(_near(f, case, tile, tiles) for f in new):
            verdict.faults.append(f"told, but nowhere near: {[(f.rule.code, f.span) for f in new][:3]}")
        untouched = {span for span in self.units if not touched(span)}
        sound = {t.span for t in tiles if t.role == UNIT and t.sound}
        gone = sorted(untouched - sound)
        if gone and not self._alone(case, gone):
            verdict.faults.append(f"{len(gone)} untouched units are not sound any more, first {gone[0]}")
        loud = [f for f in new if f.level is not Severity.NOTE and f.span.length]
        verdict.foreign = tuple(sorted({f.rule.code for f in loud if any(_inside(f.span, u) for u in untouched)}))

    def _touched(self, case: Case) -> Callable[[Span], bool]:
        lines = self.store.form.name == "kad-trace"  # a line without its end goes on in the next one

        def touched(span: Span) -> bool:
            if span.member != case.member:
                return False
            if not case.change:
                return span.end > case.at
            return span.start - lines <= case.at < span.end

        return touched

    def _alone(self, case: Case, gone: list[Span]) -> bool:
        """Whether the checksums of what is left depend on a number that went with the end: one block fits to any."""
        footer = self.members[case.member][-12:-8]
        sealed = self.store.form.name == "rocksdb" and footer in (b"\6\0\0\0", b"\7\0\0\0")
        return sealed and not case.change and len(gone) == 1

    def mend(self, case: Case, folder: Path) -> tuple[str, list[str]]:
        """Repair the changed store and hold the ledger to what is known: (what came of it, faults)."""
        changed = {**self.members, case.member: case.made(self.members[case.member])}
        wanted = wishes(changed)
        changed.pop(AGAINST, None)
        source_path = folder / "store"
        if set(changed) == {""}:
            source_path.write_bytes(changed[""])
        else:
            for name, data in changed.items():
                (source_path / name).parent.mkdir(parents=True, exist_ok=True)
                (source_path / name).write_bytes(data)
        with open_source(str(source_path)) as source:
            try:
                every, output, name = formats.all_formats(), str(folder / "out"), self.store.form.name
                done = repair(source, every, output, wanted, forced=name, copy=True, keep=KEEP)
            except UnverifiedError as error:
                return "unverified", [f"repair: {error}"]
            except RefusedError as error:
                return f"refused: {re.sub('[0-9]+', 'N', error.message.split('/')[-1])[:60]}", []
            except InspectorError as error:
                if case.member == AGAINST:  # no document that anybody could hold a store against
                    return "refused: the document", []
                return f"failed: {error}", [f"repair: {error}"]
        return ("lost" if done.code else "whole"), self._ledger_held(case, done)

    def _ledger_held(self, case: Case, done: Result) -> list[str]:
        touched = self._touched(case)
        untouched = [span for span in self.units if not touched(span)]
        faults = []
        for edit in done.changes:
            if edit.origin is None:
                continue
            hit = [u for u in untouched if edit.origin.overlaps(u)]
            if edit.action == "lost" and hit and not _FOLLOWS.search(edit.why):
                faults.append(f"repair loses {hit[0]}, which nothing touched: {edit.why}")
            if edit.action == "corrected" and edit.proof == "sealed" and edit.data is not None and case.change:
                truth = self.members[edit.origin.member][edit.origin.start : edit.origin.end]
                here = edit.origin.member == case.member and edit.origin.start <= case.at < edit.origin.end
                if here and edit.data != truth and not any(map(edit.origin.overlaps, self.hurt)):
                    faults.append(f"repair corrects {edit.origin} wrongly: {edit.why}")
        return faults


def _told(finding: Finding) -> tuple[str, Span, str, str]:
    return finding.rule.code, finding.span, finding.level.value, finding.message


def _outcome(new: list[Finding]) -> str:
    if any(f.level is not Severity.NOTE for f in new):
        return "told"
    return "note" if new else "silent"


def _near(finding: Finding, case: Case, tile: Tile | None, tiles: list[Tile]) -> bool:
    """Whether it names the place, the unit that has it, or something that has no bytes."""
    if not finding.bytes_known:
        return True
    span = finding.span
    if span.member != case.member:
        return False
    around = [t.span for t in tiles if t.span.member == case.member and t.span.start <= case.at <= t.span.end]
    around += [tile.span] if tile else []
    return any(span.start <= one.end and one.start <= span.end for one in around) or (span.start <= case.at <= span.end)


def _inside(inner: Span, outer: Span) -> bool:
    return inner.member == outer.member and outer.start <= inner.start and inner.end <= outer.end


def _unclean(text: str) -> list[str]:
    return [f"not sanitised: {text!r}"] if ACTIVE.search(text) else []


def _broken(report: Report, size: int, number: int) -> list[str]:
    """Promises that hold whatever the bytes are."""
    faults = [f.message for f in report.tally.findings() if f.rule.code == OUR_BUG.code]
    if sum(report.account.roles) != size:
        faults.append(f"{sum(report.account.roles)} of {size} bytes accounted for")
    faults += _unclean(encode(documents.scan(report, int(report.exit_code()))).decode())[:1]
    if number % SHOWN == 0:
        for line in lay(scan_blocks(report, 100, True, 20), 100):
            faults += _unclean("".join(part for part, _ in line))
    return faults
