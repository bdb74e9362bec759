"""Data blocks in windows: read ahead in one thread, verified and decoded on several by the compiled reader.

A window is taken in without its neighbours, so windows may be done in any order; whoever joins them compares the keys
at their seams. What a run does not take, because something is wrong with it, is looked at block by block.
"""

from __future__ import annotations

import os
from array import array
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from inspector.errors import SourceError
from inspector.formats.rocksdb import checksums, codecs, keys
from inspector.formats.rocksdb.coding import MalformedError, u32
from inspector.formats.rocksdb.database import Database
from inspector.formats.rocksdb.footer import TRAILER, Handle
from inspector.formats.rocksdb.keys import Order
from inspector.formats.rocksdb.table import OK, Loaded, Role, Table
from inspector.kernels.rocksdb import BlockRun

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

    from inspector.formats.rocksdb import holding
else:  # of capsules only
    from inspector.postponed import Postponed

    holding = Postponed("inspector.formats.rocksdb.holding")

WINDOW: Final = 512 << 10  # stays in the cache of a core between reading and checking
WORTH_IT: Final = 32 << 20  # bytes of tables from which on threads are worth their start
_BYTEWISE: Final = keys.order_of(keys.BYTEWISE)


class Manner(Struct, frozen=True):
    """How a table's blocks are taken in: whether their order is compared, and at which type of entry a run stops."""

    order: Order | None
    stop_type: int
    bare: bool = False  # without checksums: more of each block is looked at

    @property
    def fast(self) -> bool:
        """Whether the compiled reader knows the order of the keys, and all that is asked of a block."""
        return (self.order is None or self.order is _BYTEWISE) and not self.bare


class Taken(Struct):
    """Blocks [first, done) of a window, sound but for those that `wrong` notes.

    The window's bytes stay for those that are looked at alone.
    """

    first: int
    done: int
    run: BlockRun | holding.Sums
    stored: array[int]
    computed: array[int]
    data: bytes | memoryview
    start: int
    wrong: bytes = b""  # 1 for each block whose checksum fails, where such were passed over
    unpacked: Loaded | None = None  # block `done`, if it was unpacked and its entries were refused

    @property
    def strange(self) -> bool:
        """Whether some of these blocks may hold no entries: separators have the highest number of all."""
        return self.run.max_tag >> 8 == keys.MAX_SEQUENCE or not self.run.types.keys() <= keys.STORED


Step = tuple[int, int, tuple[Role, Handle] | None]


def steps(table: Table) -> Iterator[Step]:
    """All known blocks in file order: windows [first, last) of data blocks, and every other block alone."""
    at, count, offsets = 0, table.data_blocks, table.offsets
    tail: list[tuple[Role, Handle] | None] = [*sorted(table.tail, key=lambda pair: pair[1].offset), None]
    for other in tail:
        stop = count if other is None else bisect_right(offsets, other[1].offset, at)
        while at < stop:
            last = max(at + 1, min(stop, bisect_left(offsets, offsets[at] + WINDOW, at)))
            if last > at + 1 and table.sizes[last - 1] > WINDOW:
                last -= 1  # a large block stands alone, and is not read ahead
            yield at, last, None
            at = last
        if other is not None:
            yield 0, 0, other


def window_of(
    db: Database, member: str, table: Table, first: int, last: int, held: bytearray | None = None
) -> bytes | memoryview:
    """The bytes of data blocks [first, last), in `held` if that is given and takes them.

    None where the first is too large to be read ahead, or they miss some.
    """
    start = table.offsets[first]
    end = table.offsets[last - 1] + min(table.sizes[last - 1], 2 * WINDOW) + TRAILER
    if table.sizes[first] > 2 * WINDOW or (db.source.sparing and not db.source.holds(start, end, member)):
        return b""
    if held is not None:
        return db.source.glance_into(held, start, end - start, member)
    return db.source.glance(start, end - start, member)


class _Blocks(Struct, frozen=True):
    """Bytes and the blocks in them, from number `first` on, by the places that their checksums know."""

    data: bytes | memoryview
    start: int
    offsets: array[int]
    sizes: array[int]
    first: int = 0


def _as_written(table: Table, data: bytes | memoryview, start: int, first: int, last: int) -> tuple[_Blocks, int]:
    """Blocks that stand beside their places, as if they were there; up to the first that stands otherwise."""
    context, here = table.context, table.offsets[first]
    by = context.shift(here)
    last = next((i for i in range(first, last) if context.shift(table.offsets[i]) != by), last)
    offsets = array("Q", [at - by for at in table.offsets[first:last]])
    return _Blocks(data[here - start :], here - by, offsets, table.sizes[first:last], first), last


