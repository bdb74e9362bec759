"""A capsule: the bytes of a store that diagnosis needs, at their original offsets, in a zip file.

    capsule.json   what it is: schema inspector/capsule/2, the source's members (name, size), its format and why, and
                   for each member `ranges` ([start, end) captured), `zeros` (read, and zero), `extents` (where the
                   file system said that data is) and `vouched` (by which walk, start, end, and offset and length of
                   its words): typed holes, which verified when the capsule was made; what is in no list was not read
    data           the captured ranges of all members, one after the other, in the order of the list
    vouched        what the walks took from typed holes (record headers and owners, keys and sums of a block), in each
                   format's own coding; see inspector/vouching.py
    README.txt     how to open it without inspector

A capsule is opened as a source with the members and sizes of the original. A read of bytes that were not captured
is refused: they are unknown, which is not damage.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import zipfile
import zlib
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

import msgspec
from msgspec import Struct

from inspector.descriptors import pread_all
from inspector.errors import RefusedError, SourceError
from inspector.holes import zeroes
from inspector.source import Kind, Member, Source
from inspector.span import Span
from inspector.vouching import Vouched

SCHEMA: Final = "inspector/capsule/2"
MANIFEST, DATA, VOUCHED, README = "capsule.json", "data", "vouched", "README.txt"
MAX_DATA: Final = 64 << 30
MAX_MANIFEST: Final = 64 << 20
MAX_LISTS: Final = 1 << 19  # ranges and runs of all members: some 200 bytes of memory each
RESERVE: Final = 256 << 20  # bytes that unpacking leaves free
COPY: Final = 1 << 20

# what zipfile, zlib and json raise on bytes that are not as they were written
_BROKEN: Final = (
    *(zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError),
    *(ValueError, KeyError, TypeError, IndexError, OverflowError, msgspec.MsgspecError),
)

Range = tuple[int, int]
Run = tuple[str, int, int, int, int]  # by which walk, start, end, and offset and length of its words


class _Schema(Struct, frozen=True):
    schema: str = ""


class _Told(Struct, frozen=True):
    """A member as the manifest tells of it."""

    name: str
    size: int
    ranges: list[Range]
    zeros: list[Range]
    extents: list[Range]
    vouched: list[Run]
    mtime_ns: int = 0


class _Origin(Struct, frozen=True):
    kind: str
    name: str


class _Manifest(Struct, frozen=True):
    members: list[_Told]
    sha256: str
    vouched_sha256: str
    source: _Origin
    detected: tuple[str, int, str]


class Chart(Struct, frozen=True):
    """What of one member is in the capsule; all lists but `vouched` in order, without overlap."""

    member: Member
    ranges: tuple[Range, ...]
    zeros: tuple[Range, ...]
    extents: tuple[Range, ...]
    vouched: tuple[Run, ...]


class CapsuleSource(Source):
    """The original's bytes as far as they were captured; `told` holds what walks said of the runs they vouched for."""

    sparing = True

    def __init__(
        self,
        label: str,
        kind: Kind,
        path: Path | None,
        name: str,
        charts: list[Chart],
        data: IO[bytes],
        told: IO[bytes],
    ) -> None:
        super().__init__(label, kind, path, [chart.member for chart in charts])
        self._own_name = name
        self._data, self._told = data, told
        self._parts: dict[str, _Parts] = {}
        base = 0
        self._charts = {chart.member.name: chart for chart in charts}
        for chart in charts:
            self._parts[chart.member.name] = _Parts(chart, base)
            base += sum(end - start for start, end in chart.ranges)
        self._runs = {chart.member.name: _Runs(chart) for chart in charts}

    @property
    def name(self) -> str:
        return self._own_name

    def inside(self, folder: str) -> Source:
        head = f"{folder}/"
        found = CapsuleSource(f"{self.label}/{folder}", self.kind, self.path, folder, [], self._data, self._told)
        inner = [(m.name[len(head) :], m) for m in self.members if m.name.startswith(head)]
        found.members = tuple(Member(name, m.size, m.mtime_ns, m.secret) for name, m in inner)
        found._by_name = {m.name: m for m in found.members}
        found._parts = {name: self._parts[m.name] for name, m in inner}
        found._charts = {name: self._charts[m.name] for name, m in inner}
        found._runs = {name: self._runs[m.name] for name, m in inner}
        return found

    def locked_by(self, member: str) -> int | None:
        return None  # the original is not here

    def still_same(self) -> bool:
        return True

    def data_ranges(self, member: str = "", start: int = 0) -> Iterator[Span]:
        for low, high in self._charts[member].extents:
            if high > start:
                yield Span(max(low, start), high, member)

    def captured(self, member: str = "") -> int:
        """Bytes of a member that are here."""
        chart = self._charts[member]
        return sum(end - start for start, end in (*chart.ranges, *chart.zeros))

    def vouched(self, what: str, at: int, member: str = "") -> Vouched | None:
        if at not in (runs := self._runs[member].of(what)):
            return None
        end, place, length = runs[at]
        return Vouched(at, end, pread_all(self._told.fileno(), length, place))

    def next_vouched(self, what: str, at: int, member: str = "") -> int | None:
        starts = self._runs[member].starts(what)
        index = bisect_left(starts, at)
        return starts[index] if index < len(starts) else None

    def holds(self, start: int, end: int, member: str = "") -> bool:
        at = start
        for low, high, _ in self._parts[member].within(start, end):
            if low > at:
                return False
            at = high
        return at >= min(end, self.length(member))

    def hole_end(self, at: int, member: str = "") -> int:
        """To the end of the zeroes that were read there."""
        part = next(self._parts[member].within(at, at + 1), None)
        return part[1] if part is not None and part[0] <= at and part[2] is None else at

    def _pread(self, member: str, n: int, at: int) -> bytes:
        if self.hole_end(at, member) >= at + n:
            return zeroes(n)
        out = bytearray(n)
        filled = at
        for start, end, place in self._parts[member].within(at, at + n):
            if start > filled:
                self._refuse(member, filled, start)
            low, high = max(start, at), min(end, at + n)
            if place is not None:
                out[low - at : high - at] = pread_all(self._data.fileno(), high - low, place + low - start)
            filled = high
        if filled < at + n:
            self._refuse(member, filled, at + n)
        return bytes(out)

    def _refuse(self, member: str, start: int, end: int) -> None:
        raise RefusedError(
            f"{self._show(member)}: bytes {start} to {end} were not captured",
            "a capsule holds what diagnosis needs, not content: run this on the original (repair --patch works here)",
        )


