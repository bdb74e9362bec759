"""Why a metadata page may be wrong, from its bytes alone."""

from __future__ import annotations

from inspector.finding import UNKNOWN_CAUSE, Cause
from inspector.formats.spdk_blobstore import layout as lay

SECTOR = 512
PAGES = 1 << 22  # metadata pages that a store has at most
FEW = 4  # bits that may have flipped


def _bits(one: bytes, two: bytes) -> int:
    return (int.from_bytes(one, "big") ^ int.from_bytes(two, "big")).bit_count()


def cause_of(data: bytes, bit: int | None = None) -> Cause:
    """The likely story of a page of 4096 bytes whose checksum does not hold; `bit` is the one that restores it."""
    if bit is not None:
        return Cause("bit-flip", "likely", f"one flipped bit (byte {bit >> 3}, bit {bit & 7}) makes the checksum hold")
    if not data.strip(b"\xff"):
        return Cause("ones-range", "likely", "the page is all ones: erased flash reads like this")
    sectors = [data[at : at + SECTOR] for at in range(0, len(data), SECTOR)]
    zero = [number for number, sector in enumerate(sectors) if not any(sector)]
    chained = int.from_bytes(data[lay.BODY - 4 : lay.BODY], "little")
    if not any(sectors[0]) and any(sectors[-1]) and (chained == lay.NO_PAGE or chained < PAGES):
        return Cause("zeroed-range", "likely", "the start of the page is zero, its checksum at the end is not")
    kind = data[lay.DESCRIPTORS_AT] if len(data) > lay.DESCRIPTORS_AT else 0
    if data[4:8] != b"\1\0\0\0":
        strange = _bits(data[4:8], b"\1\0\0\0") > FEW and kind > lay.CHECKSUM
        return Cause("overwritten", "likely" if strange else "possible", "the page does not start with a blob id")
    if not any(sectors[-1]) and any(sectors[0]):
        return Cause("torn-write", "possible", "the last sector of the page, with its checksum, was never written")
    if kind in (lay.FLAGS, lay.EXTENT_PAGE) and len(zero) < len(sectors):
        return Cause("multi-bit", "possible", "head and first descriptor look right, more than one bit is wrong")
    return UNKNOWN_CAUSE
