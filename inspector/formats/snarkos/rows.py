"""Rows sorted outside memory, so that maps written in different orders can be joined.

A row is bytes: group key of a fixed width, tag u8, place 16 bytes, payload. Rows sort as bytes, hence by group.
"""

from __future__ import annotations

import heapq
import tempfile
from collections.abc import Iterator
from struct import Struct
from typing import IO, Final, NamedTuple

from inspector.span import Span

RUN_BYTES: Final = 24 << 20  # rows held before a sorted run is written out
MAX_RUNS: Final = 64  # then runs are merged into one, to bound open files
GROUP_LIMIT: Final = 1 << 17  # rows of one group that are kept; a ledger's largest have a few thousand
RECENT: Final = 64  # spans
_TAGS: Final = tuple(bytes([tag]) for tag in range(256))
_BUFFER: Final = 1 << 18
_PLACE: Final = Struct(">IQI")
_LENGTH: Final = Struct("<I")
NOWHERE: Final = bytes(_PLACE.size)


class Places:
    """Spans as 16 bytes, and back."""

    def __init__(self) -> None:
        self._names: list[str] = [""]
        self._ids: dict[str, int] = {}
        self._recent: dict[int, tuple[Span, bytes]] = {}  # by identity: a block's entries share its span

    def pack(self, span: Span) -> bytes:
        known = self._recent.get(id(span))
        if known is not None:
            return known[1]
        number = self._ids.get(span.member)
        if number is None:
            number = self._ids[span.member] = len(self._names)
            self._names.append(span.member)
        packed = _PLACE.pack(number, span.start, min(span.end - span.start, 0xFFFFFFFF))
        if len(self._recent) >= RECENT:
            self._recent.clear()
        self._recent[id(span)] = span, packed  # kept alive, so that its identity stays its own
        return packed

    def unpack(self, packed: bytes) -> Span | None:
        """None for a row that has no place of its own."""
        number, start, length = _PLACE.unpack(packed)
        return Span(start, start + length, self._names[number]) if number else None


class Row(NamedTuple):
    tag: int
    place: bytes
    payload: bytes


class Sorter:
    """Takes rows in any order and gives them once, grouped and sorted; what does not fit waits in unnamed files."""

    def __init__(self, width: int, run_bytes: int = RUN_BYTES) -> None:
        self.width = width
        self._run_bytes = run_bytes
        self._held: list[bytes] = []
        self._size = 0
        self._runs: list[IO[bytes]] = []
        self.count = 0

    def add(self, group: bytes, tag: int, place: bytes, payload: bytes = b"") -> None:
        row = group + _TAGS[tag] + place + payload
        self._held.append(row)
        self.count += 1
        self._size += len(row) + 50  # the object around the bytes
        if self._size > self._run_bytes:
            self._spill()

    def _spill(self) -> None:
        self._held.sort()
        self._runs.append(_write(iter(self._held)))
        self._held, self._size = [], 0
        if len(self._runs) >= MAX_RUNS:
            merged = _write(heapq.merge(*map(_read, self._runs)))
            self._close()
            self._runs = [merged]

    def _close(self) -> None:
        for run in self._runs:
            run.close()
        self._runs = []

    def rows(self) -> Iterator[bytes]:
        """All rows in order; afterwards the sorter is empty."""
        self._held.sort()
        try:
            if self._runs:
                yield from heapq.merge(self._held, *map(_read, self._runs))
            else:
                yield from self._held
        finally:
            self._held, self._size = [], 0
            self._close()

    def groups(self) -> Iterator[tuple[bytes, list[Row], int]]:
        """Group key, its rows in order of tag, and how many rows beyond GROUP_LIMIT were left out."""
        width, body = self.width, self.width + 1 + _PLACE.size
        after = width + 1
        group = b""
        found: list[Row] = []
        more = 0
        for row in self.rows():
            if not row.startswith(group) or not found:
                if found:
                    yield group, found, more
                group, found, more = row[:width], [], 0
            if len(found) < GROUP_LIMIT:
                found.append(Row(row[width], row[after:body], row[body:]))
            else:
                more += 1
        if found:
            yield group, found, more


def _write(rows: Iterator[bytes]) -> IO[bytes]:
    run = tempfile.TemporaryFile(prefix="inspector-", buffering=_BUFFER)  # noqa: SIM115  closed by its sorter
    pack = _LENGTH.pack
    for row in rows:
        run.write(pack(len(row)) + row)
    run.seek(0)
    return run


def _read(run: IO[bytes]) -> Iterator[bytes]:
    unpack = _LENGTH.unpack
    while head := run.read(4):
        yield run.read(unpack(head)[0])
