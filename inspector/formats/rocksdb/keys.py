"""Internal keys: user key, sequence number and type, and the orders that comparators give them.

Source: db/dbformat.h. An internal key is user_key | u64(sequence << 8 | type).
"""

from collections.abc import Callable
from typing import Any, Final

DELETE, PUT, MERGE, SINGLE_DELETE = 0, 1, 2, 7
RANGE_DELETE: Final = 0x0F
BLOB_INDEX: Final = 0x11
DELETE_WITH_TS: Final = 0x14
WIDE_COLUMNS: Final = 0x16
PREFERRED_SEQNO: Final = 0x18
TYPE_NAMES: Final = {
    DELETE: "delete",
    PUT: "put",
    MERGE: "merge",
    SINGLE_DELETE: "single-delete",
    RANGE_DELETE: "range-delete",
    BLOB_INDEX: "blob-index",
    DELETE_WITH_TS: "delete-with-timestamp",
    WIDE_COLUMNS: "wide-columns",
    PREFERRED_SEQNO: "put-preferred-seqno",
}
STORED: Final = frozenset(TYPE_NAMES.keys() - {RANGE_DELETE})  # the types of entries of data blocks
REMOVES: Final = frozenset({DELETE, SINGLE_DELETE, DELETE_WITH_TS})
MAX_SEQUENCE: Final = (1 << 56) - 1

BYTEWISE: Final = "leveldb.BytewiseComparator"
REVERSE: Final = "rocksdb.ReverseBytewiseComparator"
BYTEWISE_TS: Final = "leveldb.BytewiseComparator.u64ts"
REVERSE_TS: Final = "rocksdb.ReverseBytewiseComparator.u64ts"

Order = Callable[[bytes], Any]  # user key -> a value that sorts as the comparator does


def tag_of(key: bytes) -> tuple[int, int]:
    """Sequence number and type of an internal key of at least eight bytes."""
    tag = int.from_bytes(key[-8:], "little")
    return tag >> 8, tag & 0xFF


def internal(user_key: bytes, sequence: int, kind: int) -> bytes:
    """The internal key of these three."""
    return user_key + (sequence << 8 | kind).to_bytes(8, "little")


def same(key: bytes) -> bytes:
    return key


class _Backwards:
    """A byte string that sorts in the opposite order."""

    __slots__ = ("key",)

    def __init__(self, key: bytes) -> None:
        self.key = key

    def __lt__(self, other: "_Backwards") -> bool:
        return self.key > other.key

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Backwards) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)


def _newest_first(key: bytes) -> tuple[bytes, int]:
    """User keys that end in a u64 timestamp: by the rest, then from new to old."""
    return key[:-8], -int.from_bytes(key[-8:], "little")


def _backwards_newest_first(key: bytes) -> tuple[_Backwards, int]:
    return _Backwards(key[:-8]), -int.from_bytes(key[-8:], "little")


_ORDERS: Final[dict[str, Order]] = {
    BYTEWISE: same,
    REVERSE: _Backwards,
    BYTEWISE_TS: _newest_first,
    REVERSE_TS: _backwards_newest_first,
}


def order_of(comparator: str) -> Order | None:
    """The order of a comparator by its name, or None for one that an application brought itself."""
    return _ORDERS.get(comparator)