class _Parts:
    """All pieces of a member by offset; a place is an offset of the data, or None for zeroes."""

    def __init__(self, chart: Chart, base: int) -> None:
        found: list[tuple[int, int, int | None]] = [(start, end, None) for start, end in chart.zeros]
        for start, end in chart.ranges:
            found.append((start, end, base))
            base += end - start
        self._all = sorted(found, key=lambda part: part[0])
        self._starts = [part[0] for part in self._all]

    def within(self, start: int, end: int) -> Iterator[tuple[int, int, int | None]]:
        for part in self._all[max(0, bisect_right(self._starts, start) - 1) :]:
            if part[0] >= end:
                return
            if part[1] > start:
                yield part


class _Runs:
    """The runs that walks vouched for in a member."""

    def __init__(self, chart: Chart) -> None:
        self._of: dict[str, dict[int, tuple[int, int, int]]] = {}
        for what, start, *rest in chart.vouched:
            self._of.setdefault(what, {})[start] = (rest[0], rest[1], rest[2])
        self._starts = {what: sorted(runs) for what, runs in self._of.items()}

    def of(self, what: str) -> dict[int, tuple[int, int, int]]:
        return self._of.get(what, {})

    def starts(self, what: str) -> list[int]:
        return self._starts.get(what, [])


