"""Scans of stores that a writer is at work on: not one false alarm, and damage that is made is found.

    python -m benchmarks.live_scans [SCANS] [KIND...]

`gossip`: appended and flagged as gossipd does it. `rocksdb`: written by the engine with small buffers, so that journals
end, tables are compacted away and the MANIFEST goes on under each scan. `log`: a line in pieces. Prints what the scans
said; exit code 1 on any alarm.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from benchmarks.month_of_scans import scan
from tests.builders.live_store import LiveStore

SPEED = 2000  # puts a second


def write_gossip(path: Path) -> None:
    rng = random.Random(1)
    store = LiveStore(path, 1, pause=lambda: time.sleep(rng.random() * 0.002))
    while True:
        store.grow(rng.randrange(1, 8))
        if len(store.store.data) > 3_000_000:
            store.rotate()
        time.sleep(rng.random() * 0.01)


def write_rocksdb(path: Path) -> None:
    from rocksdict import Options, Rdict

    options, rng = Options(raw_mode=True), random.Random(1)
    options.create_if_missing(True)
    options.set_write_buffer_size(64 << 10)
    options.set_target_file_size_base(128 << 10)
    options.set_max_bytes_for_level_base(512 << 10)
    options.set_level_zero_file_num_compaction_trigger(2)
    while True:
        database, end = Rdict(str(path), options), time.monotonic() + 20 + rng.random() * 20
        while time.monotonic() < end:
            for _ in range(SPEED // 100):
                key = f"k{rng.randrange(20_000):06}".encode()
                if rng.random() < 0.2:
                    database.delete(key)
                else:
                    database[key] = rng.randbytes(rng.randrange(10, 400))
            if rng.random() < 0.02:
                database.flush()
            if rng.random() < 0.005:
                database.compact_range(None, None)
            time.sleep(0.01)
        database.close()  # and opened again: a new MANIFEST, and a journal that is replayed


def write_log(path: Path) -> None:
    sample = (Path(__file__).parents[1] / "samples" / "kad_trace" / "finished.log").read_bytes()
    rng = random.Random(1)
    while True:
        with path.open("wb", buffering=0) as log:
            for _ in range(200):
                at = 0
                while at < len(sample):
                    step = rng.randrange(1, 700)
                    log.write(sample[at : at + step])
                    at += step
                    time.sleep(rng.random() * 0.004)
        path.replace(path.with_suffix(".1"))


WRITERS = {"gossip": write_gossip, "rocksdb": write_rocksdb, "log": write_log}


def against(kind: str, scans: int) -> tuple[Counter[str], list[str]]:
    seen, alarms = Counter[str](), list[str]()
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / {"gossip": "gossip_store", "rocksdb": "db", "log": "node.log"}[kind]
        command = [sys.executable, "-m", "benchmarks.live_scans", "--write", kind, str(path)]
        with subprocess.Popen(command) as writer:
            try:
                while not path.exists() or (kind == "rocksdb" and not list(path.glob("*.sst"))):
                    time.sleep(0.1)
                time.sleep(1)
                for _ in range(scans):
                    code, told = scan(path)
                    live = told.get("live")
                    seen[f"exit {code}"] += 1
                    if isinstance(live, dict):
                        seen["in use"] += 1
                        seen["with a record in flight"] += bool(live.get("in_flight"))
                        seen["places that were transient"] += int(live.get("transient", 0))
                    if code:
                        findings = told.get("findings")
                        alarms.append(
                            f"exit {code}: {told.get('partial') or told.get('error') or ''} {findings}"[:1500]
                        )
                    time.sleep(0.02)
            finally:
                writer.kill()
    return seen, alarms


def main() -> int:
    words = sys.argv[1:]
    if words[:1] == ["--write"]:
        WRITERS[words[1]](Path(words[2]))
    scans = int(words.pop(0)) if words else 500
    failed = False
    for kind in words or WRITERS:
        began = time.monotonic()
        seen, alarms = against(kind, scans)
        failed |= bool(alarms)
        load = os.getloadavg()[0]
        print(
            f"{kind}: {scans} scans in {time.monotonic() - began:.0f} s, load {load:.1f}: {dict(sorted(seen.items()))}"
        )
        for line in alarms[:5]:
            print(f"  {line}")
    print("alarms" if failed else "no false alarm")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