def take(
    table: Table, manner: Manner, data: bytes | memoryview, start: int, first: int, last: int, through: bool = False
) -> Taken:
    """Take in as many of the blocks [first, last) as are sound; `data` are the bytes from `start` on.

    With `through` a block whose checksum fails does not end the run.
    """
    context = table.context
    base = context.base or 0
    run = BlockRun(context.checksum, base, context.sized, manner.order is not None, manner.stop_type)
    stored, computed, wrong, at = array("I"), array("I"), b"", first
    unpacked: Loaded | None = None
    seen = _Blocks(data, start, table.offsets, table.sizes)
    if context.moves and context.placed:
        seen, last = _as_written(table, data, start, first, last)
    low = seen.first
    while at < last:
        done, found, right = run.blocks(
            seen.data, seen.start, seen.offsets, seen.sizes, at - low, last - low, True, through
        )
        at = low + done
        stored += found
        computed += right
        wrong += run.wrong
        if at == last or not run.needs_codec:
            break
        place, size = table.offsets[at] - start, table.sizes[at]
        try:
            payload = bytes(data[place : place + size])
            if codecs.beyond(data[place + size], payload, context.version):
                break  # how many such there may be is counted in the order of the walk
            content = codecs.decompress(data[place + size], payload, context.version, context.dictionary)
        except MalformedError:
            break
        word = u32(bytes(data[place + size + 1 : place + size + TRAILER]), 0)
        due = checksums.modifier(base, table.offsets[at]) if context.checksum == checksums.NONE else word
        if not run.content(content):
            unpacked = Loaded(table.data_handle(at), OK, content, data[place + size], word, due)
            break
        stored.append(word)
        computed.append(due)
        wrong += b"\0" if through else b""
        at += 1
        if at < last and table.offsets[at] != place + start + size + TRAILER:
            break  # a run has no gap: what lies in it would pass for the end of a sound block
    return Taken(first, at, run, stored, computed, data, start, wrong, unpacked)


def vouch(db: Database, member: str, table: Table, taken: Taken) -> None:
    """Let the source keep the sums of a run in place of its blocks, if it keeps any."""
    if db.source.sparing and taken.done > taken.first and not taken.strange:
        start, end = table.offsets[taken.first], table.data_handle(taken.done - 1).end
        holding.vouch_blocks(db.source, member, start, end, taken.run, taken.stored, taken.computed)


def held(db: Database, member: str, table: Table, first: int, last: int) -> Taken | None:
    """The run that begins with block `first`, where its blocks were not captured."""
    found = holding.held_blocks(db.source, member, table.offsets[first]) if db.source.sparing else None
    if found is None:
        return None
    end, run, stored, computed = found
    done = first + len(stored)
    if done > last or table.data_handle(done - 1).end != end:
        raise SourceError(f"what stands for [{table.offsets[first]}, {end}) of {member} does not fit its table")
    return Taken(first, done, run, stored, computed, b"", end)


class Ahead:
    """Windows of tables in the order of the walk, done on `jobs` threads before they are asked for."""

    def __init__(self, db: Database, members: list[str], jobs: int) -> None:
        self._db, self._jobs = db, jobs
        self._pool = _pool(jobs) if jobs > 1 else None
        self._held = bytearray(2 * WINDOW)  # of one thread: what is looked at before the next window is read
        self._plan = self._planned(members) if self._pool else iter(())
        self._queue: deque[tuple[tuple[str, int, int], Future[Taken]]] = deque()

    def _planned(self, members: list[str]) -> Iterator[tuple[str, Table, Manner, int, int]]:
        for member in members:
            table = self._db.table(member)
            manner = manner_for(self._db, table)
            if not table.declined and manner.fast:
                yield from ((member, table, manner, a, b) for a, b, other in steps(table) if other is None)

    def _fill(self) -> None:
        assert self._pool
        while len(self._queue) < 2 * self._jobs and (found := next(self._plan, None)):
            member, table, manner, first, last = found
            data = window_of(
                self._db, member, table, first, last
            )  # here, because a source is not made for several threads
            task = self._pool.submit(take, table, manner, data, table.offsets[first], first, last)
            self._queue.append(((member, first, last), task))

    def window(self, member: str, table: Table, manner: Manner, first: int, last: int, through: bool = False) -> Taken:
        """The window that comes next in the walk; for `through` see `take`, a window taken ahead does without."""
        if found := held(self._db, member, table, first, last):
            return found
        if self._pool:
            self._fill()
            if self._queue and self._queue[0][0] == (member, first, last):
                done = self._queue.popleft()[1].result()
                self._fill()
                return done
        data = window_of(self._db, member, table, first, last, self._held)
        taken = take(table, manner, data, table.offsets[first], first, last, through)
        vouch(self._db, member, table, taken)
        return taken

    def more(
        self, member: str, table: Table, manner: Manner, before: Taken, first: int, last: int, through: bool = False
    ) -> Taken:
        """What of the same window comes behind a block that was looked at alone."""
        if found := held(self._db, member, table, first, last):
            return found
        taken = take(table, manner, before.data, before.start, first, last, through)
        vouch(self._db, member, table, taken)
        return taken

    def close(self) -> None:
        if self._pool:
            self._pool.shutdown(cancel_futures=True)


def _pool(jobs: int) -> ThreadPoolExecutor:
    from concurrent.futures import ThreadPoolExecutor  # one thread does without

    return ThreadPoolExecutor(jobs)


def order_for(db: Database, table: Table) -> Order | None:
    """The key order of a table, by the comparator that its properties or its column family name."""
    name = table.properties.text("comparator") if table.properties else None
    if name is None and db.version and db.version.families:
        names = {f.comparator for f in db.version.families.values()}
        name = names.pop() if len(names) == 1 else None
    return keys.order_of(name or keys.BYTEWISE)


def manner_for(db: Database, table: Table) -> Manner:
    """References to blobs are looked at one by one where the blob files are here."""
    return Manner(order_for(db, table), -1 if db.single else keys.BLOB_INDEX, table.bare)


def jobs_for(db: Database) -> int:
    """Threads for a walk: as asked, else every core where the tables are large enough."""
    if db.source.sparing:
        return 1  # a source with bytes missing is asked in the order of the walk
    if db.wishes.jobs is not None:
        return db.wishes.jobs
    if sum(db.size(name) for name in db.tables.values()) < WORTH_IT:
        return 1
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
