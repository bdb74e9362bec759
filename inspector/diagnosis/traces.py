"""What bytes look like that do not belong where they lie: runs, text, other programs' magics, translations."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from heapq import nsmallest

from msgspec import Struct

from inspector.uniform import uniform

UNITS = (131072, 4096, 512)  # a ZFS record, a page, a sector
NAMES = {131072: "a ZFS record or an erase block", 4096: "a page", 512: "a sector"}
RUN = 64  # bytes of one value that count as a run
SHORT = 14  # as many tell something where sound bytes nearby hold none of that length
SAMPLE = 1 << 18
WIDEST = 1 << 24  # of a sample that has too few line ends to tell anything
TOLD = 8  # line ends of a sample that tell a translation, where no other stands among them
_PRINTED = bytes([9, 10, 13, 27, *range(32, 127)])
APART = 64  # letters in a row among bytes that are no text
PAIRS = 6  # of CR and LF without an LF alone: by chance one in 2^48
CHANCE = 4  # bytes beside a run or a copy that agree with it by chance

_TEXT = re.compile(rb"[\t\n\r\x20-\x7e]{160,}")
_TEXT_MARKED = bytes(byte in b"\t\n\r" or 0x20 <= byte < 0x7F for byte in range(256))
_LONG_TEXT = b"\1" * 160
# beginnings and marks of stores and files that are found where they were misdirected to
MAGICS: tuple[tuple[bytes, str], ...] = (
    (b"SPDKBLOB", "an SPDK blobstore's super block"),
    (b"SQLite format 3\0", "an SQLite database"),
    (b"\xf7\xcf\xf4\x85\xb7\x41\xe2\x88", "the footer of a RocksDB table"),
    (b"\x57\xfb\x80\x8b\x24\x75\x47\xdb", "the footer of a LevelDB table"),
    (b"\x7fELF", "a program file"),
    (b"\x1f\x8b\x08", "gzip data"),
    (b"PK\x03\x04", "a zip archive"),
    (b"\x28\xb5\x2f\xfd", "zstd data"),
    (b"%PDF-", "a PDF document"),
    (b"\x89PNG\r\n\x1a\n", "a PNG image"),
    (b"\xff\xd8\xff\xe0", "a JPEG image"),
    (b"hsqs", "a squashfs image"),
    (b"XFSB", "an XFS super block"),
    (b"FILE0", "an NTFS record"),
    (b"rocksdb.", "a RocksDB table's properties"),
)


class Run(Struct, frozen=True):
    """A stretch of one byte value, [start, end)."""

    start: int
    end: int
    value: int

    @property
    def length(self) -> int:
        return self.end - self.start


def alignment(at: int) -> int | None:
    """The largest unit of storage on whose boundary an offset lies; 0 lies on none."""
    return next((unit for unit in UNITS if at and at % unit == 0), None)


def block_of(start: int, end: int) -> int | None:
    """The largest unit on whose boundaries both ends lie."""
    return next((unit for unit in UNITS if start % unit == 0 and end % unit == 0 and end > start), None)


Grid = tuple[int, int, str]  # size of a format's own blocks, where the first begins, what one is called
Facts = dict[str, int | str | bool]


def edges(start: int, end: int, size: int, grid: Grid | None = None) -> tuple[str, Facts]:
    """What the ends of a stretch in a file of `size` bytes say: words, and the facts in them.

    The chance is that of ends which fall anywhere; the beginning and the end of the file are boundaries of anything.
    """
    units = [(unit, 0, NAMES[unit]) for unit in UNITS]
    if grid and all(grid[0] != unit for unit in UNITS):
        units = sorted([*units, grid], key=lambda unit: -unit[0])
    elif grid:
        units = [
            (unit, grid[1] if unit == grid[0] else 0, grid[2] if unit == grid[0] else name) for unit, _, name in units
        ]
    for unit, origin, name in units:
        if end > start >= origin and (start - origin) % unit == 0 and ((end - origin) % unit == 0 or end == size):
            free = (start > origin) + (end < size)  # ends that could have fallen elsewhere
            if not free:
                continue
            rare = unit**free
            what = f", and both ends lie on a boundary of {unit} bytes ({name}; by chance one in {rare:,})"
            return what, {"alignment": unit, "block": name, "one_in": rare}
    for unit, origin, name in units:
        if any(at > origin and at != size and (at - origin) % unit == 0 for at in (start, end)):
            rare = unit // 2
            what = f", and one end lies on a boundary of {unit} bytes ({name}; by chance one in {rare:,})"
            return what, {"alignment": unit, "block": name, "one_in": rare}
    return ", on no block boundary", {}


def blocks_of(start: int, end: int, slack: int = CHANCE) -> tuple[int, int] | None:
    """The whole blocks that [start, end) is, but for a few bytes beside them that look alike by chance."""
    for unit in UNITS:
        low, high = -(-start // unit) * unit, end // unit * unit
        if low < high and low - start <= slack and end - high <= slack:
            return low, high
    return None


def runs(data: bytes, at: int, most: int) -> list[Run]:
    """The first `most` runs of 00 and FF in `data`, which lies at `at`; whole blocks and the longest first, short ones
    if no others."""
    places = uniform(data, RUN) or uniform(data, SHORT)
    least = min(UNITS) - 2 * CHANCE  # a shorter one is no block
    blocks = [(a, b) for a, b in places if b - a >= least and blocks_of(at + a, at + b)]
    found = nsmallest(most, blocks, key=_length_and_place)
    if len(found) < most:  # there may be tens of thousands
        others = set(blocks)
        rest = nsmallest(most, (one for one in places if one not in others) if others else places, _length_and_place)
        found += rest[: most - len(found)]
    return [Run(at + start, at + end, data[start]) for start, end in found]


def _length_and_place(place: tuple[int, int]) -> tuple[int, int]:
    """The longest first, then the first."""
    return place[0] - place[1], place[0]


def binary(data: bytes) -> bool:
    """Whether a tenth of some bytes is nothing that text has."""
    return len(data.translate(None, _PRINTED)) * 10 > len(data)


_ODD = re.compile(rb"[^\t\n\r\x1b\x20-\x7e]")


def not_text(data: bytes, at: int) -> tuple[int, int, int] | None:
    """(first, behind the last, how many) bytes that no plain text has: those that lie close together, about the first
    of them from `at` on."""
    found = _ODD.search(data, at)
    if found is None:
        return None
    first = last = found.start()
    count = 1
    for more in _ODD.finditer(data, last + 1):
        if more.start() - last > APART:
            break
        last, count = more.start(), count + 1
    for before in reversed([m.start() for m in _ODD.finditer(data, 0, first)]):
        if first - before > APART:
            break
        first, count = before, count + 1
    return first, last + 1, count


def text_run(data: bytes) -> tuple[int, int] | None:
    """The longest stretch of printable text with words in it, [start, end)."""
    best: tuple[int, int] | None = None
    if _LONG_TEXT not in data.translate(_TEXT_MARKED):
        return None  # it takes a tenth of the time to see that there is none
    for match in _TEXT.finditer(data):
        piece = match.group()
        words = piece.count(b" ") + piece.count(b"\n")
        if words * 24 < len(piece) or len(set(piece)) < 12:
            continue  # base64, padding, a column of one letter
        if best is None or match.end() - match.start() > best[1] - best[0]:
            best = match.start(), match.end()
    return best


def printed(data: bytes) -> bool:
    """Whether any stretch of these bytes is text, also such as `text_run` takes for none."""
    return _LONG_TEXT in data.translate(_TEXT_MARKED)


def magic_in(data: bytes, start: int, own: frozenset[str] = frozenset()) -> tuple[int, str] | None:
    """The first magic of another format that stands on a sector's boundary or is long enough to stand anywhere."""
    found = []
    for mark, what in MAGICS:
        if what in own:
            continue
        at = data.find(mark)
        while at >= 0 and len(mark) < 8 and (start + at) % 512:
            at = data.find(mark, at + 1)
        if at >= 0:
            found.append((at, what))
    return min(found, default=None)


