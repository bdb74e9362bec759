"""Carving: is everything found, how fast is nothing found, and is the time linear on bytes made to defeat it.

    .venv/bin/python -m benchmarks.bench_carve [MEGABYTES OF NOISE [MEGABYTES OF STORE]]

The store is cut into 4096-byte blocks and shuffled into random bytes; a record counts as findable when it lies whole
inside one block. Rates are per second of the wall clock and per second of processor time: other programs on the
machine slow the first and not the second.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from hashlib import blake2b
from pathlib import Path
from random import Random
from time import perf_counter, process_time

from benchmarks.measure import run
from inspector.carve import Carved, CarveWishes, carve
from inspector.carvers import MODULES, carver
from inspector.kernels import WHICH
from inspector.source import Source, open_source
from tests.carve.devices import BLOCK, whole_in_a_block
from tests.formats.gossip_store.witness import walk
from tests.kernels.stores import realistic_store
from tests.kernels.test_walk import HOSTILE, hostile

NOISE, STORE = 1000, 20  # megabytes
SLOW = ("good and fake in turn", "good and fitting in turn")  # a find every 36 or 75 bytes, each kept and judged
PIECE = 8 << 20
HEADER = 12


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def timed(source: Source, name: str, report: Callable[[Carved], None] = lambda carved: None) -> tuple[float, float]:
    """Seconds of the clock and of the processor of a dry run."""
    clock, cpu = perf_counter(), process_time()
    carve(source, carver(name), None, CarveWishes(), report=report)
    return perf_counter() - clock, process_time() - cpu


def digest(record: bytes) -> bytes:
    return blake2b(record[8:], digest_size=16).digest()


def shuffled_into(path: Path, store: bytes, noise: int, seed: int = 1) -> None:
    """The store's blocks at random places of `noise` bytes, written piece by piece."""
    rng = Random(seed)
    blocks = [store[at : at + BLOCK].ljust(BLOCK, b"\0") for at in range(0, len(store), BLOCK)]
    rng.shuffle(blocks)
    total = noise // BLOCK + len(blocks)
    places = dict(zip(sorted(rng.sample(range(total), len(blocks))), blocks, strict=True))
    with path.open("wb") as file:
        for first in range(0, total, PIECE // BLOCK):
            piece = bytearray(os.urandom(min(PIECE, (total - first) * BLOCK)))
            for i in range(len(piece) // BLOCK):
                if first + i in places:
                    piece[i * BLOCK : (i + 1) * BLOCK] = places[first + i]
            file.write(piece)


def shuffled(folder: Path, noise: int, size: int) -> None:
    store = realistic_store(size)
    path = folder / "shuffled.img"
    shuffled_into(path, store, noise)
    wanted = Counter(digest(store[r.at : r.end]) for r in whole_in_a_block(store))
    seen: Counter[bytes] = Counter()
    joined: Counter[bytes] = Counter()
    records = list(walk(store))
    cut = Counter(digest(store[r.at : r.end]) for r in records) - wanted
    fit = sum(HEADER <= BLOCK - r.at % BLOCK < r.end - r.at <= BLOCK - r.at % BLOCK + BLOCK for r in records)

    def report(carved: Carved) -> None:
        ends: dict[int, int] = {}
        for span in carved.haul.spans():
            record = carved.source.read(span.start, span.end - span.start)
            if span.rest is None:
                seen[digest(record)] += 1
            elif span.rest in ends:  # both pieces are known; which of them is the head, the truth tells
                rest = carved.source.read(span.rest, ends[span.rest] - span.rest)
                joined[digest(rest + record) if digest(rest + record) in cut else digest(record + rest)] += 1
            else:
                ends[span.start] = span.end
        units = carved.haul.sums.units
        say("  " + ", ".join(f"{count:,} {fate}" for fate, count in sorted(units.items())))

    with open_source(str(path)) as source:
        clock, cpu = timed(source, "gossip-store", report)
        found = wanted - (wanted - seen)
        say(f"  {source.size / 1e6:,.0f} MB with a store of {size / 1e6:,.0f} MB: {clock:.1f} s, {cpu:.1f} of CPU")
    say(f"  records whole inside a block: {wanted.total():,}; found of them: {found.total():,}")
    say(f"  found beside (blocks that came to lie in order): {(seen - wanted).total():,}")
    say(f"  cut by a border: {cut.total():,}, of them with a whole header and one border: {fit:,}")
    say(f"  joined: {joined.total():,}, of them true: {(joined - (joined - cut)).total():,}")
    path.unlink()


def content(kind: str, size: int) -> Iterator[bytes]:
    left = size
    while left > 0:
        yield (os.urandom if kind == "random" else bytes)(min(PIECE, left))
        left -= PIECE


def rates(folder: Path, size: int) -> None:
    for kind in ("random", "zero"):
        path = folder / f"{kind}.img"
        with path.open("wb") as file:
            for piece in content(kind, size):
                file.write(piece)
        for name in MODULES:
            with open_source(str(path)) as source:
                timed(source, name)
                clock, cpu = min(timed(source, name) for _ in range(3))
                speeds = f"{size / clock / 1e6:8.0f} MB/s   {size / cpu / 1e6:8.0f} MB per CPU second"
                say(f"  {kind:<8}{name:<16}{speeds}")
        path.unlink()
    path = folder / "hole.img"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    with open_source(str(path)) as source:
        say(f"  a hole of 1 TiB: {timed(source, 'gossip-store')[0]:.2f} s")


def linear(folder: Path, size: int) -> None:
    """Processor time and memory of whole processes, each time for ten times as many hostile bytes."""
    for kind in HOSTILE:
        unit = hostile(kind, PIECE)
        path = folder / "hostile.img"
        told = []
        for wanted in (size // 10, size) if kind in SLOW else (size, 10 * size, 100 * size):
            with path.open("wb") as file:
                for left in range(wanted, 0, -len(unit)):
                    file.write(unit[:left])
            words = ["carve", str(path), "--format", "gossip-store", "--dry-run"]
            made, size_now = run([sys.executable, "-m", "inspector", *words]), path.stat().st_size
            told.append(f"{size_now / 1e6:,.0f} MB: {made.cpu:.1f} s, {made.peak >> 20} MiB")
        say(f"  {kind:<26}{'; '.join(told)}")


def main() -> None:
    noise = (int(sys.argv[1]) if len(sys.argv) > 1 else NOISE) * 1_000_000
    size = (int(sys.argv[2]) if len(sys.argv) > 2 else STORE) * 1_000_000
    say(f"{WHICH} kernel, {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as name:
        say("a store shuffled into random bytes")
        shuffled(Path(name), noise, size)
        say("bytes that hold nothing")
        rates(Path(name), max(noise // 4, 1 << 20))
        say("bytes made to defeat it")
        linear(Path(name), max(noise // 100, PIECE))


if __name__ == "__main__":
    main()
