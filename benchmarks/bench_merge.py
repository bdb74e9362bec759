"""Merges held against the undamaged stores: `python -m benchmarks.bench_merge [SEEDS] [KILOBYTES] [MEGABYTES]`.

Three copies with 100 damages each: of one store in different places, and of three ages, of which the newest has
channels closed; then time and memory at the size of a real node's store, and of a comparison of two.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from random import Random

from benchmarks.measure import floor, run
from inspector import kernels
from tests.builders.gossip import healthy
from tests.formats.gossip_store.merge_truth import Score, hurt, same_store, three_ages
from tests.formats.gossip_store.witness import walk

DAMAGES = 100


def truths(seeds: int, size: int) -> None:
    stories: dict[str, Callable[[Path, int], Score]] = {
        "one store, damaged in different places": lambda folder, seed: same_store(folder, size, DAMAGES, seed),
        "three ages, channels closed since": lambda folder, seed: three_ages(folder, size, DAMAGES, seed),
        "the same, the middle one compacted": lambda folder, seed: three_ages(folder, size, DAMAGES, seed, True),
    }
    names = ("alive", "back", "flagged", "inside", "headless", "split", "stale", "resurrected")
    print(f"| three copies, {DAMAGES} damages each | seeds | {' | '.join(names)} | refused |")
    print("|---" * (len(names) + 3) + "|")
    with tempfile.TemporaryDirectory() as name:
        for words, story in stories.items():
            found = [story(Path(name), seed) for seed in range(seeds)]
            told = " | ".join(f"{sum(getattr(s, n) for s in found):,}" for n in names)
            told += f" | {sum(bool(s.objection) for s in found)}"
            print(f"| {words} | {seeds} | {told} |")
            for seed, score in enumerate(found):
                for record in score.missing:
                    print(f"  seed {seed}: type {record.kind} at {record.at} is missing")
    print("""
flagged: a damaged flag of some copy says deleted; inside: in what a damaged record claims, never taken unasked;
headless: flags and length are destroyed in every copy, so that nothing tells whether it was deleted;
split: an announcement and its amount are side by side in no copy; stale: older than one that is lost in all copies
""")


def build(folder: str, size: int) -> None:
    base, rng = healthy(16, size, 1), Random(1)
    records = list(walk(base))
    rng.shuffle(records)
    for k in range(3):
        (Path(folder) / f"copy{k}").write_bytes(hurt(base, DAMAGES, rng, records[k::3]))


def sizes(size: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        # in a process of its own, because the peak of one that measures is inherited
        subprocess.run([sys.executable, "-m", "benchmarks.bench_merge", "build", folder, str(size)], check=True)
        copies = [f"{folder}/copy{k}" for k in range(3)]
        base = floor(copies[0])
        print(f"three copies of {os.path.getsize(copies[0]):,} bytes, {DAMAGES} damages each, kernel: {kernels.WHICH}")  # noqa: PTH202
        print(
            f"floor (one read and checksummed): {base.seconds:.2f} s\n\n| | seconds | CPU | peak |\n|---|---|---|---|"
        )
        for words in (["merge", *copies, "-o", f"{folder}/out", "--map", f"{folder}/map"], ["diff", *copies[:2]]):
            made = run([sys.executable, "-m", "inspector", *words])
            print(f"| {words[0]} | {made.seconds:.1f} | {made.cpu:.1f} | {made.peak >> 20} MiB |")


def main(seeds: int, kilobytes: int, megabytes: float) -> None:
    truths(seeds, kilobytes * 1000)
    if megabytes:
        sizes(int(megabytes * 1e6))


if __name__ == "__main__":
    if sys.argv[1:2] == ["build"]:
        build(sys.argv[2], int(sys.argv[3]))
    else:
        words = sys.argv[1:] + ["20", "2000", "105"][len(sys.argv) - 1 :]
        main(int(words[0]), int(words[1]), float(words[2]))
