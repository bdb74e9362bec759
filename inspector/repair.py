"""preflight -> plan -> write -> verify -> place: a repaired copy, and the ledger of every byte.

The ledger is computed from the edits themselves by the one writer that executes them, so it cannot disagree
with what was written.
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from inspector import patch as patches
from inspector.catalogue import Formats
from inspector.errors import Exit, OutputError, RefusedError, SourceError, UnverifiedError
from inspector.finding import Severity
from inspector.format import Edit, Format, Plan, Wishes
from inspector.inspect import Progress, Report, inspect
from inspector.output import Place, place_file, place_folder, preflight, writers_of
from inspector.source import Member, Source, open_source
from inspector.span import Span

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


def _unread(source: Source, span: Span) -> bool:
    """Whether a part of it could not be read: what is left out on purpose is known."""
    return any(u.member == span.member and u.start < span.end and span.start < u.end for u in source.unreadable)


class Ledger:
    """Adds up edits as they are executed."""

    def __init__(self, result: Result, keep: int) -> None:
        self.result = result
        self._half = max(1, keep // 2)
        self._last: deque[Edit] = deque(maxlen=self._half)

    def note(self, edit: Edit) -> None:
        result = self.result
        if edit.action == "dropped" and edit.origin and _unread(result.report.source, edit.origin):
            edit = replace(edit, action="lost", why=f"{edit.why}; it could not be read")
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
    formats: Formats,
    output: str | None,
    wishes: Wishes,
    *,
    forced: str | None = None,
    force: bool = False,
    dry_run: bool = False,
    copy: bool = False,
    patch: bool = False,
    keep: int = 100,
    hash_source: bool = False,
    progress: Progress | None = None,
) -> Result:
    """Write a repaired copy of `source` to `output`, with `patch` only what changes; the code says what was lost."""
    with _failures_told(output or source.label):
        if not dry_run and output is not None:
            preflight(output, source, 0, force, folder=source.kind == "folder")
        report = inspect(source, formats, wishes, forced, keep, progress)
        maker = next((f for f in report.layers if f.plan is not None), None)
        if maker is None or maker.plan is None:
            raise RefusedError(
                f"{report.format.name}: repair is not offered for this format", "inspector scan tells more"
            )
        not_in_use(source, report.format)
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
        if patch:
            _make_patch(source, plan, output, result, ledger, force, formats, wishes)
        elif plan.folder:
            _make_folder(source, plan, output, result, ledger, copy, formats, wishes)
        else:
            _make_file(source, plan, output, result, ledger, force, formats, wishes)
        if hash_source:
            result.source_sha256 = _hash(source) if source.kind != "folder" else None
        if not source.still_same():
            result.notes.append(f"{source.changed}: repair it again when nothing writes to it")
        result.after = _patch_after(source, output) if patch else plan.after(source.label, output)
        # a file that is missing altogether has no bytes here, but what was in it is lost all the same
        result.code = Exit.LOST if result.bytes["lost"] or result.records["lost"] != 0 else Exit.CLEAN
        if source.drift - {"grew"}:
            result.code = Exit.PARTIAL
        return result


@contextmanager
def _failures_told(label: str) -> Iterator[None]:
    """A call that fails between reading and writing, a look at the target or a close, is an I/O error in one line."""
    try:
        yield
    except OSError as error:
        raise OutputError(f"{label}: {error.strerror}; the input is untouched") from error


def not_in_use(source: Source, form: Format) -> None:
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
    formats: Formats,
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
        verify_file(place, result, formats, wishes)


def _make_folder(
    source: Source,
    plan: Plan,
    output: str,
    result: Result,
    ledger: Ledger,
    copy: bool,
    formats: Formats,
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
                    done, fd = fd, -1  # whatever fails from here on, it is closed once
                    _close_member(done)
                    fd = _open_member(place.folder, edit.out)
                    current, at = edit.out, os.fstat(fd).st_size
                at = write_edit(source, edit, fd, edit.at if edit.at is not None else at)
        finally:
            _close_member(fd)
        ledger.close(source)
        result.size = sum(p.stat().st_size for p in place.folder.rglob("*") if p.is_file())
        _verify_folder(place.folder, result, formats, wishes)


def _make_patch(
    source: Source,
    plan: Plan,
    output: str,
    result: Result,
    ledger: Ledger,
    force: bool,
    formats: Formats,
    wishes: Wishes,
) -> None:
    """Only the changed bytes, after the source was inspected as it would read with them."""
    plan.edits = _noted(plan.edits, ledger)
    changes = tuple(patches.changes_of(source, plan))
    ledger.close(source)
    made = patches.Patch(source.size, result.report.format.name, changes)
    again = inspect(patches.Patched(source, made), formats, Wishes(release=wishes.release), result.report.format.name)
    _must_be_clean(again, result)
    result.size = patches.write(output, source, made, force)
    result.verified = {"ok": True, "by": ["inspector"], "engine": _no_engine(result)}


def _noted(edits: Iterable[Edit], ledger: Ledger) -> Iterator[Edit]:
    for edit in edits:
        ledger.note(edit)
        yield edit


def _patch_after(source: Source, output: str) -> tuple[str, ...]:
    return (
        f"look at {output}: one JSON object per line, with the hashes of what is replaced",
        f"stop the program that owns the store, then: inspector apply {output} {source.label} --undo {output}.undo",
        f"to take it back: inspector apply {output}.undo {source.label} --undo {output}.redo",
    )


def _close_member(fd: int) -> None:
    if fd >= 0:
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def _open_member(folder: Path, name: str) -> int:
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
    if source.path is None or edit.origin is None or not source.path.is_dir():
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
        low, high = span.start, min(span.end, end)
        low += _clone(source, member, low, high, fd, at + low - start)
        _copy(source, member, low, high, fd, at + low - start, sparse=True)
    if os.fstat(fd).st_size < at + end - start:  # it ends in a hole or in zeroes
        os.ftruncate(fd, at + end - start)
    return at + end - start


def _clone(source: Source, member: str, start: int, end: int, fd: int, at: int) -> int:
    """Bytes that the kernel copied, sharing blocks where the file system can; what it did not is copied by hand."""
    if type(source) is not Source or source.kind != "file" or not hasattr(os, "copy_file_range"):
        return 0
    done = 0
    while done < end - start:
        try:
            step = os.copy_file_range(source._fd(member), fd, end - start - done, start + done, at + done)
        except OSError:  # another file system, an unreadable block, a full disk: the copy by hand meets and tells it
            break
        if not step:
            break
        done += step
    return done


def _copy(source: Source, member: str, start: int, end: int, fd: int, at: int, sparse: bool = False) -> int:
    """Copy by hand; `sparse` leaves zeroes out, for a fresh output in which what is not written is zero."""
    while start < end:
        data = source.read(start, min(COPY, end - start), member)
        if not data or source.shrunk:
            raise SourceError(f"{source.label}: {source.changed or 'ended early'}", "repair a copy of the file")
        at = at + len(data) if sparse and data.count(0) == len(data) else _write(fd, data, at)
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


def verify_file(place: Place, result: Result, formats: Formats, wishes: Wishes, name: str = "") -> None:
    size = result.size
    written = Source(place.target.name, "file", None, [Member("", size, os.fstat(place.fd).st_mtime_ns)])
    written._files[""] = os.dup(place.fd)
    with written, ThreadPoolExecutor(1) as pool:
        hashing = pool.submit(_hash, written)
        again = inspect(written, formats, Wishes(release=wishes.release), name or result.report.format.name)
        result.sha256 = hashing.result()
        if written.unreadable:
            raise OutputError(f"{place.target}: what was written cannot be read back; nothing stays of it")
        _must_be_clean(again, result)
    result.verified = {"ok": True, "by": ["inspector"], "engine": _no_engine(result)}


def _verify_folder(folder: Path, result: Result, formats: Formats, wishes: Wishes) -> None:
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
    standing = {code for form in again.layers for code in form.standing}
    wrong = [f for f in again.tally.findings() if f.level is not Severity.NOTE and f.rule.code not in standing]
    if wrong or again.partial:
        first = f"{wrong[0].rule.code} at {wrong[0].span.start}: {wrong[0].message}" if wrong else again.partial
        raise UnverifiedError(
            f"the repaired copy does not pass its own inspection ({first})", "nothing was written; please report this"
        )


def _hash(source: Source) -> str:
    digest = hashlib.sha256()
    for _, data in source.windows():
        digest.update(data)
    return digest.hexdigest()
