"""Damage that is no bit error, on signed records: is anything wrong ever written? How often does it look like flips?

    python -m benchmarks.bench_correction_random [--damages 1000000] [--state FILE]

Zeroed, overwritten and shifted stretches of at least five bytes, each made by a seed of its own. A record is solved as
the repair solves it, with the zeroed fields looked up; one in `--bursts` also with the search for bursts, which checks
hundreds of signatures. What is done is kept in the state file, a line for each piece, so a stopped run goes on. Exit
1 if a wrong correction was sealed, which is what a repair writes by default.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from multiprocessing import get_context
from pathlib import Path
from random import Random

from benchmarks.bench_correction import corrector, first_of
from inspector.correct import SILENT, Word, decide, one_bit, two_bits
from tests.builders.gossip_signed import signed_store

KINDS = {256: "channel_announcement", 257: "node_announcement", 258: "channel_update", 4101: "channel_amount"}
WAYS = ("zeroed", "overwritten", "shifted")
PIECE = 5000  # damages
FILLS = 64  # signatures' worth of looking up zeroed fields, for one record
BURSTS = 1 << 20

Piece = tuple[int, int, int, int]  # type, first seed, seeds, one in how many is searched for bursts


def hurt(unit: bytes, rng: Random) -> tuple[str, bytes]:
    """Damage of everything but flags and length, of a stretch of at least five bytes."""
    start = rng.randrange(4, len(unit) - 5)
    end = min(len(unit), start + rng.randrange(5, max(6, len(unit) // 2)))
    way = rng.choice(WAYS)
    if way == "zeroed":
        middle = bytes(end - start)
    elif way == "overwritten":
        middle = rng.randbytes(end - start)
    else:
        by = rng.randrange(1, end - start)
        middle = unit[start + by : end] + unit[start : start + by]
    return way, unit[:start] + middle + unit[end:]


def harmed(piece: Piece) -> Counter[str]:
    """What becomes of random damages of a record, and what the checksum alone would take for flips."""
    kind, first, count, bursts = piece
    unit = first_of(signed_store())[kind]
    undo = corrector(unit)
    word = Word(12, len(unit), 4, "big", seed=8)
    found: Counter[str] = Counter()
    for seed in range(first, first + count):
        _, bad = hurt(unit, Random(seed))
        bits = (int.from_bytes(bad, "big") ^ int.from_bytes(unit, "big")).bit_count()
        if bits <= 2:  # zeroes over zeroes, a shift of equal bytes
            found["no damage" if not bits else "one or two bits"] += 1
            continue
        undo.checks = BURSTS if seed % bursts == 0 else FILLS
        correction = undo.solve(bad)
        found[correction.verdict + _right(correction.unit, unit)] += 1
        if not word.syndrome(bad):
            found["checksum holds"] += 1
        elif alone := decide(bad, [*one_bit(word, bad), *two_bits(word, bad)], lambda *_: SILENT, 0).count:
            found["looks like flips" if alone == 1 else "looks like several flips"] += 1
    return found


def _right(got: bytes, unit: bytes) -> str:
    return "" if not got else ", right" if got == unit else ", WRONG"


def pieces(count: int, bursts: int) -> Iterator[Piece]:
    """The same work in pieces for every run; types take turns."""
    share = -(-count // len(KINDS))
    for at in range(0, share, PIECE):
        yield from ((kind, kind * 10**8 + at, min(PIECE, share - at), bursts) for kind in KINDS)


def run(count: int, bursts: int, state: Path, cores: int) -> dict[int, Counter[str]]:
    """All pieces, those of the state file from there."""
    done = {tuple(piece): told for piece, told in map(json.loads, state.read_text().splitlines())}
    left = [piece for piece in pieces(count, bursts) if piece not in done]
    totals: dict[int, Counter[str]] = {kind: Counter() for kind in KINDS}
    for piece in set(pieces(count, bursts)) & set(done):
        totals[piece[0]] += Counter(done[piece])
    with get_context("spawn").Pool(cores) as pool, state.open("a") as kept:
        for piece, found in pool.imap_unordered(_told, left):
            totals[piece[0]] += found
            kept.write(json.dumps([piece, found]) + "\n")
            kept.flush()
    return totals


def _told(piece: Piece) -> tuple[Piece, Counter[str]]:
    return piece, harmed(piece)


def table(totals: dict[int, Counter[str]]) -> bool:
    """Prints a line for each type; whether nothing wrong was sealed."""
    for kind, found in totals.items():
        length = len(first_of(signed_store())[kind]) - 12
        patterns = 8 * length + 32  # the seed's bits are twins of the first four bytes': as patterns no new ones
        expected = patterns * (patterns + 1) / 2 / 2**32
        verdicts = {
            what: n for what, n in found.items() if what.split(",")[0] in ("none", "sealed", "unique", "ambiguous")
        }
        judged = sum(verdicts.values())
        told = ", ".join(f"{n:,} {what}" for what, n in sorted(verdicts.items()))
        alike = found["looks like flips"] + found["looks like several flips"]
        print(f"{KINDS[kind]}, {length} bytes: {judged:,} damages: {told}")
        print(f"  the checksum alone takes {alike:,} ({alike / max(1, judged):.5%}) for flips, expected {expected:.5%}")
        aside = f"{found['one or two bits']:,} damages came to one or two flipped bits, {found['no damage']:,} to none"
        print(f"  {aside}, and are not counted; the checksum held in {found['checksum holds']:,}", flush=True)
    return not any(found["sealed, WRONG"] for found in totals.values())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--damages", type=int, default=1_000_000)
    parser.add_argument("--bursts", type=int, default=1000, help="search one in so many for bursts")
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--state", type=Path, help="where to keep what is done; a temporary file if not told")
    asked = parser.parse_args()
    since = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="inspector-bench-") as place:
        state: Path = asked.state or Path(place) / "state.jsonl"
        state.touch()
        totals = run(asked.damages, asked.bursts, state, asked.cores)
    good = table(totals)
    print(f"{time.perf_counter() - since:.0f} s on {asked.cores} cores; {'nothing wrong' if good else 'WRONG'} sealed")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
