"""A copy of a file that the next event may overwrite: shared blocks where the file system can, verified, by content.

The copy's name holds the SHA-256 of its bytes: the same bytes are kept once, and no copy replaces another.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from inspector.baseline import put
from inspector.errors import InspectorError, SourceError, UnverifiedError
from inspector.output import place_file, preflight

FICLONE = 0x40049409  # linux/fs.h: share all blocks of another file
PIECE = 4 << 20
TRIES = 3


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
    """A file that may appear beside a store; `seen` is what stood there last."""

    path: Path
    seen: tuple[int, int, int] | None = None

    def look(self) -> int | None:
        """A descriptor of it when it is another file than at the last look; the caller closes it."""
        fd = -1
        try:
            fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
            info = os.fstat(fd)
            found = (info.st_ino, info.st_size, info.st_mtime_ns)
            if found == self.seen or not stat.S_ISREG(info.st_mode):
                return None
            self.seen, mine, fd = found, fd, -1
            return mine
        except OSError:  # not there, or not for this user: nothing to tell
            self.seen = None
            return None
        finally:
            if fd >= 0:
                with contextlib.suppress(OSError):
                    os.close(fd)


__all__ = ["Beside", "Copy", "InspectorError", "keep"]
