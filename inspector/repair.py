"""preflight -> plan -> write -> verify -> place: a repaired copy, and the ledger of every byte.

The ledger is computed from the edits themselves by the one writer that executes them, so it cannot disagree
with what was written.
"""

from __future__ import annotations

import errno
import hashlib
import os
import threading
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inspector.errors import Exit, OutputError, RefusedError, SourceError, UnverifiedError
from inspector.finding import Severity
from inspector.format import Edit, Format, Plan, Wishes
from inspector.inspect import Progress, Report, inspect
from inspector.output import Place, place_file, place_folder, preflight, writers_of
from inspector.source import Member, Source, open_source

COPY = 4 << 20
ACTIONS = ("kept", "corrected", "dropped", "lost")


@dataclass(slots=True)
class Result:
    """What a repair did, or with a dry run would do. Counts are of units and bytes of the source."""

    report: Report
    output: str | None
    size: int = 0
    sha256: str | None = None
    records: dict[str, int | None] = field(default_factory=lambda: dict.fromkeys(ACTIONS, 0))
    bytes: dict[str, int] = field(default_factory=lambda: dict.fromkeys((*ACTIONS, "added"), 0))
    proof: dict[str, int] = field(default_factory=lambda: dict.fromkeys(("sealed", "derived", "placed", "none"), 0))
    changes: list[Edit] = field(default_factory=list)
    changes_total: int = 0
    verified: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    after: tuple[str, ...] = ()
    source_sha256: str | None = None
    code: Exit = Exit.CLEAN


