"""The log format of WAL and MANIFEST: physical records in 32 KiB blocks, read on past damage.

Source: db/log_format.h, db/log_reader.cc, db/log_writer.cc. The engine's reader drops the rest of a 32 KiB block
after one bad checksum; this one gives up only the bytes between two records that verify, up to thousands of times.
"""

from collections.abc import Callable, Iterator
from typing import Final

from msgspec import Struct

from inspector.crc32c import crc32c
from inspector.formats.rocksdb.checksums import mask
from inspector.kernels.rocksdb import log_relength, log_sound
from inspector.uniform import only_zeroes

Read = Callable[[int, int], bytes]  # offset, count -> bytes; shorter only at the end

BLOCK: Final = 32768
HEADER: Final = 7  # masked crc u32, length u16, type u8
SECTOR: Final = 512
RECYCLABLE_HEADER: Final = 11  # and the low half of the log's number

ZERO, FULL, FIRST, MIDDLE, LAST = range(5)
SET_COMPRESSION: Final = 9
_RECYCLABLE: Final = frozenset({5, 6, 7, 8, 11, 131})
_TYPES: Final = frozenset({*range(1, 12), 130, 131})
# fragments of logical records: recyclable 5..8 mean the same as 1..4
FRAGMENT: Final = {1: FULL, 2: FIRST, 3: MIDDLE, 4: LAST, 5: FULL, 6: FIRST, 7: MIDDLE, 8: LAST}
MAX_REACH: Final = 1 << 20  # bytes read at a time
# damaged places of one log past which reading goes on: so many, and one for so many bytes; then from block to block
PLACES: Final = 2048
PLACE_EACH: Final = 1024

# what a piece is
GOOD, BAD, RELENGTH, UNREAD, PAD, EMPTY, STALE, TORN, SPOILT = range(9)
STATES: Final = (
    "ok",
    "bad checksum",
    "length corrected",
    "gap",
    "block trailer",
    "preallocated",
    "of an earlier log",
    "torn",
    "block trailer that is not zeroes",
)


_JOINED: Final = frozenset({UNREAD, EMPTY, STALE})


class Piece(Struct, frozen=True):
    """One physical record or the bytes between two, [start, end); `payload` only where the checksum holds."""

    start: int
    end: int
    state: int
    type: int = 0
    payload: bytes = b""
    stored: int = 0
    computed: int = 0


_HEADERS: Final = bytes(RECYCLABLE_HEADER if kind in _RECYCLABLE else HEADER for kind in range(256))


def header_size(kind: int) -> int:
    """7, or 11 for the types that repeat the log's number."""
    return _HEADERS[kind]


def _verifies(block: bytes, at: int) -> int:
    """The end of the record at `at` if it verifies, else 0."""
    if at + HEADER > len(block):
        return 0
    kind = block[at + 6]
    if kind not in _TYPES:
        return 0
    end = at + header_size(kind) + (block[at + 4] | block[at + 5] << 8)
    if end > len(block):
        return 0
    stored = int.from_bytes(block[at : at + 4], "little")
    return end if mask(crc32c(memoryview(block)[at + 6 : end])) == stored else 0


def _trailer(block: bytes, at: int) -> bool:
    """Whether the bytes from `at` to the block's end are the zeroes that a writer leaves there."""
    return len(block) - at < RECYCLABLE_HEADER and not any(block[at:])


def _relength(block: bytes, at: int, anchor: int) -> int:
    """The end that makes a record with a damaged length field verify, or 0; the checksum leaves the length out.

    Tried: the end at the next anchor, and every length one flipped bit away.
    """
    kind = block[at + 6]
    return log_relength(block, at, header_size(kind), anchor) if kind in _TYPES else 0


