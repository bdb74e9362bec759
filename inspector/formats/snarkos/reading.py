"""A cursor over bincode and to_bytes_le values that never reads past the end and never trusts a count.

bincode 1.3 as snarkVM uses it: little-endian, fixed-width integers, u64 lengths, u32 enum tags, u8 options.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

# order of the scalar field of BLS12-377, the base of fields, group x-coordinates, hashes and roots
FIELD_ORDER: Final = 0x12AB655E9A2CA55660B44D1E5C37B00159AA76FED00000010A11800000000001
FIELD: Final = 32  # bytes
SIGNATURE: Final = 128
T = TypeVar("T")


class MalformedError(Exception):
    """These bytes are not what the map should hold."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class Cursor:
    """Reads `data` from `at` to `end`; every shortfall is a MalformedError."""

    __slots__ = ("at", "data", "end")

    def __init__(self, data: bytes, at: int = 0, end: int | None = None) -> None:
        self.data = data
        self.at = at
        self.end = len(data) if end is None else end

    @property
    def left(self) -> int:
        return self.end - self.at

    def take(self, n: int, what: str = "bytes") -> bytes:
        if n > self.end - self.at:
            raise MalformedError(f"{what} needs {n} bytes, {self.left} are left")
        self.at += n
        return self.data[self.at - n : self.at]

    def _int(self, n: int, what: str) -> int:
        return int.from_bytes(self.take(n, what), "little")

    def u8(self, what: str = "u8") -> int:
        return self._int(1, what)

    def u16(self, what: str = "u16") -> int:
        return self._int(2, what)

    def u32(self, what: str = "u32") -> int:
        return self._int(4, what)

    def u64(self, what: str = "u64") -> int:
        return self._int(8, what)

    def i64(self, what: str = "i64") -> int:
        return int.from_bytes(self.take(8, what), "little", signed=True)

    def flag(self, what: str) -> bool:
        value = self.u8(what)
        if value > 1:
            raise MalformedError(f"{what} is {value}, it must be 0 or 1")
        return value == 1

    def version(self, allowed: tuple[int, ...], what: str) -> int:
        value = self.u8(f"version of {what}")
        if value not in allowed:
            raise MalformedError(f"{what} has version {value}")
        return value

    def field(self, what: str = "field") -> bytes:
        """32 bytes of a canonical field element."""
        raw = self.take(FIELD, what)
        if raw[31] >= 0x12 and int.from_bytes(raw, "little") >= FIELD_ORDER:
            raise MalformedError(f"{what} is not a canonical field element")
        return raw

    def count(self, n: int, size: int, what: str) -> int:
        """`n` things of at least `size` bytes must fit into what is left."""
        if n * size > self.left:
            raise MalformedError(f"{n} {what} do not fit into {self.left} bytes")
        return n

    def sized(self, what: str) -> bytes:
        """A size-encoded value: u64 length and that many bytes."""
        n = self.u64(f"length of {what}")
        if n > self.left:
            raise MalformedError(f"{what} claims {n} bytes, {self.left} are left")
        return self.take(n, what)

    def done(self, what: str) -> None:
        if self.left:
            raise MalformedError(f"{what} leaves {self.left} bytes unread")


def whole(data: bytes, read: Callable[[Cursor], T], what: str) -> T:
    """What `read` makes of all of `data`; bytes left over are malformed."""
    cursor = Cursor(data)
    value = read(cursor)
    cursor.done(what)
    return value


def ids(data: bytes, what: str) -> bytes:
    """A bincode Vec of 32-byte ids, as the joined ids; quick, because most values of a ledger are this."""
    if len(data) < 8 or len(data) != 8 + FIELD * int.from_bytes(data[:8], "little"):
        raise MalformedError(f"{what} is not a u64 count and that many 32-byte ids ({len(data)} bytes)")
    return data[8:]
