"""The bytes that an inspection reads, and no others, put into a capsule that gives the same inspection.

Nothing here knows a format: a source that notes what is read stands between, so what is captured is what diagnosis
needs by construction. The capsule is inspected before it gets its name, and refused where one finding differs.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from itertools import islice
from pathlib import PurePosixPath
from typing import IO, Any, Final

from inspector import __version__, capsule
from inspector import patch as patches
from inspector.catalogue import Formats
from inspector.errors import InspectorError, SourceError, UnverifiedError
from inspector.format import Wishes
from inspector.inspect import Progress, Report, detect, inspect
from inspector.output import place_file, preflight
from inspector.source import Source
from inspector.span import Span

SMALL: Final = 64 << 10  # bytes up to which a whole file of the store is taken
LOG_ENDS: Final = 1 << 20  # of a long text log: its first and its last bytes
ITEMS: Final = 10_000  # items that are listed while reads are noted, so that the capsule can list them, too
UNIT: Final = 4096  # runs of zeroes are found in units of this size
COPY: Final = 4 << 20
EPOCH: Final = (1980, 1, 1, 0, 0, 0)  # the same source gives the same capsule
TEXT: Final = """A capsule of inspector: parts of a damaged store, at their original offsets.

`inspector scan FILE.capsule` (and records, show, items, repair --patch) reads it like the store itself.
Without inspector: capsule.json lists the members of the store. `ranges` of all members, in the order of the list,
lie one after the other in `data`; `zeros` were read and are zero; what is in no list was not captured.
"""


@dataclass(slots=True)
class Captured:
    """What was written."""

    output: str
    format: str
    source_size: int
    size: int = 0
    read: int = 0  # bytes of the source that are in it, zeroes among them
    stored: int = 0  # bytes that are not zero
    ranges: int = 0
    findings: int = 0
    patch: str = ""  # whether a patch can be made from it, else why not
    partial: bool = False  # the source changed meanwhile
    notes: list[str] = field(default_factory=list)


class Recorder(Source):
    """A source that notes which bytes of which member were asked for."""

    def __init__(self, below: Source, reads: dict[str, list[tuple[int, int]]] | None = None, head: str = "") -> None:
        super().__init__(below.label, below.kind, below.path, list(below.members))
        self._below, self._head = below, head
        self.reads = {} if reads is None else reads
        self.unreadable = below.unreadable

    @property
    def name(self) -> str:
        return self._below.name

    def inside(self, folder: str) -> Source:
        return Recorder(self._below.inside(folder), self.reads, f"{self._head}{folder}/")

    def close(self) -> None:
        if self._head:
            self._below.close()  # made by `inside`, for us alone

    def locked_by(self, member: str) -> int | None:
        return self._below.locked_by(member)

    def still_same(self) -> bool:
        same = self._below.still_same()
        self.changed = self._below.changed
        return same

    def data_ranges(self, member: str = "", start: int = 0) -> Iterator[Span]:
        return self._below.data_ranges(member, start)

    def _pread(self, member: str, n: int, at: int) -> bytes:
        data = self._below.read(at, n, member)
        self.note(member, at, at + len(data))
        return data

    def note(self, member: str, start: int, end: int) -> None:
        reads = self.reads.setdefault(self._head + member, [])
        if reads and reads[-1][0] <= start <= reads[-1][1]:
            reads[-1] = (reads[-1][0], max(end, reads[-1][1]))
        elif start < end:
            reads.append((start, end))
            if len(reads) > 1 << 18:
                reads[:] = merged(reads)


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
    chain, claim = detect(source, formats, forced)  # before: the other formats look at bytes that nobody needs
    recorder = Recorder(source)
    recorder.settled = (chain[-1].name, claim.strength, claim.because)
    report = inspect(recorder, formats, wishes, forced, progress=progress)
    done = Captured(output, report.format.name, source.size, findings=report.tally.total)
    before = document(report)
    done.patch = _look_ahead(report, recorder, wishes)
    _take_small(recorder, report)
    with place_file(output, None, 0, force, mode=0o600) as place, tempfile.TemporaryFile() as data:
        members, done.stored = _chart(source, recorder, data)
        called = source.name
        if rename is not None:
            patterns = [pattern for form in report.layers for pattern in form.private.files]
            called = _called(called, patterns, lambda part: rename("path", part))
            for one in members:
                one["name"] = _called(one["name"], patterns, lambda part: rename("file", part))
        done.read = sum(b - a for one in members for name in ("ranges", "zeros") for a, b in one[name])
        done.ranges = sum(len(one["ranges"]) for one in members)
        manifest = {
            "schema": capsule.SCHEMA,
            "tool": {"name": "inspector", "version": __version__},
            "source": {"kind": source.kind, "name": called, "size": source.size},
            "format": report.format.name,
            "detected": recorder.settled,
            "findings": report.tally.total,
            "verdict": "damaged" if report.damaged else "clean",
            "host": _host() if environment else None,
            "sha256": _digest(data),
            "members": members,
        }
        with os.fdopen(os.dup(place.fd), "wb") as file:
            _pack(file, manifest, data)
        done.size = os.fstat(place.fd).st_size
        with capsule.open_capsule(f"/proc/self/fd/{place.fd}") as copy:
            found = document(inspect(copy, formats, wishes, forced))
            if rename is not None and found != before:  # the names given just now may also stand in what was found
                before = document(inspect(source, formats, wishes, forced))
            _as_it_was(source)
            if found != before and not source.still_same():
                raise SourceError(source.changed, "nothing was written: capture it when nothing writes to it")
            if found != before:
                raise UnverifiedError(
                    f"{output}: the capsule does not give the findings of its source; nothing was written",
                    "a mistake of inspector: please report it",
                )
        done.notes += place.notes
        if not source.still_same():
            done.notes.append(f"{source.changed}: capture it again when nothing writes to it")
            done.partial = True
    return done


def _as_it_was(source: Source) -> None:
    """Raises SourceError where zeroes stand for what could not be read: a capsule would call them the store's."""
    if source.shrunk:
        raise SourceError(source.changed, "nothing was written: capture it when nothing writes to it")
    if source.unreadable:
        span = source.unreadable[0]
        hint = "nothing was written: image it with ddrescue, and capture the image"
        raise SourceError(f"{source.label}: bytes {span.start} to {span.end} cannot be read", hint)


