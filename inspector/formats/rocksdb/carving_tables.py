"""Carving: tables found by their footers, each written as a file of its own.

A table is found where it lies in one piece, or in several of which the last has its index. One that lost bytes
is written with what lies in its place if any of its data blocks verifies there: the repair of the folder keeps the
blocks that do. Blocks without their footer are not looked for: where they begin and end only trying would tell.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

from msgspec import Struct, field
from msgspec.structs import replace

from inspector.account import Progress
from inspector.carve import DUPLICATE, WRITTEN, Carver, CarveWishes, Found, Haul, Sums
from inspector.descriptors import pread_all, pwrite_all
from inspector.errors import SourceError, UnverifiedError
from inspector.formats.rocksdb.extent import MAGICS, Piece, Read, TableAt, extent, verified
from inspector.formats.rocksdb.names import table_name
from inspector.formats.rocksdb.pieces import MOST, Split, gathered, split, tries
from inspector.kernels.carving import eight_places
from inspector.output import Place
from inspector.search import Area, Window, search
from inspector.source import Source
from inspector.span import Span

COPY: Final = 4 << 20
MAX_TABLES: Final = 200_000
PASSES: Final = 4  # times that each byte may be read; an honest table needs two
_SURPLUS: Final = 64 << 20  # bytes of work beside
DAMAGED: Final = "written, but not whole"
CUT: Final = "its head is not here"
NOTHING: Final = "no data block of it verifies"
INSIDE: Final = "inside another table"


class Catch(Struct):
    """Tables by their place; `work` is what the search may still read again: it grows with the bytes passed."""

    source: Source
    work: int
    tables: list[TableAt] = field(default_factory=list)
    fates: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    cut: list[tuple[int, int]] = field(default_factory=list)
    apart: list[Split] = field(default_factory=list)  # their heads may lie elsewhere
    passed: int = 0
    skipped: int = 0
    partial: str = ""

    def spend(self, count: int) -> bool:
        if count > self.work:
            self.skipped += 1
            self.partial = f"{self.skipped:,} footers lead to the same bytes again and again: they were not followed"
            return False
        self.work -= count
        return True


def hunt(area: Area, wishes: CarveWishes, progress: Progress | None) -> Haul:
    catch = Catch(area.source, _SURPLUS)
    for window, ends in search(area, _look, 8, progress):
        for end in ends:
            catch.work += PASSES * max(0, end - catch.passed)
            catch.passed = max(end, catch.passed)
            _take(catch, window.island, end)
    for one in gathered(area, catch.apart, progress):
        _put(catch, one)
    _judge(catch)
    return _haul(area, catch)


def _look(window: Window) -> list[int]:
    """Where magic numbers of tables end."""
    return [window.start + at + 8 for at in eight_places(window.data, window.stop - window.start, *MAGICS)]


def _take(catch: Catch, island: Span, end: int) -> None:
    def read(at: int, n: int) -> bytes:
        """Bytes of the island alone; what lies before it is unknown."""
        return catch.source.read(at, min(n, island.end - at)) if at >= island.start else b""

    place = extent(read, end, catch.spend)
    if place is None:
        return
    if len(catch.tables) + len(catch.cut) >= MAX_TABLES:
        catch.partial = f"more than {MAX_TABLES:,} tables"
    elif place[0] < island.start:
        catch.cut.append((island.start, end))
        _apart(catch, read, *place)
    elif catch.spend(2 * (end - place[0])):
        catch.tables.append(verified(read, *place))
        if not catch.tables[-1].whole:
            _apart(catch, read, *place)


def _apart(catch: Catch, read: Read, start: int, end: int) -> None:
    if len(catch.apart) < MOST and catch.spend(end - max(0, start)):
        found = split(catch.source, read, start, end)
        if found is not None:
            catch.apart.append(found)


def _put(catch: Catch, one: Split) -> None:
    """A table of several pieces, in place of what its tail alone was."""
    table = verified(one.read, 0, one.size)
    if not table.whole:
        return
    last = one.pieces[-1]
    table = replace(table, start=last.low + last.shift, end=one.end, pieces=tuple(one.pieces))
    catch.cut = [(start, end) for start, end in catch.cut if end != one.end]
    catch.tables = [*(other for other in catch.tables if other.end != one.end), table]


def _judge(catch: Catch) -> None:
    """What becomes of each table: whole ones first, the largest first, then what is left of others."""
    order = sorted(range(len(catch.tables)), key=lambda i: _rank(catch.tables[i]))
    catch.fates, catch.names = [""] * len(order), [""] * len(order)
    seen: set[bytes] = set()
    taken = _Taken()
    for i in order:
        table = catch.tables[i]
        if table.digest in seen:
            catch.fates[i] = DUPLICATE
        elif taken.holds(table.start, table.end):
            catch.fates[i] = INSIDE
        elif table.whole:
            taken.add(table.start, table.end)
            catch.fates[i] = WRITTEN
        else:
            catch.fates[i] = DAMAGED if table.blocks else NOTHING
        seen.add(table.digest)
    _name(catch)


def _rank(table: TableAt) -> tuple[bool, int, int]:
    return (not table.whole, table.start - table.end, table.start)


class _Taken:
    """Ranges of whole tables; none inside another, so that one look to the left answers."""

    def __init__(self) -> None:
        self._spans: list[tuple[int, int]] = []

    def holds(self, start: int, end: int) -> bool:
        from bisect import bisect_right

        i = bisect_right(self._spans, (start, 1 << 63)) - 1
        return i >= 0 and self._spans[i][1] >= end

    def add(self, start: int, end: int) -> None:
        from bisect import insort

        insort(self._spans, (start, end))


def _name(catch: Catch) -> None:
    """The number that the writer gave each file, in a folder for each database where there are several."""
    written = [i for i, fate in enumerate(catch.fates) if fate in (WRITTEN, DAMAGED)]
    homes = {i: _home(catch.tables[i].database) for i in written}
    several = len(set(homes.values())) > 1
    numbers: dict[str, Counter[int]] = {}
    for i in written:
        numbers.setdefault(homes[i], Counter())[catch.tables[i].number] += 1
    free = {home: max(found) + 1 for home, found in numbers.items()}
    for i in written:
        number, home = catch.tables[i].number, homes[i]
        if not number or numbers[home][number] > 1:  # not told, or told by several: each gets a number of its own
            number, free[home] = free[home], free[home] + 1
        catch.names[i] = f"{home}/{table_name(number)}" if several else table_name(number)


def _home(identity: str) -> str:
    """A folder's name from an identity, which is text from a file."""
    return f"db-{identity[:8]}" if re.fullmatch(r"[0-9A-Za-z-]{8,64}", identity) else "db-unknown"


