"""Updates that were found after a newer one of their direction, or before it: most records of any store.

They are never written, whatever else is found, so that they need no row in the database: a line in a temporary file,
in the order of the source, tells their places. Which of them are candidates all the same is decided while they come:
those for which no newer one is known. All that bears on an update names its channel, so that where anything is odd
about one of a channel's updates, all of them become rows again.
"""

from __future__ import annotations

import os
from array import array
from collections import Counter
from collections.abc import Callable, Iterator
from hashlib import blake2b
from itertools import islice
from tempfile import TemporaryFile
from typing import IO, Any, Final

from msgspec import Struct, field

from inspector.carve import DUPLICATE
from inspector.errors import OutputError
from inspector.formats.gossip_store import versions

NEWEST: Final = 100_000  # directions of channels whose newest update is known; beyond it the oldest become candidates
LINE: Final = 5  # numbers: at, channel, time << 17 | flags << 1 | side, size << 40 | run, hash of time and body
CHUNK: Final = 8192  # lines at a time
AHEAD: Final = 1 << 20
PARTS: Final = 64  # files that lines are divided into by hash, so that those of one fit in memory
FEW: Final = 1 << 18  # lines that need no files
ODD: Final = 50_000  # channels with something odd; with more, all updates become rows
_ROW: Final = (1 << 40) - 1


class Candidate(Struct, frozen=True):
    """What is needed for its row; `digest` as of all records."""

    at: int
    size: int
    flags: int
    time: int
    scid: int
    side: int
    run: int
    digest: bytes


