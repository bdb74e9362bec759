"""The bytes that an inspection reads, and no others, put into a capsule that gives the same inspection.

Nothing here knows a format: a source that notes what is read stands between, so what is captured is what diagnosis
needs by construction. Of runs that a walk vouches for, what it took from them is kept in place of their bytes. The
capsule is inspected before it gets its name, and refused where one finding differs.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import re
import tempfile
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping
from fnmatch import fnmatchcase
from functools import partial
from itertools import islice, pairwise
from pathlib import PurePosixPath
from typing import IO, Any, Final

from msgspec import Struct, field

from inspector import __version__, capsule
from inspector import patch as patches
from inspector.account import Progress
from inspector.capsule_file import COPY, pack
from inspector.catalogue import Formats
from inspector.charting import chart_of, held_of, vouched_of
from inspector.errors import InspectorError, RefusedError, SourceError, UnverifiedError
from inspector.format import State, Stretch, Wishes
from inspector.inspect import Report, detect, inspect
from inspector.output import place_file, preflight
from inspector.recorder import Recorder, without
from inspector.shown import shown_by
from inspector.source import Source
from inspector.span import Span, merged

SMALL: Final = 64 << 10  # bytes up to which a whole file of the store is taken
LOG_ENDS: Final = 1 << 20  # of a long text log: its first and its last bytes
ITEMS: Final = 10_000  # items that are listed while reads are noted, so that the capsule can list them, too
BESIDE: Final = 2  # tiles on each side of a damaged one that are taken as they are


class Captured(Struct):
    """What was written."""

    output: str
    format: str
    source_size: int
    size: int = 0
    read: int = 0  # bytes of the source that are in it, zeroes among them
    stored: int = 0  # bytes that are not zero
    vouched: int = 0  # bytes that verified and are not in it
    ranges: int = 0
    findings: int = 0
    patch: str = ""  # whether a patch can be made from it, else why not
    partial: bool = False  # the source changed meanwhile
    notes: list[str] = field(default_factory=list)


def capture(
    source: Source,
    formats: Formats,
    output: str,
    wishes: Wishes,
    *,
    forced: str | None = None,
    force: bool = False,
    rename: Callable[[str, str], str] | None = None,
    environment: bool = True,
    document: Callable[[Report], Any],
    progress: Progress | None = None,
) -> Captured:
    """Write a capsule of `source`; `document` is what must come out the same, `rename` gives private names."""
    preflight(output, source, 0, force)

    def ask(one: Source, causes: bool = True) -> Any:
        return document(inspect(one, formats, wishes, forced, causes=causes))

    for vouching, wide in ((True, False), (True, True), (False, True)):
        with contextlib.closing(Recorder(source, vouching, wide)) as recorder:
            report, patch = _recorded(recorder, formats, wishes, forced, rename, progress)
            found = sum(shown_by(report).values())
            done = Captured(output, report.format.name, source.size, findings=found, patch=patch)
            try:
                with place_file(output, None, 0, force, mode=0o600) as place:
                    _write(place.fd, done, report, recorder, rename, environment)
                    with capsule.open_capsule(place.name) as copy:
                        folder = source.kind == "folder"
                        same = (recorder.enough or not folder) and _all_of(source, copy, recorder)
                        if same and not folder:
                            _as_it_was(source)  # it says the same, whatever that is
                        else:  # of the same bytes and findings come the same causes
                            before = ask(source) if recorder.enough and not same else document(report)
                            _read_alike(source, before, copy, partial(ask, causes=not same), rename is not None)
            except UnverifiedError:
                if vouching and done.vouched:
                    continue  # a walk decides about damage by more than was kept behind it: keep more, then all
                raise
            done.notes += place.notes
            break
    if not source.still_same():
        done.notes.append(f"{source.changed}: capture it again when nothing writes to it")
        done.partial = True
    return done


def _recorded(
    recorder: Recorder,
    formats: Formats,
    wishes: Wishes,
    forced: str | None,
    rename: Callable[[str, str], str] | None,
    progress: Progress | None,
) -> tuple[Report, str]:
    """Inspect, and read what else a capsule should hold; why it cannot be repaired, or ""."""
    # detected before: the other formats look at bytes that nobody needs
    chain, claim = detect(recorder.below, formats, forced)
    recorder.settled = (chain[-1].name, claim.strength, claim.because)
    tap = partial(_neighbours, recorder)
    causes = partial(_wants_causes, recorder, chain[-1].private.files, rename)
    report = inspect(recorder, formats, wishes, forced, progress=progress, tap=tap, causes=causes).whole()
    for found in report.tally.findings():
        if found.bytes_known:
            recorder.note(found.span.member, found.span.start, min(found.span.end, found.span.start + SMALL))
    why_not = _look_ahead(report, recorder, wishes)
    _take_small(recorder, [pattern for form in report.layers for pattern in form.private.files])
    return report, why_not


def _wants_causes(recorder: Recorder, patterns: Collection[str], rename: Callable[[str, str], str] | None) -> bool:
    """Whether causes are to be looked for: that may read more, and a capsule with other bytes is compared with them.

    So is one whose name tells something else.
    """
    called = _source_name(recorder, patterns, rename)
    if recorder.kind == "folder":
        _take_small(recorder, patterns)
        public = rename is None or all(_called(m.name, patterns, lambda _: "") == m.name for m in recorder.members)
        recorder.enough = public and recorder.all_read and not recorder.told_otherwise(called)
    else:
        recorder.enough = recorder.whole and not recorder.told_otherwise(called)
    return not recorder.enough


def _write(
    fd: int,
    done: Captured,
    report: Report,
    recorder: Recorder,
    rename: Callable[[str, str], str] | None,
    environment: bool,
) -> None:
    """Fill the file, and say in `done` what was put there."""
    source, new = recorder.below, tempfile.TemporaryFile
    with new() as data, new() as told, os.fdopen(os.dup(fd), "wb") as file:
        members, done.stored = chart_of(source, recorder, data, told)
        patterns = [pattern for form in report.layers for pattern in form.private.files]
        called = _source_name(recorder, patterns, rename)
        if rename is not None:
            for one in members:
                one["name"] = _called(one["name"], patterns, lambda part: rename("file", part))
        done.read = sum(b - a for one in members for name in ("ranges", "zeros") for a, b in one[name])
        done.ranges = sum(len(one["ranges"]) for one in members)
        done.vouched = sum(b - a for one in members for a, b in without(vouched_of(one), held_of(one)))
        manifest = {
            "schema": capsule.SCHEMA,
            "tool": {"name": "inspector", "version": __version__},
            "source": {"kind": source.kind, "name": called, "size": source.size},
            "format": report.format.name,
            "detected": recorder.settled,
            "findings": done.findings,
            "verdict": report.verdict,
            "host": _host() if environment else None,
            "sha256": _digest(data),
            "vouched_sha256": _digest(told),
            "members": members,
        }
        pack(file, manifest, data, told)
    done.size = os.fstat(fd).st_size


def _read_alike(source: Source, before: Any, copy: Source, ask: Callable[[Source], Any], renamed: bool) -> None:
    """Raises UnverifiedError where the capsule does not say what its source said."""
    try:
        found = ask(copy)
    except RefusedError:
        found = None  # it lacks bytes that are needed
    if renamed and found != before:  # the names given just now may also stand in what was found
        before = ask(source)
    _as_it_was(source)
    if found != before and not source.still_same():
        raise SourceError(source.changed, "nothing was written: capture it when nothing writes to it")
    if found != before:
        raise UnverifiedError(
            f"{source.label}: the capsule does not give the findings of its source; nothing was written",
            "a mistake of inspector: please report it",
        )


def _all_of(source: Source, copy: Source, recorder: Recorder) -> bool:
    """Whether a capsule holds every byte of every file, each of them compared, under names that tell the same."""
    files = [(m.name, m.size) for m in source.members]
    if [(m.name, m.size) for m in copy.members] != files or recorder.told_otherwise(copy.name):
        return False
    return all(copy.holds(0, size, name) and _same(source, copy, name, size) for name, size in files)


def _same(source: Source, copy: Source, name: str, size: int) -> bool:
    """Whether both have the same bytes; what is a hole in both is not read."""
    at = 0
    while at < size:
        if (hole := min(source.hole_end(at, name), copy.hole_end(at, name))) > at:
            at = hole
        elif source.read(at, COPY, name) == copy.read(at, COPY, name):
            at += COPY
        else:
            return False
    return True


def _neighbours(recorder: Recorder, _: State, stretches: Iterator[Stretch]) -> Iterator[Stretch]:
    """The same stretches; damaged tiles are noted, with those on both sides, but none that is too large."""
    last: deque[Span] = deque(maxlen=BESIDE)
    due = 0  # tiles that are still to be noted, behind a damaged one
    for stretch in stretches:
        count, member = len(stretch), stretch.member
        if last and last[-1].member != member:
            last.clear()
            due = 0
        low, high, due = 0, min(due, count), max(0, due - count)  # [low, high): tiles in a row that are wanted
        for at in stretch.marked():
            if at < BESIDE:
                for span in (span for span in last if span.length <= SMALL):
                    recorder.note(member, span.start, span.end)
            if at - BESIDE > high:
                _note(recorder, stretch, low, high)
                low = at - BESIDE
            high = at + BESIDE + 1
        due = max(due, high - count)
        _note(recorder, stretch, low, min(count, high))
        last.extend(stretch.span(i) for i in range(max(0, count - BESIDE), count))
        yield stretch


def _note(recorder: Recorder, stretch: Stretch, low: int, high: int) -> None:
    ends = [*stretch.starts[low : high + 1], stretch.end][: high - low + 1]
    for start, end in merged((a, b) for a, b in pairwise(ends) if b - a <= SMALL):
        recorder.note(stretch.member, start, end)


def _as_it_was(source: Source) -> None:
    """Raises SourceError where zeroes stand for what could not be read: a capsule would call them the store's."""
    if source.shrunk:
        raise SourceError(source.changed, "nothing was written: capture it when nothing writes to it")
    if source.unreadable:
        span = source.unreadable[0]
        hint = "nothing was written: image it with ddrescue, and capture the image"
        raise SourceError(f"{source.label}: bytes {span.start} to {span.end} cannot be read", hint)


