"""The vocabulary of damage: pure functions from bytes to damaged bytes, and where they were touched.

Every function changes something or raises; a damage that changed nothing would make a test that cannot fail.
Spans are half-open and in the coordinates of the damaged bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

Touched = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Damaged:
    """`data` after the damage and the spans that differ or were put in; an empty span marks where bytes are gone."""

    data: bytes
    spans: Touched


def _changed(before: bytes, after: bytes | bytearray, *spans: tuple[int, int]) -> Damaged:
    if bytes(after) == before:
        raise ValueError("this damage changes nothing here")
    return Damaged(bytes(after), spans)


def flip_bit(data: bytes, at: int, bit: int) -> Damaged:
    """One bit of the byte at `at`; bit 0 is the lowest."""
    out = bytearray(data)
    out[at] ^= 1 << bit
    return _changed(data, out, (at, at + 1))


def flip_bits(data: bytes, start: int, end: int, count: int, seed: int = 0) -> Damaged:
    """`count` different bits of [start, end)."""
    out = bytearray(data)
    places = sorted(Random(seed).sample(range(start * 8, end * 8), count))
    for place in places:
        out[place // 8] ^= 1 << (place % 8)
    return _changed(data, out, *((p // 8, p // 8 + 1) for p in places))


def zero(data: bytes, start: int, end: int) -> Damaged:
    return _changed(data, data[:start] + bytes(end - start) + data[end:], (start, end))


def ones(data: bytes, start: int, end: int) -> Damaged:
    return _changed(data, data[:start] + b"\xff" * (end - start) + data[end:], (start, end))


def noise(data: bytes, start: int, end: int, seed: int = 0) -> Damaged:
    """Every byte of [start, end) becomes another one."""
    rng = Random(seed)
    other = bytes(b ^ rng.randrange(1, 256) for b in data[start:end])
    return _changed(data, data[:start] + other + data[end:], (start, end))


def truncate(data: bytes, size: int) -> Damaged:
    if not 0 <= size < len(data):
        raise ValueError("a truncation makes the data shorter")
    return Damaged(data[:size], ((size, size),))


def tear(data: bytes, record: bytes, count: int, completed: bool = False) -> Damaged:
    """The first `count` bytes of `record` appended; not completed means its first byte was still to be written."""
    if not 0 < count < len(record):
        raise ValueError("a torn record is a part of one")
    part = record[:count] if completed else b"\0" + record[1:count]
    return Damaged(data + part, ((len(data), len(data) + count),))


def overwrite(data: bytes, at: int, other: bytes) -> Damaged:
    return _changed(data, data[:at] + other + data[at + len(other) :], (at, at + len(other)))


def splice(data: bytes, at: int, other: bytes) -> Damaged:
    """Bytes put in; everything behind moves."""
    if not other:
        raise ValueError("nothing to put in")
    return Damaged(data[:at] + other + data[at:], ((at, at + len(other)),))


def cut(data: bytes, start: int, end: int) -> Damaged:
    """Bytes taken out; everything behind moves."""
    if not start < end <= len(data):
        raise ValueError("nothing to take out")
    return Damaged(data[:start] + data[end:], ((start, start),))


def swap(data: bytes, one: int, two: int, size: int) -> Damaged:
    """Two blocks of `size` bytes exchanged, as when a file system mixes up two pages."""
    one, two = sorted((one, two))
    if one + size > two or two + size > len(data):
        raise ValueError("blocks to swap overlap or pass the end")
    first, second = data[one : one + size], data[two : two + size]
    out = data[:one] + second + data[one + size : two] + first + data[two + size :]
    return _changed(data, out, (one, one + size), (two, two + size))


def stale(data: bytes, at: int, source: int, size: int) -> Damaged:
    """The block at `at` holds what belongs to `source`: an old page, or one that never reached the disk."""
    return overwrite(data, at, data[source : source + size])


def append(data: bytes, other: bytes) -> Damaged:
    """Something behind the end: a second store, zeroes, another program's bytes."""
    return splice(data, len(data), other)


def crlf(data: bytes) -> Damaged:
    """What a transfer in text mode does: a carriage return before each newline."""
    out = data.replace(b"\n", b"\r\n")
    spans, at = [], -1
    while (at := out.find(b"\r\n", at + 1)) >= 0:
        spans.append((at, at + 1))
    return _changed(data, out, *spans)
