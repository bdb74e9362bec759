"""What stands at a place becomes a source: one file that is held open, or a folder with the list of its members."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from inspector.descriptors import ASIDE, plain
from inspector.errors import RefusedError, SourceError
from inspector.folder import listing, looked_at, open_inside
from inspector.source import SECRET_NAMES, Kind, Member, Source


def open_one(place: Path, label: str, kind: Kind, info: os.stat_result | None) -> Source:
    try:
        fd = plain(os.open(place, ASIDE))
    except OSError as error:
        raise SourceError(f"{label}: {error.strerror}") from error
    return _of_open(fd, place, label, kind, info)


def open_below(place: Path, way: str, label: str) -> Source:
    """The store that `way` leads to from the folder `place`: a link that took a part of the way leads nowhere."""
    try:
        info = looked_at(place, way)
        if stat.S_ISDIR(info.st_mode):
            source = open_folder(place / way, label, (place, way))
        elif way.rpartition("/")[2] in SECRET_NAMES:
            raise RefusedError(f"{label} holds keys and is never opened")
        else:
            source = _of_open(open_inside(place, way, label), place / way, label, "file", info)
    except OSError as error:
        raise SourceError(f"{label}: {error.strerror}") from error
    source.under = (place, way)
    return source


def _of_open(fd: int, place: Path, label: str, kind: Kind, info: os.stat_result | None) -> Source:
    try:
        now = os.fstat(fd)  # of what was opened, not of what the name meant a moment ago
        size = now.st_size if info is not None else os.lseek(fd, 0, os.SEEK_END)
    except OSError as error:
        os.close(fd)
        raise SourceError(f"{label}: {error.strerror}") from error
    source = Source(label, kind, place, [Member("", size, now.st_mtime_ns)])
    source._files[""] = fd
    return source


def open_folder(place: Path, label: str, under: tuple[Path, str] | None = None) -> Source:
    found = listing(under[0], label, under[1]) if under else listing(place, label)
    names = sorted(found.files, key=lambda file: file[0])
    members = [Member(n, i.st_size, i.st_mtime_ns, n.rpartition("/")[2] in SECRET_NAMES) for n, i in names]
    source = Source(label, "folder", place, members)
    source.skipped, source.closed = found.skipped, found.closed
    return source
