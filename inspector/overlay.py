"""A source seen through corrections: the same bytes, but for the pieces that stand in place of damaged ones."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from itertools import islice

from msgspec import Struct
from msgspec.structs import replace

from inspector.format import Edit, Proof
from inspector.source import Source
from inspector.span import Run, Span
from inspector.view import Laid


class Piece(Struct, frozen=True):
    """`data` stands for the bytes from `start` on, as many; what proves it, and why in words."""

    start: int
    data: bytes
    proof: Proof
    why: str
    units: int = 1
    member: str = ""

    @property
    def end(self) -> int:
        return self.start + len(self.data)


class Overlay(Laid):
    """A source with pieces laid over its members."""

    def __init__(self, below: Source, pieces: Iterable[Piece]) -> None:
        super().__init__(below)
        self.pieces = sorted(pieces, key=lambda piece: (piece.member, piece.start))
        self._of: dict[str, tuple[list[Piece], list[int], list[int]]] = {}
        for piece in self.pieces:
            own, starts, ends = self._of.setdefault(piece.member, ([], [], []))
            own.append(piece)
            starts.append(piece.start)
            ends.append(piece.end)

    def _laid(self, data: bytes, at: int, member: str) -> bytes:
        end = at + len(data)
        touched = self.within(at, end, member)
        if not touched:
            return data
        first = touched[0]
        if first.start <= at and end <= first.end:  # most reads are of a single unit, all of it other bytes
            return first.data[at - first.start : end - first.start]
        out = bytearray(data)
        for piece in touched:  # never overlapping: only the first and the last may go over an end
            low, own = piece.start - at, piece.data
            if low < 0 or low + len(own) > len(data):
                own = own[max(0, -low) : len(data) - low]
                low = max(0, low)
            out[low : low + len(own)] = own
        return bytes(out)

    def within(self, start: int, end: int, member: str = "") -> list[Piece]:
        """The pieces that touch [start, end) of a member, in order; pieces never overlap."""
        if member not in self._of:
            return []
        own, starts, ends = self._of[member]
        return own[bisect_right(ends, start) : bisect_left(starts, end)]

    def _touches(self, start: int, end: int, member: str) -> bool:
        return bool(self.within(start, end, member))

    def _runs(self, member: str, start: int) -> Iterator[Run]:
        own, _, ends = self._of.get(member, ([], [], []))
        return ((one.start, one.end) for one in islice(own, bisect_right(ends, start), None))

    def inside(self, folder: str) -> Source:
        head = f"{folder}/"
        pieces = (piece for piece in self.pieces if piece.member.startswith(head))
        own = [replace(piece, member=piece.member[len(head) :]) for piece in pieces]
        inner = Overlay(self.below.inside(folder), own)
        inner.owns = True
        return inner


def corrected_edits(edits: Iterable[Edit], over: Overlay) -> Iterator[Edit]:
    """A plan made over the overlay as one over the source: kept pieces become corrected ones."""
    for edit in edits:
        span = edit.origin
        if edit.action != "kept" or span is None or edit.data is not None:
            yield edit
            continue
        touched = over.within(span.start, span.end, span.member)
        if not touched:
            yield edit
            continue
        rest = replace(edit, whole=False, units=edit.units - sum(p.units for p in touched if span.start <= p.start))
        at = span.start
        for piece in touched:
            low, high = max(piece.start, span.start), min(piece.end, span.end)
            if low > at:
                yield replace(rest, origin=Span(at, low, span.member))
                rest = replace(rest, units=0)
            data = piece.data[low - piece.start : high - piece.start]
            own = piece.units if span.start <= piece.start else 0
            yield Edit("corrected", Span(low, high, span.member), data, piece.proof, piece.why, own, out=edit.out)
            at = high
        if at < span.end:
            yield replace(rest, origin=Span(at, span.end, span.member))
