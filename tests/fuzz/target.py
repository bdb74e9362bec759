"""Everything inspector does with a file, done with these bytes; whatever breaks a promise raises AssertionError."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from time import process_time

from inspector.errors import InspectorError
from inspector.format import Format, Query, Wishes
from inspector.formats import all_formats
from inspector.inspect import OUR_BUG, Report, inspect
from inspector.render import documents
from inspector.render.encoding import encode
from inspector.render.record_lines import as_csv, as_json
from inspector.render.scan_words import scan_blocks
from inspector.render.text import lay
from inspector.repair import repair
from inspector.source import MemorySource, Source
from tests.contract.corpus import Case, cases
from tests.fuzz.commands import ACTIVE, LINES, drive
from tests.proof_stores import AGAINST, stores

SHOWN = 50  # records, items and extents that are looked at
MAX_BYTES = 1 << 14  # of a member that is mutated; where a format has no such sample the smallest made store is taken
LEAST = 400  # a smaller member alone shows little of a format
TRIALS = 4  # times as long for an excerpt, which inspects hundreds of smaller stores
PATIENCE = 1.0  # seconds of CPU for a small file, and one more for each `PER_SECOND` bytes
PER_SECOND = 1 << 20


@dataclass(frozen=True, slots=True)
class Target:
    """Bytes stand in for one member of a sample; the others stay as they are."""

    form: Format
    members: dict[str, bytes]
    member: str

    def __call__(self, data: bytes, patience: float = PATIENCE) -> None:
        """One inspection and everything that can be asked of its state."""
        with _in_time(patience, len(data)):
            exercise(self.form, {**self.members, self.member: data})

    def command(self, data: bytes, number: int, patience: float = PATIENCE) -> None:
        """One command line; the first bytes say at which place where it wants one."""
        at = int.from_bytes(data[:2], "little") % max(1, len(data))
        slower = TRIALS if LINES[number % len(LINES)][0] == "excerpt" else 1
        with _in_time(patience * slower, len(data)):
            drive(self.form.name, {**self.members, self.member: data}, self.members, number, at)

    @property
    def sound(self) -> bytes:
        return self.members[self.member]


COMMANDS = len(LINES)
HEAD = 2  # bytes of an input before the member's own: which one it is, and what is done with it


@contextmanager
def _in_time(patience: float, size: int) -> Iterator[None]:
    begun = process_time()
    yield
    taken = process_time() - begun
    assert taken < patience * (1 + size / PER_SECOND), f"{taken:.1f} s for {size} bytes"


def able(name: str) -> list[Target]:
    """One for each member of a small store of this format, in a lasting order."""
    found = [t for case in cases() if case.format.name == name for t in targets(case)]
    made = [s for s in stores() if s.form.name == name and s.name.startswith("(made)")]
    for store in made:
        members = {n: data for n, data in store.members().items() if n != AGAINST}
        found += [Target(store.form, members, n) for n in members]
    found = list({(t.member, t.sound): t for t in found if t.sound}.values())
    small = [t for t in found if len(t.sound) <= MAX_BYTES]
    if any(len(t.sound) > LEAST for t in small):
        return small
    return small + sorted((t for t in found if len(t.sound) > LEAST), key=lambda t: len(t.sound))[:2]


def corpus_of(every: list[Target]) -> list[bytes]:
    """What the fuzzer starts from: each member once, and the first ones under every command."""
    seeds = [bytes([i % 256, i % (COMMANDS + 1)]) + target.sound for i, target in enumerate(every[:256])]
    small = min(range(len(every[:256])), key=lambda i: len(every[i].sound))
    return seeds + [bytes([small, number]) + every[small].sound for number in range(COMMANDS + 1)]


def targets(case: Case) -> Iterator[Target]:
    """One for each member of a sample."""
    members = case.members()
    for name in members:
        yield Target(case.format, members, name)


def exercise(form: Format, members: dict[str, bytes]) -> None:
    with MemorySource(members[""] if set(members) == {""} else members, "fuzz") as source:
        try:
            report = inspect(source, all_formats(), Wishes(), form.name, keep=20)
        except InspectorError:  # one line and an exit code: a request that cannot be done
            return
        bugs = [f.evidence["traceback"] for f in report.tally.findings() if f.rule.code == OUR_BUG.code]
        assert not bugs, bugs[0]
        _shown(report)
        _listed(report)
        _repaired(source, form)


def _shown(report: Report) -> None:
    document = encode(documents.scan(report, int(report.exit_code()))).decode()
    assert not ACTIVE.search(document), "a character in the document that a terminal obeys"
    for line in lay(scan_blocks(report, 100, True, 20), 100):
        text = "".join(part for part, _ in line)
        assert not ACTIVE.search(text), f"a character on the screen that a terminal obeys: {text!r}"


def _listed(report: Report) -> None:
    form = report.format if report.format.records else report.bottom
    state = report.state
    if form is report.format and form.records is not None:
        for entry in islice(form.records(state, Query()), SHOWN):
            assert not ACTIVE.search(as_json(entry).decode() + as_csv(entry)), "in a record"
    if form is report.format and form.items is not None:
        for item in islice(form.items(state), SHOWN):
            assert not ACTIVE.search(encode(documents.item(item)).decode()), "in an item"
            if form.extents is not None:
                _extents(form, report, item.id)
    if form is report.format and form.show is not None:
        for member in report.source.members[:3]:
            for at in (0, member.size // 2, member.size - 1):
                form.show(state, member.name, max(0, at))


def _extents(form: Format, report: Report, name: str) -> None:
    assert form.extents is not None
    try:
        for _ in islice(form.extents(report.state, name), SHOWN):
            pass
    except InspectorError:
        return


def _repaired(source: Source, form: Format) -> None:
    try:
        repair(source, all_formats(), None, Wishes(), forced=form.name, dry_run=True)
    except InspectorError:
        return
