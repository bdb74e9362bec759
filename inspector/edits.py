"""Edits carried out: bytes of the source, or new ones, written to a place of the output."""

from __future__ import annotations

import errno
import os
from itertools import chain
from pathlib import Path

from inspector.descriptors import pwrite_all
from inspector.errors import SourceError
from inspector.format import Edit
from inspector.output import link_open_file
from inspector.source import Source
from inspector.span import Span
from inspector.uniform import only_zeroes

COPY = 1 << 18  # stays in a core's own cache between reading and writing
CLONE = 64 << 20  # copied by one call, which no signal ends


def close_member(fd: int) -> None:
    if fd >= 0:
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def open_member(folder: Path, name: str) -> int:
    path = _inside(folder, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


def _inside(folder: Path, name: str) -> Path:
    """A member's path below the output; a name that leads out of it is a bug of the plan."""
    parts = Path(name).parts
    if not parts or Path(name).is_absolute() or ".." in parts:
        raise AssertionError(f"member name leads out of the folder: {name!r}")
    return folder / name


def link_member(source: Source, edit: Edit, folder: Path) -> bool:
    if source.path is None or edit.origin is None or not source.path.is_dir():
        return False
    target = _inside(folder, edit.out)
    target.parent.mkdir(parents=True, exist_ok=True)
    try:  # the open file, not whatever has its name by now
        link_open_file(f"/proc/self/fd/{source._fd(edit.origin.member)}", target)
    except OSError as error:
        if error.errno in (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP, errno.ENOENT):
            return False  # another file system, one without links, or no name any more: it is copied
        raise
    return True


def write_edit(source: Source, edit: Edit, fd: int, at: int, lossy: bool = False) -> int:
    """Execute one edit at offset `at` of `fd`; returns the offset after it. Holes of the source stay holes.

    Raises SourceError where the medium does not deliver the bytes; if `lossy`, zeroes are written for them.
    """
    if edit.data is not None:
        if len(edit.data) > COPY and os.fstat(fd).st_size <= at and only_zeroes(edit.data):
            os.ftruncate(fd, at + len(edit.data))  # behind what is written: it reads as zeroes
            return at + len(edit.data)
        return pwrite_all(fd, edit.data, at)
    assert edit.origin is not None
    start, end, member = edit.origin.start, edit.origin.end, edit.origin.member
    if end - start <= COPY and edit.at is None:
        return _copy(source, member, start, end, fd, at, lossy=lossy)
    passed = start
    for span in chain(source.data_ranges(member, start), (Span(end, end, member),)):
        low, high = min(span.start, end), min(span.end, end)
        if edit.at is None and passed < low > source.hole_end(passed, member):  # no hole, or none any more
            _copy(source, member, passed, low, fd, at + passed - start, lossy=lossy)
        if low >= end:
            break
        passed = high
        low += _clone(source, member, low, high, fd, at + low - start)
        _copy(source, member, low, high, fd, at + low - start, sparse=edit.at is not None, lossy=lossy)
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
            left = min(end - start - done, CLONE)
            step = os.copy_file_range(source._fd(member), fd, left, start + done, at + done)
        except OSError:  # another file system, an unreadable block, a full disk: the copy by hand meets and tells it
            break
        if not step:
            break
        done += step
    return done


def _copy(
    source: Source, member: str, start: int, end: int, fd: int, at: int, *, sparse: bool = False, lossy: bool = False
) -> int:
    """Copy by hand; `sparse` leaves zeroes out, for a fresh output in which what is not written is zero."""
    while start < end:
        data = source.read(start, min(COPY, end - start), member)
        if not data or source.shrunk:
            raise SourceError(f"{source.label}: {source.changed or 'ended early'}", "repair a copy of the file")
        if not lossy and any(source.unreadable.within(Span(start, start + len(data), member))):
            raise SourceError(f"{source.label}: a part of it cannot be read", "image the medium first (ddrescue)")
        at = at + len(data) if sparse and only_zeroes(data) else pwrite_all(fd, data, at)
        start += len(data)
    return at
