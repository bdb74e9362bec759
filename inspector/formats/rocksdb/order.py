"""Which records of a WAL stand in their order: the most of them whose numbers rise, and where the others belong.

A number is given once. So a record out of order either repeats numbers that stand in order as well (a copy: an old
block over another), or it has numbers that are missing there: then it changed places, and its numbers say with which.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Final, Literal

from msgspec import Struct, field

from inspector.formats.rocksdb import batch, log
from inspector.formats.rocksdb.coding import MalformedError
from inspector.formats.rocksdb.database import Database
from inspector.formats.rocksdb.facts import MAX_WHY, LogFacts
from inspector.formats.rocksdb.logical import WHOLE, Assembler, Record
from inspector.kernels.rocksdb import batch_sums

MOST: Final = 2_000_000  # records that are put in order; a log of more is judged record by record
REMEMBERED: Final = 100_000  # whose numbers are kept when they were read, 32 bytes each; of more they are read again


Fate = Literal["moved", "copy", "lost"]  # put back by a repair; there already; of another history, or its place unknown
# what a prepared batch may begin with (WriteBatchInternal::MarkEndPrepare puts its mark first)
BEGINNINGS: Final = batch.BEGIN_PREPARE | {batch.NOOP, batch.LOG_DATA}
END: Final = -1  # of a log, in place of the record before which others belong


class Numbered(Struct, frozen=True):
    """A sound record that takes sequence numbers, [first, first + count); none where it is only prepared."""

    start: int
    end: int
    first: int
    count: int


class _Numbers(Struct):
    """What `numbered` found in a log, in columns; where none was sound all of them are 0."""

    starts: array[int] = field(default_factory=lambda: array("Q"))
    ends: array[int] = field(default_factory=lambda: array("Q"))
    firsts: array[int] = field(default_factory=lambda: array("Q"))
    counts: array[int] = field(default_factory=lambda: array("Q"))

    def add(self, one: Numbered | None) -> None:
        self.starts.append(one.start if one else 0)
        self.ends.append(one.end if one else 0)
        self.firsts.append(one.first if one else 0)
        self.counts.append(one.count if one else 0)

    def __iter__(self) -> Iterator[Numbered | None]:
        rows = zip(self.starts, self.ends, self.firsts, self.counts, strict=True)
        return (Numbered(*row) if row[1] else None for row in rows)


class Order(Struct, frozen=True):
    """Records out of order by where they begin, with what becomes of them, and those that belong before another."""

    astray: Mapping[int, Fate] = {}
    before: Mapping[int, tuple[int, ...]] = {}  # -> where records begin that belong before the one here, or at the END
    gaps: tuple[tuple[int, int, int], ...] = ()  # between records in order: offset, due, found


class Run(Struct, frozen=True):
    """Records out of order, [start, end): `due` was due before them, and the log goes on with `resumed`, if it does."""

    start: int
    end: int
    records: int
    first: int
    due: int
    resumed: int | None
    fate: Fate


class _Log(Struct):
    """The numbered records of a log in their order there, and which of them are kept in it."""

    starts: array[int] = field(default_factory=lambda: array("Q"))
    firsts: array[int] = field(default_factory=lambda: array("Q"))
    counts: array[int] = field(default_factory=lambda: array("Q"))
    kept: bytearray = field(default_factory=bytearray)
    phases: bool = False  # some are only prepared: what belongs to which commit the numbers do not tell

    def end(self, i: int) -> int:
        return self.firsts[i] + self.counts[i]


def is_prepared(record: Record) -> bool:
    """Whether a batch is only prepared: it takes no numbers, and those behind it begin there again."""
    if record.data[batch.HEADER] not in BEGINNINGS:
        return False
    steps = batch.operations(record.data)
    return any(isinstance(step, batch.Mark) and step.tag in batch.BEGIN_PREPARE for step in steps)


def numbered(db: Database, member: str) -> Iterator[Numbered | None]:
    """The records of a WAL that have numbers, in their order; None for one that is not sound.

    Read to its end once, a walked log is not read for them again.
    """
    facts = db.facts.get(member)
    if not isinstance(facts, LogFacts):
        yield from _read_numbered(db, member)
        return
    if facts.numbers is not None:
        yield from facts.numbers
        return
    kept = _Numbers()
    for one in _read_numbered(db, member):
        if len(kept.starts) <= REMEMBERED:
            kept.add(one)
        yield one
    if len(kept.starts) <= REMEMBERED:
        facts.numbers = kept


def _read_numbered(db: Database, member: str) -> Iterator[Numbered | None]:
    reader = log.LogReader(db.reader(member), db.size(member), db.files[member].number or None)
    for record in Assembler(max_record=db.max_unit).records(reader.pieces()):
        if record.fate != WHOLE or len(record.data) < batch.HEADER:
            yield None
            continue
        first, count = batch.header(record.data)
        try:
            taken = 0 if count and len(record.data) > batch.HEADER and is_prepared(record) else count
        except MalformedError:  # it makes no sense and has its numbers all the same
            taken = count
        if count:
            yield Numbered(record.start, record.end, first, taken)


def order_of(db: Database, member: str) -> Order:
    """The order of a WAL that was walked; found out once."""
    facts = db.facts.get(member)
    if not isinstance(facts, LogFacts) or all(found >= due for _, due, found in facts.jumps):
        return Order()
    if facts.order is None:
        facts.order = _arranged(db, member)
    found: Order = facts.order
    return found


def _arranged(db: Database, member: str) -> Order:
    read, highest, behind = _Log(), 0, dict[int, Fate]()
    for one in numbered(db, member):
        if one is None:
            continue
        read.phases = read.phases or not one.count
        if not one.count:
            continue
        if one.first <= highest:
            behind[one.start] = "lost"
        highest = max(highest, one.first)
        if len(read.starts) <= MOST:
            read.starts.append(one.start)
            read.firsts.append(one.first)
            read.counts.append(one.count)
    if len(read.starts) > MOST:
        return Order(behind)
    read.kept = _rising(read.firsts)
    own = [i for i, kept in enumerate(read.kept) if kept]
    if any(read.firsts[b] < read.end(a) for a, b in pairwise(own)):  # one number for a batch (WritePrepared)
        read.counts = array("Q", bytes(b"\x01" + bytes(7)) * len(read.counts))
    due = _due_before(db, member)
    broken = _malformed(db, member, {at for at, kept in zip(read.starts, read.kept, strict=True) if not kept})
    # a log is begun when the one before it goes into tables: then its first number is the next one of the MANIFEST
    next_one = db.version.last_sequence + 1 if db.version is not None and db.version.last_sequence else 1
    return _places(read, own, due, frozenset({1, due or 1, next_one}), _found_behind(db, member), broken)


def _malformed(db: Database, member: str, starts: set[int]) -> frozenset[int]:
    """Those of the records that begin here whose batch makes no sense, as that of two records' pieces."""
    facts = db.facts.get(member)
    if isinstance(facts, LogFacts) and len(facts.why) < MAX_WHY:  # the walk told all of them
        return frozenset(starts & facts.why.keys())
    found = set()
    reader = log.LogReader(db.reader(member), db.size(member), db.files[member].number or None)
    for record in Assembler(max_record=db.max_unit).records(reader.pieces()) if starts else ():
        if record.start in starts and record.fate == WHOLE and not is_batch(record.data):
            found.add(record.start)
    return frozenset(found)


