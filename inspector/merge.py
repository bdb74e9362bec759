"""Several damaged copies -> inspect each -> merge plan -> write -> verify -> place; where each record came from."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any

from msgspec import Struct, field
from msgspec.structs import replace

from inspector.catalogue import Formats
from inspector.copies import Loss, Merge, Take
from inspector.errors import Exit, OutputError, RefusedError, UsageError, worst
from inspector.format import Edit, Format, Wishes
from inspector.inspect import Report, inspect
from inspector.ledger import DRY, unverified
from inspector.output import place_file, preflight
from inspector.repair import Result, not_in_use, verify_file, write_edit
from inspector.sanitize import for_shell, quoted
from inspector.source import Source

HELD = 1 << 20  # bytes gathered before they are written
MODE = 0o600  # of an item's content


class Merged(Struct):
    """What a merge did, or with a dry run would do. `taken` counts records and bytes by source, in the order given."""

    reports: list[Report]
    plan: Merge
    output: str | None
    map: str | None = None
    size: int = 0
    sha256: str | None = None
    taken: list[tuple[int, int]] = field(default_factory=list)
    made: tuple[int, int] = (0, 0)  # records and bytes that come from no copy
    proof: dict[str, int] = field(default_factory=lambda: dict.fromkeys(("sealed", "derived", "placed", "none"), 0))
    verified: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    after: tuple[str, ...] = ()
    code: Exit = Exit.CLEAN

    @property
    def losses(self) -> list[Loss]:
        return self.plan.losses


def merge(
    sources: Sequence[Source],
    formats: Formats,
    output: str | None,
    wishes: Wishes,
    *,
    item: str | None = None,
    forced: str | None = None,
    force: bool = False,
    dry_run: bool = False,
    map_to: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Merged:
    """One store, or one item's content, from several copies; raises RefusedError where they are not copies of one."""
    try:
        return _merge(sources, formats, output, wishes, item, forced, force, dry_run, map_to, progress)
    except OSError as error:  # of a call between reading and writing
        raise OutputError(f"{output or 'merge'}: {error.strerror}; the copies are untouched") from error


def _merge(
    sources: Sequence[Source],
    formats: Formats,
    output: str | None,
    wishes: Wishes,
    item: str | None,
    forced: str | None,
    force: bool,
    dry_run: bool,
    map_to: str | None,
    progress: Callable[[int, int], None] | None,
) -> Merged:
    _distinct(sources)
    if output and map_to and Path(output).resolve() == Path(map_to).resolve():
        raise RefusedError(f"{map_to}: the map and the output are one file", "name another file for the map")
    for path in (output, map_to) if not dry_run else ():
        for source in sources if path else ():
            preflight(path or "", source, 0, force)
    # undoing damage by proof is slow, and for most of it a copy helps: a format does that itself, for what remains
    looking = replace(wishes, no_correct=True)
    reports = [inspect(source, formats, looking, forced, progress=progress, causes=False).whole() for source in sources]
    maker = _maker(reports, formats)
    for source, report in zip(sources, reports, strict=True):
        not_in_use(source, report.format)
    # a state is that of the uppermost format: where a lower one merges, each copy is looked at as that
    lower = [
        r if r.format is maker else inspect(r.source, formats, looking, maker.name, causes=False).whole()
        for r in reports
    ]
    assert maker.merge is not None
    plan: Merge = maker.merge([report.state for report in lower], wishes, item)
    result = Merged(reports, plan, None if dry_run else output, notes=plan.notes)
    with tempfile.TemporaryFile() as lines:
        writer = _Writer(result, sources, lines if map_to and not dry_run else None)
        if dry_run or output is None:
            for take in plan.takes:
                writer.count(take)
            result.verified = unverified(DRY)
        else:
            _write(result, writer, sources, output, map_to, force, formats, wishes, maker)
            result.after = plan.after(for_shell(sources[plan.order[0]].label), for_shell(output))
    result.taken = writer.taken
    for source in sources:
        if not source.still_same():
            result.notes.append(f"{source.changed}: merge again when nothing writes to it")
    found = worst([report.exit_code() for report in reports])
    done = Exit.LOST if plan.losses_total else Exit.CLEAN
    result.code = found if dry_run and found is not Exit.CLEAN else done
    if any(source.drift - {"grew"} for source in sources):
        result.code = Exit.PARTIAL
    return result


