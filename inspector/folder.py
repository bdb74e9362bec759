"""What is in a folder and how its files are opened: nothing outside of it, no link, nothing but plain files."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct, field

from inspector.descriptors import ASIDE, plain
from inspector.errors import SourceError

MAX_MEMBERS = 1_000_000
_DOWN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_OURS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM})  # of this process, not of the file


class NotOpenedError(SourceError):
    """A file or folder of a store that cannot be opened; `why` is what the system says."""

    def __init__(self, message: str, why: str, gone: bool) -> None:
        super().__init__(message)
        self.why = why
        self.gone = gone  # it was there when the folder was listed


class Listing(Struct):
    """Names relative to the folder, in no order."""

    files: list[tuple[str, os.stat_result]] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)  # what is no plain file, and what it is
    closed: dict[str, str] = field(default_factory=dict)  # sub-folders that cannot be listed, and why


def joined(way: str, name: str) -> str:
    """A way down from a folder, one part longer; "" is the folder itself."""
    return f"{way}/{name}" if way and name else way or name


def looked_at(place: Path, way: str) -> os.stat_result:
    """What stands at the end of a way down from `place`; raises OSError, also where a part of the way is a link."""
    folder, _, name = way.rpartition("/")
    with _folder(place, folder) as fd:
        return os.stat(name, dir_fd=fd, follow_symlinks=False)


def listing(place: Path, label: str, way: str = "") -> Listing:
    """All that is in a folder and below; raises OSError where the folder itself cannot be read.

    The folder is the one that `way` leads to from `place`, without following a link.
    """
    found = Listing()
    stack, last, held = [""], "", -1  # `held` is the folder that was read last
    try:
        while stack:
            inner = stack.pop()
            above, _, name = inner.rpartition("/")
            try:
                # else each of a thousand levels would be gone down to from the top
                beside = held >= 0 and above == last and inner
                fd = os.open(name, _DOWN, dir_fd=held) if beside else _opened(place, joined(way, inner))
                _close(held)
                last, held = inner, fd
                with os.scandir(fd) as entries:
                    for entry in sorted(entries, key=lambda e: e.name):
                        _sort_in(found, stack, joined(inner, entry.name), entry)
            except OSError as error:
                if not inner or error.errno in _OURS:
                    raise
                found.closed[inner] = error.strerror or str(error)
            if len(found.files) > MAX_MEMBERS:
                raise SourceError(f"{label}: more than {MAX_MEMBERS} files", "name the store's own folder or file")
    finally:
        _close(held)
    return found


def _sort_in(found: Listing, stack: list[str], name: str, entry: os.DirEntry[str]) -> None:
    try:
        info = entry.stat(follow_symlinks=False)
    except FileNotFoundError:  # gone since the folder was read: it is as if it had never been there
        return
    if stat.S_ISDIR(info.st_mode):
        stack.append(name)
    elif stat.S_ISREG(info.st_mode):
        found.files.append((name, info))
    else:
        found.skipped.append((name, "a link" if stat.S_ISLNK(info.st_mode) else "not a regular file"))


def open_inside(place: Path, member: str, label: str) -> int:
    """A descriptor of a member; raises NotOpenedError, also where a link or a pipe took the name of a part of it."""
    try:
        folder, _, name = member.rpartition("/")
        with _folder(place, folder) as fd:
            return plain(os.open(name, ASIDE | os.O_NOFOLLOW, dir_fd=fd))
    except OSError as error:
        why = error.strerror or str(error)
        if error.errno in _OURS:
            raise SourceError(f"{label}: {why}") from error
        gone = error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ESTALE, errno.ELOOP)
        raise NotOpenedError(f"{label}: {why}", why, gone) from error


@contextmanager
def _folder(place: Path, inner: str) -> Iterator[int]:
    """The folder itself, or one below it, reached without following a link."""
    fd = _opened(place, inner)
    try:
        yield fd
    finally:
        _close(fd)


def _opened(place: Path, inner: str) -> int:
    fd = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    for part in inner.split("/") if inner else ():
        try:
            below = os.open(part, _DOWN, dir_fd=fd)
        finally:
            _close(fd)
        fd = below
    return fd


def _close(fd: int) -> None:
    if fd >= 0:
        with contextlib.suppress(OSError):  # opened for reading: a close that fails can lose nothing
            os.close(fd)
