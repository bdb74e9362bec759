"""A damaged copy of a healthy store, and the truth about it: for tests of programs, of inspector, and of people."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from inspector import damage
from inspector.edited import Edited
from inspector.errors import SourceError
from inspector.format import Edit
from inspector.output import place_file, place_folder
from inspector.repair import write_edit
from inspector.source import Source
from inspector.span import Span

SPANS_TOLD = 1000  # of one damage; a translation of line ends has a million


class Harm(Struct, frozen=True):
    """One damage that was made: where, in the coordinates of what it was made on and of what came out."""

    kind: str
    seed: int
    member: str
    before: tuple[Span, ...]
    after: tuple[Span, ...]
    count: int  # of all its changes


class Truth(Struct, frozen=True):
    """What was done to which bytes."""

    source: str
    output: str
    harms: tuple[Harm, ...]
    size_before: int
    size_after: int
    sha256: dict[str, str]  # of each member that was written, "" for a single file
    notes: tuple[str, ...] = ()


def harm(
    source: Source,
    kinds: Sequence[str],
    seed: int,
    member: str | None,
    at: int | None,
    size: int | None,
    among: damage.Ranges | None = None,
) -> tuple[Source, list[Harm]]:
    """The source as it reads after all these damages, one made on the other, and where they are."""
    harms: list[Harm] = []
    name = damage.pick_member(source, seed) if member is None else member
    for number, kind in enumerate(kinds):
        changes = damage.make(kind, source, name, seed + number, at, size, among)
        source = edited = Edited(source, name, changes)
        before = tuple(Span(c.at, c.end, name) for c in edited.changes[:SPANS_TOLD])
        harms.append(Harm(kind, seed + number, name, before, tuple(edited.touched()[:SPANS_TOLD]), len(changes)))
    return source, harms


def inject(
    source: Source,
    output: str,
    kinds: Sequence[str],
    seed: int,
    *,
    member: str | None = None,
    at: int | None = None,
    size: int | None = None,
    force: bool = False,
) -> Truth:
    """Write a copy of `source` with these damages to `output`; the source is never changed."""
    base = source
    damaged, harms = harm(source, kinds, seed, member, at, size)
    sums: dict[str, str] = {}
    if source.kind == "folder":
        with place_folder(output, source, damaged.size) as place:
            assert place.folder is not None
            for one in damaged.members:
                if not one.secret:
                    sums[one.name] = _write_member(damaged, one.name, place.folder / one.name)
            all_was_read(base)
    else:
        with place_file(output, source, damaged.size, force) as place:
            sums[""] = _write(damaged, "", place.fd)
            all_was_read(base)
    return Truth(source.label, output, tuple(harms), source.size, damaged.size, sums, tuple(place.notes))


def all_was_read(source: Source) -> None:
    """The truth knows of no other damage: raises SourceError where the store could not be read, or moved."""
    if source.unreadable:
        span = source.unreadable[0]
        hint = "damage is made on what can be read: copy it first"
        raise SourceError(f"{source.label}: bytes {span.start} to {span.end} cannot be read", hint)
    source.still_same()
    if source.drift - {"grew"}:
        raise SourceError(source.changed, "do it again when nothing writes to it; nothing was kept of this")


def _write_member(source: Source, name: str, path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        return _write(source, name, fd)
    finally:
        os.close(fd)


def _write(source: Source, name: str, fd: int) -> str:
    """Write one member, holes kept; returns the SHA-256 of what it reads as."""
    end = source.length(name)
    os.ftruncate(fd, end)
    for span in source.data_ranges(name):
        write_edit(source, Edit("kept", Span(span.start, span.end, name), at=span.start), fd, span.start)
    return _digest(source, name)


def _digest(source: Source, name: str) -> str:
    digest = hashlib.sha256()
    for _, data in source.windows(name):
        digest.update(data)
    return digest.hexdigest()