def newlines_from(data: bytes) -> tuple[int, int, int] | None:
    """(first, behind the last, how many) newlines that follow a carriage return, where none does not: 0d0a by chance
    is one in 256."""
    first = data.find(b"\r\n")
    if first < 0:
        return None
    count, last = 0, first
    at = data.find(b"\n", first)
    while at > 0 and data[at - 1] == 13:
        count, last = count + 1, at + 1
        at = data.find(b"\n", last)
    return (first, last, count) if count >= PAIRS else None


def translation(sample: bytes) -> tuple[str, str] | None:
    """(what was done, the evidence) where a whole binary stretch bears the marks of a text translation."""
    newlines, pairs = sample.count(b"\n"), sample.count(b"\r\n")
    if newlines >= TOLD and pairs == newlines:
        return "newlines", f"each of {newlines} bytes 0a follows a 0d, as after a transfer in text mode"
    # the sample may cut a sequence at either end
    for skip in range(4):
        try:
            text = sample[skip : len(sample) - _tail(sample)].decode("utf-8")
        except UnicodeDecodeError:
            continue
        high = [c for c in text if ord(c) >= 0x80]
        if len(high) < 24:
            return None
        lost = sum(c == "�" for c in high)
        if lost * 2 > len(high):
            return "replaced", f"{lost} times EF BF BD, and no byte above 7f outside of UTF-8: bytes were replaced"
        if all(ord(c) < 0x100 for c in high):
            return "utf-8", f"{len(high)} bytes above 7f stand as two bytes of UTF-8 each"
        return None
    return None


def _tail(sample: bytes) -> int:
    """Bytes at the end that begin a UTF-8 sequence which is not complete."""
    for back in range(1, min(4, len(sample)) + 1):
        byte = sample[-back]
        if byte >= 0xC0:
            need = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return back if need > back else 0
        if byte < 0x80:
            return 0
    return 0


def packs(piece: bytes, near: bytes) -> float:
    """How well a piece packs beside bytes of its own kind: 0 all known, 1 nothing known."""
    if not piece:
        return 0.0
    packer = zlib.compressobj(9, zlib.DEFLATED, -15, 9, zlib.Z_DEFAULT_STRATEGY, near[-32768:])
    return (len(packer.compress(piece)) + len(packer.flush())) / len(piece)


def aligned_within(low: int, high: int) -> Iterator[tuple[int, int]]:
    """(offset, unit) of block boundaries in [low, high], the largest units first."""
    for unit in UNITS:
        at = -(-low // unit) * unit
        if at <= high:
            yield at, unit
