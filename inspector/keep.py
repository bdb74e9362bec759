"""A copy of a file that the next event may overwrite: shared blocks where the file system can, verified, by content.

The copy's name holds the SHA-256 of its bytes: the same bytes are kept once, and no copy replaces another.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from msgspec import Struct, field

from inspector.baseline import put
from inspector.errors import InspectorError, SourceError, UnverifiedError
from inspector.output import place_file, preflight

FICLONE = 0x40049409  # linux/fs.h: share all blocks of another file
PIECE = 4 << 20
TRIES = 3
AGAIN = 15.0  # seconds until what could not be kept is tried once more: its bytes are read for that
Identity = tuple[int, int, int]  # inode, size and time of the last write
_SHUT: Identity = (-1, -1, -1)  # a file that cannot be looked at


class Copy(Struct, frozen=True):
    path: str
    sha256: str
    size: int
    how: str  # reflink, copy, or "there already"


def keep(fd: int, name: str, folder: str) -> Copy:
    """A verified copy of the open file in `folder`; raises InspectorError, and then no copy stays."""
    for _ in range(TRIES):
        before = os.fstat(fd)
        digest = _digest(fd)
        target = Path(folder) / f"{name}.{digest[:16]}"
        if target.exists():
            if _same(target, digest):
                return Copy(str(target), digest, before.st_size, "there already")
            raise UnverifiedError(f"{target} does not hold what its name says", "move it away")
        how = _copy(fd, target, before.st_size, digest)
        now = os.fstat(fd)
        if how and (now.st_size, now.st_mtime_ns) == (before.st_size, before.st_mtime_ns):
            return Copy(str(target), digest, before.st_size, how)
        if how:
            target.unlink()  # it changed while it was copied: this copy is of no moment that ever was
    raise SourceError(f"{name} went on changing while it was copied")


def _copy(fd: int, target: Path, size: int, digest: str) -> str:
    """How it was copied; "" where the bytes are not those of the digest."""
    preflight(str(target), None, size, force=False)
    try:
        with place_file(str(target), None, size, force=False, mode=0o600) as place:
            how = "reflink"
            try:
                fcntl.ioctl(place.fd, FICLONE, fd)
            except OSError:  # another file system, or one that shares no blocks
                how = "copy"
                put(place.fd, _pieces(fd))
            os.fsync(place.fd)
            if _digest(place.fd) != digest:
                raise UnverifiedError(f"{target}: the copy does not have the bytes of the file")
    except UnverifiedError:
        return ""
    return how


def _pieces(fd: int) -> Iterator[bytes]:
    at = 0
    while data := os.pread(fd, PIECE, at):
        yield data
        at += len(data)


def _digest(fd: int) -> str:
    digest = hashlib.sha256()
    for piece in _pieces(fd):
        digest.update(piece)
    return digest.hexdigest()


def _same(path: Path, digest: str) -> bool:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        return _digest(fd) == digest
    finally:
        os.close(fd)


class Beside(Struct):
    """A file that may appear beside a store, and is kept; what could not be kept is tried again."""

    path: Path
    keep_in: str | None = None
    tick: Callable[[], float] = time.monotonic
    seen: Identity | None = None  # what stood there last
    missed: set[Identity] = field(default_factory=set)  # not kept, or not yet
    _why: str = ""  # as it was told last
    _due: float = 0.0  # when it is tried again

    def look(self, followed: tuple[int, int] | None) -> dict[str, Any] | None:
        """The evidence of another file than at the last look, or of a copy that went otherwise than it did then."""
        try:
            fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError as error:
            return self._shut(error)
        try:
            info = os.fstat(fd)
            self.missed.discard(_SHUT)
            return self._told(fd, info, followed) if stat.S_ISREG(info.st_mode) else None
        except OSError as error:
            return self._shut(error)
        finally:
            with contextlib.suppress(OSError):
                os.close(fd)

    def _told(self, fd: int, info: os.stat_result, followed: tuple[int, int] | None) -> dict[str, Any] | None:
        found = (info.st_ino, info.st_size, info.st_mtime_ns)
        another = found != self.seen
        if not another and (found not in self.missed or self.tick() < self._due):
            return None
        self.seen = found
        told: dict[str, Any] = {"path": str(self.path), "size": info.st_size}
        if followed == (info.st_dev, info.st_ino):
            told["was_followed"] = True
        if self.keep_in is None:
            return told
        try:
            copy = keep(fd, self.path.name, self.keep_in)
        except (InspectorError, OSError) as error:
            self.missed.add(found)
            self._due = self.tick() + AGAIN
            return told | {"not_kept": self._why} if self._news(str(error)) or another else None
        self.missed.discard(found)
        self._why = ""
        return told | {"kept": copy.path, "sha256": copy.sha256, "how": copy.how}

    def _shut(self, error: OSError) -> dict[str, Any] | None:
        """Nothing is there, or a link, which is not followed; or it is there, and not for this user or this disk."""
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            self.seen = None
            return None
        if self.keep_in is not None:
            self.missed.add(_SHUT)
        why = f"it cannot be read: {error.strerror}"
        return {"path": str(self.path), "not_kept": why} if self._news(why) else None

    def _news(self, why: str) -> bool:
        before, self._why = self._why, why
        return why != before


__all__ = ["Beside", "Copy", "InspectorError", "keep"]
