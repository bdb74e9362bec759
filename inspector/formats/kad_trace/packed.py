"""gzip read as a stream of text: members one after the other, each with its own CRC-32."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from typing import Protocol

from msgspec import Struct, field

from inspector.packings import most_of

MAGIC = b"\x1f\x8b\x08"
STEP = 4 << 20  # bytes of text unpacked at a time
SMALLER = (4096, 64, 1)  # packed bytes that are tried at a time where more fail
LEAST = 2  # packed bytes of a line at least: its time alone is none that stood there before
SPARE_LINES = 50_000  # and as many more are read
FEED = 64 << 10  # packed bytes given at a time: zlib copies what it leaves, once for each member


class _Unpacker(Protocol):
    """zlib's object, which has no name to import."""

    def decompress(self, data: bytes, /) -> bytes: ...
    def copy(self) -> _Unpacker: ...


class Member(Struct, frozen=True):
    """Packed bytes [start, end) that gave the text [text_start, text_end); `problem` says why it is damaged."""

    start: int
    end: int
    text_start: int
    text_end: int
    problem: str = ""


def until_damage(unpacker: _Unpacker, data: bytes) -> Iterator[bytes]:
    """What comes out of packed bytes before the one at which they fail: the failed call itself gives nothing."""
    for size in SMALLER:
        while data:
            trial = unpacker.copy()
            try:
                piece = trial.decompress(data[:size])
            except zlib.error:
                break
            yield piece
            unpacker, data = trial, data[size:]


def _fed(windows: Iterable[bytes]) -> Iterator[bytes]:
    return (window[at : at + FEED] for window in windows for at in range(0, len(window), FEED))


class Unpacked(Struct):
    """Fills while `text` is read."""

    size: int
    members: list[Member] = field(default_factory=list)
    rest: int = 0  # offset after the last member; what follows is no gzip
    stopped: str = ""

    def text(self, windows: Iterable[bytes]) -> Iterator[bytes]:
        """The text in pieces of at most 4 MiB; a damaged member gives what could be unpacked and ends it."""
        unpacker = zlib.decompressobj(wbits=31)
        begun = read = made = text_start = lines = 0
        for data in _fed(windows):
            read += len(data)
            limit, most = most_of(read), SPARE_LINES + read // LEAST
            while data:
                begins = begun == read - len(data)
                if begins and begun and not data.startswith(MAGIC[: len(data)]):
                    return  # padding or something else: told by `rest`
                # a copy costs more than a small member: one that has not begun is made anew instead
                before = None if begins else unpacker.copy()
                try:
                    piece = unpacker.decompress(data, STEP)
                except zlib.error as error:
                    for piece in until_damage(before or zlib.decompressobj(wbits=31), data):
                        made += len(piece)
                        yield piece
                    self._end(begun, self.size, text_start, made, str(error).removeprefix("Error "))
                    return
                data = unpacker.unconsumed_tail or unpacker.unused_data
                made += len(piece)
                if piece:
                    yield piece
                lines += piece.count(b"\n")
                if made > limit or lines > most:
                    what = f"{limit} bytes" if made > limit else f"{most} lines"
                    self.stopped = f"it unpacks to more than {what}, far more than a log of its size (unpack it first)"
                    self._end(begun, self.size, text_start, made, self.stopped)
                    return
                if unpacker.eof:
                    end = read - len(data)
                    self.members.append(Member(begun, end, text_start, made))
                    self.rest = begun = end
                    text_start = made
                    unpacker = zlib.decompressobj(wbits=31)
        while begun < read and (piece := unpacker.decompress(b"", STEP)):  # what the last limit held back
            made += len(piece)
            yield piece
        if unpacker.eof:
            self.members.append(Member(begun, read, text_start, made))
            self.rest = read
        elif begun < read:
            self._end(begun, self.size, text_start, made, "it ends before its checksum")

    def _end(self, start: int, end: int, text_start: int, text_end: int, problem: str) -> None:
        self.members.append(Member(start, end, text_start, text_end, problem))
        self.rest = end
