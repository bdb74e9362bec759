"""The vocabulary of damage: what storage, transfers and programs do to files, made on purpose from a seed.

Each kind gives changes to one member; a damage that would change nothing is tried at another place and then refused.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate
from operator import sub
from random import Random

from msgspec import Struct

from inspector.edited import Change
from inspector.errors import RefusedError, UsageError
from inspector.finding import CauseName
from inspector.source import Source

BLOCK = 4096
SECTOR = 512  # what storage moves in a file that has few blocks
MAX_CHANGES = 1_000_000  # of a translation of line ends
TRIES = 64


class Ranges:
    """Ranges [starts[i], ends[i]) of one member, in their order, from which bytes are drawn evenly."""

    def __init__(self, starts: Sequence[int], ends: Sequence[int]) -> None:
        self.starts = starts
        self._below: list[int] = [*accumulate(map(sub, ends, starts), initial=0)]
        self.total: int = self._below.pop()

    def byte(self, number: int) -> int:
        """The offset of this byte of all of them."""
        i = bisect_right(self._below, number) - 1
        return self.starts[i] + number - self._below[i]


class Place(Struct, frozen=True):
    """Where a damage is made: anywhere (None) or at this offset, of this many bytes; `among` these ranges if it can."""

    source: Source
    member: str
    rng: Random
    at: int | None = None
    size: int | None = None
    among: Ranges | None = None

    @property
    def length(self) -> int:
        return self.source.length(self.member)

    def read(self, at: int, n: int) -> bytes:
        return self.source.read(at, n, self.member)

    def anywhere(self, room: int = 1, unit: int = 1) -> int:
        """An offset, a multiple of `unit`, with `room` bytes behind it where the member has as many."""
        if self.at is not None:
            return self.at
        if self.among:
            at = self.among.byte(self.rng.randrange(self.among.total)) // unit * unit
            return max(0, min(at, (self.length - room) // unit * unit))
        return self.rng.randrange(max(1, (self.length - room) // unit + 1)) * unit

    def extent(self, default: int) -> int:
        return max(1, min(self.size or default, self.length))


Make = Callable[[Place], list[Change]]


# what happens to bytes, wherever it happens: `--damage` picks the place from a seed, tests name it


def flipped(bits: Iterable[int], read: Callable[[int, int], bytes]) -> list[Change]:
    """Bits, numbered from the lowest of byte 0 on, become the opposite of what `read(at, 1)` says."""
    masks: dict[int, int] = {}
    for bit in bits:
        masks[bit // 8] = masks.get(bit // 8, 0) ^ 1 << bit % 8
    return [Change(at, 1, bytes([read(at, 1)[0] ^ mask])) for at, mask in sorted(masks.items()) if mask]


def overwritten(at: int, present: bytes, wanted: bytes) -> list[Change]:
    """Other bytes in the place of those that are there; none where they are the same."""
    wanted = wanted[: len(present)]
    return [Change(at, len(present), wanted)] if present and wanted != present else []


def inserted(at: int, data: bytes) -> list[Change]:
    """Bytes put in; what is behind moves away."""
    return [Change(at, 0, data)] if data else []


def removed(at: int, count: int) -> list[Change]:
    """Bytes taken out; what is behind moves up."""
    return [Change(at, count, b"")] if count else []


def exchanged(one: int, first: bytes, two: int, second: bytes) -> list[Change]:
    """Two blocks of one length in each other's place."""
    if first == second or len(first) != len(second) or abs(one - two) < len(first):
        return []
    return [Change(one, len(first), second), Change(two, len(second), first)]


def returns(at: int, data: bytes) -> list[Change]:
    """A carriage return before each newline of the bytes that begin at `at`."""
    return [Change(at + found.start(), 0, b"\r") for found in re.finditer(b"\n", data)]


class Kind(Struct, frozen=True):
    """One word of the vocabulary: what it does, and the causes that a finding about it may rightly name."""

    make: Make
    meaning: str
    causes: frozenset[CauseName]


def _flip(place: Place) -> list[Change]:
    return flipped([place.anywhere() * 8 + place.rng.randrange(8)], place.read)


def _flips(place: Place) -> list[Change]:
    room = place.extent(BLOCK)
    start = place.anywhere(room)
    end = min(start + room, place.length)
    if (end - start) * 8 < 2:
        return []
    count = min(place.rng.randrange(2, 17), (end - start) * 8)
    return flipped(place.rng.sample(range(start * 8, end * 8), count), place.read)


def _fill(value: int) -> Make:
    def make(place: Place) -> list[Change]:
        size = place.extent(place.rng.choice((512, BLOCK, BLOCK, 4 * BLOCK)))
        at = place.anywhere(size, min(size, BLOCK) if place.size is None else 1)
        present = place.read(at, size)
        return overwritten(at, present, bytes([value]) * len(present))

    return make


