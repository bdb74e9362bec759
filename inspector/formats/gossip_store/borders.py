"""Borders of pages at which records break off, and where the record that breaks off at one of them goes on."""

from __future__ import annotations

from bisect import bisect_left

from msgspec import Struct, field

from inspector.crc32c import crc32c
from inspector.formats.gossip_store.kinds import SEALED_HEADER
from inspector.formats.gossip_store.walk import Store
from inspector.span import Run

LONGEST = 1 << 17  # bytes of a damaged area at a border; two of the longest records
UNSEEN = 4  # bytes a record begins with that may be another one's: its flags, and as long a length
_HEADER = SEALED_HEADER.size
_HELD = 1024  # bytes behind a border that are read once
_TRIAL = 1024  # what one trial costs besides its bytes
_ROUNDS = 3  # what goes on at a border tells where the next record begins, and so what breaks off at the next border


class Borders(Struct):
    """The damage of one store by its borders, and the bytes that trials may still read."""

    store: Store
    areas: list[Run]  # where no record verifies, in order; those that touch are one
    left: int
    _ends: list[int] = field(default_factory=list)
    _heads: dict[int, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._ends = [end for _, end in self.areas]

    def area(self, border: int) -> Run | None:
        """The damage that touches a border; a record may verify with flags of another one before the border."""
        i = bisect_left(self._ends, border - UNSEEN)
        return self.areas[i] if i < len(self.areas) and self.areas[i][0] <= border else None

    def at(self, size: int) -> list[int]:
        """The borders of pages of this size that are damaged, in order."""
        last, found = 0, []
        for low, high in self.areas:
            for border in range(-(-low // size) * size, high + UNSEEN + 1, size) if high - low <= LONGEST else ():
                if last < border < self.store.size:
                    found.append(border)
                    last = border
        return found

    def joins(self, size: int) -> dict[int, list[int]]:
        """Where the record goes on that breaks off at each damaged border: at the start of which pages of this size.

        The checksum of the joined record tells. Where the file begins a page does, too.
        """
        borders = self.at(size)
        found: dict[int, list[int]] = {}
        begins: dict[int, set[int]] = {}  # border -> where a record of the page behind it is known to begin
        for _ in range(_ROUNDS):
            news = False
            for border in borders:
                for start in self._starts(border, size, begins) if border not in found else ():
                    stub = self.store.source.read(start, border - start)
                    for there, end in self._continued(stub, border, [0, *borders], size):
                        found.setdefault(border, []).append(there)
                        if end not in begins.setdefault(there, set()):
                            begins[there].add(end)
                            news = True
            if not news:
                break
        return found

    def _starts(self, border: int, size: int, begins: dict[int, set[int]]) -> set[int]:
        """Where the record may begin that breaks off at a border: lengths lead there from known beginnings."""
        area = self.area(border)
        known = begins.get(border - size, set())
        return {at for one in ({area[0]} if area else set()) | known if (at := self._last(one, border)) is not None}

    def _last(self, at: int, border: int) -> int | None:
        """The last record before a border, by the lengths of those from `at` on; the border where one ends there."""
        while at + _HEADER <= border:
            length = SEALED_HEADER.unpack(self.store.source.read(at, _HEADER))[1]
            if at + _HEADER + length > border:
                return at
            if length < 2:
                return None
            at += _HEADER + length
        return at if at <= border else None

    def _continued(self, stub: bytes, border: int, pages: list[int], size: int) -> list[Run]:
        """The pages with which a record is whole that begins with `stub`, each with where it ends in the page."""
        short = _HEADER - len(stub)  # bytes of the header that stand behind the border
        if short > 0:
            return self._torn(stub, border, pages, size)
        _, length, stored, time = SEALED_HEADER.unpack_from(stub)
        begun, end = crc32c(stub[_HEADER:], time), length + short  # bytes of the body that stand behind the border
        if end > min(size, _HELD):
            return self._far(begun, stored, end, border, pages, size)
        others = [page for page in pages if page != border][: max(0, -(-self.left // _TRIAL))]
        self.left -= len(others) * _TRIAL
        if length < 2 or end < 0:
            return []
        for page in others:
            self._head(page)
        heads = self._heads  # looked up a hundred thousand times for a store that is hurt all over
        alike = [page for page in others if crc32c(heads[page][:end], begun) == stored]
        return [(page, page + end) for page in alike if len(heads[page]) >= end]

    def _far(self, begun: int, stored: int, end: int, border: int, pages: list[int], size: int) -> list[Run]:
        """The same of a record of which `end` bytes stand behind the border, more than are held of a page."""
        found = []
        for there in pages:
            if there == border or self.left <= 0:
                continue
            self.left -= _TRIAL
            behind = self._behind(there, border, size, end)
            if len(behind) == end and crc32c(behind, begun) == stored:
                found.append((there, there + end))
        return found

    def _torn(self, stub: bytes, border: int, pages: list[int], size: int) -> list[Run]:
        """The same of a record whose header goes over the border."""
        short, found = _HEADER - len(stub), []
        for there in pages:
            if there == border or self.left <= 0:
                continue
            self.left -= _TRIAL
            head = self._head(there)
            if len(head) < short:
                continue
            _, length, stored, time = SEALED_HEADER.unpack(stub + head[:short])
            if length < 2:
                continue
            end = short + length
            behind = head[short:end] if end <= min(size, _HELD) else self._behind(there, border, size, end)[short:]
            if len(behind) == length and crc32c(behind, time) == stored:
                found.append((there, there + end))
        return found

    def _head(self, page: int) -> bytes:
        if page not in self._heads:
            self._heads[page] = self.store.source.read(page, _HELD)
        return self._heads[page]

    def _behind(self, page: int, border: int, size: int, n: int) -> bytes:
        """`n` bytes from a border on with this page behind it."""
        self.left -= n
        data = self.store.source.read(page, min(n, size))
        return data + self.store.source.read(border + size, max(0, n - size))