def _called(name: str, patterns: list[str], rename: Callable[[str], str]) -> str:
    """A file's name with each part replaced that the program itself does not give."""
    parts = name.split("/") if name else []
    return "/".join(p if any(fnmatchcase(p, pattern) for pattern in patterns) else rename(p) for p in parts)


def _look_ahead(report: Report, recorder: Recorder, wishes: Wishes) -> str:
    """Read what listing and repairing read, so that the capsule can do both; why it cannot be repaired, or ""."""
    listing = next((form.items for form in report.layers if form.items), None)
    if listing is not None:
        for _ in islice(listing(report.state), ITEMS):
            pass
    maker = next((form for form in report.layers if form.plan is not None), None)
    if maker is None or maker.plan is None:
        return "no repair is offered for this format"
    try:
        plan = maker.plan(report.state, wishes)
        changes = tuple(patches.changes_of(recorder, plan))
        made = patches.Patch(recorder.size, report.format.name, changes)
        inspect(patches.Patched(recorder, made), [*report.layers], Wishes(release=wishes.release), report.format.name)
    except InspectorError as error:
        return error.message
    return ""


def _take_small(recorder: Recorder, report: Report) -> None:
    """Files of the store that are small, and the ends of its text logs; never a file that is not the program's."""
    patterns = [pattern for form in report.layers for pattern in form.private.files]
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


def _chart(source: Source, recorder: Recorder, data: IO[bytes]) -> tuple[list[dict[str, Any]], int]:
    """Copy what was read; each member's ranges and runs of zeroes, and the bytes copied."""
    members, total = [], 0
    for member in source.members:
        ranges: list[tuple[int, int]] = []
        zeros: list[tuple[int, int]] = []
        for start, end in merged(recorder.reads.get(member.name, ())):
            for at, piece, empty in _pieces(source, member.name, start, end):
                into = zeros if empty else ranges
                if into and into[-1][1] == at:
                    into[-1] = (into[-1][0], at + len(piece))
                else:
                    into.append((at, at + len(piece)))
                if not empty:
                    data.write(piece)
                    total += len(piece)
        extents = [] if member.secret else [(s.start, s.end) for s in source.data_ranges(member.name)]
        members.append(
            {
                "name": member.name,
                "size": member.size,
                "mtime_ns": member.mtime_ns,
                "ranges": ranges,
                "zeros": zeros,
                "extents": extents,
            }
        )
    data.flush()
    return members, total


def _pieces(source: Source, member: str, start: int, end: int) -> Iterator[tuple[int, bytes, bool]]:
    """[start, end) in runs that are all zero and runs that are not, in order."""
    at = start
    while at < end:
        data = source.read(at, min(COPY - at % COPY, end - at), member)
        low = 0
        while low < len(data):
            high = low
            empty = _empty(data, low, at)
            while high < len(data) and _empty(data, high, at) == empty:
                high = min(len(data), high + UNIT - (at + high) % UNIT)
            yield at + low, data[low:high], empty
            low = high
        at += len(data)
        if not data:
            return


def _empty(data: bytes, low: int, base: int) -> bool:
    high = min(len(data), low + UNIT - (base + low) % UNIT)
    return data.count(0, low, high) == high - low


def merged(reads: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for start, end in sorted(reads):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found


def _digest(data: IO[bytes]) -> str:
    data.seek(0)
    digest = hashlib.sha256()
    while piece := data.read(COPY):
        digest.update(piece)
    return digest.hexdigest()


def _host() -> Mapping[str, str]:
    """What of this computer bears on damage; never its name."""
    return {"system": platform.system(), "release": platform.release(), "machine": platform.machine()}


def _pack(file: IO[bytes], manifest: Mapping[str, Any], data: IO[bytes]) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        # the manifest comes first: by its name at the beginning of the file a capsule is known
        text = json.dumps(manifest, separators=(",", ":"), sort_keys=True).encode()
        archive.writestr(_entry(capsule.MANIFEST), text, zipfile.ZIP_DEFLATED)
        archive.writestr(_entry(capsule.README), TEXT.encode(), zipfile.ZIP_DEFLATED)
        data.seek(0)
        with archive.open(_entry(capsule.DATA), "w", force_zip64=True) as packed:
            while piece := data.read(COPY):
                packed.write(piece)


def _entry(name: str) -> zipfile.ZipInfo:
    made = zipfile.ZipInfo(name, EPOCH)
    made.compress_type = zipfile.ZIP_DEFLATED
    made.external_attr = 0o600 << 16
    return made
