"""Sorting more rows than fit in memory: sorted runs in temporary files, merged while they are read."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from tempfile import TemporaryFile
from typing import IO, Final

HELD: Final = 400_000  # rows in memory before they go to a file: about 35 MB of short rows
_CHUNK: Final = 4096  # rows per read


class Runs:
    """Rows of `width` bytes, read back in the order of their bytes (big-endian numbers sort by value)."""

    def __init__(self, width: int, held: int = HELD) -> None:
        self._width = width
        self._limit = held
        self._held: list[bytes] = []
        self._files: list[IO[bytes]] = []
        self.count = 0

    def add(self, row: bytes) -> None:
        self._held.append(row)
        self.count += 1
        if len(self._held) >= self._limit:
            self._write()

    def extend(self, rows: list[bytes]) -> None:
        self._held += rows
        self.count += len(rows)
        if len(self._held) >= self._limit:
            self._write()

    def _write(self) -> None:
        self._held.sort()
        file = TemporaryFile(prefix="inspector-")  # noqa: SIM115  closed with the runs, or by the collector
        file.write(b"".join(self._held))
        self._files.append(file)
        self._held = []

    def __iter__(self) -> Iterator[bytes]:
        """All rows in order; any number of times."""
        self._held.sort()
        parts = [self._read(file) for file in self._files]
        if not parts:
            return iter(self._held)
        return heapq.merge(*parts, iter(self._held))

    def _read(self, file: IO[bytes]) -> Iterator[bytes]:
        at, width = 0, self._width
        while True:
            file.seek(at)
            data = file.read(_CHUNK * width)
            if not data:
                return
            at += len(data)
            for i in range(0, len(data), width):
                yield data[i : i + width]

    def close(self) -> None:
        for file in self._files:
            file.close()
        self._files, self._held = [], []