def is_batch(data: bytes) -> bool:
    """Whether every operation of a record can be read."""
    if len(data) < batch.HEADER:
        return False
    if sums := batch_sums(data):
        return sums[0] == batch.header(data)[1]
    try:
        for _ in batch.operations(data):
            pass
    except MalformedError:
        return False
    return True


def _places(
    read: _Log,
    own: list[int],
    due: int | None,
    begun: frozenset[int],
    behind: int | None,
    broken: frozenset[int] = frozenset(),
) -> Order:
    """Where each record belongs; `due` is the log's first number and `behind` the next log's, where they are known.

    `begun` are numbers that the first record of a log may have; what begins at `broken` is put back nowhere.
    """
    astray: dict[int, Fate] = {}
    ranked = [read.firsts[i] for i in own]
    slots: dict[int, list[int]] = {}
    last = -1  # the stray that was placed last
    for i in sorted((i for i, kept in enumerate(read.kept) if not kept), key=lambda i: (read.firsts[i], i)):
        at = bisect_left(ranked, read.firsts[i])
        taken = at < len(own) and ranked[at] < read.end(i)
        taken = taken or (at > 0 and read.end(own[at - 1]) > read.firsts[i])
        taken = taken or (last >= 0 and read.end(last) > read.firsts[i]) or (due is not None and read.firsts[i] < due)
        lost = read.phases or read.starts[i] in broken
        astray[read.starts[i]] = "copy" if taken else "lost" if lost else "moved"
        if not taken and not lost:
            slots.setdefault(at, []).append(i)
            last = i
    if read.phases:
        return Order(astray)
    # behind the last number and before the first: what stands at that end of the log and belongs elsewhere left its
    # place to these; else the numbers must go on exactly, and nothing else may have them
    placed = {i for at, found in slots.items() if 0 < at < len(own) for i in found}
    if (high := slots.get(len(own))) and not (
        len(read.starts) - 1 in placed
        or (_chained(read, [own[-1], *high]) and (behind is None or read.end(high[-1]) <= behind))
    ):
        _unplace(read, slots.pop(len(own)), astray)
    placed.update(slots.get(len(own), ()))
    if (low := slots.get(0)) and not (0 in placed or (_chained(read, [*low, own[0]]) and read.firsts[low[0]] in begun)):
        _unplace(read, slots.pop(0), astray)
    before = {read.starts[own[at]] if at < len(own) else END: tuple(read.starts[i] for i in found)
              for at, found in slots.items()}  # fmt: skip
    return Order(astray, before, tuple(_gaps(read, own, slots, astray)))


