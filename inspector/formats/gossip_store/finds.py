"""Everything that was found, in a temporary database on disk: millions of records need no memory.

One row per announcement with the amount that directly follows it, and per any other record.
"""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from itertools import count

from msgspec import Struct, field

from inspector import crc32c
from inspector.formats.gossip_store import versions
from inspector.formats.gossip_store.conversion import OLD_UPDATE
from inspector.formats.gossip_store.hexed import HexRun
from inspector.formats.gossip_store.joining import Edges, Joined, Last
from inspector.formats.gossip_store.kinds import SEALED_HEADER
from inspector.formats.gossip_store.outdated import ODD, Outdated
from inspector.formats.gossip_store.signed import ANNOUNCEMENT, SIGNED, UPDATE, own_time
from inspector.kernels.carving import Finds, gossip_records
from inspector.kernels.gossip_tiles import ANCHORED
from inspector.scratch import scratch

RECORD, HEX_RECORD, HEX_MESSAGE, JOINED = range(4)  # how the source has it; joined ones lie behind its end
# what is known of a record beside its checksum; more is worse
SOUND, INSIDE, ALONE, TORN, UNSEALED = range(5)
SECTOR = 512  # bytes that a disk keeps together
AMOUNT = 4101
HEADER = 12
_CHAIN = HEADER + 66  # where an update names its network
BATCH = 20_000  # rows written at a time
PATIENCE = 4096  # unsigned records in a row that may wait for a signed neighbour
COLUMNS = (
    "at", "n", "more", "enc", "kind", "flags", "time", "scid", "node_a", "node_b", "side", "digest", "run", "mark",
    "amount_mark", "rank", "sat", "size", "chain",
)  # fmt: skip
Row = list[int | bytes]
AT, N, MORE, KIND, FLAGS, MARK, AMOUNT_MARK, RANK, SAT = 0, 1, 2, 4, 5, 13, 14, 15, 16


def _database() -> sqlite3.Connection:
    db = scratch()
    db.execute(f"CREATE TABLE found ({', '.join(COLUMNS)})")
    return db


