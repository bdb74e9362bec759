"""File descriptors: those that are only read from are opened without being held up; read and written whole."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable

from inspector.errors import OutputError

ASIDE = os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK  # a pipe that took the name holds nobody up

# what a medium answers that cannot deliver: EIO, what block devices make of a failed command, a file system that is
# damaged itself (EUCLEAN, EBADMSG); Linux, block/blk-core.c, blk_errors; other systems lack some
_FAILED = ("EIO", "ENXIO", "EBADMSG", "EREMOTEIO", "ENODATA", "ETIMEDOUT", "EILSEQ", "ENOLINK", "EBADE", "EUCLEAN")
MEDIUM = frozenset(getattr(errno, name) for name in _FAILED if hasattr(errno, name))


def plain(fd: int) -> int:
    """The descriptor if it is of a file or a disk: another thing may have taken the name since it was looked at."""
    if stat.S_IFMT(os.fstat(fd).st_mode) in (stat.S_IFREG, stat.S_IFBLK):
        return fd
    os.close(fd)
    raise OSError(errno.ESTALE, "not a file any more")


def pread_all(fd: int, n: int, at: int, pread: Callable[[int, int, int], bytes] | None = None) -> bytes:
    """`n` bytes from `at`, fewer only at the end: a read may be short at any time."""
    pread = pread or os.pread
    data = pread(fd, n, at)
    if len(data) == n:
        return data
    parts = [data]
    got = len(data)
    while got < n and parts[-1]:
        parts.append(pread(fd, n - got, at + got))
        got += len(parts[-1])
    return b"".join(parts)


def pwrite_all(fd: int, data: bytes | bytearray | memoryview, at: int) -> int:
    """Write all of it at `at`, and give where it ends: a write may be short at any time."""
    view = memoryview(data)
    while view:
        done = os.pwrite(fd, view, at)
        if done <= 0:
            raise OutputError("the system wrote nothing and gave no error")
        view, at = view[done:], at + done
    return at
