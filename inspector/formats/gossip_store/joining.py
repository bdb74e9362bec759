"""Records that the border of two blocks cuts: two pieces that lie apart are one where the checksum proves it.

A file system puts the blocks of a file anywhere. What follows the last record of a contiguous piece up to the next
border may be a head, what stands between a border and the first record of a piece a tail. CRC-32C is linear: the head
and the checksum in its header tell which remainder the tail must have, so that all pairs are found by one join on
length and remainder. Not looked for: records of more than one border, or whose header is cut, or that have no whole
record beside both pieces.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Final

from crc32c import crc32c
from msgspec import Struct, field

from inspector.formats.gossip_store.layout import SEALED_HEADER
from inspector.kernels.carving import gossip_records
from inspector.kernels.plain_structure import plausible
from inspector.source import Source

SECTOR: Final = 512  # borders of blocks are multiples of it
LONGEST: Final = 2048  # bytes of a record that is joined
CROWD: Final = 8  # pieces behind one border before which a tail may end
SURE: Final = 1e-3  # expected false joins up to which the checksum alone is believed
HEADER: Final = 12
ANNOUNCEMENT, AMOUNT, AMOUNT_SIZE = 256, 4101, 22
_NONE: Final = 0xFFFFFFFF  # crc32c of nothing before, as a register of zero
_ZEROS: Final = bytes(LONGEST)
BATCH: Final = 20_000


class Last(Struct, frozen=True):
    """The last record of a piece: where it begins and ends, and what is known of its piece."""

    at: int
    end: int
    kind: int
    whole: bool  # nothing can follow that belongs to it
    run: int
    signed: bool
    chain: int


class Joined(Struct, frozen=True):
    """One record of two pieces, or an announcement with its amount of which one is."""

    record: bytes
    kind: int  # of the one that was cut
    parts: tuple[tuple[int, int, int, int | None], ...]  # start, end, kind, start of the other piece
    run: int  # as of the record before it
    signed: bool
    chain: int
    instead: int  # start of the row that this one replaces, -1: none


def tables(db: sqlite3.Connection) -> None:
    db.execute("CREATE TABLE head (r, need, at, cut, before, run, signed, chain)")
    db.execute("CREATE TABLE tail (r, rest, start, at, kind)")
    db.execute("CREATE TABLE part (at, start, stop, kind, rest)")
    db.execute("CREATE TABLE joined (at INTEGER PRIMARY KEY, data)")


class Edges(Struct):
    """Heads and tails while the source is searched, in order."""

    source: Source
    db: sqlite3.Connection
    low: int = 0  # of the island that is searched
    high: int = 0
    data: bytes = b""  # the window
    base: int = 0
    heads: list[tuple[int, ...]] = field(default_factory=list)
    tails: list[tuple[int, ...]] = field(default_factory=list)
    crowds: dict[int, int] = field(default_factory=dict)  # border -> pieces that begin behind it

    def _read(self, at: int, n: int) -> bytes:
        low = at - self.base
        return self.data[low : low + n] if 0 <= low <= len(self.data) - n else self.source.read(at, n)

    def head(self, last: Last) -> None:
        """What follows the last record of a piece."""
        at = last.end
        record = self._read(at, min(LONGEST, self.high - at))
        if len(record) < HEADER:
            return
        _, length, stored, time = SEALED_HEADER.unpack_from(record)
        end = HEADER + length
        if not 2 <= length <= LONGEST - HEADER:
            return
        for cut in range(-at % SECTOR or SECTOR, min(end, len(record) + 1), SECTOR):
            fits = cut < HEADER + 2 or plausible(record, HEADER, length, cut)
            if cut >= HEADER and fits:
                sofar = crc32c(record[HEADER:cut], time)
                need = crc32c(_ZEROS[: end - cut], sofar) ^ stored
                before = last.at if last.kind == ANNOUNCEMENT and not last.whole else -1
                self.heads.append((end - cut, need, at, cut, before, last.run, last.signed, last.chain))
        if len(self.heads) > BATCH:
            self.flush()

    def tail(self, at: int, kind: int) -> None:
        """What stands before the first record of a piece; a stranger may have put other records in there."""
        low = max(self.low, at - LONGEST + HEADER)
        first = -(-low // SECTOR) * SECTOR
        if first >= at:
            return
        data = self._read(first, at - first)
        if len(self.crowds) > BATCH:
            self.crowds = {border: crowd for border, crowd in self.crowds.items() if border >= first}
        for start in range(first, at, SECTOR):
            crowd = self.crowds[start] = self.crowds.get(start, 0) + 1
            if crowd > CROWD:
                continue
            rest = crc32c(data[start - first :], _NONE) ^ _NONE
            self.tails.append((at - start, rest, start, at, kind))
        if len(self.tails) > BATCH:
            self.flush()

    def flush(self) -> None:
        self.db.executemany(f"INSERT INTO head VALUES ({', '.join('?' * 8)})", self.heads)
        self.db.executemany(f"INSERT INTO tail VALUES ({', '.join('?' * 5)})", self.tails)
        self.heads, self.tails = [], []


def expected(db: sqlite3.Connection) -> float:
    """How many pairs of a head and a tail fit by chance."""
    pairs = "SELECT sum(h * t) FROM (SELECT r, count(*) AS h FROM head GROUP BY r) JOIN"
    (count,) = db.execute(f"{pairs} (SELECT r, count(*) AS t FROM tail GROUP BY r) USING (r)").fetchone()
    return (count or 0) / 2**32


def joined(db: sqlite3.Connection, source: Source) -> Iterator[Joined]:
    """Every head with the first tail that its checksum asks for."""
    # one tail of each kind: a block that a disk has a thousand times would else make a million pairs
    db.execute("CREATE TABLE remainder (rest, r, start, at, kind, PRIMARY KEY (rest, r)) WITHOUT ROWID")
    db.execute("INSERT INTO remainder SELECT rest, r, min(start), at, kind FROM tail GROUP BY rest, r")
    rows = db.execute(
        "SELECT head.at, cut, before, run, signed, chain, min(start), remainder.at, kind FROM head"
        " JOIN remainder ON rest = need AND remainder.r = head.r GROUP BY head.at ORDER BY head.at"
    )
    for at, cut, before, run, signed, chain, start, end, kind in rows:
        record = source.read(at, cut) + source.read(start, end - start)
        finds = gossip_records(record, 0, len(record), 0)
        if len(finds) != 1 or finds.sizes[0] != len(record):
            continue
        mine, instead = finds.kinds[0], -1
        parts: list[tuple[int, int, int, int | None]] = [(at, at + cut, mine, start), (start, end, mine, at)]
        if mine == AMOUNT:
            if before < 0:
                continue  # it belongs to no announcement
            record = source.read(before, at - before) + record
            parts, instead = [(before, at, ANNOUNCEMENT, None), *parts], before
        elif mine == ANNOUNCEMENT and kind == AMOUNT:
            record += source.read(end, AMOUNT_SIZE)
            parts, instead = [*parts, (end, end + AMOUNT_SIZE, AMOUNT, None)], end
        yield Joined(record, mine, tuple(parts), run, bool(signed), chain, instead)