def open_capsule(path: str, held: IO[bytes] | None = None) -> CapsuleSource:
    """The source in a capsule; raises SourceError, in one line, where one byte of it is not as it was written.

    Where the file is `held` open already, that is what is read, whatever has its name by now.
    """
    try:
        with zipfile.ZipFile(held or path) as archive:
            manifest = _manifest(archive)
            charts = [_chart(one) for one in manifest.members]
            if len({chart.member.name for chart in charts}) != len(charts):
                raise ValueError("two of its members have one name")
            total = sum(end - start for chart in charts for start, end in chart.ranges)
            data = _unpacked(archive, DATA, total, manifest.sha256)
            words = sum(length for chart in charts for *_, length in chart.vouched)
            told = _unpacked(archive, VOUCHED, words, manifest.vouched_sha256)
            kind: Kind = "folder" if manifest.source.kind == "folder" else "file"
            name = manifest.source.name
            settled = manifest.detected
    except _BROKEN as error:
        raise SourceError(f"{path}: the capsule is damaged: {error}", "ask for it to be made again") from error
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror or error}") from error
    source = CapsuleSource(path, kind, Path(path), name, charts, data, told)
    source.settled = settled
    return source


def _manifest(archive: zipfile.ZipFile) -> _Manifest:
    info = archive.getinfo(MANIFEST)
    if info.file_size > MAX_MANIFEST:
        raise ValueError(f"its manifest has {info.file_size} bytes")
    text = archive.read(MANIFEST)
    if text.count(b"[") > MAX_LISTS:  # before it is taken apart: a list takes twenty times its text
        raise ValueError(f"its manifest has more than {MAX_LISTS} lists")
    if msgspec.json.decode(text, type=_Schema).schema != SCHEMA:
        raise ValueError(f"its schema is not {SCHEMA}")
    return msgspec.json.decode(text, type=_Manifest)


def _chart(told: _Told) -> Chart:
    size, name = told.size, told.name
    if size < 0 or name.startswith("/") or "\0" in name or ".." in name.split("/"):
        raise ValueError("a member's name leads out of the store")
    member = Member(name, size, told.mtime_ns)
    lists = [_ordered(one, size) for one in (told.ranges, told.zeros, told.extents)]
    _ordered(sorted([*lists[0], *lists[1]]), size)
    if not all(0 <= start <= end <= size and at >= 0 and n >= 0 for _, start, end, at, n in told.vouched):
        raise ValueError("a run that it vouches for lies outside its member")
    return Chart(member, lists[0], lists[1], lists[2], tuple(told.vouched))


def _ordered(found: list[Range], size: int) -> tuple[Range, ...]:
    at = 0
    for start, end in found:
        if not at <= start < end <= size:
            raise ValueError(f"its range [{start}, {end}) is out of order")
        at = end
    return tuple(found)


def _unpacked(archive: zipfile.ZipFile, name: str, total: int, digest: str) -> IO[bytes]:
    """An entry in an unnamed file; no more is unpacked than the lists ask for."""
    info = archive.getinfo(name)
    if info.file_size != total or total > MAX_DATA:
        raise ValueError(f"its {name} has {info.file_size} bytes where its lists need {total}")
    if total + RESERVE > shutil.disk_usage(tempfile.gettempdir()).free:
        raise SourceError(f"{tempfile.gettempdir()}: no space for {total} bytes of a capsule", "set TMPDIR")
    spool = tempfile.TemporaryFile()  # noqa: SIM115  lives as long as the source, and closes with it
    summed = hashlib.sha256()
    with archive.open(name) as packed:
        while piece := packed.read(COPY):
            summed.update(piece)
            spool.write(piece)
    spool.flush()
    if summed.hexdigest() != digest:
        spool.close()
        raise ValueError(f"its {name} does not have the hash that it names")
    return spool
