"""How fast both kernels walk a gossip store, as ratios to one checksum over the same bytes measured in the same run.

    .venv/bin/python -m benchmarks.bench_kernel [MEGABYTES]

Every number is the median over pairs: the floor and the work run in turn, so that a busy machine slows both.
"""

import os
import sys
from collections.abc import Callable
from statistics import median
from time import perf_counter

from crc32c import crc32c

from inspector import kernels as chosen
from inspector.kernels.gossip_tiles import Batch
from tests.conftest import Kernel, kernels
from tests.kernels.stores import realistic_store
from tests.kernels.test_walk import HOSTILE, hostile

WINDOW = 4 << 20
V16 = (0x17FF, 0x2000, 138, 42)


def walk(kernel: Kernel, data: bytes, each: Callable[[Batch, memoryview, int], object] | None = None) -> int:
    """Tiles of a store that is in memory; `each` sees every batch with its window and where that begins."""
    view = memoryview(data)
    walker = kernel.GossipWalker(len(data))
    tiles = 0
    while not walker.done:
        at = walker.want
        window = view[at : at + WINDOW]
        batch = walker.feed(window, at + WINDOW >= len(data))
        tiles += len(batch)
        if each is not None:
            each(batch, window, at)
    return tiles


def seconds(work: Callable[[], object]) -> float:
    began = perf_counter()
    work()
    return perf_counter() - began


def against(floor: Callable[[], object], work: Callable[[], object], rounds: int) -> tuple[float, float]:
    """(median seconds of the work, median of floor / work over pairs run in turn)."""
    pairs = [(seconds(floor), seconds(work)) for _ in range(rounds)]
    return median(w for _, w in pairs), median(f / w for f, w in pairs)


def line(name: str, size: int, took: float, ratio: float | None = None) -> None:
    of_floor = "" if ratio is None else f"   {ratio:6.3f} of the one-shot checksum's speed"
    sys.stdout.write(f"  {name:<34}{took * 1e3:9.1f} ms {size / took / 1e6:9.0f} MB/s{of_floor}\n")


def bench(kernel: Kernel, data: bytes, rounds: int) -> None:
    sys.stdout.write(f"{kernel.which} kernel\n")

    def floor() -> object:
        return crc32c(data)

    def owners() -> None:
        table = kernel.GossipOwners()
        walk(kernel, data, lambda batch, _, __: table.feed(batch))
        table.finish()

    line("walk", len(data), *against(floor, lambda: walk(kernel, data), rounds))
    line("walk and owners", len(data), *against(floor, owners, rounds))
    odd = against(floor, lambda: walk(kernel, data, lambda b, w, at: kernel.oddities(b, w, at, *V16)), rounds)
    line("walk and oddities", len(data), *odd)
    noise = os.urandom(len(data) // 2)
    zeroes = bytes(len(data))
    line("next anchor in random bytes", len(noise), median(seconds(lambda: walk(kernel, noise)) for _ in range(rounds)))
    line("next anchor in zeroes", len(zeroes), median(seconds(lambda: walk(kernel, zeroes)) for _ in range(rounds)))
    for kind in HOSTILE:
        small = hostile(kind, (16 << 20) if kernel.which == "compiled" else (2 << 20))
        large = small + small[1:]
        took, twice = (median(seconds(lambda d=d: walk(kernel, d)) for _ in range(3)) for d in (small, large))  # type: ignore[misc]
        sys.stdout.write(f"  hostile: {kind:<25}{took * 1e3:9.1f} ms {len(small) / took / 1e6:9.0f} MB/s")
        sys.stdout.write(f"   twice the bytes: {twice / took:.2f} times as long\n")


def main() -> None:
    size = int(sys.argv[1]) * 1_000_000 if len(sys.argv) > 1 else 105_000_000
    data = realistic_store(size)
    found = kernels()
    tiles = walk(found["plain"], data)
    sys.stdout.write(f"{len(data)} bytes, {tiles} records; inspector uses the {chosen.WHICH} kernel, ")
    sys.stdout.write(f"processor's CRC instruction: {chosen.hardware_crc()}\n")
    line("one-shot checksum (the floor)", len(data), median(seconds(lambda: crc32c(data)) for _ in range(9)))
    for kernel in found.values():
        bench(kernel, data, 15 if kernel.which == "compiled" else 3)


if __name__ == "__main__":
    main()