def _distinct(sources: Sequence[Source]) -> None:
    if len(sources) < 2:
        hint = "inspector repair makes one good copy of one source"
        if sources and sources[0].kind == "folder":
            hint += f"; of several in a folder name each: inspector scan {quoted(sources[0].label)} tells the command"
        raise UsageError("a merge takes two copies or more", hint)
    seen: dict[tuple[int, int], Source] = {}
    for source in sources:
        if source.path is not None:
            info = source.path.stat()
            first = seen.setdefault((info.st_dev, info.st_ino), source)
            if first is not source:
                raise RefusedError(f"{first.label} and {source.label} are the same file", "name each copy once")


def _maker(reports: Sequence[Report], formats: Formats) -> Format:
    """The most specific format that all copies have in common and that can merge."""
    names = [[form.name for form in report.layers] for report in reports]
    for form in reports[0].layers:
        if form.merge is not None and all(form.name in layers for layers in names):
            return form
    kinds = sorted({layers[0] for layers in names})
    if len(kinds) > 1:
        told = ", ".join(f"{r.source.label}: {r.format.name}" for r in reports[:4])
        raise RefusedError(f"these are not copies of one store ({told})", "--format NAME reads all of them alike")
    known = ", ".join(form.name for form in formats if form.merge is not None)
    raise RefusedError(f"{kinds[0]}: merge is not offered for this format", f"formats that merge: {known}")


class _Writer(Struct):
    """Executes takes: bytes to the output, a line of the map for each, counts by source."""

    result: Merged
    sources: Sequence[Source]
    lines: IO[bytes] | None
    taken: list[tuple[int, int]] = field(default_factory=list)
    at: int = 0

    def __post_init__(self) -> None:
        self.taken = [(0, 0)] * len(self.sources)

    def count(self, take: Take) -> int:
        length = len(take.data) if take.data is not None else take.origin.length if take.origin else 0
        self.result.proof[take.proof] += length
        if take.copy < 0:
            self.result.made = (self.result.made[0] + take.units, self.result.made[1] + length)
        else:
            records, size = self.taken[take.copy]
            self.taken[take.copy] = (records + take.units, size + length)
        return length

    def write(self, take: Take, fd: int, held: bytearray) -> None:
        length = self.count(take)
        at = take.at if take.at is not None else self.at
        if self.lines is not None:
            self.lines.write(self._line(take, at, length))
        if take.data is not None and at == self.at:
            held += take.data
            if len(held) >= HELD:
                self.flush(fd, held, at + length)
        else:
            self.flush(fd, held, self.at)
            source = self.sources[max(0, take.copy)]
            write_edit(source, Edit("kept", take.origin, take.data, take.proof, take.why, at=at), fd, at)
        self.at = at + length

    def flush(self, fd: int, held: bytearray, end: int) -> None:
        if held:
            write_edit(self.sources[0], Edit("added", data=bytes(held)), fd, end - len(held))
            held.clear()

    def _line(self, take: Take, at: int, length: int) -> bytes:
        origin = take.origin
        told = {
            "out": at,
            "length": length,
            "source": self.sources[take.copy].label if take.copy >= 0 else None,
            "file": (origin.member if origin else "") or None,
            "offset": origin.start if origin else None,
            "proof": take.proof,
            "why": take.why,
        }
        return json.dumps(told).encode() + b"\n"


def _write(
    result: Merged,
    writer: _Writer,
    sources: Sequence[Source],
    output: str,
    map_to: str | None,
    force: bool,
    formats: Formats,
    wishes: Wishes,
    maker: Format,
) -> None:
    plan = result.plan
    newest = plan.order[0]
    mode = MODE if plan.item else None
    with place_file(output, sources[newest], plan.estimate, force, mode=mode) as place:
        held = bytearray()
        for take in plan.takes:
            writer.write(take, place.fd, held)
        writer.flush(place.fd, held, writer.at)
        if plan.size is not None:
            os.ftruncate(place.fd, plan.size)
        result.size = os.fstat(place.fd).st_size
        checked = Result(result.reports[newest], output, size=result.size)
        if plan.item:
            result.verified = {"ok": True, "by": [], "engine": {"ran": False, "why": "an item's content, not a store"}}
        else:
            verify_file(place, checked, formats, wishes, maker.name)
            result.sha256, result.verified = checked.sha256, checked.verified
        result.notes += place.notes
        if map_to and writer.lines is not None:  # before the output has its name: no output stands without its map
            result.map = _write_map(writer.lines, map_to, sources[newest], force)


def _write_map(lines: IO[bytes], target: str, source: Source, force: bool) -> str:
    with place_file(target, source, lines.tell(), force) as place:
        lines.seek(0)
        at = 0
        while data := lines.read(HELD):
            at = write_edit(source, Edit("added", data=data), place.fd, at)
    return target
