"""How a scan grows with the store: `python -m benchmarks.bench_scaling [MEGABYTES ...]`, last a sparse file of 33 GB.

Processor time and peak memory of whole processes, and each as a bar: memory must not grow, time must grow as the bytes.
The stores are of ever new channels (`build_large`), the kind whose tables grow the most.
The sparse file is the largest store with a hole behind it, up to the size that a crash report of lightningd named.
"""

from __future__ import annotations

import math
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.bench_gossip import MIB, inspector, say
from benchmarks.build_large import build
from benchmarks.measure import Run, run

SPARSE = 33_531_935_762  # bytes: ElementsProject/lightning#8224
WIDTH = 40


@dataclass(frozen=True, slots=True)
class Point:
    size: int
    run: Run
    label: str


def points(folder: Path, sizes: list[int], sparse: bool) -> list[Point]:
    found, path = [], folder / "gossip_store"
    for size in sizes:
        build(path, size)
        found.append(Point(size, run(inspector("scan", str(path))), f"{size // 1_000_000:,} MB"))
    if sparse:
        os.truncate(path, SPARSE)
        found.append(Point(SPARSE, run(inspector("scan", str(path))), "33 GB, sparse"))
    return found


def bar(value: float, largest: float, least: float) -> str:
    """On a logarithmic scale from `least` on."""
    part = math.log(max(value, least) / least) / math.log(max(largest / least, 1.01))
    return "█" * max(1, round(WIDTH * part))


def show(found: list[Point]) -> None:
    say("| store | s of processor | MB/s | peak MiB |\n|---|---|---|---|")
    for point in found:
        rate = point.size / point.run.cpu / 1e6
        say(f"| {point.label} | {point.run.cpu:.2f} | {rate:,.0f} | {point.run.peak // MIB} |")
    for name, values in (
        ("seconds of processor", [point.run.cpu for point in found]),
        ("peak MiB", [point.run.peak / MIB for point in found]),
    ):
        say(f"\n{name}, logarithmic")
        for point, value in zip(found, values, strict=True):
            say(f"  {point.label:>14} {bar(value, max(values), min(values) / 2)} {value:,.2f}")


def main(words: list[str]) -> None:
    sizes = [int(float(word) * 1e6) for word in words if word != "sparse"] or [10**6, 10**7, 10**8, 10**9]
    with tempfile.TemporaryDirectory() as name:
        show(points(Path(name), sizes, not words or "sparse" in words))


if __name__ == "__main__":
    main(sys.argv[1:])