def _called(name: str, patterns: Collection[str], rename: Callable[[str], str]) -> str:
    """A file's name with each part replaced that the program itself does not give."""
    parts = name.split("/") if name else []
    return "/".join(p if any(fnmatchcase(p, pattern) for pattern in patterns) else rename(p) for p in parts)


def _source_name(recorder: Recorder, patterns: Collection[str], rename: Callable[[str, str], str] | None) -> str:
    """What the source is called in its capsule; a pseudonym keeps an end or a beginning that the program gives, if
    that tells."""
    name = recorder.below.name
    if rename is None:
        return name
    called = _called(name, patterns, partial(rename, "path"))
    heads = [re.match(r"[A-Z]*-?", pattern).group() for pattern in patterns]  # type: ignore[union-attr]
    heads = [head for head in heads if head and name.upper().startswith(head.rstrip("-"))]
    ending = PurePosixPath(name).suffix
    given = ending in {PurePosixPath(pattern).suffix for pattern in patterns}
    also = [called + ending] if given else []
    also += [head + called for head in heads]
    return next((one for one in (called, *also) if not recorder.told_otherwise(one)), called)


def _look_ahead(report: Report, recorder: Recorder, wishes: Wishes) -> str:
    """Read what listing and repairing read, so that the capsule can do both; why it cannot be repaired, or ""."""
    if not recorder.whole:
        _list(report)
    maker = next((form for form in report.layers if form.plan is not None), None)
    if maker is None or maker.plan is None:
        return "no repair is offered for this format"
    try:
        plan = maker.plan(report.state, wishes)
        changes = tuple(patches.changes_of(recorder, plan))
        if recorder.whole:
            return ""
        made = patches.Patch(recorder.size, report.format.name, changes)
        inspect(patches.Patched(recorder, made), [*report.layers], Wishes(release=wishes.release), report.format.name)
    except InspectorError as error:
        if recorder.whole:
            _list(report)  # what they are called may stand in the message, and redaction knows only what it was shown
        return error.message
    return ""


def _list(report: Report) -> None:
    listing = next((form.items for form in report.layers if form.items), None)
    for _ in islice(listing(report.state), ITEMS) if listing is not None else ():
        pass


def _take_small(recorder: Recorder, patterns: Collection[str]) -> None:
    """Files of the store that are small, and the ends of its text logs; never a file that is not the program's."""
    for member in recorder.members:
        base = PurePosixPath(member.name).name
        own = not member.name or any(fnmatchcase(base, pattern) for pattern in patterns)
        if member.secret or not own:
            continue
        if member.size <= SMALL:
            recorder.note(member.name, 0, member.size)
        elif base.startswith("LOG"):
            recorder.note(member.name, 0, min(LOG_ENDS, member.size))
            recorder.note(member.name, max(0, member.size - LOG_ENDS), member.size)


def _digest(data: IO[bytes]) -> str:
    data.seek(0)
    return hashlib.file_digest(data, "sha256").hexdigest()  # type: ignore[arg-type]


def _host() -> Mapping[str, str]:
    """What of this computer bears on damage; never its name."""
    return {"system": platform.system(), "release": platform.release(), "machine": platform.machine()}
