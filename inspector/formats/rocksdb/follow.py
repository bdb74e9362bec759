"""A write-ahead log or MANIFEST followed while the engine writes it: each physical record as it lands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from inspector.follow import AppendOnly, Landed, UnfollowableError, What
from inspector.formats.rocksdb.log import BLOCK, EMPTY, GOOD, PAD, STALE, STATES, TORN, LogReader, Piece
from inspector.source import Source

KEY = "log record"


class WalFollower(AppendOnly):
    """See `inspector.follow.Follower`."""

    torn_matters = False  # the engine may keep the rest of a record in its buffer until the next flush
    judges_all = False  # what the records mean needs the whole database

    def advance(self, source: Source) -> Iterator[Landed]:
        begin, count = self.at, 0
        wrong: Landed | None = None
        for piece in _pieces(source, self.at):
            last = piece.end == source.length()
            if piece.state == GOOD or (piece.state == PAD and not last):
                self.at = piece.end
                count += piece.state == GOOD
                continue
            if piece.start == 0:
                raise UnfollowableError("not a log whose first record verifies")
            if piece.state == STALE or (last and piece.state in (EMPTY, PAD)):
                break  # room that was set aside, or an older log in a recycled file
            text = "zeroes where a record was due" if piece.state == EMPTY else STATES[piece.state]
            what: What = "unfinished" if last and piece.state == TORN else "broken"
            wrong = Landed(what, piece.start, piece.end, f"log record: {text}")
            break
        if self.at > begin:
            yield Landed("sound", begin, self.at, "", {KEY: count})
        if wrong is not None:
            yield wrong

    def heal(self, source: Source, start: int, end: int) -> Mapping[str, int]:
        return {KEY: sum(p.state == GOOD and p.end <= end for p in _pieces(source, start))}

    def sound(self, source: Source, start: int, end: int) -> bool:
        for piece in _pieces(source, start, end):
            if piece.start >= end:
                return True
            if piece.state not in (GOOD, PAD):
                return False
        return source.length() >= end


def _pieces(source: Source, at: int, end: int | None = None) -> Iterator[Piece]:
    """Pieces from `at` on; records lie in 32 KiB blocks, so reading begins where that block does.

    With `end` no more is read than the blocks of [at, end) and the one behind them.
    """
    base = at - at % BLOCK
    size = source.length() if end is None else min(source.length(), end - end % BLOCK + 2 * BLOCK)
    reader = LogReader(lambda start, n: source.read(base + start, min(n, size - base - start)), size - base)
    for piece in reader.pieces():
        if piece.end + base > at:
            yield Piece(max(at, piece.start + base), piece.end + base, piece.state, piece.type)


def follow(saved: Mapping[str, Any] | None) -> WalFollower:
    """A follower at the beginning, or where a saved one was."""
    return WalFollower(saved)