class Outdated(Struct):
    """The lines, and which of them are rows (`taken`) or copies of others (`copies`), a bit each."""

    read: Any  # (at, n) -> bytes of the source
    chain: int = 0  # of the first update; those of other networks are rows from the start
    count: int = 0
    newest: dict[int, int] = field(default_factory=dict)  # channel << 1 | side -> time << 40 | line
    kept: array[int] = field(default_factory=lambda: array("Q"))  # lines that are candidates
    held: array[int] = field(default_factory=lambda: array("q"))
    taken: bytearray = field(default_factory=bytearray)
    copies: bytearray = field(default_factory=bytearray)
    fate_of: Callable[[int], str] = lambda scid: ""
    _file: IO[bytes] | None = None

    def add(self, at: int, size: int, flags: int, time: int, scid: int, side: int, run: int, body: bytes) -> None:
        """One sound update; `body` is what its digest is made of."""
        key, line = scid << 1 | side, self.count
        known = self.newest.get(key)
        if known is None or time > known >> 40:
            self.newest[key] = time << 40 | line
            if known is None and len(self.newest) > NEWEST:
                self._let_go()
        elif time == known >> 40:
            self.kept.extend((known & _ROW, line))
        self.held.extend((at, scid, time << 17 | flags << 1 | side, size << 40 | run, hash(body)))
        self.count = line + 1
        if len(self.held) >= LINE * CHUNK:
            self._write()

    def _let_go(self) -> None:
        old = list(islice(self.newest.items(), NEWEST // 2))
        self.kept.extend(value & _ROW for _, value in old)
        for key, _ in old:
            del self.newest[key]
        self.newest = dict(self.newest)  # without the holes that were left at its front

    def _write(self) -> None:
        try:
            if self._file is None:
                self._file = TemporaryFile(prefix="inspector-")  # noqa: SIM115  closed with the haul
            self._file.write(self.held.tobytes())
        except OSError as error:
            hint = "it is a temporary file: TMPDIR names a folder with more room"
            raise OutputError(f"the list of finds cannot be kept ({error.strerror})", hint) from error
        del self.held[:]

    def finish(self) -> None:
        """All were added: what is the newest now is a candidate."""
        if self._file is not None:
            self._write()
            self._file.flush()
        self.taken = bytearray(self.count // 8 + 1)
        self.copies = bytearray(self.count // 8 + 1)
        for lines in (self.kept, (value & _ROW for value in self.newest.values())):
            for line in lines:
                self.taken[line >> 3] |= 1 << (line & 7)
        self.newest, self.kept = {}, array("Q")

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def _chunks(self, start: int = 0) -> Iterator[tuple[int, array[int]]]:
        """(number of the first line, lines), from line `start` on."""
        if self._file is None:
            yield start, self.held[LINE * start :]
            return
        for first in range(start, self.count, CHUNK):
            data = os.pread(self._file.fileno(), 8 * LINE * CHUNK, 8 * LINE * first)
            yield first, array("q", data)

    def candidates(self, odd: set[int] | None = None) -> Iterator[Candidate]:
        """Those that are rows from the start; with `odd` the others of these channels, which are rows from now on."""
        base, data = 0, b""
        for first, lines in self._chunks():
            for i in range(0, len(lines), LINE):
                line = first + i // LINE
                bit = 1 << (line & 7)
                if odd is None:
                    if not self.taken[line >> 3] & bit:
                        continue
                elif self.taken[line >> 3] & bit or (odd and lines[i + 1] not in odd):
                    continue
                self.taken[line >> 3] |= bit
                at, scid, told, place, _ = lines[i : i + LINE]
                size = place >> 40
                if at < base or at + size > base + len(data):
                    base, data = at, self.read(at, max(size, AHEAD))
                digest = blake2b(data[at - base + 8 : at - base + size], digest_size=16).digest()
                flags = told >> 1 & 0xFFFF
                yield Candidate(at, size, flags, told >> 17, scid, told & 1, place & _ROW, digest)

    # -- after the choice ----------------------------------------------------------------------

    def settle(self, fate_of: Callable[[int], str]) -> None:
        """All is chosen: `fate_of` a channel's outdated updates, but for copies."""
        self.fate_of = fate_of
        if self.count <= FEW:
            self._find_copies(self._hashes())
            return
        files = [TemporaryFile(prefix="inspector-") for _ in range(PARTS)]  # noqa: SIM115  closed below
        try:
            for first, lines in self._chunks():
                parts = [array("q") for _ in range(PARTS)]
                for line, value in enumerate(lines[LINE - 1 :: LINE], first):
                    parts[value % PARTS].extend((line, value))
                for file, part in zip(files, parts, strict=True):
                    file.write(part.tobytes())
            for file in files:
                file.flush()
                self._find_copies(_pairs(file))
        finally:
            for file in files:
                file.close()

    def _hashes(self) -> Iterator[tuple[int, int]]:
        for first, lines in self._chunks():
            yield from enumerate(lines[LINE - 1 :: LINE], first)

    def _find_copies(self, pairs: Iterator[tuple[int, int]]) -> None:
        """Of lines that are alike the first one counts, unless one of them is a row."""
        seen: dict[int, int] = {}
        for line, value in pairs:
            before = seen.setdefault(value, line)
            if before != line:
                self.copies[line >> 3] |= 1 << (line & 7)
                if self.taken[line >> 3] >> (line & 7) & 1:
                    self.copies[before >> 3] |= 1 << (before & 7)

    def fates(self, start: int = 0) -> Iterator[tuple[int, int, int, str]]:
        """(at, size, flags, fate) of those that are no rows from line `start` on, in the order of the source."""
        taken, copies = self.taken, self.copies
        known: dict[int, str] = {}
        for first, lines in self._chunks(start):
            if len(known) > NEWEST:
                known.clear()
            columns = zip(lines[0::LINE], lines[1::LINE], lines[2::LINE], lines[3::LINE], strict=True)
            for line, (at, scid, told, place) in enumerate(columns, first):
                bit = 1 << (line & 7)
                if taken[line >> 3] & bit:
                    continue
                fate = known.get(scid)
                if fate is None:
                    fate = known[scid] = self.fate_of(scid)
                yield at, place >> 40, told >> 1 & 0xFFFF, DUPLICATE if copies[line >> 3] & bit else fate

    def last(self, count: int) -> list[tuple[int, int, int, str]]:
        """The last ones, as `fates` has them."""
        start = self.count
        while True:
            start = max(0, start - CHUNK)
            found = list(self.fates(start))
            if len(found) >= count or not start:
                return found[-count:]

    def sums(self) -> tuple[Counter[str], Counter[str], int]:
        """Units and bytes by fate, and how many are flagged as whole."""
        both: Counter[tuple[str, int, int]] = Counter(
            (fate, size, flags & versions.COMPLETED) for _, size, flags, fate in self.fates()
        )
        units, sizes, completed = Counter[str](), Counter[str](), 0
        for (fate, size, whole), count in both.items():
            units[fate] += count
            sizes[fate] += count * size
            completed += count if whole else 0
        return units, sizes, completed


def _pairs(file: IO[bytes]) -> Iterator[tuple[int, int]]:
    at = 0
    while data := os.pread(file.fileno(), 16 * CHUNK, at):
        at += len(data)
        numbers = array("q", data)
        yield from zip(numbers[0::2], numbers[1::2], strict=True)
