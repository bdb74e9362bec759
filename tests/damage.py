"""The vocabulary of damage at places that a test names: pure functions from bytes to damaged bytes.

The words are those of `inspector.damage`, which picks the places from a seed. Every function changes something or
raises; a damage that changed nothing would make a test that cannot fail. Spans are half-open and in the coordinates
of the damaged bytes; an empty span marks where bytes are gone.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from inspector import damage
from inspector.edited import Change, Edited
from inspector.source import MemorySource

Touched = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Damaged:
    """`data` after the damage and the spans that differ or were put in."""

    data: bytes
    spans: Touched


def _made(data: bytes, changes: list[Change]) -> Damaged:
    if not changes:
        raise ValueError("this damage changes nothing here")
    after = Edited(MemorySource(data), "", changes)
    return Damaged(after.read(0, after.size), tuple((span.start, span.end) for span in after.touched()))


def flip_bit(data: bytes, at: int, bit: int) -> Damaged:
    """One bit of the byte at `at`; bit 0 is the lowest."""
    return _flipped(data, [at * 8 + bit])


def flip_bits(data: bytes, start: int, end: int, count: int, seed: int = 0) -> Damaged:
    """`count` different bits of [start, end)."""
    return _flipped(data, Random(seed).sample(range(start * 8, end * 8), count))


def _flipped(data: bytes, bits: list[int]) -> Damaged:
    return _made(data, damage.flipped(bits, lambda at, n: data[at : at + n]))


def zero(data: bytes, start: int, end: int) -> Damaged:
    return overwrite(data, start, bytes(end - start))


def ones(data: bytes, start: int, end: int) -> Damaged:
    return overwrite(data, start, b"\xff" * (end - start))


def noise(data: bytes, start: int, end: int, seed: int = 0) -> Damaged:
    """Every byte of [start, end) becomes another one."""
    rng = Random(seed)
    return overwrite(data, start, bytes(b ^ rng.randrange(1, 256) for b in data[start:end]))


def truncate(data: bytes, size: int) -> Damaged:
    if not 0 <= size < len(data):
        raise ValueError("a truncation makes the data shorter")
    return _made(data, damage.removed(size, len(data) - size))


def tear(data: bytes, record: bytes, count: int, completed: bool = False) -> Damaged:
    """The first `count` bytes of `record` appended; not completed means its first byte was still to be written."""
    if not 0 < count < len(record):
        raise ValueError("a torn record is a part of one")
    return append(data, record[:count] if completed else b"\0" + record[1:count])


def overwrite(data: bytes, at: int, other: bytes) -> Damaged:
    """Other bytes from `at` on, past the end, too."""
    within = damage.overwritten(at, data[at : at + len(other)], other)
    beyond = damage.inserted(len(data), other[len(data) - at :]) if at + len(other) > len(data) else []
    return _made(data, within + beyond)


def splice(data: bytes, at: int, other: bytes) -> Damaged:
    """Bytes put in; everything behind moves."""
    return _made(data, damage.inserted(at, other))


def cut(data: bytes, start: int, end: int) -> Damaged:
    """Bytes taken out; everything behind moves."""
    if not start < end <= len(data):
        raise ValueError("nothing to take out")
    return _made(data, damage.removed(start, end - start))


def swap(data: bytes, one: int, two: int, size: int) -> Damaged:
    """Two blocks of `size` bytes exchanged, as when a file system mixes up two pages."""
    return _made(data, damage.exchanged(one, data[one : one + size], two, data[two : two + size]))


def stale(data: bytes, at: int, source: int, size: int) -> Damaged:
    """The block at `at` holds what belongs to `source`: an old page, or one that never reached the disk."""
    return overwrite(data, at, data[source : source + size])


def append(data: bytes, other: bytes) -> Damaged:
    """Something behind the end: a second store, zeroes, another program's bytes."""
    return splice(data, len(data), other)


def crlf(data: bytes) -> Damaged:
    """What a transfer in text mode does: a carriage return before each newline."""
    return _made(data, damage.returns(0, data))
