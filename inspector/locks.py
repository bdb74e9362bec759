"""Who holds a POSIX lock on a file: it is only looked at, never taken."""

from __future__ import annotations

import fcntl
import os
import struct
import sys

# struct flock of 64-bit systems, by its own order: Linux type, whence, start, length, pid (asm-generic/fcntl.h);
# macOS start, length, pid, type, whence (sys/fcntl.h)
_LINUX, _MACOS = struct.Struct("hhqqi4x"), struct.Struct("qqihh")


def holder(fd: int) -> int | None:
    """The process that would be in the way of a write lock on the whole file; None if nobody is, or none can be told.

    Raises OSError where the file system has no locks.
    """
    if sys.platform == "linux":
        asked = _LINUX.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        kind, _, _, _, pid = _LINUX.unpack(fcntl.fcntl(fd, fcntl.F_GETLK, asked))
    elif sys.platform == "darwin":
        asked = _MACOS.pack(0, 0, 0, fcntl.F_WRLCK, os.SEEK_SET)
        _, _, pid, kind, _ = _MACOS.unpack(fcntl.fcntl(fd, fcntl.F_GETLK, asked))
    else:
        return None
    return int(pid) if kind != fcntl.F_UNLCK else None
