"""Why a metadata page may be wrong, from its bytes alone."""

from __future__ import annotations

from inspector.finding import UNKNOWN_CAUSE, Cause
from inspector.formats.spdk_blobstore import layout as lay

SECTOR = 512


def cause_of(data: bytes, bit: int | None = None) -> Cause:
    """The likely story of a page of 4096 bytes whose checksum does not hold; `bit` is the one that restores it."""
    if bit is not None:
        return Cause("bit-flip", "likely", f"one flipped bit (byte {bit >> 3}, bit {bit & 7}) makes the checksum hold")
    if not data.strip(b"\xff"):
        return Cause("ones-range", "likely", "the page is all ones: erased flash reads like this")
    sectors = [data[at : at + SECTOR] for at in range(0, len(data), SECTOR)]
    zero = [number for number, sector in enumerate(sectors) if not any(sector)]
    if data[:8] == bytes(8) and any(sectors[-1]):
        return Cause("zeroed-range", "likely", "the start of the page is zero, its checksum at the end is not")
    if not any(sectors[-1]) and any(sectors[0]):
        return Cause("torn-write", "possible", "the last sector of the page, with its checksum, was never written")
    if data[4:8] != b"\1\0\0\0":
        return Cause("overwritten", "possible", "the page does not start with a blob id")
    if data[lay.DESCRIPTORS_AT] in (lay.FLAGS, lay.EXTENT_PAGE) and len(zero) < len(sectors):
        return Cause("multi-bit", "possible", "head and first descriptor look right, more than one bit is wrong")
    return UNKNOWN_CAUSE
