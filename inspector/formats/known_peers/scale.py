"""SCALE compact integers and length-prefixed bytes, read without ever raising.

Source: parity-scale-codec, compact.rs. The two low bits of the first byte choose the width.
"""

from __future__ import annotations

from msgspec import Struct


class Malformed(Struct, frozen=True):
    """What stopped a decoder, and at which byte of the buffer."""

    at: int
    why: str


def compact(buf: bytes, at: int, end: int) -> tuple[int, int] | Malformed:
    """The compact integer at `at` and the offset after it; the codec refuses forms longer than needed."""
    if at >= end:
        return Malformed(at, "the bytes end where a count is due")
    mode = buf[at] & 3
    width = (1, 2, 4, (buf[at] >> 2) + 5)[mode]
    if at + width > end:
        return Malformed(at, f"a count of {width} bytes does not fit in {end - at}")
    if mode < 3:
        value = int.from_bytes(buf[at : at + width], "little") >> 2
        smallest = (0, 1 << 6, 1 << 14)[mode]
    else:
        value = int.from_bytes(buf[at + 1 : at + width], "little")
        smallest = max(1 << 30, 1 << (8 * (width - 2)))
    if value < smallest:
        return Malformed(at, f"the count {value} is written in {width} bytes, longer than the codec allows")
    return value, at + width


def write_compact(value: int) -> bytes:
    """The one form the codec accepts for `value`."""
    if value < 1 << 6:
        return bytes([value << 2])
    if value < 1 << 14:
        return (value << 2 | 1).to_bytes(2, "little")
    if value < 1 << 30:
        return (value << 2 | 2).to_bytes(4, "little")
    body = value.to_bytes((value.bit_length() + 7) // 8, "little")
    return bytes([(len(body) - 4) << 2 | 3]) + body


def sized(buf: bytes, at: int, end: int) -> tuple[bytes, int] | Malformed:
    """Bytes behind a compact length, checked against what is left before anything is copied."""
    head = compact(buf, at, end)
    if isinstance(head, Malformed):
        return head
    length, start = head
    if length > end - start:
        return Malformed(at, f"a length of {length} bytes, {end - start} are left")
    return buf[start : start + length], start + length


def write_sized(data: bytes) -> bytes:
    return write_compact(len(data)) + data
