"""Bytes as the medium has them: read past the page cache, where a flipped bit of memory and one of the disk differ."""

from __future__ import annotations

import errno
import os
from typing import Final, Literal

from inspector.descriptors import pread_all
from inspector.pace import ADVISES, forget
from inspector.source import Source

Medium = Literal["O_DIRECT", "POSIX_FADV_DONTNEED", "not possible"]

ALIGN: Final = 4096
_WHY_NOT: Final = (errno.EINVAL, errno.EOPNOTSUPP, errno.ENOENT, errno.EACCES)  # the file system, or /proc, has no such


def uncached(source: Source, start: int, n: int, member: str = "") -> tuple[bytes | None, Medium, str]:
    """Bytes of one file and how they were read: O_DIRECT, else after the kernel dropped its pages; None and why not."""
    if type(source) is not Source:  # a capsule, a patched or pieced view: the file at its path has other bytes
        return None, "not possible", "the source is not a file by itself: it has no medium of its own"
    if source.kind not in ("file", "folder", "device") or source.path is None:
        return None, "not possible", f"the source is {source.kind}: it has no medium of its own"
    if not hasattr(os, "O_DIRECT") or not hasattr(os, "RWF_NOWAIT"):
        return None, "not possible", "this system cannot read past its page cache"
    n = max(0, min(n, source.length(member) - start))
    fd = source._fd(member)
    try:
        return _direct(fd, start, n), "O_DIRECT", ""
    except OSError as error:
        if error.errno not in _WHY_NOT:
            return None, "not possible", error.strerror or str(error)
    try:
        data = _dropped(fd, start, n)
    except OSError as error:
        return None, "not possible", error.strerror or str(error)
    if data is None:
        return None, "not possible", "the file system keeps these pages in memory"
    return data, "POSIX_FADV_DONTNEED", ""


def _direct(fd: int, start: int, n: int) -> bytes:
    """Whole blocks into aligned memory, as O_DIRECT asks for; of what is open, whatever its name is now."""
    import mmap

    low, high = start - start % ALIGN, start + n
    length = -(-(high - low) // ALIGN) * ALIGN
    direct = os.open(f"/proc/self/fd/{fd}", os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECT)
    try:
        out = bytearray()
        # anonymous memory is aligned to pages; the view must be gone before the memory is
        with mmap.mmap(-1, max(length, ALIGN)) as room, memoryview(room) as view:
            while len(out) < high - low:
                got = os.preadv(direct, [view], low + len(out))
                out += view[:got]
                if not got or got % ALIGN:
                    break  # the end of the file
        return bytes(out[start - low : high - low])
    finally:
        os.close(direct)


def _dropped(fd: int, start: int, n: int) -> bytes | None:
    """Read after POSIX_FADV_DONTNEED; None where the kernel kept its pages, or cannot be asked whether it did."""
    if not ADVISES:
        return None
    forget(fd, start, n)
    try:
        os.preadv(fd, [bytearray(1)], start - start % ALIGN, os.RWF_NOWAIT)
    except BlockingIOError:  # nothing cached: the next read asks the medium
        return pread_all(fd, n, start)
    return None
