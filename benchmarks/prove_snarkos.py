"""What a ledger's scan and repair promise, on fresh seeds: `python -m benchmarks.prove_snarkos variants blocks large`.

variants  damages of random ledgers: the true prefix and class; after the repair the true rows, as RocksDB reads them
blocks    three random blocks of tables broken: exactly the heights they held are named, no transaction of others
large     a ledger of 1 GB with a tip that was not finalised: what a repair of it writes

Exit 1 if anything is not as it must be.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

from inspector.errors import RefusedError
from inspector.formats.snarkos.names import transaction_name
from tests.builders.snarkos import Rows, batches, key, ledger, sized, u
from tests.builders.snarkos_stores import engine_rows, write_engine
from tests.builders.snarkos_variants import (
    Variant,
    clean,
    finalised_ahead,
    gap,
    header_mismatch,
    not_finalised,
    orphans,
    partly_written,
    reverse_maps_gone,
    root_gone,
    stale_reverse,
    transition_gone,
)
from tests.formats.snarkos.stores import heights, mend, on_disk, scan
from tests.formats.snarkos.test_loss import broken, copy, owners

GIB = 1 << 30
VALUE = 256 << 10  # bytes of a mapping value of the large ledger


def variant(rng: Random) -> Variant:
    """One damage of a ledger of 4 to 40 blocks, at a height inside it."""
    n = rng.randrange(4, 41)
    at = rng.randrange(1, n - 1)
    some = frozenset(rng.sample(range(2, 18), rng.randrange(1, 15)))
    makers: tuple[Callable[[], Variant], ...] = (
        lambda: clean(n),
        lambda: not_finalised(n),
        lambda: partly_written(n, some),
        lambda: gap(n, at),
        lambda: stale_reverse(n, at),
        lambda: root_gone(n, at),
        lambda: header_mismatch(n, at),
        lambda: orphans(n),
        lambda: finalised_ahead(n),
        lambda: transition_gone(n, at),
        lambda: reverse_maps_gone(n),
    )
    return rng.choice(makers)()


def variants(place: Path, seeds: int, first: int) -> bool:
    since, wrong, repaired = time.perf_counter(), 0, 0
    for seed in range(first, first + seeds):
        rng = Random(seed)
        made = variant(rng)
        path = place / f"v{seed}"
        if rng.random() < 0.5:
            on_disk(path, made.batches)
        else:
            write_engine(path, made.batches, flush_every=rng.randrange(1, 6), compact=rng.random() < 0.3)
        faults = list(_judged(made, path, place / f"v{seed}.new"))
        repaired += made.good is not None
        wrong += bool(faults)
        for fault in faults:
            print(f"  seed {seed}, {made.name}: {fault}")
        shutil.rmtree(path)
        shutil.rmtree(place / f"v{seed}.new", ignore_errors=True)
    took = time.perf_counter() - since
    print(f"variants: {seeds} random ones in {took:.0f} s, {repaired} repaired, {wrong} wrong", flush=True)
    return not wrong


def _judged(made: Variant, path: Path, output: Path) -> Iterator[str]:
    told = scan(path).answer.summary
    if (told["consistent_prefix"], told["classes"]) != (made.prefix, made.classes):
        yield f"prefix {told['consistent_prefix']} and {told['classes']}, not {made.prefix} and {made.classes}"
    try:
        done = mend(path, output)
    except RefusedError as error:
        if made.good is not None:
            yield f"refused: {error}"
        return
    if made.good is None:
        yield "repaired, though nothing tells what is right"
    elif engine_rows(output) != made.good:
        yield "the engine reads other rows"
    elif done.code or scan(output).answer.summary["class"] is not None:
        yield f"the repaired copy is not clean (exit {int(done.code)})"


def blocks(place: Path, seeds: int, first: int) -> bool:
    since, wrong, lost, named = time.perf_counter(), 0, 0, 0
    made = ledger(200)
    write_engine(place / "healthy", batches(made), flush_every=50)
    owner = owners(made)
    of = {transaction_name(t): block.height for block in made for t in block.transactions}
    for seed in range(first, first + seeds):
        folder = copy(place / "healthy", place / f"b{seed}")
        gone = broken(folder, Random(seed), 3)
        told = scan(folder).answer.summary["lost"]
        touched = {owner[k] for k in gone if k in owner}
        lost_rows = {transaction_name(k[4:]) for k in gone if k[2] in (17, 22, 29, 31, 32, 51)}
        transactions = set(told["transactions"])
        exact = heights(told["heights"]) == touched
        fair = lost_rows <= transactions and {of.get(t, -1) for t in transactions} <= touched
        if not (exact and fair):
            print(
                f"  seed {seed}: heights {'right' if exact else 'WRONG'}, transactions {'right' if fair else 'WRONG'}"
            )
        wrong += not (exact and fair)
        lost, named = lost + len(touched), named + len(transactions)
        shutil.rmtree(folder)
    took = time.perf_counter() - since
    told_ = f"{lost} heights and {named} transactions named, {wrong} runs wrong"
    print(f"blocks: three broken in each of {seeds} runs in {took:.0f} s: {told_}", flush=True)
    return not wrong


def large(place: Path, seeds: int, first: int) -> bool:
    folder, rng = place / "large", Random(first)
    count = GIB // VALUE
    write_engine(folder, _heavy(count, rng), flush_every=count // 16)
    size = sum(path.stat().st_size for path in folder.iterdir())
    told = scan(folder).answer.summary
    since = time.perf_counter()
    done = mend(folder, place / "large.new")
    took = time.perf_counter() - since
    linked = {path.stat().st_ino for path in folder.iterdir()}
    wrote = sum(path.stat().st_size for path in (place / "large.new").iterdir() if path.stat().st_ino not in linked)
    whole = scan(place / "large.new").answer.summary["class"] is None
    repaired = f"repaired in {took:.0f} s (exit {int(done.code)}), {wrote:,} bytes written"
    print(f"large: {size:,} bytes, class {told['class']}: {repaired}")
    return told["class"] == "A" and whole and wrote < 10 << 20


def _heavy(count: int, rng: Random) -> Iterator[Rows]:
    """Blocks with a mapping value each that does not compress; the last was not finalised."""
    made = ledger(count + 1)
    for block in made[:-1]:
        name = b"\x07credits\x04aleo"
        mapping = sized(name) + b"\x07account"
        own = u(len(mapping), 4) + mapping + sized(rng.randbytes(16))
        yield {**block.rows(), key(59, own): sized(rng.randbytes(VALUE))}
    yield made[-1].insert


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    steps = {"variants": (variants, 100), "blocks": (blocks, 40), "large": (large, 1)}
    parser.add_argument("steps", nargs="*", choices=[*steps, []], help="all, if none is named")
    parser.add_argument("--seeds", type=int, help="how many")
    parser.add_argument("--first", type=int, default=1000, help="the first seed")
    parser.add_argument("--place", help="a folder with room for 2.5 GB")
    asked = parser.parse_args()
    good = True
    for name in asked.steps or steps:
        work, usual = steps[name]
        with tempfile.TemporaryDirectory(prefix="inspector-proof-", dir=asked.place) as place:
            good &= work(Path(place), asked.seeds or usual, asked.first)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