def _chained(read: _Log, ranked: list[int]) -> bool:
    """Whether each begins with the number that is due behind the one before it."""
    return all(read.end(a) == read.firsts[b] for a, b in pairwise(ranked))


def _unplace(read: _Log, found: list[int], astray: dict[int, Fate]) -> None:
    for i in found:
        astray[read.starts[i]] = "lost"


def _gaps(
    read: _Log, own: list[int], slots: dict[int, list[int]], astray: dict[int, Fate]
) -> Iterator[tuple[int, int, int]]:
    """Numbers that no record here has; what was lost under records of another place is told of those."""
    for at in range(1, len(own)):
        if any(astray[read.starts[i]] != "moved" for i in range(own[at - 1] + 1, own[at])):
            continue
        for a, b in pairwise([own[at - 1], *slots.get(at, ()), own[at]]):
            if read.firsts[b] > read.end(a):
                yield read.starts[b], read.end(a), read.firsts[b]


def _due_before(db: Database, member: str) -> int | None:
    """The number that the first record of a WAL must have, as the live one before it tells."""
    names = [name for _, name in db.live_wals()]
    at = names.index(member) if member in names else 0
    facts = db.facts.get(names[at - 1]) if at else None
    return facts.next_sequence if isinstance(facts, LogFacts) else None


def _found_behind(db: Database, member: str) -> int | None:
    names = [name for _, name in db.live_wals()]
    later = names[names.index(member) + 1 :] if member in names else []
    found = (facts.first_sequence for name in later if isinstance(facts := db.facts.get(name), LogFacts))
    return next((first for first in found if first is not None), None)


def _rising(numbers: array[int]) -> bytearray:
    """Which of these numbers are in the longest sequence that strictly rises; n log n."""
    tails, ends, before = array("Q"), array("Q"), array("q")
    for i, number in enumerate(numbers):
        at = bisect_left(tails, number)
        before.append(ends[at - 1] if at else -1)
        if at == len(tails):
            tails.append(number)
            ends.append(i)
        else:
            tails[at], ends[at] = number, i
    kept = bytearray(len(numbers))
    at = ends[-1] if ends else -1
    while at >= 0:
        kept[at] = 1
        at = before[at]
    return kept


def strangers(db: Database) -> frozenset[str]:
    """Live WALs out of the order of the others: of those whose numbers rise from one to the next the most are kept."""
    numbered = [(name, facts) for _, name in db.live_wals() if isinstance(facts := db.facts.get(name), LogFacts)]
    held = [(name, facts) for name, facts in numbered if facts.first_sequence is not None and facts.highest]
    longest: dict[int, int] = {}  # of those that begin with one number
    for i, (_, facts) in enumerate(held):
        best = longest.setdefault(facts.first_sequence or 0, i)
        if facts.highest > held[best][1].highest:
            longest[facts.first_sequence or 0] = i
    rest = sorted(longest.values())
    rising = _rising(array("Q", [held[i][1].first_sequence or 0 for i in rest]))
    kept, highest = set[str](), -1  # a malformed record may say number 0
    for i in (i for i, stays in zip(rest, rising, strict=True) if stays):
        name, facts = held[i]
        if (facts.first_sequence or 0) > highest:
            kept.add(name)
            highest = facts.highest
    return frozenset(name for name, _ in held if name not in kept)


def runs(db: Database, member: str) -> list[Run]:
    """Stretches of records out of order with which the same is done."""
    astray, found = order_of(db, member).astray, list[Run]()
    due: int | None = None
    run: list[Numbered] = []

    def close(resumed: int | None) -> None:
        if run:
            fate = astray[run[0].start]
            found.append(Run(run[0].start, run[-1].end, len(run), run[0].first, due or 0, resumed, fate))
            run.clear()

    for one in numbered(db, member):
        if one is None:
            close(None)
        elif one.start in astray:
            if run and astray[one.start] != astray[run[0].start]:
                close(one.first)
            run.append(one)
        elif one.count:
            close(one.first)
            due = max(due or 0, one.first + one.count)
    close(None)
    return found


class Again(Struct, frozen=True):
    """Records at `at` repeat numbers from `number` on: the engine shows nothing that has these or later ones."""

    at: int
    number: int
    since: int  # where the first record begins that it does not show


def again(db: Database, member: str) -> Again | None:
    """The first copy of records in a WAL: what the engine does at it is as if the log ended at its number."""
    astray = order_of(db, member).astray
    copies = (one for one in numbered(db, member) if one and astray.get(one.start) == "copy")
    copy = next(copies, None) if astray else None
    if copy is None:
        return None
    hidden = (o for o in numbered(db, member) if o and o.start not in astray and o.first + o.count > copy.first)
    first = next(hidden, copy)
    return Again(copy.start, copy.first, min(first.start, copy.start))
