"""What inspector says of every sample, as text: `python -m tests.golden.told` writes it anew, git shows what changed.

Each finding with its place, cause and evidence, the sums of the inspection, the records and items as a digest, and
each step of the repair. Not the sentences: those may be worded better without anything having gone wrong.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from inspector import formats
from inspector.errors import InspectorError
from inspector.format import Extent, Format, Query
from inspector.inspect import Report, inspect
from inspector.render import documents
from inspector.repair import repair
from inspector.source import MemorySource, Source
from tests.contract.corpus import Case, cases, wishes_of
from tests.golden import asked, damages, declared, ledgers, readers
from tests.golden.digests import digest, place, plain, step

HERE = Path(__file__).parent
FORMATS = formats.all_formats()
WIDTH = 300  # of evidence that is written out


def path_of(form: Format) -> Path:
    return HERE / f"{form.name.replace('-', '_')}.txt"


def _opened(case: Case) -> Source:
    """A file as its bytes alone: where it has holes depends on the file system, and is evidence about a blobstore."""
    return MemorySource(case.path.read_bytes(), case.path.name) if case.path.is_file() else case.open()


def told(case: Case) -> Iterator[str]:
    """The lines of one sample."""
    with _opened(case) as source:
        report = inspect(source, FORMATS, wishes_of(case), case.format.name)
        account = f"{report.account.units} units, roles {plain(report.account.roles)}"
        yield f"# {case.path.name}: exit {int(report.exit_code())}, {account}"
        yield f"  answer {_short(plain(report.answer.summary if report.answer else None))}"
        for one in sorted(report.tally.findings(), key=lambda f: (f.span, f.rule.code)):
            cause = f"{one.cause.name}, {one.cause.confidence}; {one.salvage}"
            yield f"  {one.rule.code} {one.level} {place(one.span)} {cause}: {_short(plain(one.evidence))}"
        yield from _on_demand(report)
        try:
            result = repair(source, FORMATS, None, wishes_of(case), forced=case.format.name, dry_run=True)
        except InspectorError as error:
            yield f"  no repair: {type(error).__name__}"
            return
        yield f"  repair: exit {int(result.code)}, bytes {plain(result.bytes)}, records {plain(result.records)}"
        yield from (f"    {step(edit)}" for edit in result.changes)


def _on_demand(report: Report) -> Iterator[str]:
    form = report.format
    if form.records is not None:
        entries = list(form.records(report.state, Query()))
        lines = (f"{e.span} {e.kind} {e.state} {plain(dict(e.fields))}" for e in entries)
        yield f"  {len(entries)} records {digest(lines, 12)}"
    if form.items is not None:
        items = list(form.items(report.state))
        yield f"  {len(items)} items {digest((plain(documents.item(item)) for item in items), 12)}"
        if form.extents is not None:
            yield f"  their extents {digest((_runs(form, report, item.id) for item in items), 12)}"


def _runs(form: Format, report: Report, name: str) -> str:
    assert form.extents is not None
    runs: list[Extent] = []
    try:
        runs += form.extents(report.state, name)
    except InspectorError as error:
        return type(error).__name__
    return " ".join(f"{run.at} {run.length} {run.origin} {run.proof}" for run in runs)


def _short(text: str) -> str:
    return text if len(text) <= WIDTH else f"{text[:WIDTH]}... {digest([text], 12)}"


def _write(path: Path, lines: Iterable[str]) -> None:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def main() -> int:
    for form in FORMATS:
        lines = [line for case in cases() if case.format.name == form.name for line in told(case)]
        _write(path_of(form), lines)
        _write(damages.path_of(form), damages.lines_of(form))
        _write(asked.path_of(form), asked.lines_of(form))
        _write(declared.path_of(form), declared.lines_of(form))
    for form in readers.FORMATS:
        _write(readers.path_of(form), readers.lines_of(form))
    _write(ledgers.PATH, ledgers.lines())
    return 0


if __name__ == "__main__":
    sys.exit(main())
