"""Flipped bits of a block undone, where the block's own content and its neighbours are the witness.

The witness is the whole block read: it decompresses to the size it claims, its entries fit, its keys ascend, and
its restarts point at entries. A flip inside an uncompressed value is noticed by none of that: such a correction is
unique and not sealed.
"""

from collections.abc import Iterator
from typing import Final

from inspector.correct import NONE, Correction, Word, correct_crc32c, noticed_by
from inspector.formats.rocksdb import unsealed
from inspector.formats.rocksdb.checksums import CRC32C, XXH3, block_checksum, folded, mask, unmask
from inspector.formats.rocksdb.checksums import NONE as UNSEALED
from inspector.formats.rocksdb.footer import TRAILER
from inspector.formats.rocksdb.judges import Judge, reads
from inspector.kernels.rocksdb import flips
from inspector.trial import correct_by_trial

PAIRS: Final = 64 << 10  # bytes of a unit that is searched for two flipped bits: time and memory grow with it

_M32 = 0xFFFFFFFF


def correct_block(
    unit: bytes, kind: int, version: int, modifier: int = 0, dictionary: bytes = b"", judge: Judge | None = None
) -> Correction:
    """What undoes the damage of a block with its trailer; `kind` is the table's checksum type.

    `modifier` is what format version 6 adds to a checksum at this place. `judge` is one of data blocks where not said.
    """
    if len(unit) <= TRAILER or unit.count(0) == len(unit):
        return NONE  # of nothing but zeroes no few bits were flipped, and a hole of a file has thousands of such units
    if kind == UNSEALED:
        return unsealed.trailer(unit, modifier, judge or reads(version, dictionary))
    witness = noticed_by(judge or reads(version, dictionary))
    stored_at = len(unit) - 4
    if kind == CRC32C:
        word = Word(
            0,
            stored_at,
            stored_at,
            stands_for=lambda stored: unmask((stored - modifier) & _M32),
            stored_as=lambda computed: (mask(computed) + modifier) & _M32,
        )
        return correct_crc32c(unit, word, witness, 2 if len(unit) <= PAIRS else 1)

    def digest(covered: bytearray) -> bytes:
        return ((block_checksum(kind, memoryview(covered)) + modifier) & _M32).to_bytes(4, "little")

    def search(covered: bytes) -> Iterator[int]:
        wanted = (int.from_bytes(unit[stored_at:], "little") - modifier) & _M32
        if kind != XXH3:
            yield from flips(covered, kind, wanted)
            return
        payload, codec = covered[:-1], covered[-1]  # the type byte is folded in afterwards
        yield from flips(payload, kind, wanted ^ folded(codec))
        plain = block_checksum(kind, payload + b"\0")
        yield from (8 * len(payload) + bit for bit in range(8) if plain ^ folded(codec ^ 1 << bit) == wanted)

    return correct_by_trial(unit, (0, stored_at), stored_at, digest, witness, search=search)
