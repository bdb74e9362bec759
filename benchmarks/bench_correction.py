"""What corrections of gossip records can do: `python -m benchmarks.bench_correction bits pairs store`.

bits   every bit of one signed record of each type flipped
pairs  every pair of bits of a 138-byte update; 100,000 pairs of an announcement and a node announcement
store  the real mainnet store: its signatures, and 1,000 flips (needs ../shared/data)

Each line is a count and a time; anything that went wrong is listed and makes the exit code 1.
"""

from __future__ import annotations

import argparse
import lzma
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import combinations, islice
from multiprocessing import get_context
from pathlib import Path
from random import Random

from inspector.format import Wishes
from inspector.formats.gossip_store.correction import Corrector
from inspector.formats.gossip_store.mending import mend, seen_through
from inspector.formats.gossip_store.signed import SIGNED, judge
from inspector.formats.gossip_store.walk import Store, open_store, walk
from inspector.signatures import library
from inspector.source import MemorySource
from tests.builders.gossip_signed import signed_store

REAL = Path(__file__).parents[1] / ".." / "shared" / "data" / "gossip_store" / "mainnet-2021-v9.gossip_store.xz"
NAMES = {256: "channel_announcement", 257: "node_announcement", 258: "channel_update"}
Flips = tuple[int, ...]  # bits of the unit: 8 * byte + bit

_workers: dict[int, Corrector] = {}


def opened(data: bytes, accept: Iterable[str] = ()) -> Store:
    return open_store(MemorySource(data), None, Wishes(accept=frozenset(accept)))


def records(data: bytes) -> Iterator[tuple[int, int, int]]:
    """(start, end, type) of every record."""
    for stretch in walk(opened(data)):
        ends = [*stretch.starts[1:], stretch.end]
        yield from (row for row in zip(stretch.starts, ends, stretch.kinds, strict=True) if row[2])


def first_of(data: bytes) -> dict[int, bytes]:
    """The first record of each type."""
    found: dict[int, bytes] = {}
    for start, end, kind in records(data):
        found.setdefault(kind, data[start:end])
    return found


def flipped(unit: bytes, bits: Flips) -> bytes:
    out = bytearray(unit)
    for bit in bits:
        out[bit >> 3] ^= 1 << (bit & 7)
    return bytes(out)


def corrector(unit: bytes) -> Corrector:
    """Of the test store in which this very record is damaged, so that it cannot vouch for itself."""
    key = hash(unit)
    if key not in _workers:
        data = signed_store()
        at = data.index(unit) + 20
        _workers[key] = Corrector(opened(data[:at] + bytes([data[at] ^ 0x55]) + data[at + 1 :]), checks=0)
    return _workers[key]


def undone(job: tuple[bytes, list[Flips]]) -> Counter[str]:
    """How many of these flips come back, and as what."""
    unit, flips = job
    found: Counter[str] = Counter()
    undo = corrector(unit)
    for bits in flips:
        correction = undo.solve(flipped(unit, bits))
        right = "right" if correction.unit == unit else "WRONG" if correction.unit else "not undone"
        found[f"{correction.verdict}, {right}"] += 1
    return found


def chunks(flips: Iterable[Flips], size: int = 2000) -> Iterator[list[Flips]]:
    rest = iter(flips)
    while part := list(islice(rest, size)):
        yield part


def spread(jobs: Iterable[tuple[bytes, list[Flips]]], work: Callable[..., Counter[str]], cores: int) -> Counter[str]:
    found: Counter[str] = Counter()
    with get_context("spawn").Pool(cores) as pool:
        for part in pool.imap_unordered(work, jobs):
            found += part
    return found


def report(name: str, found: Counter[str], since: float) -> bool:
    total = found.total()
    told = ", ".join(f"{count:,} {what}" for what, count in sorted(found.items()))
    print(f"{name}: {total:,} in {time.perf_counter() - since:.1f} s: {told}", flush=True)
    return not any("WRONG" in what for what in found)


def bits(cores: int) -> bool:
    good = True
    for kind, unit in sorted(first_of(signed_store()).items()):
        since = time.perf_counter()
        found = undone((unit, [(bit,) for bit in range(16, 8 * len(unit))]))
        good &= report(f"every bit but the flags, type {kind}, {len(unit) - 12} bytes", found, since)
        good &= all("right" in what for what in found)
    return good


def pairs(cores: int, sample: int = 100_000) -> bool:
    good, units = True, first_of(signed_store())
    since = time.perf_counter()
    update = units[258]
    every = combinations(range(16, 8 * len(update)), 2)
    found = spread(((update, part) for part in chunks(every)), undone, cores)
    good &= report(f"every pair of bits but the flags, channel_update, {len(update) - 12} bytes", found, since)
    for kind in (256, 257):
        since, rng, unit = time.perf_counter(), Random(kind), units[kind]
        some = (tuple(sorted(rng.sample(range(16, 8 * len(unit)), 2))) for _ in range(sample))
        found = spread(((unit, part) for part in chunks(some)), undone, cores)
        good &= report(f"pairs of bits, {NAMES[kind]}, {len(unit) - 12} bytes", found, since)
    return good


def store(cores: int, flips: int = 1000) -> bool:
    data = lzma.decompress(REAL.read_bytes())
    whole = opened(data)
    undo = Corrector(whole)
    states: Counter[str] = Counter()
    since = time.perf_counter()
    for start, end, kind in records(data):
        if kind in SIGNED:
            states.update(judge(data[start + 12 : end], undo.signer).which)
    spent = time.perf_counter() - since
    rate = states.total() / spent
    print(f"{REAL.stem}: signatures {dict(states)} in {spent:.1f} s: {rate:,.0f} a second on one core ({library()})")
    return _flips_of_store(data, flips, ()) & _flips_of_store(data, flips, ("unique",))


def _flips_of_store(data: bytes, flips: int, accept: tuple[str, ...]) -> bool:
    rng, bad = Random(7), bytearray(data)
    rows = [row for row in records(data) if row[1] <= 2_047_927]
    places: set[tuple[int, int, int]] = set()
    while len(places) < flips:
        start, end, _ = rng.choice(rows)
        places.add((start, end, 8 * rng.randrange(start + 2, end) + rng.randrange(8)))
    for _, _, bit in places:
        bad[bit >> 3] ^= 1 << (bit & 7)
    hurt_records = {(start, end) for start, end, _ in places}
    since = time.perf_counter()
    damaged = opened(bytes(bad), accept)
    mended = mend(damaged, damaged.wishes)
    after = seen_through(damaged, mended).source.read(0, len(data))
    spent = time.perf_counter() - since
    same = sum(after[start:end] == data[start:end] for start, end in hurt_records)
    elsewhere = sum(a != b for a, b in zip(after, data, strict=True))
    wrong = sum(after[p.start : p.end] != data[p.start : p.end] for p in mended.pieces)
    told = f"{same:,} of {len(hurt_records):,} damaged records byte-identical, {wrong} wrong, {elsewhere} bytes differ"
    print(f"  {flips:,} flips, --accept {' '.join(accept) or 'nothing'}: {told}, {spent:.1f} s")
    return not wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    steps: dict[str, Callable[[int], bool]] = {"bits": bits, "pairs": pairs, "store": store}
    parser.add_argument("steps", nargs="*", choices=[*steps, []], help="all, if none is named")
    parser.add_argument("--cores", type=int, default=2)
    asked = parser.parse_args()
    print(f"signatures are checked by {library()}")
    good = [steps[name](asked.cores) for name in asked.steps or steps]
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
