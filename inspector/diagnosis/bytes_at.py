"""Bounded reading around damage, and the same bytes as they would be if one thing had not happened to them."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct, field

from inspector.diagnosis.traces import Facts, Grid, edges
from inspector.source import Source
from inspector.span import Span
from inspector.uniform import only_zeroes

Read = Callable[[int, int], bytes]  # offset, count -> bytes, shorter only at the end
CHUNK = 1 << 16
WINDOW = 4 << 20  # bytes that are read at once of a stretch that is only asked about
SECTOR, SECTORS = 512, 4096
FEW = 16  # places of damage that a source gets most of the work for
LEAST, LEAST_OF_MANY = 40_000, 20_000  # trials of any source; where that is hit in many places
FOLLOWED, FOLLOWED_OF_MANY = 8192, 4096  # units followed in any source; where that is hit in many places


class Budget(Struct):
    """What one diagnosis may cost, in work and not in time, so that the same input gets the same answer."""

    search: int = 64 << 20  # bytes read to look for copies
    trials: int = 150_000  # units looked at; a long one counts once for each KiB
    packed: int = 64 << 20  # bytes packed to learn what sound ones look like
    followed: int = 1 << 18  # units behind damaged places that are asked for the borders of blocks

    def spend(self, trials: int) -> bool:
        """Take from the trials; False when there are none left."""
        self.trials -= trials
        return self.trials > 0

    def pack(self, size: int) -> bool:
        """Take from what may be packed; False when there is nothing left."""
        self.packed -= size
        return self.packed > 0

    def follow(self, units: int) -> None:
        """Take from the units that may be followed; where none is left, that look is left out and no other."""
        self.followed -= units

    @property
    def used_up(self) -> bool:
        return self.trials <= 0 or self.search <= 0 or self.packed <= 0


def budget_for(size: int, places: int) -> Budget:
    """For a small source less, and for many places of one: it can be made of nothing but damage, and costs no more."""
    whole, few = Budget(), places <= FEW
    search = whole.search if few else min(whole.search, (16 << 20) + 8 * size)
    trials = min(whole.trials, LEAST + size // 2 if few else LEAST_OF_MANY + size // 128)
    packed = whole.packed if few else min(whole.packed, (12 << 20) + 4 * size)
    followed = min(whole.followed, FOLLOWED + size // 64 if few else FOLLOWED_OF_MANY + size // 1024)
    return Budget(search, trials, packed, followed)


class BytesAt(Struct):
    """One member, with the chunks that were read last."""

    source: Source
    member: str
    size: int
    grid: Grid | None = None  # the format's own blocks
    _chunks: dict[int, bytes] = field(default_factory=dict)

    def __call__(self, at: int, n: int) -> bytes:
        if at < 0 or n <= 0 or at >= self.size:
            return b""
        n = min(n, self.size - at)
        if self.source.sparing:
            return self._little(at, n)
        first, last = at // CHUNK, (at + n - 1) // CHUNK
        if last - first > 16:
            return self.source.read(at, n, self.member)
        if first == last:
            start = at - first * CHUNK
            return self._chunk(first)[start : start + n]
        joined = b"".join(self._chunk(i) for i in range(first, last + 1))
        return joined[at - first * CHUNK : at - first * CHUNK + n]

    def _little(self, at: int, n: int) -> bytes:
        """What is noted is kept in a capsule: single sectors are read where they are enough, and read once."""
        index, start = divmod(at, SECTOR)
        if start + n > SECTOR:
            return self.source.read(at, n, self.member)
        found = self._chunks.get(index)
        if found is None:
            if len(self._chunks) >= SECTORS:
                self._chunks.pop(next(iter(self._chunks)))
            found = self._chunks[index] = self.source.read(index * SECTOR, SECTOR, self.member)
        return found[start : start + n]

    def _chunk(self, index: int) -> bytes:
        found = self._chunks.get(index)
        if found is None:
            if len(self._chunks) >= 64:
                self._chunks.pop(next(iter(self._chunks)))
            found = self._chunks[index] = self.source.read(index * CHUNK, CHUNK, self.member)
        return found

    def zeroed(self, at: int, n: int) -> bool:
        """Whether there are nothing but zeroes; a window at a time, as there may be terabytes of them."""
        n = min(n, self.size - at)
        reads = (self.source.read(at + i, min(WINDOW, n - i), self.member) for i in range(0, n, WINDOW))
        return all(map(only_zeroes, reads))

    def edges(self, start: int, end: int) -> tuple[str, Facts]:
        """On which boundaries a stretch begins and ends: words for it, and facts."""
        return edges(start, end, self.size, self.grid)

    def span(self, start: int, end: int) -> Span:
        start = max(0, min(start, self.size))
        return Span(start, max(start, min(end, self.size)), self.member)


def without(read: Read, at: int, count: int) -> Read:
    """The bytes as they were before `count` bytes were put in at `at`."""

    def reading(start: int, n: int) -> bytes:
        if start >= at:
            return read(start + count, n)
        if start + n <= at:
            return read(start, n)
        return read(start, at - start) + read(at + count, start + n - at)

    return reading


def held(read: Read, data: bytes, start: int) -> Read:
    """`data` from `start` on and nothing behind it; what lies before is read."""

    def reading(at: int, n: int) -> bytes:
        if at >= start:
            return data[at - start : at - start + n]
        return read(at, min(n, start - at)) + data[: max(0, at + n - start)]

    return reading


def moved(read: Read, by: int) -> Read:
    """The bytes as if everything stood `by` bytes further on."""
    return lambda start, n: read(start + by, n) if start + by >= 0 else b""


def with_inserted(read: Read, at: int, data: bytes) -> Read:
    """The bytes as they were before `data` was lost at `at`."""
    count = len(data)

    def reading(start: int, n: int) -> bytes:
        if start >= at + count:
            return read(start - count, n)
        if start + n <= at:
            return read(start, n)
        low = read(start, at - start) if start < at else b""
        middle = data[max(0, start - at) : max(0, start + n - at)]
        rest = n - len(low) - len(middle)
        return low + middle + (read(at, rest) if rest > 0 else b"")

    return reading


def exchanged(read: Read, one: int, two: int, size: int) -> Read:
    """The bytes as they were before two blocks of `size` bytes changed places."""

    def reading(start: int, n: int) -> bytes:
        out = bytearray(read(start, n))
        for here, there in ((one, two), (two, one)):
            low, high = max(start, here), min(start + len(out), here + size)
            if low < high:
                out[low - start : high - start] = read(there + low - here, high - low)
        return bytes(out)

    return reading


def over(read: Read, at: int, data: bytes) -> Read:
    """The bytes with `data` in the place of what lies at `at`."""
    end = at + len(read(at, len(data)))  # nothing lies behind the end of the member

    def reading(start: int, n: int) -> bytes:
        if at <= start and start + n <= end:
            return data[start - at : start - at + n]  # most ask for nothing else, ten thousands of times
        out = bytearray(read(start, n))
        low, high = max(start, at), min(start + len(out), at + len(data))
        if low < high:
            out[low - start : high - start] = data[low - at : high - at]
        return bytes(out)

    return reading