class Sound:
    """Records of a block that verify, one behind the other; made when they are asked for."""

    def __init__(self, block: bytes, base: int, number: int | None) -> None:
        self._block, self._base = block, base
        self.starts, self.types, self.stored, self.stop = log_sound(block, base, number)
        self.whole = self.types.count(FULL) == len(self.types)

    def __len__(self) -> int:
        return len(self.starts)

    def __iter__(self) -> Iterator[Piece]:
        return self.part(0, len(self))

    def part(self, first: int, stop: int) -> Iterator[Piece]:
        """Those from number `first` up to `stop`."""
        block, base, starts = self._block, self._base, self.starts[first:stop]
        ends = [*starts[1:], self.end_of(stop)]
        return (
            Piece(start, end, GOOD, kind, block[start - base + _HEADERS[kind] : end - base], crc, crc)
            for start, end, kind, crc in zip(starts, ends, self.types[first:stop], self.stored[first:stop], strict=True)
        )

    def end_of(self, stop: int) -> int:
        """Where the one before number `stop` ends."""
        return self.starts[stop] if stop < len(self) else self.end

    @property
    def end(self) -> int:
        return self._base + self.stop

    @property
    def empty(self) -> bool:
        """Whether they are whole and hold nothing."""
        return self.whole and self.stop == HEADER * len(self.starts)


