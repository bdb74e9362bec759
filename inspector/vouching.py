"""What a source that holds only a part of its bytes says of the others: that they verified, and what was read there.

A walk takes bytes with `glance` and then vouches for each run of sound units, with all that it took from them. An
ordinary source forgets that at once. One that records for a capsule keeps it instead of the bytes, and the source in
that capsule hands it out to the same walk: the run is passed over as what it was, verified when it was captured.
Any other read of bytes that are not there is refused: nothing stands in for them.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Callable
from typing import Protocol

from msgspec import Struct


class Vouched(Struct, frozen=True):
    """A run [start, end) of sound units, and what its format's walk takes from it, in that format's own coding."""

    start: int
    end: int
    told: bytes


class _Reads(Protocol):
    def read(self, at: int, n: int, member: str = "") -> bytes: ...


class Vouching:
    """The part of `Source` that walks use; as it stands here for a source that has all of its bytes."""

    sparing = False  # bytes that nobody asked for are missed or unwanted: read no further ahead than needed
    wide = False  # vouch for nothing that bears on damage, not even seldom

    def glance(self: _Reads, at: int, n: int, member: str = "") -> bytes:
        """Like `read`, for a walk that vouches for what is sound in it."""
        return self.read(at, n, member)

    def vouch(self, what: str, start: int, end: int, told: Callable[[], bytes], member: str = "") -> None:
        """[start, end) of what was glanced at verifies, and `told()` is all that the walk named `what` takes from it.

        Of an empty range it is only told, and no byte is left out for it.
        """

    def vouched(self, what: str, at: int, member: str = "") -> Vouched | None:
        """The run that begins at `at`, where its bytes are not here; None where they are."""
        return None

    def next_vouched(self, what: str, at: int, member: str = "") -> int | None:
        """Where the first such run at or after `at` begins."""
        return None

    def holds(self, start: int, end: int, member: str = "") -> bool:
        """Whether all bytes of [start, end) are here."""
        return True


def planes(column: array[int]) -> bytes:
    """A column byte plane by byte plane, lowest first: what is alike in its numbers lies together and compresses."""
    if sys.byteorder == "big":
        column = column[:]
        column.byteswap()
    raw, size = column.tobytes(), column.itemsize
    return b"".join([raw[i::size] for i in range(size)])


def column(code: str, data: bytes, at: int, count: int) -> array[int]:
    """`count` numbers from planes that begin at `at`; raises ValueError where there are not as many."""
    found = array(code)
    size = found.itemsize
    if count < 0 or at + count * size > len(data):
        raise ValueError("a column is longer than its data")
    raw = bytearray(count * size)
    for i in range(size):
        raw[i::size] = data[at + i * count : at + (i + 1) * count]
    found.frombytes(raw)
    if sys.byteorder == "big":
        found.byteswap()
    return found
