"""What both gossip kernels give out: tiles in columns, and the numbers that name them."""

from array import array
from typing import Final

from msgspec import Struct

ROLE_FRAME: Final = 0
ROLE_UNIT: Final = 1
ROLE_OPAQUE: Final = 2
ROLE_FREE: Final = 3
ROLE_GAP: Final = 4

OK: Final = 0
BAD_CHECKSUM: Final = 1  # unit: the checksum fails, the claimed end is confirmed
BAD_LENGTH: Final = 2  # unit: the length field is wrong, the end follows from the type's structure
TOO_SHORT: Final = 3  # unit: 0 or 1 bytes of body, so no type; the end is confirmed
ANCHORED: Final = 4  # unit: verifies, but lies inside what a damaged record claims plausibly
GAP: Final = 5
TORN_HEADER: Final = 6  # gap: fewer than 12 bytes are left after a good boundary
TORN_BODY: Final = 7  # gap: a plausible header whose body runs past the end of the file

DUPLICATE_ANNOUNCEMENT: Final = 1
ANNOUNCEMENT_WITHOUT_AMOUNT: Final = 2
AMOUNT_WITHOUT_ANNOUNCEMENT: Final = 3
PAIR_FLAG_MISMATCH: Final = 4
UPDATE_UNKNOWN_CHANNEL: Final = 5
UPDATE_SUPERSEDED: Final = 6
NODE_UNKNOWN: Final = 7
NODE_DUPLICATE: Final = 8
CLOSED_CHANNEL_LIVE: Final = 9

# Bits of what is strange about a record that verifies.
SHORT: Final = 1  # its body is shorter than its own type and inner lengths need
UNKNOWN_TYPE: Final = 2
UNKNOWN_FLAGS: Final = 4
INCOMPLETE: Final = 8  # it lacks the bit that a whole record carries
BAD_ALIAS: Final = 16  # not UTF-8
SPECIAL: Final = 32  # a type whose place in the file matters: ended, uuid

DELETED: Final = 0x8000

HEADER: Final = 12
LONGEST_RECORD: Final = HEADER + 0xFFFF
# Following claimed lengths past damage stops here. Together with one announcement that had to be put back it
# fits a window of 1 MiB, so that such a window always moves on.
HOPS: Final = 64
REACH: Final = (1 << 20) - (1 << 17)
# A damaged record longer than this, and than its type explains, is no record for its end alone.
UNSEEN: Final = 4096
# A node announcement with more extensions than this is not taken for an anchor (real ones have at most two);
# without a limit one candidate would cost 32,000 steps.
EXTENSIONS: Final = 64


class Batch(Struct, frozen=True):
    """Consecutive tiles: number i covers [starts[i], starts[i + 1]) and the last one ends at `end`.

    An announcement that is last is followed by something else than its amount. The bytes of all records that verify
    are in the window that was fed.

    owners: short channel id, 0 where the record names none. nodes_a, nodes_b: eight bytes of a node id folded
    with its first. aux: channel_flags of an update. kinds, flags and times are the record's own header; 0 in gaps
    (a gap keeps flags and time of the header it began at, a torn body also its kind).
    """

    end: int
    starts: "array[int]"
    roles: "array[int]"
    marks: "array[int]"
    kinds: "array[int]"
    flags: "array[int]"
    times: "array[int]"
    owners: "array[int]"
    nodes_a: "array[int]"
    nodes_b: "array[int]"
    aux: "array[int]"

    def __len__(self) -> int:
        return len(self.starts)
