"""Blocks of a table without its index: found one after another from their content and their checksums.

Data blocks lie back to back, so the end of one is the beginning of the next. After a damaged one the next
beginning is searched for. A false block needs a 32-bit checksum to hold by chance: about 16 ends are tried per KiB
at a known beginning (2^-28 per KiB), and key order is looked at afterwards.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Set
from typing import TYPE_CHECKING, Final

from msgspec import Struct
from msgspec.structs import replace

from inspector.formats.rocksdb import checksums, codecs
from inspector.formats.rocksdb.block import entries
from inspector.formats.rocksdb.coding import MalformedError, u32, varint
from inspector.formats.rocksdb.footer import TRAILER
from inspector.kernels.rocksdb import FOUND_TYPES, chain, find_block, sealed_begin, sealed_end

if TYPE_CHECKING:
    from inspector.formats.rocksdb import ends
else:
    from inspector.postponed import Postponed

    ends = Postponed("inspector.formats.rocksdb.ends")

Read = Callable[[int, int], bytes]
ALL_TYPES: Final = frozenset({0, 1, 2, 3, 4, 5, 7})
WINDOW: Final = 4 << 20
REACH: Final = 64 << 10
_COST_PER_BYTE: Final = 500  # nanoseconds that the search may take for each byte of a region, and a base
_COST_BASE: Final = 200_000_000
# a bit flipped in 10,000 leaves most blocks damaged, and takes so much for each of the first bytes
_COST_OF_FIRST: Final = 1500
_FIRST: Final = 4 << 20
_TRY: Final = 4_000  # for each place at which a block may begin
FARTHEST: Final = 1 << 20  # bytes by which a block may stand behind or before the place that it was written for
_M64: Final = (1 << 64) - 1
_STEP: Final = 256 << 10  # bytes in which each codec is looked for, before the next are
# compression types that look alike, those whose beginnings are surest first
_GROUPS: Final = tuple(map(frozenset, ({7}, {3}, {0}, {4, 5}, {1}, {2})))
_ENOUGH: Final = 4  # blocks after which the types seen so far are tried first


Moves = tuple[tuple[int, int], ...]  # offset, and by how much all behind it stands behind its place; by offset


class Context(Struct, frozen=True):
    """What the checksums and codecs of one table need; `base` None is a version 6 or 7 whose base is not known."""

    checksum: int = checksums.XXH3
    base: int | None = 0
    version: int = 5
    types: frozenset[int] = ALL_TYPES
    dictionary: bytes = b""
    moves: Moves = ()

    @property
    def sized(self) -> bool:
        return self.version >= 2

    @property
    def placed(self) -> bool:
        """Whether a block's checksum knows where it was written."""
        return bool(self.base) and self.checksum != checksums.NONE

    def shift(self, offset: int) -> int:
        """By how much what begins at this offset stands behind the place where it was written."""
        return next((by for start, by in reversed(self.moves) if start <= offset), 0)

    def modifier(self, offset: int) -> int:
        """What the place of a block that begins at this offset adds to its checksum."""
        return checksums.modifier(self.base or 0, offset - self.shift(offset))

    def moved(self, offset: int, by: int) -> Context:
        """The same where all from this offset on stands `by` bytes behind its place, up to the next move."""
        if by == self.shift(offset):
            return self
        return replace(self, moves=tuple(sorted({**dict(self.moves), offset: by}.items())))


class Found(Struct, frozen=True):
    """A carved block, or with `size` None bytes up to `end` in which none was found."""

    offset: int
    end: int
    size: int | None
    type: int = 0
    searched: bool = True  # False where the search was given up because it cost too much


def expected(context: Context, body: bytes | memoryview, offset: int) -> int:
    """The checksum that must be stored after a block's payload and type byte at this offset."""
    computed = checksums.block_checksum(context.checksum, body)
    return (computed + context.modifier(offset)) & 0xFFFFFFFF