class LogReader:
    """Walks one log from `begin`. `number` is the log's own, to tell its records from those of the file it recycled.

    It reads `reach` bytes at a time, whole blocks.
    """

    def __init__(
        self, read: Read, size: int, number: int | None = None, begin: int = 0, reach: int = MAX_REACH
    ) -> None:
        self._begin = begin
        self._reach = reach
        self._read = read
        self.size = size
        self.number = number
        self._anchored = (0, 0)  # between these offsets of the log no record begins that verifies
        self._places = PLACES + size // PLACE_EACH
        # something did not verify, or was not looked at: what follows may stand elsewhere than it was written
        self._hurt = begin > 0
        self._carry = 0  # bytes of the next block that a record of this one takes
        self.gave_up: int | None = None  # where the first of the blocks begins that are not searched to their end

    def pieces(self) -> Iterator[Piece]:
        """Every byte of the log once, in order; adjacent unread bytes are one piece."""
        for batch in self.batches():
            yield from batch

    def batches(self) -> Iterator[Sound | tuple[Piece]]:
        """The same, many at a time where a whole stretch verifies."""
        pending: Piece | None = None
        for batch in self._raw():
            if not pending and isinstance(batch, Sound):
                yield batch
                continue
            for piece in batch:
                if pending and piece.state == pending.state and piece.state in _JOINED:
                    pending = Piece(pending.start, piece.end, pending.state)
                    continue
                if pending and piece.state == STALE and self._is_remainder(pending):
                    pending = Piece(pending.start, piece.end, STALE)
                    continue
                if pending:
                    yield (pending,)
                pending = None
                if piece.state in _JOINED:
                    pending = piece
                else:
                    yield (piece,)
        if pending:
            yield (Piece(pending.start, pending.end, STALE) if self._is_remainder(pending) else pending,)

    def _is_remainder(self, piece: Piece) -> bool:
        """Whether unread bytes after the last record are what an older, longer log left of a record of its own.

        The engine takes a recycled log to end where no record verifies. A damaged record of this log still shows its
        header: its log number, but for a flipped bit or two, or zeroes from a sector's start.
        """
        first, head = self._read(0, RECYCLABLE_HEADER), self._read(piece.start, RECYCLABLE_HEADER)
        if piece.state != UNREAD or not piece.start or first[6] not in _RECYCLABLE:
            return False
        if len(head) < RECYCLABLE_HEADER:
            return True  # too short for a record
        own, found = (int.from_bytes(raw[HEADER:], "little") for raw in (first, head))
        sector = -piece.start % SECTOR
        zeroed = sector < RECYCLABLE_HEADER and not any(head[sector:])
        return ((own ^ found).bit_count() > 2 or not any(head)) and not zeroed

    def _raw(self) -> Iterator[Sound | tuple[Piece]]:
        """Pieces as they lie in their blocks."""
        for base in range(self._begin - self._begin % BLOCK, self.size, self._reach):
            window = self._read(base, min(self._reach, self.size - base))
            if not self._carry and base >= self._begin and len(window) % BLOCK == 0 and only_zeroes(window):
                self._places = max(0, self._places - len(window) // BLOCK)
                yield (Piece(base, base + len(window), EMPTY),)
                continue
            for start in range(0, len(window), BLOCK):
                block, at = window[start : start + BLOCK], max(self._carry, self._begin - base - start)
                self._carry = 0
                if len(block) == BLOCK and not at:
                    sound = Sound(block, base + start, self.number)  # of most blocks all
                    at = sound.stop
                    if at:
                        yield sound
                for piece in self._block(block, base + start, at):
                    if isinstance(piece, Sound):
                        yield piece
                        continue
                    if piece.state == STALE:
                        # older records of a recycled file go on to its end
                        yield (Piece(piece.start, self.size, STALE),)
                        return
                    yield (piece,)

    def _block(self, block: bytes, base: int, at: int = 0) -> Iterator[Piece | Sound]:
        """The pieces from `at` on; those that verify behind a damaged one together."""
        size = len(block)
        view = memoryview(block)
        while at < size:
            if self._hurt and _may_go_over(block, at) and (piece := self._over_end(block, base, at)):
                if piece.start > base + at:
                    yield Piece(base + at, piece.start, PAD)
                yield piece
                self._carry = piece.end - base - size
                return
            if size - at < HEADER or (size == BLOCK and _trailer(block, at)):
                yield Piece(base + at, base + size, self._trailing(block, base, at))
                return
            kind = block[at + 6]
            end = at + header_size(kind) + (block[at + 4] | block[at + 5] << 8)
            if kind in _TYPES and end <= size:
                stored = int.from_bytes(block[at : at + 4], "little")
                computed = mask(crc32c(view[at + 6 : end]))
                if stored == computed:
                    state = STALE if self._is_stale(block, at, kind) else GOOD
                    payload = block[at + header_size(kind) : end]
                    yield Piece(base + at, base + end, state, kind, payload, stored, computed)
                    at = end
                    continue
            if not self._places and any(block[at:]):  # as the engine's reader does from the first one on
                self.gave_up = base + at if self.gave_up is None else self.gave_up
                yield Piece(base + at, base + size, UNREAD)
                return
            piece = self._damaged(block, base, at, end)
            if self._hurt and piece.end - piece.start < HEADER and not any(block[at : piece.end - base]):
                piece = Piece(piece.start, piece.end, PAD)  # the end of a block that bytes put in or lost moved
            self._hurt = self._hurt or piece.state in (BAD, UNREAD)
            self._places -= bool(self._places)
            yield piece
            at = piece.end - base
            if at < size == BLOCK and (sound := Sound(block[at:], base + at, self.number)):
                yield sound
                at += sound.stop

    def _trailing(self, block: bytes, base: int, at: int) -> int:
        """What bytes are in which no record fits: SPOILT where none was meant to be there, whatever they hold.

        That is so in a block of a log that is as it was written up to here, or before one that begins with a record.
        """
        if not any(block[at:]):
            return PAD
        if len(block) < BLOCK:
            return TORN
        in_place = not self._hurt or _verifies(self._read(base + BLOCK, BLOCK), 0)
        return SPOILT if in_place else UNREAD

    def _over_end(self, block: bytes, base: int, at: int) -> Piece | None:
        """The record here, or behind the zeroes that ended the block it was not written in, if it goes over the end."""
        rest = len(block) - at
        head = block[at : at + HEADER] if rest >= HEADER else self._read(base + at, HEADER)
        most = min(len(head) - len(head.lstrip(b"\0")), HEADER - 1, rest - 1)
        found = (self._across(block, base, at + skip) for skip in range(most + 1))
        return next((piece for piece in found if piece), None)

    def _across(self, block: bytes, base: int, at: int) -> Piece | None:
        """A record that verifies over the end of this block: bytes put in or lost before it moved its own block.

        The grid of blocks it was written in is not asked for: no writer lets a record go over the end of one, and the
        checksum says that these bytes are one.
        """
        rest = len(block) - at
        head = block[at : at + HEADER] if rest >= HEADER else self._read(base + at, HEADER)
        if len(block) < BLOCK or len(head) < HEADER or head[6] not in _TYPES:
            return None
        length = header_size(head[6]) + (head[4] | head[5] << 8)
        if not rest < length <= BLOCK or base + at + length > self.size:
            return None
        record = self._read(base + at, length)
        if _verifies(record, 0) != length or self._is_stale(record, 0, head[6]):
            return None
        stored = int.from_bytes(head[:4], "little")
        start, end = base + at, base + at + length
        return Piece(start, end, GOOD, head[6], record[header_size(head[6]) :], stored, stored)

    def _damaged(self, block: bytes, base: int, at: int, end: int) -> Piece:
        """What stands at `at` where no record verifies: zeroes, a torn tail, a bad record, or unread bytes."""
        size = len(block)
        if not any(block[at : at + HEADER]):
            run = size - len(block[at:].lstrip(b"\0"))
            return Piece(base + at, base + max(run, at + 1), EMPTY if run == size else UNREAD)
        kind = block[at + 6]
        last = base + size == self.size
        if at + HEADER <= size and kind in _TYPES:
            stored = int.from_bytes(block[at : at + 4], "little")
            if end <= size and self._confirmed(block, base, end):
                computed = mask(crc32c(memoryview(block)[at + 6 : end]))
                if not (right := _relength(block, at, end)):
                    return Piece(base + at, base + end, BAD, kind, b"", stored, computed)
                return self._relengthed(block, base, at, right)
            anchor = self._anchor(block, base, at)
            if right := _relength(block, at, anchor):
                return self._relengthed(block, base, at, right)
            if anchor == size and last and end > size and size < BLOCK and base + end <= _block_end(base):
                return Piece(base + at, base + size, TORN, kind, b"", stored)
            return Piece(base + at, base + anchor, UNREAD)
        return Piece(base + at, base + self._anchor(block, base, at), UNREAD)

    def _anchor(self, block: bytes, base: int, at: int) -> int:
        """The next offset after `at` at which a record verifies, or the block's end."""
        from inspector.kernels.carving import log_anchor  # a sound log never asks

        searched, anchor = self._anchored
        if not searched <= base + at < anchor <= base + len(block):  # else each byte would be looked at ever again
            anchor = base + log_anchor(block, at + 1)
            self._anchored = base + at, anchor
        return anchor - base

    def _relengthed(self, block: bytes, base: int, at: int, end: int) -> Piece:
        kind = block[at + 6]
        stored = int.from_bytes(block[at : at + 4], "little")
        return Piece(
            base + at, base + end, RELENGTH, kind, block[at + header_size(kind) : end], stored, end - at - HEADER
        )

    def _confirmed(self, block: bytes, base: int, end: int) -> bool:
        """Whether a record that failed may be trusted to end here: the next one verifies, or nothing follows."""
        if end == len(block) or _trailer(block, end):
            nxt = self._read(base + len(block), BLOCK) if len(block) == BLOCK else b""
            return not nxt or _verifies(nxt, 0) > 0
        return _verifies(block, end) > 0

    def _is_stale(self, block: bytes, at: int, kind: int) -> bool:
        if kind not in _RECYCLABLE:
            return False
        number = int.from_bytes(block[at + 7 : at + 11], "little")
        if self.number is None:
            self.number = number
        return number != self.number & 0xFFFFFFFF


def _may_go_over(block: bytes, at: int) -> bool:
    """Whether what stands here says that it goes over the end of its block, or is a zero: such may stand before one."""
    if at + RECYCLABLE_HEADER > len(block) or not block[at]:
        return True
    return at + RECYCLABLE_HEADER + (block[at + 4] | block[at + 5] << 8) > len(block)


def _block_end(base: int) -> int:
    return base - base % BLOCK + BLOCK
