"""A write-ahead log or MANIFEST followed while the engine writes it: each physical record as it lands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from inspector.follow import AppendOnly, Landed, UnfollowableError, What
from inspector.formats.rocksdb.log import (
    BLOCK,
    EMPTY,
    GOOD,
    PAD,
    RECYCLABLE_HEADER,
    SPOILT,
    STALE,
    STATES,
    TORN,
    LogReader,
    Piece,
    header_size,
)
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
            if piece.state == GOOD or (piece.state in (PAD, SPOILT) and not last):
                self.at = piece.end
                count += piece.state == GOOD
                continue
            if piece.start == 0:
                raise UnfollowableError("not a log whose first record verifies")
            if piece.state == STALE or (last and piece.state in (EMPTY, PAD, SPOILT)):
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
            if piece.state not in (GOOD, PAD, SPOILT):
                return False
        return source.length() >= end


def _pieces(source: Source, at: int, end: int | None = None) -> Iterator[Piece]:
    """Pieces from `at` on, where one begins: of many damaged places in a block each would read all before it again.

    With `end` no more is read than the blocks of [at, end) and the one behind them.
    """
    size = source.length() if end is None else min(source.length(), end - end % BLOCK + 2 * BLOCK)
    return LogReader(lambda start, n: source.read(start, min(n, size - start)), size, _number(source), at).pieces()


def _number(source: Source) -> int | None:
    """The log's own number, where its records repeat it: what an older log left behind them is none of its own."""
    head = source.read(0, RECYCLABLE_HEADER)
    recyclable = len(head) == RECYCLABLE_HEADER and header_size(head[6]) == RECYCLABLE_HEADER
    return int.from_bytes(head[7:], "little") if recyclable else None


def follow(saved: Mapping[str, Any] | None) -> WalFollower:
    """A follower at the beginning, or where a saved one was."""
    return WalFollower(saved)