class Carver:
    """Carves [start, end) of one file; the buffer moves along, work is bounded per byte."""

    def __init__(self, read: Read, start: int, end: int, context: Context) -> None:
        self._read = read
        self.context = context
        self.start, self.end = start, end
        self._base, self._buf = start, b""
        self.meter = ends.Meter(_COST_BASE + _COST_PER_BYTE * (end - start) + _COST_OF_FIRST * min(end - start, _FIRST))
        self._largest = 4096
        self._seen: dict[int, int] = {}
        self._loose = False  # also blocks that were written for another place are taken
        self._near = {by for _, by in context.moves} | {0}

    def blocks(self) -> Iterator[Found]:
        """Blocks and the gaps between them, tiling the region."""
        at = self.start
        while at < self.end:
            for chained in self._chain(at):
                yield chained
                at = chained.end
            if at >= self.end:
                return
            self._expect(at)
            usual = self._usual()
            if found := self._block(at, usual) or (usual != self.context.types and self._block(at, self.context.types)):
                yield found
                at = found.end
                continue
            after = self._astray(at, usual) or self._next(at, usual)
            gap_end = after.offset if after else self.end
            yield from self._raw(at, gap_end)
            at = gap_end

    def _chain(self, at: int) -> Iterator[Found]:
        """Blocks one after another from `at` on, as far as the window goes and all is well."""
        context = self.context
        if context.base is None or context.checksum == checksums.NONE:
            return
        types = sum(1 << kind for kind in self._usual())
        while at < self.end:
            self._fill(at)
            self.meter.call()
            data, base, by = self._written(at)
            offsets, sizes, kinds, stop = chain(
                data, base, at - by - base, context.checksum, context.base, types, context.sized
            )
            for offset, size, kind in zip(offsets, sizes, kinds, strict=True):
                yield Found(offset + by, offset + by + size + TRAILER, size, kind)
            if not sizes:
                return
            for kind, count in Counter(kinds).items():
                self._seen[kind] = self._seen.get(kind, 0) + count
            self._largest = max(self._largest, *sizes)
            at = base + by + stop

    def _written(self, at: int) -> tuple[bytes, int, int]:
        """The buffer, the place for which its first byte was written, and how far that is from where it stands."""
        by = self.context.shift(at)
        return (self._buf[at - self._base :], at - by, by) if by else (self._buf, self._base, 0)

    def _usual(self) -> frozenset[int]:
        """The types worth a try first: a table names one codec, and stores plainly what does not shrink."""
        if sum(self._seen.values()) < _ENOUGH:
            return self.context.types
        return frozenset({0, *self._seen}) & self.context.types

    def first(self) -> Found | None:
        """The block at the region's start, if one verifies there."""
        return self._block(self.start, self.context.types) if self.start < self.end else None

    def following(self, at: int) -> Found | None:
        """The nearest block that begins after `at`."""
        return self._next(at, self.context.types)

    def _fill(self, at: int, need: int = WINDOW // 2) -> None:
        """Make at least `need` bytes after `at` available, as far as the region goes."""
        have = self._base + len(self._buf)
        if at >= self._base and (have == self.end or have - at >= need) and self._buf:
            return
        self._base = at
        self._buf = self._read(at, min(max(WINDOW, need), self.end - at))

    def _expect(self, at: int) -> None:
        """Make room for a block that says it is larger than the window; asked only where a block is due."""
        self._fill(at)
        begin = at - self._base
        buf = self._buf
        try:
            size, pos = varint(buf, begin, min(len(buf), begin + 5), 32)
            if buf[begin] == 0:
                _, pos = varint(buf, pos, min(len(buf), pos + 5), 32)
                size, _ = varint(buf, pos, min(len(buf), pos + 5), 32)
        except MalformedError:
            return
        if WINDOW // 4 < size <= codecs.MAX_BLOCK:
            self._fill(at, size + size // 6 + WINDOW)

    def _block(self, at: int, types: frozenset[int], largest: int = codecs.MAX_BLOCK) -> Found | None:
        """The block that begins at `at`, if one verifies there."""
        self._fill(at)
        self.meter.left -= _TRY
        buf, begin = self._buf, at - self._base
        limit = len(buf) - TRAILER
        # a search tries many beginnings: there only content that tells its own end is worth the time
        reach = 4 * self._largest if largest == codecs.MAX_BLOCK else 0
        context = self.context
        view = memoryview(buf)
        known = context.base is not None and context.checksum != checksums.NONE and not self._loose
        sealed = self._sealed(at) if known else None
        for stop in ends.candidates(buf, begin, limit, types, context.sized, reach, largest, self.meter, sealed):
            if stop > limit or buf[stop] not in types:
                continue
            self.meter.call(stop - begin)
            if self.meter.left < 0:
                return None
            stored = u32(buf, stop + 1)
            if context.base is None:
                if not self._learn(view, begin, stop, stored):
                    continue
                context = self.context
            elif stored != expected(context, view[begin : stop + 1], at) and not self._moved(view, begin, stop, stored):
                continue
            if context.checksum == checksums.NONE and not sound(context, buf[begin:stop], buf[stop]):
                continue
            self._largest = max(self._largest, stop - begin)
            self._seen[buf[stop]] = self._seen.get(buf[stop], 0) + 1
            return Found(at, self._base + stop + TRAILER, stop - begin, buf[stop])
        return None

    def _sealed(self, at: int) -> ends.Sealed:
        """What finds the ends of a block at `at` of which only a type byte is known, and a checksum that holds."""
        buf, begin, checksum, modifier = self._buf, at - self._base, self.context.checksum, self.context.modifier(at)

        def found(low: int, high: int, kind: int) -> int:
            stop, self.meter.left = sealed_end(buf, begin, low, high, kind, checksum, modifier, self.meter.left)
            return stop

        return found

    def _moved(self, view: memoryview, begin: int, stop: int, stored: int) -> bool:
        """Take in that a block was written for another place, if the one that follows it was moved as far."""
        if not self._loose:
            return False
        context, offset = self.context, self._base + begin
        computed = checksums.block_checksum(context.checksum, view[begin : stop + 1])
        by = offset - ((stored - computed) & 0xFFFFFFFF ^ (context.base or 0))  # of a file below 4 GiB
        if not -offset <= -by <= FARTHEST or by < -FARTHEST:
            return False
        self.meter.left -= 20_000
        moved = context.moved(offset, by)
        if by not in self._near:
            after = Carver(self._read, self._base + stop + TRAILER, self.end, moved)
            after.meter = self.meter
            if not sound(context, bytes(view[begin:stop]), view[stop]) or not after.first():
                return False
            self._near.add(by)
        self.context = moved
        return True

    def _learn(self, view: memoryview, begin: int, stop: int, stored: int) -> bool:
        """Take the base that this end would mean, if the block that follows verifies with it."""
        offset = self._base + begin
        computed = checksums.block_checksum(self.context.checksum, view[begin : stop + 1])
        base = (stored - computed) & 0xFFFFFFFF ^ (offset + (offset >> 32)) & 0xFFFFFFFF
        if not base:
            return False
        self.meter.left -= 20_000  # decoding, and a look at the next block
        # where no block is known to begin, content that decodes is the cheaper witness and comes first
        if offset != self.start and not sound(self.context, bytes(view[begin:stop]), view[stop]):
            return False
        trial = Carver(self._read, self._base + stop + TRAILER, self.end, replace(self.context, base=base))
        trial.meter = self.meter
        if trial.start >= self.end or not trial._block(trial.start, trial.context.types):
            return False
        self.context = trial.context
        return True

    def _astray(self, at: int, types: frozenset[int]) -> Found | None:
        """A block close behind `at` where checksums know their places, also one that was written for another place."""
        if not self.context.placed:
            return None
        end = self.end
        self.end = min(end, at + _STEP)
        try:
            if found := self._next(at, types):
                return found
            self._loose = True
            return self._next(at - 1, self.context.types)
        finally:
            self._loose, self.end = False, end

    def _next(self, at: int, types: frozenset[int]) -> Found | None:
        """The nearest block that begins after `at`; a beginning is tried only as the codec it looks like."""
        sized = self.context.sized
        leveldb = self.context.version < 0  # there 2 means zstd, and no codec carries a size
        kinds = {2: codecs.ZSTD} if leveldb else {}
        quick = self._quick(types)
        tries = [(ends.starts(kinds.get(min(g), min(g)), sized), g & types) for g in _GROUPS if g & types - quick]
        largest = max(REACH, 4 * self._largest)
        pos = at + 1
        while pos < self.end and self.meter.left > 0:
            self._fill(pos, _STEP + WINDOW // 2)
            base, stop, best = self._base, min(pos + _STEP, self.end), None
            if quick and (best := self._find(pos - base, stop - base, quick, largest)):
                stop = best.offset
            for begins, group in tries:
                for place in begins.places(self._buf, pos - base, stop - base):
                    if found := self._block(base + place, group & types, largest):
                        best, stop = found, found.offset
                        break
                    if self.meter.left < 0:
                        return None
            if best:
                return best
            pos = stop
        return None

    def _quick(self, types: frozenset[int]) -> frozenset[int]:
        """Compression types that the compiled search finds in this table."""
        context = self.context
        if context.base is None or context.checksum == checksums.NONE or self._loose:
            return frozenset()
        return frozenset(kind for kind in types if FOUND_TYPES >> kind & 1 and (context.sized or kind < codecs.ZLIB))

    def _find(self, at: int, until: int, types: Set[int], largest: int) -> Found | None:
        """The nearest block that begins in this part of the buffer, for the types that the compiled search knows."""
        context, mask = self.context, sum(1 << kind for kind in types)
        data, base, by = self._written(self._base + at)
        skipped = base + by - self._base
        found, self.meter.left = find_block(
            data,
            base,
            at - skipped,
            max(at, min(until, len(self._buf))) - skipped,
            context.checksum,
            context.base or 0,
            mask,
            context.sized,
            largest,
            self.meter.left,
        )
        if found is None:
            return None
        offset, size, kind = found
        self._largest, self._seen[kind] = max(self._largest, size), self._seen.get(kind, 0) + 1
        return Found(offset + by, offset + by + size + TRAILER, size, kind)

    def _raw(self, start: int, end: int) -> Iterator[Found]:
        """The bytes before the next block: one raw block, a gap and then one, or a gap."""
        if found := self._one_raw(start, end):
            yield found
            return
        if end - start <= REACH and (at := self._begun(self._read(start, end - start), start)):
            yield Found(start, start + at, None)
            yield Found(start + at, end, end - start - at - TRAILER)
            return
        yield Found(start, end, None, 0, self.meter.left > 0)

    def _begun(self, data: bytes, start: int) -> int:
        """Where in the bytes from `start` on a raw block begins that ends with them; 0 where none does."""
        context, stop = self.context, len(data) - TRAILER
        if context.base is None or stop <= 0 or data[stop]:
            return 0
        at, base = 1, context.base if context.placed else 0
        for step in sorted({edge - start for edge, _ in context.moves if 1 < edge - start < stop} | {stop}):
            by = context.shift(start + at)  # up to the next step all stands so far from where it was written
            until, place = min(step, max(1, stop - 8)), start - by & _M64
            found, self.meter.left = sealed_begin(data, at, until, stop, context.checksum, base, place, self.meter.left)
            if found >= 0:
                return found
            at = step
        return 0

    def _one_raw(self, start: int, end: int) -> Found | None:
        """A filter or a dictionary has no structure of its own, but ends where the next block begins."""
        size = end - start - TRAILER
        if size < 0 or size > codecs.MAX_BLOCK or self.context.base is None:
            return None
        data = self._read(start, end - start)
        if len(data) < end - start or data[size] not in self.context.types:
            return None
        if self.context.checksum == checksums.NONE:
            return None
        right = u32(data, size + 1) == expected(self.context, memoryview(data)[: size + 1], start)
        return Found(start, end, size, data[size]) if right else None


def sound(context: Context, payload: bytes, kind: int) -> bool:
    try:
        entries(codecs.decompress(kind, payload, context.version, context.dictionary))
    except MalformedError:
        return False
    return True
