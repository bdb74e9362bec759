"""The five block checksums, CRC-32C masking, and the per-offset modifier of format version 6.

Source: table/format.cc ComputeBuiltinChecksum, table/format.h ChecksumModifierForContext, util/crc32c.h.
"""

from typing import TYPE_CHECKING, Final

from inspector.crc32c import crc32c

if TYPE_CHECKING:
    import xxhash
else:
    from inspector.postponed import Postponed

    xxhash = Postponed("xxhash")

NONE, CRC32C, XXHASH, XXHASH64, XXH3 = range(5)
NAMES: Final = {NONE: "none", CRC32C: "crc32c", XXHASH: "xxHash", XXHASH64: "xxHash64", XXH3: "XXH3"}

# CRCs stored beside the data they cover are rotated and shifted, so that a CRC over them stays sound
_MASK_DELTA = 0xA282EAD8
_LAST_BYTE_PRIME = 0x6B9083D9  # folds the byte that XXH3 leaves out (table/format.cc, ModifyChecksumForLastByte)
_M32 = 0xFFFFFFFF


def mask(crc: int) -> int:
    """A CRC-32C as it is stored."""
    return (((crc >> 15) | (crc << 17)) + _MASK_DELTA) & _M32


def unmask(stored: int) -> int:
    """The plain CRC-32C of a stored one."""
    rotated = (stored - _MASK_DELTA) & _M32
    return (rotated >> 17) | (rotated << 15) & _M32


def masked_crc(data: bytes | memoryview) -> int:
    """The masked CRC-32C of the bytes."""
    return mask(crc32c(data))


def folded(last: int) -> int:
    """What the byte that XXH3 leaves out, a block's compression type, adds to its checksum."""
    return last * _LAST_BYTE_PRIME & _M32


def block_checksum(kind: int, body: bytes | memoryview) -> int:
    """The checksum of a block's payload and the type byte after it, as one buffer."""
    if kind == XXH3:
        return xxhash.xxh3_64_intdigest(body[:-1]) & _M32 ^ folded(body[-1])
    if kind == CRC32C:
        return mask(crc32c(body))
    if kind == XXHASH:
        return xxhash.xxh32_intdigest(body)
    if kind == XXHASH64:
        return xxhash.xxh64_intdigest(body) & _M32
    return 0


def modifier(base: int, offset: int) -> int:
    """What format version 6 adds to a checksum at this file offset, so that a misplaced block is noticed."""
    return base ^ ((offset + (offset >> 32)) & _M32) if base else 0