class FoundTable(Struct):
    """The database while it is filled, in the order of the source; one for records and one for those in hex."""

    db: sqlite3.Connection = field(default_factory=_database)
    runs: Iterator[int] = field(default_factory=count)  # numbers of contiguous pieces, shared by both
    run: int = -1  # of the piece that the last record belongs to
    end: int = -1  # where that piece ends
    signed: bool = False  # it has a signed record
    waiting: list[Row] = field(default_factory=list)  # of that piece, until it has one
    ready: list[Row] = field(default_factory=list)
    suspect_end: int = 0
    hex_end: int = 0  # where the last record in hex ends
    edges: Edges | None = None  # of the pieces, where borders may cut records
    chain: int = 0  # of the last message of this piece that names one
    last: int = -1  # where the last record begins, if it went to `outdated`
    outdated: Outdated | None = None  # where updates go of which a newer one is known

    def island(self, low: int, high: int) -> None:
        """Nothing is told across unknown bytes."""
        if self.edges is not None:
            self._edge(-1, 0)
        self._close_run()
        self.suspect_end = 0
        if self.edges is not None:
            self.edges.low, self.edges.high = low, high

    def add(self, finds: Finds, data: bytes, base: int) -> None:
        """Finds of a window that begins at `base`."""
        if self.edges is not None:
            self.edges.data, self.edges.base = data, base
        owners, nodes_a, nodes_b = (array("q", c.tobytes()) for c in (finds.owners, finds.nodes_a, finds.nodes_b))
        view = memoryview(data)
        carried = self.suspect_end
        end, outdated, chain = self.end, self.outdated, b""
        if outdated is not None and outdated.chain:
            chain = outdated.chain.to_bytes(8, "big", signed=True)
        columns = zip(
            finds.starts, finds.sizes, finds.kinds, finds.flags, finds.times, owners, finds.marks, strict=True
        )
        for i, (start, size, kind, flags, time, scid, told) in enumerate(columns):
            low = start - base
            inside = told == ANCHORED or start + size <= carried
            # most records of most stores, for which `_put` would do no more than this
            if (
                kind == UPDATE
                and start == end
                and self.signed
                and not inside
                and data[low + _CHAIN : low + _CHAIN + 8] == chain
                and size > OLD_UPDATE
                and not flags & versions.ZOMBIE
            ):
                outdated.add(start, size, flags, time, scid, finds.aux[i] & 1, self.run, data[low + 8 : low + size])  # type: ignore[union-attr]
                self.end = end = start + size
                self.last, self.chain = start, outdated.chain  # type: ignore[union-attr]
                continue
            self._put(start, size, RECORD, view[low : low + size], INSIDE if inside else SOUND, kind, flags,
                      time, scid, nodes_a[i], nodes_b[i], finds.aux[i] & 1)  # fmt: skip
            end = self.end
            if outdated is not None and not chain and outdated.chain:
                chain = outdated.chain.to_bytes(8, "big", signed=True)
        self.suspect_end = max(carried, finds.suspect_end)

    def add_hex(self, found: HexRun, base: int) -> None:
        """Finds of one run of digits."""
        finds, raw, at = found.finds, found.raw, base + found.start
        if found.message:
            self._message(raw[: found.message], at)
        owners, nodes_a, nodes_b = (array("q", c.tobytes()) for c in (finds.owners, finds.nodes_a, finds.nodes_b))
        carried = self.suspect_end
        for i, start in enumerate(finds.starts):
            size = finds.sizes[i]
            here, after = at + 2 * start, at + 2 * (start + size)
            if here < self.hex_end:
                continue  # inside a record that the window before has shown
            self.hex_end = after
            mark = INSIDE if finds.marks[i] == ANCHORED or after <= carried else SOUND
            self._put(here, 2 * size, HEX_RECORD, memoryview(raw)[start : start + size], mark, finds.kinds[i],
                      finds.flags[i], finds.times[i], owners[i], nodes_a[i], nodes_b[i], finds.aux[i] & 1)  # fmt: skip
        if finds.suspect_end:
            self.suspect_end = max(carried, at + 2 * finds.suspect_end)

    def _message(self, body: bytes, at: int) -> None:
        """A message without its record: the header is made anew if its signatures prove to hold."""
        time = own_time(body) or 0
        record = SEALED_HEADER.pack(0, len(body), crc32c.crc32c(body, time), time) + body
        named = gossip_records(record, 0, len(record), 0)
        if len(named):
            a, b, c = (array("q", column.tobytes())[0] for column in (named.owners, named.nodes_a, named.nodes_b))
            self._put(at, 2 * len(body), HEX_MESSAGE, memoryview(record), UNSEALED, named.kinds[0], 0, time, a, b, c,
                      named.aux[0] & 1)  # fmt: skip

    def _put(self, at: int, n: int, enc: int, record: memoryview, mark: int, kind: int, flags: int,
             time: int, scid: int, node_a: int, node_b: int, side: int) -> None:  # fmt: skip
        if at != self.end:
            if self.edges is not None:
                self._edge(at, kind)
            self._close_run()
            # no checksum covers the flags: where they end a sector, or are none, they may be another file's bytes
            if enc == RECORD and (at % SECTOR >= SECTOR - 2 or flags & versions.UNKNOWN_BITS):
                mark, flags = max(mark, TORN), 0
        self.end = at + n
        if kind == AMOUNT and self._amount(n, mark, flags, record):
            return
        strong = kind == UPDATE and enc == RECORD and mark == SOUND and self.outdated is not None
        if strong and self._update(at, n, bytes(record), flags, time, scid, side):
            return
        self.last = -1
        digest = blake2b(record[8:], digest_size=16).digest()  # time and body; flags change in place
        self.chain = _chain(record, kind) or self.chain
        row: Row = [at, n, 0, enc, kind, flags, time, scid, node_a, node_b, side, digest, self.run, mark, 0, 0, b"",
                    len(record), self.chain]  # fmt: skip
        if kind in SIGNED and not self.signed:
            self.signed = True
            self.ready += self.waiting
            self.waiting = []
        if self.signed:
            self.ready.append(row)
        else:
            self.waiting.append(row)
            if len(self.waiting) > PATIENCE:
                self._give_up()
        if len(self.ready) > BATCH:
            self.flush(keep=1)

    def _update(self, at: int, n: int, record: bytes, flags: int, time: int, scid: int, side: int) -> bool:
        """Whether a sound update is taken by `outdated`."""
        assert self.outdated is not None
        chain = int.from_bytes(record[_CHAIN : _CHAIN + 8], "big", signed=True)
        self.outdated.chain = self.outdated.chain or chain
        if n <= OLD_UPDATE or flags & versions.ZOMBIE or chain != self.outdated.chain or not chain:
            return False
        self.outdated.add(at, n, flags, time, scid, side & 1, self.run, record[8:])
        self.chain, self.last = chain, at
        if not self.signed:
            self.signed = True
            self.ready += self.waiting
            self.waiting = []
        return True

    def take(self, odd: set[int] | None = None) -> None:
        """Rows of the candidates among the updates; with `odd` of all others of these channels, too."""
        assert self.outdated is not None
        for c in self.outdated.candidates(odd):
            self.ready.append([c.at, c.size, 0, RECORD, UPDATE, c.flags, c.time, c.scid, 0, 0, c.side, c.digest, c.run,
                               SOUND, 0, 0, b"", c.size, self.outdated.chain])  # fmt: skip
            if len(self.ready) > BATCH:
                self.flush()
        self.flush()

    def settle(self) -> None:
        """All was added: the candidates among the updates, and all of channels of which one is odd."""
        if self.outdated is None:
            return
        self.outdated.finish()
        strange = f"SELECT DISTINCT scid FROM found WHERE kind = {UPDATE} LIMIT {ODD + 1}"
        odd = {scid for (scid,) in self.db.execute(strange)}  # only those have rows yet
        self.take()
        if odd:
            self.take(odd if len(odd) <= ODD else set())

    def _edge(self, at: int, kind: int) -> None:
        """The last record of a piece and the first of the next one, which begins at `at` (-1: there is none)."""
        assert self.edges is not None
        last = self.ready[-1] if self.signed and self.ready else self.waiting[-1] if self.waiting else None
        if self.end >= 0 and self.last >= 0:
            self.edges.head(Last(self.last, self.end, UPDATE, False, self.run, self.signed, self.chain))
        elif self.end >= 0 and last is not None and last[MARK] == SOUND:
            begin, kind_before, more = int(last[AT]), int(last[KIND]), bool(last[MORE])
            self.edges.head(Last(begin, self.end, kind_before, more, self.run, self.signed, self.chain))
        if at >= 0:
            self.edges.tail(at, kind)

    def _amount(self, n: int, mark: int, flags: int, record: memoryview) -> bool:
        """Hand an amount to the announcement that it directly follows."""
        last = self.ready[-1] if self.signed and self.ready else None
        if last is None or last[KIND] != ANNOUNCEMENT or last[MORE] or last[AT] + last[N] + n != self.end:  # type: ignore[operator]
            return False
        last[MORE], last[AMOUNT_MARK], last[SAT] = n, mark, bytes(record[HEADER:])
        return True

    def _give_up(self) -> None:
        for row in self.waiting:
            row[MARK] = max(int(row[MARK]), ALONE)
        self.ready += self.waiting
        self.waiting = []

    def _close_run(self) -> None:
        self._give_up()
        self.run, self.end, self.signed, self.chain, self.last = next(self.runs), -1, False, 0, -1

    def flush(self, keep: int = 0) -> None:
        """Write rows; the last `keep` stay, because an amount may follow."""
        rows, self.ready = (self.ready[:-keep], self.ready[-keep:]) if keep else (self.ready, [])
        for row in rows:
            lacking = row[KIND] == ANNOUNCEMENT and not row[MORE]
            # which of several copies is taken: one with its amount, the best proved, the first
            row[RANK] = (lacking << 5 | int(row[MARK]) << 2 | int(row[AMOUNT_MARK])) << 56 | int(row[AT])
        marks = ", ".join("?" * len(COLUMNS))
        self.db.executemany(f"INSERT INTO found VALUES ({marks})", rows)

    def finish(self) -> None:
        if self.edges is not None:
            self._edge(-1, 0)
            self.edges.flush()
        self._close_run()
        self.flush()

    def add_joined(self, joins: Iterable[Joined], base: int, believed: bool) -> int:
        """Records of two pieces each, behind the end of the source; how many."""
        count = 0
        for one in joins:
            finds = gossip_records(one.record, 0, len(one.record), 0)
            names = (array("q", c.tobytes())[0] for c in (finds.owners, finds.nodes_a, finds.nodes_b))
            kind, n, view = finds.kinds[0], finds.sizes[0], memoryview(one.record)
            mark = SOUND if one.signed or one.kind in SIGNED else ALONE
            mark = mark if believed else max(mark, INSIDE)
            amount_mark = SOUND if one.kind != AMOUNT else mark  # of the two the other one was found whole
            mark = SOUND if one.kind == AMOUNT else mark
            digest = blake2b(view[8:n], digest_size=16).digest()
            more = len(one.record) - n
            row: Row = [base, n, more, JOINED, kind, finds.flags[0], finds.times[0], *names, finds.aux[0] & 1, digest,
                        one.run, mark, amount_mark, 0, bytes(view[n + HEADER :]), n,
                        _chain(view[:n], kind) or one.chain]  # fmt: skip
            if not count:
                if self.outdated is not None:
                    self.take(set())  # records inside of what is joined go
                self.db.execute("CREATE INDEX found_at ON found (at)")
            for start, end, _, rest in one.parts if believed else ():
                if rest is not None:  # nothing counts that is inside a whole record
                    self.db.execute("DELETE FROM found WHERE at >= ? AND at < ? AND enc = ?", (start, end, RECORD))
            if one.instead >= 0:
                self.db.execute("DELETE FROM found WHERE at = ? AND enc = ?", (one.instead, RECORD))
            self.db.execute("INSERT INTO joined VALUES (?, ?)", (base, one.record))
            self.db.executemany("INSERT INTO part VALUES (?, ?, ?, ?, ?)", [(base, *part) for part in one.parts])
            self.ready.append(row)
            base, count = base + len(one.record), count + 1
        self.flush()
        return count


def _chain(record: memoryview, kind: int) -> int:
    """The first bytes of the hash that names the network, as SQLite holds them; 0 for messages that name none."""
    if kind == UPDATE:
        at = HEADER + 66
    elif kind == ANNOUNCEMENT:
        at = HEADER + 260 + (record[HEADER + 258] << 8 | record[HEADER + 259])
    else:
        return 0
    return int.from_bytes(record[at : at + 8], "big", signed=True)