class Ledger:
    """Adds up edits as they are executed."""

    def __init__(self, result: Result, keep: int) -> None:
        self.result = result
        self._half = max(1, keep // 2)
        self._last: deque[Edit] = deque(maxlen=self._half)

    def note(self, edit: Edit) -> None:
        result = self.result
        span = edit.origin.end - edit.origin.start if edit.origin else 0
        if edit.action != "added":
            result.bytes[edit.action] += span
            known = result.records[edit.action]
            result.records[edit.action] = None if known is None or edit.units < 0 else known + edit.units
        else:
            result.bytes["added"] += len(edit.data or b"")
        if edit.action in ("kept", "corrected", "added"):
            result.proof[edit.proof] += len(edit.data) if edit.data is not None else span
        if edit.action != "kept":
            result.changes_total += 1
            if len(result.changes) < self._half:
                result.changes.append(edit)
            else:
                self._last.append(edit)

    def close(self, source: Source) -> None:
        self.result.changes += self._last
        told = sum(self.result.bytes[action] for action in ACTIONS)
        if told != source.size:
            raise AssertionError(f"the ledger accounts for {told} of {source.size} bytes")


def repair(
    source: Source,
    formats: tuple[Format, ...],
    output: str | None,
    wishes: Wishes,
    *,
    forced: str | None = None,
    force: bool = False,
    dry_run: bool = False,
    copy: bool = False,
    keep: int = 100,
    hash_source: bool = False,
    progress: Progress | None = None,
) -> Result:
    """Write a repaired copy of `source` to `output`; the code says whether anything was lost."""
    if not dry_run and output is not None:
        preflight(output, source, 0, force, folder=source.kind == "folder")
    report = inspect(source, formats, wishes, forced, keep, progress)
    maker = next((f for f in report.layers if f.plan is not None), None)
    if maker is None or maker.plan is None:
        raise RefusedError(f"{report.format.name}: repair is not offered for this format", "inspector scan tells more")
    _not_in_use(source, report.format)
    plan = maker.plan(report.state, wishes)
    result = Result(report, None if dry_run else output, notes=plan.notes)
    ledger = Ledger(result, keep)
    if dry_run or output is None:
        for edit in plan.edits:
            ledger.note(edit)
        ledger.close(source)
        result.verified = {"ok": False, "by": [], "engine": {"ran": False, "why": "dry run: nothing was written"}}
        result.code = report.exit_code()
        return result
    if plan.folder:
        _make_folder(source, plan, output, result, ledger, copy, formats, wishes)
    else:
        _make_file(source, plan, output, result, ledger, force, formats, wishes)
    if hash_source:
        result.source_sha256 = _hash_source(source)
    if not source.still_same():
        result.notes.append(f"{source.changed}: repair it again when nothing writes to it")
    result.after = plan.after(source.label, output)
    result.code = Exit.LOST if result.bytes["lost"] else Exit.CLEAN
    return result


def _not_in_use(source: Source, form: Format) -> None:
    busy = form.busy(source) if form.busy else None
    writers = writers_of(source)
    if busy or writers:
        raise RefusedError(
            busy or f"{source.label} is open for writing by {', '.join(writers)}",
            "stop that program first, or copy the store and repair the copy",
        )


def _make_file(
    source: Source,
    plan: Plan,
    output: str,
    result: Result,
    ledger: Ledger,
    force: bool,
    formats: tuple[Format, ...],
    wishes: Wishes,
) -> None:
    with place_file(output, source, plan.estimate, force) as place:
        result.notes += place.notes
        place.notes = result.notes
        if plan.size is not None:
            os.ftruncate(place.fd, plan.size)
        at = 0
        for edit in plan.edits:
            ledger.note(edit)
            if edit.action in ("kept", "corrected", "added"):
                at = write_edit(source, edit, place.fd, edit.at if edit.at is not None else at)
        ledger.close(source)
        result.size = os.fstat(place.fd).st_size
        _verify_file(place, result, formats, wishes)


def _make_folder(
    source: Source,
    plan: Plan,
    output: str,
    result: Result,
    ledger: Ledger,
    copy: bool,
    formats: tuple[Format, ...],
    wishes: Wishes,
) -> None:
    with place_folder(output, source, plan.estimate if copy else 0) as place:
        result.notes += place.notes
        assert place.folder is not None
        fd, current, at = -1, None, 0
        try:
            for edit in plan.edits:
                ledger.note(edit)
                if edit.action in ("dropped", "lost"):
                    continue
                if edit.whole and not copy and _link_member(source, edit, place.folder):
                    continue
                if edit.out != current:
                    fd = _next_member(fd, place.folder, edit.out)
                    current, at = edit.out, os.fstat(fd).st_size
                at = write_edit(source, edit, fd, edit.at if edit.at is not None else at)
        finally:
            if fd >= 0:
                os.fsync(fd)
                os.close(fd)
        ledger.close(source)
        result.size = sum(p.stat().st_size for p in place.folder.rglob("*") if p.is_file())
        _verify_folder(place.folder, result, formats, wishes)


def _next_member(fd: int, folder: Path, name: str) -> int:
    if fd >= 0:
        os.fsync(fd)
        os.close(fd)
    path = _inside(folder, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


def _inside(folder: Path, name: str) -> Path:
    """A member's path below the output; a name that leads out of it is a bug of the plan."""
    parts = Path(name).parts
    if not parts or Path(name).is_absolute() or ".." in parts:
        raise AssertionError(f"member name leads out of the folder: {name!r}")
    return folder / name


def _link_member(source: Source, edit: Edit, folder: Path) -> bool:
    if source.path is None or edit.origin is None:
        return False
    target = _inside(folder, edit.out)
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source.path / edit.origin.member, target, follow_symlinks=False)
    except OSError as error:
        if error.errno in (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP):
            return False  # another file system, or one without links: it is copied
        raise
    return True


def write_edit(source: Source, edit: Edit, fd: int, at: int) -> int:
    """Execute one edit at offset `at` of `fd`; returns the offset after it. Holes of the source stay holes."""
    if edit.data is not None:
        return _write(fd, edit.data, at)
    assert edit.origin is not None
    start, end, member = edit.origin.start, edit.origin.end, edit.origin.member
    if edit.at is None:
        return _copy(source, member, start, end, fd, at)
    for span in source.data_ranges(member, start):
        if span.start >= end:
            break
        _copy(source, member, span.start, min(span.end, end), fd, at + span.start - start)
    return at + end - start


def _copy(source: Source, member: str, start: int, end: int, fd: int, at: int) -> int:
    while start < end:
        data = source.read(start, min(COPY, end - start), member)
        if not data:
            raise SourceError(f"{source.label}: {source.changed or 'ended early'}", "repair a copy of the file")
        at = _write(fd, data, at)
        start += len(data)
    return at


def _write(fd: int, data: bytes, at: int) -> int:
    view = memoryview(data)
    while view:
        done = os.pwrite(fd, view, at)
        if done <= 0:
            raise OutputError("the system wrote nothing and gave no error")
        view, at = view[done:], at + done
    return at


def _verify_file(place: Place, result: Result, formats: tuple[Format, ...], wishes: Wishes) -> None:
    size = result.size
    written = Source(place.target.name, "file", None, [Member("", size, os.fstat(place.fd).st_mtime_ns)])
    written._files[""] = os.dup(place.fd)
    digest = hashlib.sha256()
    with written:
        hasher = threading.Thread(target=_hash, args=(written, digest))
        hasher.start()
        try:
            again = inspect(written, formats, Wishes(release=wishes.release), result.report.format.name)
        finally:
            hasher.join()
        _must_be_clean(again, result)
    result.sha256 = digest.hexdigest()
    result.verified = {"ok": True, "by": ["inspector"], "engine": _no_engine(result)}


def _verify_folder(folder: Path, result: Result, formats: tuple[Format, ...], wishes: Wishes) -> None:
    with open_source(str(folder)) as written:
        again = inspect(written, formats, Wishes(release=wishes.release), result.report.format.name)
        _must_be_clean(again, result)
    engine = next((f.engine for f in result.report.layers if f.engine), None)
    told = dict(engine(str(folder))) if engine else _no_engine(result)
    result.verified = {"ok": True, "by": ["inspector"], "engine": told}
    if told.get("ran"):
        if not told.get("ok"):
            raise UnverifiedError(
                f"the engine refuses the repaired store: {told.get('why', '')}", "nothing was written"
            )
        result.verified["by"] = ["inspector", "engine"]


def _no_engine(result: Result) -> dict[str, Any]:
    return {"ran": False, "why": f"{result.report.format.name}: the original program is not a library"}


def _must_be_clean(again: Report, result: Result) -> None:
    wrong = [f for f in again.tally.findings() if f.level is not Severity.NOTE]
    if again.damaged or again.partial:
        first = f"{wrong[0].rule.code} at {wrong[0].span.start}: {wrong[0].message}" if wrong else again.partial
        raise UnverifiedError(
            f"the repaired copy does not pass its own inspection ({first})", "nothing was written; please report this"
        )


def _hash(source: Source, digest: Any) -> None:
    for _, data in source.windows():
        digest.update(data)


def _hash_source(source: Source) -> str | None:
    if source.kind == "folder":
        return None
    digest = hashlib.sha256()
    _hash(source, digest)
    return digest.hexdigest()