def _haul(area: Area, catch: Catch) -> Haul:
    sums = Sums()
    estimate = 0
    for table, fate in zip(catch.tables, catch.fates, strict=True):
        sums.found["table"] += 1
        sums.add(fate, 1, table.size)
        sums.pieces += max(0, len(table.pieces) - 1)
        estimate += table.size if fate in (WRITTEN, DAMAGED) else 0
    for start, end in catch.cut:
        sums.found["table"] += 1
        sums.add(CUT, 1, end - start)
    haul = Haul(
        sums,
        lambda: _spans(catch),
        lambda place: _write(place, catch, sums),
        estimate,
        frozenset({DAMAGED, CUT, NOTHING}),
        (area.bytes / 2**64 + len(catch.apart) * tries(area.bytes)) / 2**32,
        "a footer has 8 fixed bytes and leads to a block with a checksum of 32 bits",
        partial=catch.partial,
        notes=["data blocks without the footer of their table are not looked for"],
        after=lambda output: (f"inspector scan {output}", f"inspector repair {output} -o {output}.repaired"),
    )
    homes = sorted({name.split("/")[0] for name in catch.names if "/" in name})
    if homes:
        haul.notes.append(f"tables of {len(homes)} databases, each in a folder of its own")
        haul.after = lambda output: tuple(f"inspector repair {output}/{home} -o {home}.repaired" for home in homes[:10])
    if not estimate:
        haul.empty = "no table that can be written was found" if sum(sums.units.values()) else "no table was found"
    return haul


def _spans(catch: Catch) -> Iterator[Found]:
    found = [Found(start, end, "table", CUT) for start, end in catch.cut]
    for table, fate, name in zip(catch.tables, catch.fates, catch.names, strict=True):
        told = f"{fate}: {table.why}" if fate == DAMAGED else fate
        if not table.pieces:
            found.append(Found(table.start, table.end, "table", told, out=name))
        for i, piece in enumerate(table.pieces):
            rest = table.pieces[(i + 1) % len(table.pieces)]
            place = piece.low + piece.shift, piece.high + piece.shift
            found.append(Found(*place, "table", told, "piece", name, rest.low + rest.shift))
    yield from sorted(found, key=lambda one: (one.start, one.end))


def _write(place: Place, catch: Catch, sums: Sums) -> dict[str, Any]:
    """Each table as a file; what was written is read again and must be what was verified."""
    assert place.folder is not None
    for table, name, fate in zip(catch.tables, catch.names, catch.fates, strict=True):
        if not name:
            continue
        path = place.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        _copy(catch.source, table, path)
        sums.proof["sealed" if fate == WRITTEN else "none"] += table.size
    why = "rocksdb: tables alone are no database; inspector repair makes one and has the engine open it"
    return {"ok": True, "by": ["inspector"], "engine": {"ran": False, "why": why}}


def _copy(source: Source, table: TableAt, path: Path) -> None:
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        for piece in table.pieces or (Piece(0, table.size, table.start),):
            for low in range(piece.low, piece.high, COPY):
                wanted = min(COPY, piece.high - low)
                data = source.read(low + piece.shift, wanted)
                if len(data) < wanted or source.shrunk:
                    raise SourceError(f"{source.label}: {source.changed or 'ended early'}", "carve a copy of it")
                pwrite_all(fd, data, low)
        os.fsync(fd)
        digest = blake2b(digest_size=16)
        for low in range(0, table.size, COPY):
            digest.update(pread_all(fd, min(COPY, table.size - low), low))
        if digest.digest() != table.digest:
            raise UnverifiedError(f"{path.name}: what was written is not what was found", "nothing was written")
    finally:
        os.close(fd)


CARVER = Carver(
    name="rocksdb-sst",
    title="RocksDB and LevelDB tables, each written as a file",
    format="rocksdb",
    hunt=hunt,
    folder=True,
    verified="every block held to its checksum, every file read again: the same bytes",
)
