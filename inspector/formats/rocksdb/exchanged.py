"""Blocks of a log that changed places, found by the numbers of their records, and put back in thought.

Records that lie over a block's boundary are whole again then, which putting back single records does not achieve.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from inspector.finding import Cause
from inspector.formats.rocksdb import batch, log
from inspector.formats.rocksdb.database import Database
from inspector.formats.rocksdb.facts import LogFacts, Mark
from inspector.formats.rocksdb.order import BEGINNINGS, Run, order_of, runs
from inspector.formats.rocksdb.seen import seen_through
from inspector.overlay import Overlay, Piece
from inspector.pages import PAGES
from inspector.source import Source

_LOOKED: Final = 8  # blocks that are looked at before the whole log is
# at an end of the log records over the pages' borders are missing between the others: their numbers alone place none
_AWAY: Final = frozenset({"moved", "lost"})
_RUNS: Final = 4  # that two pages leave out of order
MOST: Final = 512  # blocks that are put back in one log
_WHY: Final = "put back where the numbers of its records are missing: blocks of {size} bytes changed places"


def found(db: Database, member: str) -> list[Piece]:
    """What must stand where in a walked WAL so that all its numbers rise and no more of it is damaged; else nothing."""
    facts = db.facts.get(member)
    if not isinstance(facts, LogFacts) or not _AWAY & set(order_of(db, member).astray.values()):
        return []
    if facts.exchanged is None:
        right = (pieces for pieces in _candidates(db, member) if _holds(db, member, pieces))
        facts.exchanged = next(right, [])
    pieces: list[Piece] = facts.exchanged
    return pieces


def undone(db: Database, mark: Mark) -> Cause | None:
    """What broke a damaged record, where it lies over the end of a block that changed places."""
    facts = db.facts.get(mark.span.member)
    if not isinstance(facts, LogFacts) or not facts.jumps:
        return None
    span = mark.span
    for piece in found(db, span.member):
        if any(span.start <= edge <= span.end for edge in (piece.start, piece.end)):
            return Cause("swapped", "certain", "blocks changed places: it holds where the numbers of all records rise")
    return None


def _holds(db: Database, member: str, pieces: list[Piece]) -> bool:
    """Whether the log is in order with these pieces, and no more damaged than it was."""
    over = Overlay(db.source, pieces)
    blocks = sorted({at // log.BLOCK for piece in pieces for at in (piece.start, piece.end - 1)})
    if len(blocks) <= _LOOKED and _bad(over, db, member, blocks) > _bad(db.source, db, member, blocks):
        return False
    before = sum(mark.span.member == member for mark in db.damage)
    made, left = seen_through(db, over, {member})
    sure = "moved" in order_of(db, member).astray.values()  # else only records that are whole again can tell
    return len(left) < before + sure and not order_of(made, member).astray


def _bad(source: Source, db: Database, member: str, blocks: list[int]) -> int:
    """How many pieces of these blocks do not verify."""

    def read(at: int, n: int) -> bytes:
        return source.read(at, n, member)

    count = 0
    for block in blocks:
        end = min((block + 1) * log.BLOCK, db.size(member))
        reader = log.LogReader(read, end, db.files[member].number or None, block * log.BLOCK)
        count += sum(piece.state in (log.BAD, log.UNREAD, log.RELENGTH) for piece in reader.pieces())
    return count


def _candidates(db: Database, member: str) -> Iterator[list[Piece]]:
    """What could stand where, the likeliest first."""
    if "moved" in order_of(db, member).astray.values() and (places := _by_number(db, member)):
        yield _pieces(db, member, places, log.BLOCK)
    moved = [run for run in runs(db, member) if run.fate in _AWAY]
    for size in (*PAGES, log.BLOCK):
        yield from _pages(db, member, moved, size)


def _pages(db: Database, member: str, moved: list[Run], size: int) -> Iterator[list[Piece]]:
    """Two pages of one size at the ends of what moved: the most that keep their order need not be those that stayed."""
    if not 0 < len(moved) <= _RUNS:
        return
    one, other, last = moved[0].start // size, moved[-1].start // size, (moved[-1].end - 1) // size
    pairs = [(one, other), (one, last), (one - 1, last), (one, last + 1), (one, one + 1), (one - 1, one)]
    for here, there in dict.fromkeys(pairs):
        if 0 <= here < there and (there + 1) * size <= db.size(member):
            yield _pieces(db, member, {here: there, there: here}, size)


def _by_number(db: Database, member: str) -> dict[int, int]:
    """Blocks of the log whose records have other numbers than those due there, and the block that belongs there."""
    firsts, last = dict[int, int](), (-1, 0)  # block and number of the last whole record
    for piece in log.LogReader(db.reader(member), db.size(member), db.files[member].number or None).pieces():
        if piece.type == log.SET_COMPRESSION:
            return {}  # numbers are not to be read piece by piece
        begins = log.FRAGMENT.get(piece.type) in (log.FULL, log.FIRST)
        if piece.state == log.GOOD and begins and len(piece.payload) >= batch.HEADER:
            block, (number, count) = piece.start // log.BLOCK, batch.header(piece.payload)
            firsts.setdefault(block, number)
            if not count or log.FRAGMENT[piece.type] != log.FULL or not _takes_numbers(piece.payload):
                continue
            if last[0] == block and number <= last[1] and piece.end <= (block + 1) * log.BLOCK:
                return {}  # as long as this block is whole, wherever it stands, the numbers do not rise
            last = block, number
    whole = [at for at in firsts if (at + 1) * log.BLOCK <= db.size(member)]
    if len({firsts[at] for at in whole}) < len(whole):
        return {}  # a copy
    ranked = sorted(whole, key=firsts.__getitem__)
    places = {here: there for here, there in zip(whole, ranked, strict=True) if here != there}
    return places if len(places) <= MOST else {}


def _takes_numbers(data: bytes) -> bool:
    """Whether a batch is certainly more than prepared."""
    return len(data) > batch.HEADER and data[batch.HEADER] not in BEGINNINGS


def _pieces(db: Database, member: str, places: dict[int, int], size: int) -> list[Piece]:
    why, read = _WHY.format(size=size), db.reader(member)
    return [Piece(here * size, read(there * size, size), "sealed", why, 1, member) for here, there in places.items()]
