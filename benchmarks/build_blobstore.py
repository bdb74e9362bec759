"""A dirty blobstore image, sparse but for its metadata: `python -m benchmarks.build_blobstore PATH GIBIBYTES [zero]`.

Clusters of 1 MiB and a metadata page for each, as lvolstores have by default: 4 GiB of metadata on 1 TiB. A long-lived
pool is told by its pages: a few volumes that are whole, and behind them extent pages that deleted volumes left, all
sealed. With `zero` the rest is zeroes that were written, as on a pool that was just made.
"""

from __future__ import annotations

import struct
import sys
from pathlib import Path

from tests.builders.spdk import NONE, PAGE, desc, md_page, seal, uuid, xattr

CLUSTER = 1 << 20
PER_PAGE = 512  # clusters that one extent page maps
VOLUMES = 64


def super_block(clusters: int, masks: int, first: int, pages: int) -> bytes:
    head = struct.pack("<8sIIIQI", b"SPDKBLOB", 3, PAGE, 0, 1 << 32, CLUSTER)
    places = (1, masks, 1 + masks, masks, first, pages, b"LVOLSTORE", 1 + 2 * masks, masks)
    head += struct.pack("<IIIIII16sIIQII", *places, clusters * CLUSTER, PAGE, 0)
    return seal(head.ljust(4092, b"\0"))


def volumes(clusters: int, first_data: int) -> list[bytes]:
    """The store's own blob, and volumes of consecutive clusters: a root page each, then all of their extent pages."""
    own = desc(3, struct.pack("<QQQ", 4, 0, 0)) + xattr(b"uuid", uuid(0)) + xattr(b"name", b"disk\0")
    pages = [md_page(1 << 32, 0, NONE, own + desc(5, struct.pack("<Q", 0)))]
    each = min((clusters - first_data) // VOLUMES, 300 * PER_PAGE)
    per = -(-each // PER_PAGE)
    for volume in range(VOLUMES):
        root, begin = len(pages), first_data + volume * each
        blob = 1 << 32 | root
        table = b"".join(struct.pack("<II", root + 1 + k, 1) for k in range(per))
        body = desc(3, struct.pack("<QQQ", 4, 0, 2)) + xattr(b"name", f"volume-{volume}".encode().ljust(64, b"\0"))
        pages.append(
            md_page(blob, 0, NONE, body + xattr(b"uuid", uuid(root)) + desc(5, struct.pack("<Q", each) + table))
        )
        for k in range(per):
            own_clusters = range(begin + k * PER_PAGE, begin + min(each, (k + 1) * PER_PAGE))
            words = struct.pack(f"<I{len(own_clusters)}I", k * PER_PAGE, *own_clusters)
            pages.append(md_page(blob, 0, NONE, desc(6, words)))
    return pages


def build(path: Path, size: int, zero: bool = False) -> int:
    """Write the image; returns the bytes of its metadata region."""
    clusters = pages = size // CLUSTER
    masks = -(-(5 + -(-clusters // 8)) // PAGE)
    first = 1 + 3 * masks
    first_data = -(-(first + pages) * PAGE // CLUSTER)
    made = volumes(clusters, first_data)
    with path.open("wb") as file:
        file.truncate(clusters * CLUSTER)
        file.write(super_block(clusters, masks, first, pages))
        file.seek(first * PAGE)
        file.write(b"".join(made))
        old = [
            md_page(1 << 32 | 7, 0, NONE, desc(6, struct.pack("<I512I", k * PER_PAGE, *range(512)))) for k in range(64)
        ]
        block = bytes(64 * PAGE) if zero else b"".join(old)
        left = (pages - len(made)) * PAGE
        while left > 0:
            left -= file.write(block[: min(left, len(block))])
    return pages * PAGE


if __name__ == "__main__":
    build(Path(sys.argv[1]), int(float(sys.argv[2]) * (1 << 30)), "zero" in sys.argv[3:])
