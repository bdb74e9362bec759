"""The inner loops alone: `python -m benchmarks.inner STORE`; INSPECTOR_KERNEL says which kernel."""

from __future__ import annotations

import statistics
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

import crc32c

from inspector import kernels

WINDOW = 4 << 20
ROUNDS = 5


def seconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def walk(data: memoryview, owners: bool = False) -> int:
    """Tiles in a whole store, read in windows as a scan does."""
    walker, found = kernels.GossipWalker(len(data), 1), 0
    held = kernels.GossipOwners() if owners else None
    while not walker.done:
        at = walker.want
        batch = walker.feed(data[at : at + WINDOW], at + WINDOW >= len(data))
        found += len(batch)
        if held is not None:
            held.feed(batch)
    if held is not None:
        held.finish()
    return found


def hostile(size: int) -> bytes:
    """Headers of announcements that claim 65,535 bytes, one every 14 bytes, each worth a checksum to a naive search."""
    head = struct.pack(">HHIIH", 0x2000, 65535, 1, 1, 257) + b"\0"
    return b"\x10" + head * (size // len(head))


def main(path: str) -> None:
    data = memoryview(Path(path).read_bytes())
    noise = memoryview(b"\x10" + Random(1).randbytes(64 << 20))
    trap = memoryview(hostile(8 << 20))
    zeroes = memoryview(b"\x10" + bytes(256 << 20))
    ratios = {"walk": list[float](), "walk and owners": list[float]()}
    for _ in range(ROUNDS):
        once = seconds(lambda: crc32c.crc32c(data))
        ratios["walk"].append(once / seconds(lambda: walk(data)))
        ratios["walk and owners"].append(once / seconds(lambda: walk(data, owners=True)))
    out = sys.stdout.write
    for name, values in ratios.items():
        out(f"| {name}, speed of the one-shot checksum = 1 | {statistics.median(values):.2f} |\n")
    for name, some in (("random bytes", noise), ("zeroes", zeroes), ("hostile bytes", trap)):
        taken = statistics.median(seconds(lambda some=some: walk(some)) for _ in range(3))  # type: ignore[misc]
        out(f"| next anchor in {name} | {len(some) / taken / 1e9:.3f} GB/s |\n")


if __name__ == "__main__":
    main(sys.argv[1])
