"""Three stores at once, each under its own `inspector watch`, and a writer with no mercy: bursts, tears, renames.

    python -m benchmarks.watch_storm [SEED]

Each store, in an order of its own: 5,000 records without a pause; a record torn for 2 s and one for 30 s; the store
renamed to `.corrupt` and made anew within 10 ms, twice; a compaction; the file truncated and written anew in place.
Each watch is held to what was done: every event told once, none invented, verified to the last byte.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.watch_writer import INTERVAL, PATIENCE, QUIET
from tests.builders.live_store import LiveStore

STORES = 3
REST = 8 * INTERVAL  # between two acts, so that a look falls between them also on a busy machine


def burst(store: LiveStore) -> dict[str, int]:
    at = len(store.store.data)
    while len(store.store.data) - at < 5000 * 170:  # bytes of a record, rather more than less
        store.grow(50)
    return {}


def torn(seconds: float) -> Callable[[LiveStore], dict[str, int]]:
    def act(store: LiveStore) -> dict[str, int]:
        finish = store.tear()
        time.sleep(seconds)
        finish()
        return {"torn": 1, "healed": 1} if seconds > PATIENCE else {}

    return act


def refused(store: LiveStore) -> dict[str, int]:
    store.refused()
    return {"rotated": 1, "opened": 1, "corrupt-file": 1}


def compacted(store: LiveStore) -> dict[str, int]:
    store.rotate()
    return {"rotated": 1, "opened": 1}


def anew(store: LiveStore) -> dict[str, int]:
    store.store.close()
    store._begin(store.path)  # the same inode, truncated, and soon as long as before
    store.grow(100)
    return {"truncated": 1}


ACTS = (burst, torn(2.0), torn(30.0), refused, refused, compacted, anew)


def one(folder: Path, seed: int) -> list[str]:
    """What differs between what happened to one store and what its watch told."""
    (folder / "kept").mkdir(parents=True)
    path, log = folder / "gossip_store", folder / "events.jsonl"
    store, happened = LiveStore(path, seed), Counter({"opened": 1})
    command = [sys.executable, "-m", "inspector", "watch", str(path), "--jsonl", "--interval", f"{INTERVAL}s"]
    command += ["--patience", f"{PATIENCE}s", "--keep-corrupt", str(folder / "kept")]
    with log.open("w") as out, subprocess.Popen(command, stdout=out) as watch:
        while not log.stat().st_size:
            time.sleep(0.1)
        for act in Random(seed).sample(ACTS, len(ACTS)):
            happened.update(act(store))
            time.sleep(REST)
            store.grow(3)
            time.sleep(REST)
        watch.terminate()
        watch.wait(60)
    lines: list[dict[str, Any]] = [json.loads(line) for line in log.read_text().splitlines()]
    told = Counter(line["event"] for line in lines)
    wrong = [
        f"{name}: {happened[name]} happened, {told[name]} told"
        for name in sorted((set(told) - (QUIET - {"opened"})) | set(happened))
        if told[name] != happened[name]
    ]
    end = lines[-1]["evidence"]
    if end["at"] != len(store.store.data):
        wrong.append(f"verified up to {end['at']:,} of {len(store.store.data):,}")
    if (kept := len(list((folder / "kept").iterdir()))) != happened["corrupt-file"]:
        wrong.append(f"{kept} copies kept of {happened['corrupt-file']}")
    print(f"store {seed}: {end['records']:,} records, longest gap {end['longest_gap_seconds']} s, {dict(happened)}")
    return [f"store {seed}: {words}" for words in wrong]


def main() -> int:
    first = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(STORES) as pool:
        running = [pool.submit(one, Path(name) / str(n), first + n) for n in range(STORES)]
        wrong = [words for run in running for words in run.result()]
    print(f"load {os.getloadavg()[0]:.1f}")
    print("\n".join(wrong) or "every event caught, none invented")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
