"""What begins so is packed, or an image of another kind: the first bytes, and how it is unwrapped.

`inspector.catalogue` asks whether a file begins so, `inspector.unpacking` whether it goes on so, `inspector.wrapped`
tells it.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

# bytes that any file may unpack to, and more for each of its own: logs pack 10 to 100 fold, deflate can do 1032
SPARE, RATIO = 16 << 20, 100
Kind = Literal["stream", "files", "image"]


class Packing(Struct, frozen=True):
    """`command` unwraps the file that {} stands for: a stream to its output, files into the folder, or to disk.raw.

    `reader` says what can tell whether it goes on as it begins: one of `unpacking.READERS`, or "zip". Without one it is
    believed.
    """

    mark: bytes
    what: str
    kind: Kind
    command: str
    reader: str = ""


_QEMU = "qemu-img convert -O raw {} disk.raw"
PACKINGS = (
    Packing(b"\x1f\x8b\x08", "a gzip archive", "stream", "gzip -dc {}", "gzip"),
    Packing(b"\xfd7zXZ\x00", "an xz archive", "stream", "xz -dc {}", "xz"),
    Packing(b"\x28\xb5\x2f\xfd", "a zstd archive", "stream", "zstd -dc {}", "zstd"),
    Packing(b"BZh", "a bzip2 archive", "stream", "bzip2 -dc {}", "bzip2"),
    Packing(b"\x04\x22\x4d\x18", "an lz4 archive", "stream", "lz4 -dc {}", "lz4"),
    Packing(b"PK\x03\x04", "a zip archive", "files", "unzip {}", "zip"),
    Packing(b"7z\xbc\xaf\x27\x1c", "a 7z archive", "files", "7z x {}"),
    Packing(b"Rar!\x1a\x07", "a rar archive", "files", "unrar x {}"),
    Packing(b"QFI\xfb", "a qcow2 image of a disk", "image", _QEMU),
    Packing(b"KDMV", "a VMDK image of a disk", "image", _QEMU),
    Packing(b"conectix", "a VHD image of a disk", "image", _QEMU),
    Packing(b"vhdxfile", "a VHDX image of a disk", "image", _QEMU),
    Packing(b"<<< Oracle VM VirtualBox Disk Image >>>", "a VDI image of a disk", "image", _QEMU),
    Packing(b"EVF\x09\r\n\xff\x00", "an EnCase image (E01)", "image", "ewfexport -u -f raw -t disk {}"),
    Packing(b"\x3a\xff\x26\xed", "a sparse image of Android's tools", "image", "simg2img {} disk.raw"),
)
MARKS = tuple(packing.mark for packing in PACKINGS)
LONGEST = max(map(len, MARKS))


def packing_of(head: bytes) -> Packing | None:
    """What these first bytes, LONGEST or more of them, begin."""
    if not head.startswith(MARKS):
        return None
    return next(packing for packing in PACKINGS if head.startswith(packing.mark))


def most_of(size: int) -> int:
    """Bytes that so many packed ones may become; what unpacks to more is not taken for real."""
    return SPARE + RATIO * size
