"""Holes of sparse files: zeroes that the file system keeps no bytes for, and that need not be read."""

from __future__ import annotations

import errno
import os
from functools import lru_cache
from typing import Final

WINDOW: Final = 4 << 20  # bytes that are read at once of what is walked
HOLES: Final = 64 << 10  # bytes of a read from which on it is asked whether they lie in a hole
KEPT: Final = WINDOW + HOLES  # the zeroes of reads up to this size, a window and what it overlaps with, are kept

_zeroes = lru_cache(8)(bytes)  # what was read of holes: the same bytes for the same length


def zeroes(n: int) -> bytes:
    """What a read of `n` bytes in a hole gives; of a window's size it is known again."""
    return _zeroes(n) if HOLES <= n <= KEPT else bytes(n)


def is_blank(data: bytes | memoryview) -> bool:
    """Whether these are the zeroes of a hole, as far as that can be told without looking at them."""
    return HOLES <= len(data) <= KEPT and data is _zeroes(len(data))


def hole_to(fd: int, at: int, end: int) -> int:
    """Up to where the file system keeps nothing for [at, end) now; `at` where it cannot tell."""
    try:
        return min(os.lseek(fd, at, os.SEEK_DATA), end)
    except OSError as error:  # ENXIO: no data up to the end, which may have come nearer
        return end if error.errno == errno.ENXIO and os.fstat(fd).st_size >= end else at