def _truncate(place: Place) -> list[Change]:
    size = place.at if place.at is not None else place.rng.randrange(1, place.length)
    return removed(size, place.length - size)


def _tear(place: Place) -> list[Change]:
    lost = min(place.size or place.rng.randrange(1, 512), place.length - 1)
    return removed(place.length - lost, lost)


def _overwrite_at_1(place: Place) -> list[Change]:
    size = min(place.size or place.rng.randrange(64, 512), place.length - 1)
    origin = place.rng.randrange(max(1, place.length - size))
    return overwritten(1, place.read(1, size), place.read(origin, size))


def _splice(place: Place) -> list[Change]:
    at = place.anywhere()
    return inserted(at, place.rng.randbytes(place.size or place.rng.randrange(16, BLOCK)))


def _shift(place: Place) -> list[Change]:
    lost = min(place.size or place.rng.randrange(1, 65), place.length - 1)
    return removed(place.anywhere(lost), lost)


def _two_blocks(place: Place) -> tuple[int, int, int] | None:
    fits = (size for size in (BLOCK, SECTOR) if place.length >= 4 * size)
    size = place.extent(next(fits, max(1, place.length // 4)))
    blocks = place.length // size
    if blocks < 2:
        return None
    one, two = place.rng.sample(range(blocks), 2)
    start = one * size if place.at is None and not place.among else place.anywhere(size, size)
    return start, two * size, size


def _stale(place: Place) -> list[Change]:
    found = _two_blocks(place)
    if found is None:
        return []
    at, origin, size = found
    return overwritten(at, place.read(at, size), place.read(origin, size))


def _swap(place: Place) -> list[Change]:
    found = _two_blocks(place)
    if found is None:
        return []
    one, two, size = found
    return exchanged(one, place.read(one, size), two, place.read(two, size))


def _crlf(place: Place) -> list[Change]:
    changes: list[Change] = []
    for at, data in place.source.windows(place.member):
        changes += returns(at, data)
        if len(changes) > MAX_CHANGES:
            raise RefusedError(f"crlf: more than {MAX_CHANGES:,} line ends in {place.member or place.source.label}")
    return changes


KINDS: dict[str, Kind] = {
    "flip": Kind(_flip, "one bit of one byte", frozenset({"bit-flip"})),
    "flips": Kind(_flips, "2 to 16 bits within one page", frozenset({"multi-bit", "bit-flip"})),
    "zero": Kind(_fill(0), "a sector or pages become zeroes", frozenset({"zeroed-range"})),
    "ones": Kind(_fill(255), "a sector or pages become 0xff", frozenset({"ones-range"})),
    "truncate": Kind(_truncate, "the end is gone", frozenset({"truncated", "torn-write"})),
    "tear": Kind(_tear, "the last write reached the disk in part", frozenset({"torn-write", "truncated"})),
    "overwrite-at-1": Kind(_overwrite_at_1, "bytes of this file are written at offset 1", frozenset({"overwritten"})),
    "splice": Kind(_splice, "foreign bytes are put in, all behind them moves", frozenset({"shifted", "overwritten"})),
    "shift": Kind(_shift, "bytes are lost, all behind them moves", frozenset({"shifted"})),
    "stale": Kind(
        _stale,
        "a page (in a small file a sector) holds what belongs to another place",
        frozenset({"stale-page", "swapped"}),
    ),
    "swap": Kind(_swap, "two pages (in a small file sectors) are exchanged", frozenset({"swapped", "stale-page"})),
    "crlf": Kind(_crlf, "a transfer in text mode puts 0d before each 0a", frozenset({"shifted"})),
}


def make(
    kind: str,
    source: Source,
    member: str,
    seed: int,
    at: int | None = None,
    size: int | None = None,
    among: Ranges | None = None,
) -> list[Change]:
    """The changes of one damage, never none; raises RefusedError where this member cannot be damaged so."""
    if kind not in KINDS:
        raise UsageError(f"no damage is named {kind}", f"known: {', '.join(KINDS)}")
    if source.length(member) < 2:
        raise RefusedError(f"{member or source.label} is too small to be damaged")
    if at is not None and not 0 <= at < source.length(member):
        raise UsageError(f"--at {at} lies outside of {member or source.label}")
    for attempt in range(TRIES):
        rng = Random(f"{seed}/{kind}/{attempt}")
        changes = KINDS[kind].make(Place(source, member, rng, at, size, among))
        if changes:
            return changes
    raise RefusedError(f"{kind} would change nothing in {member or source.label}", "name another damage, or --at")


def pick_member(source: Source, seed: int) -> str:
    """A member of a folder, larger ones more often; "" for a single file."""
    if source.kind != "folder":
        return ""
    able = [m for m in source.members if m.size >= 2 and not m.secret]
    if not able:
        raise RefusedError(f"{source.label}: no file in it that could be damaged")
    return Random(f"{seed}/member").choices(able, [m.size for m in able])[0].name
