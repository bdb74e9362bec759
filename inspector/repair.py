"""preflight -> plan -> write -> verify -> place: a repaired copy, and the ledger of every byte.

The ledger is computed from the edits themselves by the one writer that executes them, so it cannot disagree
with what was written.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from inspector.account import Progress
from inspector.catalogue import Formats
from inspector.edits import close_member, link_member, open_member, write_edit
from inspector.errors import Exit, OutputError, RefusedError, SourceError, UnverifiedError
from inspector.format import Edit, Format, Plan, Wishes
from inspector.inspect import inspect
from inspector.ledger import ACTIONS, DRY, Ledger, Result, unverified
from inspector.output import RESERVE, place_file, place_folder, preflight, writers_of
from inspector.sanitize import for_shell
from inspector.source import Source
from inspector.verify import inspected_again, must_be_clean, no_engine, sha256_of, verify_file, verify_folder


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
        report = inspect(source, formats, wishes, forced, keep, progress, causes=False).whole()  # a ledger tells none
        maker = next((f for f in report.layers if f.plan is not None), None)
        if maker is None or maker.plan is None:
            raise RefusedError(
                f"{report.format.name}: repair is not offered for this format", "inspector scan tells more"
            )
        not_in_use(source, report.format)
        _all_open(source)
        plan = maker.plan(report.state, wishes)
        result = Result(report, None if dry_run else output, notes=plan.notes)
        ledger = Ledger(result, keep)
        if dry_run or output is None:
            for edit in plan.edits:
                ledger.note(edit)
            ledger.close(source)
            result.verified = unverified(DRY)
            result.code = report.exit_code()
            return result
        _well_named(plan, source.label if patch else output, patch)
        if patch:
            _make_patch(source, plan, output, result, ledger, force, formats, wishes)
        elif plan.folder:
            _make_folder(source, plan, output, result, ledger, copy, formats, wishes)
        else:
            _make_file(source, plan, output, result, ledger, force, formats, wishes)
        if hash_source:
            result.source_sha256 = sha256_of(source) if source.kind != "folder" else None
        if not source.still_same():
            result.notes.append(f"{source.changed}: repair it again when nothing writes to it")
        if not patch:
            result.after = plan.after(for_shell(source.label), for_shell(output))
        # a file that is missing altogether has no bytes here, but what was in it is lost all the same
        result.code = Exit.LOST if result.bytes["lost"] or result.records["lost"] != 0 else Exit.CLEAN
        if source.drift - {"grew"}:
            result.code = Exit.PARTIAL
        if report.exit_code() is Exit.BUG:  # what a part of inspector missed may be wrong in the output as well
            result.notes.append("inspector itself failed on this store (INS001 of a scan): do not rely on this output")
            result.code = Exit.BUG
        return result


def _well_named(plan: Plan, path: str, patch: bool) -> None:
    """Raise where the program would take what is to stand there for something else."""
    at = Path(path)
    if (found := plan.misnamed(at.name)) is not None:
        why, name = found
        right = for_shell(str(at.with_name(name)))
        raise RefusedError(f"{path}: {why}", f"mv {for_shell(path)} {right}" if patch else f"-o {right}")


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


def _all_open(source: Source) -> None:
    """Raise where a file was not opened: what somebody else may read is not lost."""
    for name, why in sorted(source.closed.items()):
        raise SourceError(f"{source.label}/{name}: {why}", "run it as the owner of the store: nothing is lost by that")


def _room(source: Source, plan: Plan) -> int:
    """Bytes that the output takes: none for the holes of the source, whose bytes are written once at most."""
    data = sum(span.length for one in source.members if not one.secret for span in source.data_ranges(one.name))
    return min(plan.estimate, data + max(0, plan.estimate - source.size) + RESERVE)


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
    with place_file(output, source, _room(source, plan), force) as place:
        result.notes += place.notes
        place.notes = result.notes
        if plan.size is not None:
            os.ftruncate(place.fd, plan.size)
        at = 0
        for edit in plan.edits:
            if edit.action in ("kept", "corrected", "added") or edit.data is not None:
                at = write_edit(source, edit, place.fd, edit.at if edit.at is not None else at, lossy=True)
            ledger.note_copied(edit, source)
        ledger.close(source)
        result.size = os.fstat(place.fd).st_size
        with _medium_blamed(source):
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
    with place_folder(output, source, _room(source, plan) if copy else 0) as place:
        result.notes += place.notes
        assert place.folder is not None
        fd, current, at = -1, None, 0
        try:
            for edit in plan.edits:
                if edit.action in ("dropped", "lost"):
                    ledger.note(edit)
                    continue
                if edit.whole and not copy and link_member(source, edit, place.folder):
                    ledger.note(edit)
                    continue
                if edit.out != current:
                    done, fd = fd, -1  # whatever fails from here on, it is closed once
                    close_member(done)
                    fd = open_member(place.folder, edit.out)
                    current, at = edit.out, os.fstat(fd).st_size
                at = write_edit(source, edit, fd, edit.at if edit.at is not None else at, lossy=True)
                ledger.note_copied(edit, source)
        finally:
            close_member(fd)
        _all_open(source)  # some are opened for the first time when they are copied
        ledger.close(source)
        result.size = sum(p.stat().st_size for p in place.folder.rglob("*") if p.is_file())
        with _medium_blamed(source):
            verify_folder(place.folder, result, formats, wishes)


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
    from inspector import patch as patches  # only here: a repair into a file starts faster without it

    plan.edits = _noted(plan.edits, ledger)
    changes = tuple(patches.changes_of(source, plan))
    ledger.close(source)
    made = patches.Patch(source.size, result.report.format.name, changes)
    again = inspected_again(patches.Patched(source, made), result, formats, wishes)
    with _medium_blamed(source):
        left = must_be_clean(again)
    result.size = patches.write(output, source, made, force)
    result.after = patches.after(source.label, output)
    result.verified = {"ok": True, "by": ["inspector"], **left, "engine": no_engine(result)}


@contextmanager
def _medium_blamed(source: Source) -> Iterator[None]:
    """A copy that does not verify because a block went bad after it was judged is no failure of the repair."""
    try:
        yield
    except UnverifiedError as error:
        if not (bad := source.unreadable.news()):
            raise
        where = (
            f"{source.label}: {sum(span.length for span in bad):,} bytes from {bad[0].start:,} on went bad meanwhile"
        )
        raise SourceError(
            where, "nothing was written: image the medium first (ddrescue), it is failing, and repair the image"
        ) from error


def _noted(edits: Iterable[Edit], ledger: Ledger) -> Iterator[Edit]:
    for edit in edits:
        ledger.note(edit)
        yield edit


__all__ = ["ACTIONS", "Ledger", "Result", "not_in_use", "repair", "verify_file", "write_edit"]
