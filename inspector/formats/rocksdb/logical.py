"""Logical log records: fragments put together again, across damage, and streamed ZSTD undone."""

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

from msgspec import Struct, field

from inspector.formats.rocksdb.codecs import RATIO
from inspector.formats.rocksdb.coding import u32
from inspector.formats.rocksdb.log import (
    EMPTY,
    FIRST,
    FRAGMENT,
    FULL,
    GOOD,
    LAST,
    MIDDLE,
    PAD,
    RELENGTH,
    SET_COMPRESSION,
    SPOILT,
    STALE,
    TORN,
    Piece,
    Sound,
)

if TYPE_CHECKING:
    import zstandard
else:
    from inspector.postponed import Postponed

    zstandard = Postponed("zstandard")

MAX_RECORD: Final = 64 << 20  # a longer logical record is verified piece by piece, not decoded
LARGEST: Final = (1 << 16) - 1  # bytes of one piece: a record of one is read whole, by whoever reads it
ZSTD: Final = 7

_NOTHING: Final = frozenset({PAD, SPOILT, EMPTY, STALE})
_HELD: Final = frozenset({GOOD, RELENGTH})
_BEGIN: Final = frozenset({FULL, FIRST})
_END: Final = frozenset({FULL, LAST})

# what became of a logical record
WHOLE, BROKEN, CUT, TOO_LARGE, UNPACKED_BADLY = range(5)
FATES: Final = ("ok", "fragments missing", "torn at the end", "too large to decode", "does not decompress")


# types by what they are to a record (full, begin, middle, last, special); rows of which no record is whole, and others
_ROLES: Final = bytes(b"FBML"[FRAGMENT[kind] - FULL] if kind in FRAGMENT else ord("S") for kind in range(256))
_ASTRAY: Final = re.compile(rb"(?:[ML]|BM*(?=[BF]))+")
_ORDERLY: Final = re.compile(rb"(?:F|S|BM*L)+|B[MS]*L?")
_GOES_ON: Final = re.compile(rb"[MS]*L?")
_LOST: Final = re.compile(rb"BM*|[ML]")
_MORE: Final = re.compile(rb"BM+")


class Row(Struct, frozen=True):
    """Pieces [first, stop) of a stretch that verifies: `astray` are of records of which none is whole.

    Without pieces it says that a record goes no further: another one begins behind it.
    """

    first: int
    stop: int
    astray: bool = False


class Record(Struct, frozen=True):
    """One logical record, or what is left of one; `spans` are its physical pieces with their headers."""

    fate: int
    data: bytes
    spans: tuple[tuple[int, int], ...]

    @property
    def start(self) -> int:
        return self.spans[0][0]

    @property
    def end(self) -> int:
        return self.spans[-1][1]


class Assembler(Struct):
    """Feeds on pieces, gives logical records."""

    compressed: bool = False
    max_record: int = MAX_RECORD
    room: int = 0  # bytes that records may unpack to beyond RATIO times their size, all together
    _parts: list[bytes] = field(default_factory=list)
    _spans: list[tuple[int, int]] = field(default_factory=list)
    _length: int = 0

    def __post_init__(self) -> None:
        self.max_record = max(self.max_record, LARGEST)
        self.room = self.room or self.max_record // 2

    @property
    def idle(self) -> bool:
        """Whether a whole piece is a record as it is."""
        return not self._spans and not self.compressed

    def records(self, pieces: Iterable[Piece]) -> Iterator[Record]:
        """Logical records in file order; an interrupted one comes out when what interrupted it is seen."""
        yield from self.feed(pieces)
        yield from self.end()

    def end(self) -> Iterator[Record]:
        """What is left of a record when no piece follows."""
        yield from self._give_up(CUT)

    def rows(self, sound: Sound) -> Iterator[Row]:
        """How a stretch falls into rows; `feed` those that are not astray, and call `broken_off` where one is empty."""
        roles, at = sound.types.translate(_ROLES), 0
        while at < len(roles):
            if self._spans and roles[at] in b"FB":
                yield Row(at, at)
            way = _GOES_ON if self._spans else _ORDERLY
            astray = None if self._spans else _ASTRAY.match(roles, at)
            found = astray or way.match(roles, at)
            assert found
            yield Row(at, found.end(), astray is not None)
            at = found.end()

    def broken_off(self) -> Iterator[Record]:
        """The record of which the rest is not here."""
        yield from self._give_up(BROKEN)

    def feed(self, pieces: Iterable[Piece]) -> Iterator[Record]:
        """As `records`, while more pieces may follow."""
        for piece in pieces:
            state, kind, payload = piece.state, piece.type, piece.payload
            alone = kind == FULL and state == GOOD and not self._spans and not self.compressed
            if alone and len(payload) <= self.max_record:
                yield Record(WHOLE, payload, ((piece.start, piece.end),))  # nearly every record of a log
                continue
            if state in _NOTHING:
                continue
            if state not in _HELD:
                yield from self._give_up(CUT if state == TORN else BROKEN)
                continue
            step = FRAGMENT.get(kind)
            if step is None:
                self._note(piece)
                continue
            if step in _BEGIN:
                if self._spans:
                    yield Record(BROKEN, b"", tuple(self._spans))
                    self._spans.clear()
                    self._parts.clear()
                    self._length = 0
            elif not self._spans:  # the record's start was lost
                yield Record(BROKEN, b"", ((piece.start, piece.end),))
                continue
            self._spans.append((piece.start, piece.end))
            self._length += len(payload)
            if self._length <= self.max_record:
                self._parts.append(payload)
            else:
                self._parts.clear()
            if step in _END:
                yield self._finish()

    @staticmethod
    def lost(sound: Sound, row: Row) -> Iterator[tuple[int, int]]:
        """The numbers of the pieces of each record in a row that is astray."""
        return (found.span() for found in _LOST.finditer(sound.types.translate(_ROLES), row.first, row.stop))

    @staticmethod
    def lost_count(sound: Sound, row: Row) -> int:
        return len(_MORE.sub(b"B", sound.types[row.first : row.stop].translate(_ROLES)))

    def _note(self, piece: Piece) -> None:
        if piece.type == SET_COMPRESSION:
            self.compressed = len(piece.payload) >= 4 and u32(piece.payload, 0) == ZSTD

    def _finish(self) -> Record:
        fate, data = WHOLE, b"".join(self._parts)
        if self._length > self.max_record:
            fate, data = TOO_LARGE, b""
        elif self.compressed:
            try:
                fate, data = self._unpack(data)
            except zstandard.ZstdError:
                fate, data = UNPACKED_BADLY, b""
        record = Record(fate, data, tuple(self._spans))
        self._reset()
        return record

    def _unpack(self, data: bytes) -> tuple[int, bytes]:
        """A record's content, unless it is larger than real records are, beyond what such may take of one log."""
        usual = RATIO * len(data)
        limit = min(self.max_record, usual + self.room)
        if zstandard.frame_content_size(data) > limit:
            return TOO_LARGE, b""
        out = zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True).read(limit + 1)
        self.room = max(0, self.room - max(0, len(out) - usual))
        return (WHOLE, out) if len(out) <= limit else (TOO_LARGE, b"")

    def _give_up(self, fate: int) -> Iterator[Record]:
        if self._spans:
            yield Record(fate, b"", tuple(self._spans))
        self._reset()

    def _reset(self) -> None:
        self._parts, self._spans, self._length = [], [], 0


__all__ = ["BROKEN", "CUT", "FATES", "FIRST", "LAST", "MIDDLE", "TOO_LARGE", "WHOLE", "Assembler", "Record"]
