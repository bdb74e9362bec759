"""One flipped bit (with CRC-32C also two) of a block undone, where the block's own content is the witness.

The witness is the whole block read: it decompresses to the size it claims, its entries fit, its keys ascend, and
its restarts point at entries. A flip inside an uncompressed value is noticed by none of that: such a correction is
unique and not sealed.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Final

from inspector.correct import NONE, Correction, Word, correct_crc32c, noticed_by
from inspector.formats.rocksdb import block
from inspector.formats.rocksdb.checksums import CRC32C, block_checksum, unmask
from inspector.formats.rocksdb.checksums import NONE as UNSEALED
from inspector.formats.rocksdb.codecs import decompress
from inspector.formats.rocksdb.coding import MalformedError
from inspector.formats.rocksdb.footer import TRAILER
from inspector.trial import correct_by_trial

CONTENT: Final = 4 << 20  # a block that claims to be longer uncompressed is not taken for sound

_M32 = 0xFFFFFFFF


def correct_block(
    unit: bytes, kind: int, version: int, modifier: int = 0, dictionary: bytes = b"", ascends: bool = True
) -> Correction:
    """What undoes the damage of a block with its trailer; `kind` is the table's checksum type.

    `modifier` is what format version 6 adds to a checksum at this place. `ascends`: keys are in bytewise order of
    their user keys (not so for other comparators and for the metaindex' neighbours).
    """
    if len(unit) <= TRAILER or kind == UNSEALED:
        return NONE
    witness = noticed_by(reads(version, dictionary, ascends))
    stored_at = len(unit) - 4
    if kind == CRC32C:
        word = Word(0, stored_at, stored_at, stands_for=lambda stored: unmask((stored - modifier) & _M32))
        return correct_crc32c(unit, word, witness)

    def digest(covered: bytearray) -> bytes:
        return ((block_checksum(kind, memoryview(covered)) + modifier) & _M32).to_bytes(4, "little")

    return correct_by_trial(unit, (0, stored_at), stored_at, digest, witness)


def reads(version: int, dictionary: bytes = b"", ascends: bool = True) -> Callable[[bytes], bool]:
    """A judge of blocks with their trailer: whether everything in one is as a writer makes it."""

    def judge(unit: bytes) -> bool:
        try:
            content = decompress(unit[-TRAILER], unit[:-TRAILER], version, dictionary, CONTENT)
            parts = block.frame(content)
            places = block.places(content)
            restarts = block.restart_points(content, parts)
        except (MalformedError, IndexError):
            return False
        starts = {start for _, start, *_ in places} or {0}
        if restarts and (restarts[0] != 0 or not starts.issuperset(restarts)):
            return False
        keys = [key for key, *_ in places]
        return not ascends or all(_order(one) < _order(two) for one, two in pairwise(keys))

    return judge


def _order(key: bytes) -> tuple[bytes, int]:
    """Internal keys ascend by user key, then descend by sequence number."""
    return key[:-8], -int.from_bytes(key[-8:], "little")
