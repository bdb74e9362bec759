"""Store versions 2 to 6, whose checksum is not CRC-32C: walked by length and type alone, never judged.

Source: CLN v0.7.0 gossipd/gossip_store.c:143 (be32 length, be32 checksum); 0d2a4830e says the checksum was wrong.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator

from inspector.format import GAP, UNIT, Stretch
from inspector.formats.gossip_store.kinds import KINDS
from inspector.formats.gossip_store.structure import plausible
from inspector.source import Source

_UNJUDGED, _LOST, _TORN_HEADER, _TORN_BODY = 8, 5, 6, 7
BATCH = 4096
SEARCH = 1 << 20


class LegacyWalker:
    """Walks by lengths; after a break it goes on where two plausible records follow each other."""

    def __init__(self, source: Source, size: int, start: int, version: int) -> None:
        self.source, self.size, self.start, self.version = source, size, start, version
        self.header = 12 if version >= 5 else 8
        self._window, self._at = b"", 0

    @staticmethod
    def plausible_start(source: Source, version: int) -> int:
        """How many plausible records stand in a row from offset 1 (counts to 8)."""
        walker = LegacyWalker(source, source.length(), 1, version)
        at, count = 1, 0
        while count < 8 and (end := walker.record_end(at)):
            at, count = end, count + 1
        return count

    def record_end(self, at: int) -> int | None:
        """The end of the plausible record at `at`, or None."""
        head = self._bytes(at, self.header + 2)
        if len(head) < self.header + 2:
            return None
        length = self._length(head)
        kind = head[-2] << 8 | head[-1]
        end = at + self.header + length
        if kind not in KINDS or not 2 <= length <= 0xFFFF or end > self.size:
            return None
        body = self._bytes(at + self.header, min(length, 2048))
        return end if plausible(kind, body, length, self.version) else None

    def stretches(self) -> Iterator[Stretch]:
        at = self.start
        tiles: list[tuple[int, int, int, int, int]] = []  # start, role, kind, mark, flags
        while at < self.size:
            end = self.record_end(at)
            if end:
                head = self._bytes(at, self.header + 2)
                flags = head[0] << 8 | head[1] if self.header == 12 else 0
                tiles.append((at, UNIT, head[-2] << 8 | head[-1], _UNJUDGED, flags))
            else:
                end = self._next_anchor(at + 1)
                tiles.append((at, GAP, 0, self._why(at) if end == self.size else _LOST, 0))
            at = end
            if len(tiles) >= BATCH or at >= self.size:
                yield self._stretch(tiles, at)
                tiles = []

    def _stretch(self, tiles: list[tuple[int, int, int, int, int]], end: int) -> Stretch:
        starts, roles, kinds, marks, flags = zip(*tiles, strict=True)
        columns = {"flags": array("H", flags)}
        return Stretch(
            starts[0], end, array("Q", starts), array("B", roles), array("H", kinds), array("B", marks), columns=columns
        )

    def _next_anchor(self, at: int) -> int:
        while at < self.size - self.header:
            end = self.record_end(at)
            if end and (end == self.size or self.record_end(end)):
                return at
            at += 1
        return self.size

    def _why(self, at: int) -> int:
        head = self._bytes(at, self.header + 2)
        if len(head) < self.header:
            return _TORN_HEADER
        kind = head[-2] << 8 | head[-1] if len(head) == self.header + 2 else -1
        return _TORN_BODY if at + self.header + self._length(head) > self.size and kind in KINDS else _LOST

    def _length(self, head: bytes) -> int:
        return head[2] << 8 | head[3] if self.header == 12 else int.from_bytes(head[:4], "big")

    def _bytes(self, at: int, n: int) -> bytes:
        if not self._at <= at or at + n > self._at + len(self._window):
            self._window, self._at = self.source.read(at, SEARCH), at
        return self._window[at - self._at : at - self._at + n]
