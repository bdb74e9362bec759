"""Reading that other programs on the machine do not notice: at a limited rate, leaving the page cache as it was found.

Set once for the process (`inspector.source.pace`): there is one disk, and one rate.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from inspector.errors import OutOfTime

SOON = 0.001  # seconds; a timer that is set to 0 never rings
STEP = 1 << 20  # bytes of one read under a rate, so that no second sees a burst
PAGE = os.sysconf("SC_PAGESIZE")
RUN = 32 * PAGE  # asked about at once
CACHESTAT = 451  # Linux 6.5, the same number on every architecture
ADVISES = hasattr(os, "posix_fadvise")  # macOS has no such call: the cache is left to itself there
_IOPRIO_SET = {"x86_64": 251, "aarch64": 30, "riscv64": 30}  # linux: arch/x86/entry/syscalls, asm-generic/unistd.h
_LOWEST = 2 << 13 | 7  # class best-effort, its last level: the idle class may starve on a busy disk (ioprio_set(2))


class Pace:
    """Stands in for `os.pread`; short reads are legal and used."""

    def __init__(
        self,
        rate: int | None = None,
        polite: bool = False,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.rate, self.polite = rate, polite
        self.read = 0
        self._now, self._sleep = now, sleep
        self._due = now()  # when the bytes read so far are paid for
        self._cached = _asker() if polite and sys.platform == "linux" else None

    def pread(self, fd: int, n: int, at: int) -> bytes:
        if self.rate:
            n = max(1, min(n, STEP, self.rate))
            self._wait(n)
        data = self._as_found(fd, n, at) if self.polite and ADVISES else os.pread(fd, n, at)
        self.read += len(data)
        return data

    def _wait(self, n: int) -> None:
        now = self._now()
        if self._due > now:
            self._sleep(self._due - now)
        assert self.rate
        self._due = max(self._due, now) + n / self.rate

    def _as_found(self, fd: int, n: int, at: int) -> bytes:
        """What is in the page cache stays there; what this read brings in is put out again."""
        # without reading ahead: what nobody asked for would stay, and look as if it had been there
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_RANDOM)
        absent = list(self._absent(fd, at, at + n))
        data = os.pread(fd, n, at)
        for start, end in absent:
            forget(fd, start, end - start)
        return data

    def _absent(self, fd: int, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Ranges of whole pages that are not cached; all of it where the kernel (before 6.5) cannot be asked."""
        start -= start % PAGE
        end = -(-end // PAGE) * PAGE
        if self._cached is None:
            yield start, end
            return
        for low in range(start, end, RUN):
            high = min(low + RUN, end)
            count = self._cached(fd, low, high - low)
            if count == 0:
                yield low, high
            elif count < (high - low) // PAGE:
                for page in range(low, high, PAGE):
                    if self._cached(fd, page, PAGE) == 0:
                        yield page, page + PAGE


def _asker() -> Callable[[int, int, int], int] | None:
    """How many pages of a range are in the page cache: cachestat(2), which has no wrapper; None where it is missing."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    told = (ctypes.c_uint64 * 5)()

    def ask(fd: int, start: int, length: int) -> int:
        wanted = (ctypes.c_uint64 * 2)(start, length)
        if libc.syscall(CACHESTAT, fd, wanted, told, 0) != 0:
            return 0  # no such thing on this file system: what was read is dropped
        return int(told[0])

    try:
        probe = os.open(__file__, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:  # nothing to try it on
        return None
    try:
        wanted = (ctypes.c_uint64 * 2)(0, PAGE)
        return ask if libc.syscall(CACHESTAT, probe, wanted, told, 0) == 0 else None
    finally:
        os.close(probe)


def forget(fd: int, start: int, length: int) -> None:
    """Ask the kernel to drop these bytes from the page cache; dirty pages stay."""
    if not ADVISES:
        return
    low, high = start - start % PAGE, -(-(start + length) // PAGE) * PAGE  # of a part of a page nothing is dropped
    os.posix_fadvise(fd, low, high - low, os.POSIX_FADV_DONTNEED)


def lower_io_priority() -> bool:
    """Let every other reader of the disk go first; False where the system has no such thing."""
    import ctypes
    import platform

    number = _IOPRIO_SET.get(platform.machine())
    if number is None or platform.system() != "Linux":
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    return bool(libc.syscall(number, 1, 0, _LOWEST) == 0)  # 1: a process; 0: this one


begun: float | None = None  # by time.monotonic, when the process of this command line began


class TimeLimit:
    """Raises OutOfTime in the main thread once, and only inside `guarded`: output is never cut in the middle.

    The time that went by since the process began counts.
    """

    def __init__(self, seconds: float | None) -> None:
        self.expired = False
        self._armed = False
        if seconds is not None:
            signal.signal(signal.SIGALRM, self._ring)
            gone = time.monotonic() - begun if begun is not None else 0.0
            signal.setitimer(signal.ITIMER_REAL, max(seconds - gone, SOON))

    def _ring(self, _: int, __: FrameType | None) -> None:
        self.expired = True
        if self._armed:
            self._armed = False
            raise OutOfTime

    @contextmanager
    def guarded(self) -> Iterator[None]:
        if self.expired:
            raise OutOfTime
        self._armed = True
        try:
            yield
        finally:
            self._armed = False

    @staticmethod
    def stop() -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
