"""What else bytes may be: a partition table with the store behind it, another file system, an encrypted volume."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

Read = Callable[[int, int], bytes]

# (offset, bytes, name): the fixed places where file systems and containers keep their magic numbers
_MAGIC = (
    (0, b"LUKS\xba\xbe", "LUKS encrypted volume"),
    (0, b"XFSB", "XFS file system"),
    (1080, b"\x53\xef", "ext2/3/4 file system"),
    (65600, b"_BHRfS_M", "Btrfs file system"),
    (536, b"LABELONE", "LVM physical volume"),
    (512, b"LABELONE", "LVM physical volume"),
    (4086, b"SWAPSPACE2", "swap space"),
    (3, b"NTFS    ", "NTFS file system"),
    (32769, b"CD001", "ISO 9660 image"),
    (0, b"QFI\xfb", "qcow2 image (convert it with qemu-img to raw first)"),
    (0, b"hsqs", "squashfs file system"),
    (4096, b"\xfc\x4e\x2b\xa9", "md RAID member"),
    (0, b"\xfd7zXZ\x00", "xz archive (unpack it first)"),
    (0, b"\x28\xb5\x2f\xfd", "zstd archive (unpack it first)"),
    (0, b"\x1f\x8b", "gzip archive (unpack it first)"),
)
MAX_PARTITIONS = 128


def identify(read: Read) -> str | None:
    """The name of what starts here, by its magic number."""
    for at, magic, name in _MAGIC:
        if read(at, len(magic)) == magic:
            return name
    return None


def partitions(read: Read) -> Iterator[tuple[int, int, str]]:
    """(start, end, which) in bytes of each partition that a GPT or MBR names; hostile entries are just numbers."""
    for sector in (512, 4096):
        header = read(sector, 92)
        if header[:8] == b"EFI PART":
            yield from _gpt(read, header, sector)
            return
    boot = read(0, 512)
    if len(boot) == 512 and boot[510:] == b"\x55\xaa":
        for number in range(4):
            kind, start, count = struct.unpack_from("<4xB3xII", boot, 446 + 16 * number)
            if kind and start and count:
                yield start * 512, (start + count) * 512, f"MBR partition {number + 1}"


def _gpt(read: Read, header: bytes, sector: int) -> Iterator[tuple[int, int, str]]:
    table, count, size = struct.unpack_from("<QII", header, 72)
    if not 128 <= size <= 4096:
        return
    entries = read(table * sector, min(count, MAX_PARTITIONS) * size)
    for number in range(len(entries) // size):
        entry = entries[number * size : (number + 1) * size]
        first, last = struct.unpack_from("<QQ", entry, 32)
        if any(entry[:16]) and 0 < first <= last:
            yield first * sector, (last + 1) * sector, f"GPT partition {number + 1}"
