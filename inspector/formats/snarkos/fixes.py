"""Rows to write and to delete, kept in order of discovery outside memory when they are many."""

from __future__ import annotations

import struct
import tempfile
from collections.abc import Iterator
from typing import IO, Final

from msgspec import Struct

HELD: Final = 1 << 16  # fixes in memory before they are written out
_HEAD: Final = struct.Struct("<IIB")


class Fix(Struct, frozen=True):
    """A row to write or, with value None, to delete; the key has its prefix."""

    key: bytes
    value: bytes | None


class Fixes:
    """Takes fixes and gives them back in the same order; a repeated one right behind itself is taken once."""

    def __init__(self) -> None:
        self._held: list[Fix] = []
        self._file: IO[bytes] | None = None
        self._last: bytes | None = None
        self.count = 0

    def add(self, key: bytes, value: bytes | None) -> None:
        if key == self._last:
            return
        self._last = key
        self.count += 1
        self._held.append(Fix(key, value))
        if len(self._held) >= HELD:
            self._spill()

    def _spill(self) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="inspector-")  # noqa: SIM115  closed by close()
        self._file.seek(0, 2)
        for fix in self._held:
            value = fix.value or b""
            self._file.write(_HEAD.pack(len(fix.key), len(value), fix.value is not None) + fix.key + value)
        self._held = []

    def __iter__(self) -> Iterator[Fix]:
        if self._file is not None:
            self._file.seek(0)
            while head := self._file.read(_HEAD.size):
                key_size, value_size, there = _HEAD.unpack(head)
                key, value = self._file.read(key_size), self._file.read(value_size)
                yield Fix(key, value if there else None)
        yield from self._held

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
