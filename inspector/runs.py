"""Sorting more rows than fit in memory: sorted runs in one temporary file, merged while they are read."""

from __future__ import annotations

import heapq
import os
from collections.abc import Iterator
from tempfile import TemporaryFile
from typing import IO, Final

HELD: Final = 16 << 20  # bytes of memory that rows take before they go to the file
READING: Final = 4 << 20  # bytes of rows in memory while all runs are merged
_OBJECT: Final = 48  # bytes that a row takes in a list beside its own
_CHUNK: Final = 4096  # rows per read at most
_PIECE: Final = 16_384  # rows per write


class Runs:
    """Rows of `width` bytes, read back in the order of their bytes (big-endian numbers sort by value)."""

    def __init__(self, width: int, held: int | None = None) -> None:
        self._width = width
        self._limit = held or HELD // (width + _OBJECT)
        self._held: list[bytes] = []
        self._file: IO[bytes] | None = None
        self._ends: list[int] = []  # of the runs in the file
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
        if self._file is None:
            self._file = TemporaryFile(prefix="inspector-")  # noqa: SIM115  closed with the runs, or by the collector
        self._held.sort()
        for i in range(0, len(self._held), _PIECE):
            self._file.write(b"".join(self._held[i : i + _PIECE]))
        self._file.flush()  # it is read by its descriptor
        self._ends.append(self._file.tell())
        self._held = []

    def __iter__(self) -> Iterator[bytes]:
        """All rows in order; any number of times."""
        self._held.sort()
        if self._file is None:
            return iter(self._held)
        rows = max(1, min(_CHUNK, READING // len(self._ends) // self._width))
        starts = [0, *self._ends]
        parts = [self._read(self._file, *run, rows) for run in zip(starts, self._ends, strict=False)]
        return heapq.merge(*parts, iter(self._held))

    def _read(self, file: IO[bytes], at: int, end: int, rows: int) -> Iterator[bytes]:
        width = self._width
        while at < end:
            data = os.pread(file.fileno(), min(end - at, rows * width), at)
            data = data[: len(data) // width * width]
            if not data:
                raise OSError("a temporary file lost its end")
            at += len(data)
            for i in range(0, len(data), width):
                yield data[i : i + width]

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
        self._file, self._ends, self._held = None, [], []
