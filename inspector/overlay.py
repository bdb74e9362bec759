"""A source seen through corrections: the same bytes, but for the pieces that stand in place of damaged ones."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from inspector.format import Edit, Proof
from inspector.source import Source
from inspector.span import Span


@dataclass(frozen=True, slots=True)
class Piece:
    """`data` stands for the bytes from `start` on, as many; what proves it, and why in words."""

    start: int
    data: bytes
    proof: Proof
    why: str
    units: int = 1

    @property
    def end(self) -> int:
        return self.start + len(self.data)


class Overlay(Source):
    """A source of one member with pieces laid over it; the source below stays open, and its owner closes it."""

    def __init__(self, below: Source, pieces: Iterable[Piece]) -> None:
        super().__init__(below.label, below.kind, below.path, list(below.members))
        self._below = below
        self.unreadable = below.unreadable
        self.pieces = sorted(pieces, key=lambda piece: piece.start)
        self._starts = [piece.start for piece in self.pieces]
        self._ends = [piece.end for piece in self.pieces]

    def _pread(self, member: str, n: int, at: int) -> bytes:
        data = self._below.read(at, n, member)
        touched = self.within(at, at + len(data))
        if not touched:
            return data
        out = bytearray(data)
        for piece in touched:
            low, high = max(piece.start, at), min(piece.end, at + len(data))
            out[low - at : high - at] = piece.data[low - piece.start : high - piece.start]
        return bytes(out)

    def within(self, start: int, end: int) -> list[Piece]:
        """The pieces that touch [start, end), in order; pieces never overlap."""
        return self.pieces[bisect_right(self._ends, start) : bisect_left(self._starts, end)]

    def data_ranges(self, member: str = "", start: int = 0) -> Iterator[Span]:
        return self._below.data_ranges(member, start)


def corrected_edits(edits: Iterable[Edit], over: Overlay) -> Iterator[Edit]:
    """A plan made over the overlay as one over the source: kept pieces become corrected ones."""
    for edit in edits:
        if edit.action != "kept" or edit.origin is None or edit.data is not None:
            yield edit
            continue
        span = edit.origin
        touched = over.within(span.start, span.end)
        units = edit.units - sum(piece.units for piece in touched if span.start <= piece.start)
        at = span.start
        for piece in touched:
            low, high = max(piece.start, span.start), min(piece.end, span.end)
            if low > at:
                yield Edit("kept", Span(at, low), proof=edit.proof, why=edit.why, units=units, out=edit.out)
                units = 0
            data = piece.data[low - piece.start : high - piece.start]
            own = piece.units if span.start <= piece.start else 0
            yield Edit("corrected", Span(low, high), data, piece.proof, piece.why, own, out=edit.out)
            at = high
        if at < span.end:
            yield Edit("kept", Span(at, span.end), proof=edit.proof, why=edit.why, units=units, out=edit.out)
