"""Small reads one behind the other, as few large ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

Read = Callable[[int, int], bytes]
CHUNK: Final = 1 << 20


class Windowed:
    """A read that keeps the last chunk, for walks from front to back; of a sparing source no more than was asked."""

    __slots__ = ("_at", "_chunk", "_data", "_read")

    def __init__(self, read: Read, sparing: bool = False, chunk: int = CHUNK) -> None:
        self._read, self._at, self._data = read, 0, b""
        self._chunk = 0 if sparing else chunk

    def __call__(self, at: int, n: int) -> bytes:
        start = at - self._at
        if start >= 0 and start + n <= len(self._data):
            return self._data[start : start + n]
        self._at, self._data = at, self._read(at, max(n, self._chunk))
        return self._data[:n]
