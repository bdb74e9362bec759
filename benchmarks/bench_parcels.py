"""What is sent away with a bug report: `python -m benchmarks.bench_parcels [MEGABYTES]`.

A gossip store with one damage and with five, and a RocksDB folder with four damaged blocks: the size of a capsule and
of an excerpt, the processor time of both, and whether a scan of either says what a scan of the source says.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.bench_gossip import inspector, say
from benchmarks.bench_rocksdb import build
from benchmarks.measure import run


def found(path: Path) -> dict[str, Any]:
    """A scan without what names its file or its medium."""
    done = subprocess.run(inspector("scan", str(path), "--json"), check=False, capture_output=True)
    told: dict[str, Any] = json.loads(done.stdout)
    if told["diagnosis"]:
        told["diagnosis"]["reread"] = None
    return {k: v for k, v in told.items() if k not in ("source", "next")}


def size_of(path: Path) -> int:
    return sum(p.stat().st_size for p in path.rglob("*") if p.is_file()) if path.is_dir() else path.stat().st_size


def measure(name: str, store: Path) -> None:
    place, before = store.parent, found(store)
    capsule, excerpt = place / f"{name}.capsule", place / f"{name}-excerpt"
    for made, command in ((capsule, ["capture"]), (excerpt, ["excerpt", "--no-redact"])):
        cost = run(inspector(command[0], str(store), "-o", str(made), *command[1:]))
        after = found(made)
        same = after == before if command[0] == "capture" else after["counts"] == before["counts"]
        kind = f"{command[0]} of {name}, {size_of(store):,} bytes"
        say(f"| {kind} | {size_of(made):,} bytes | {cost.cpu:.2f} s | {'same' if same else 'OTHER'} findings |")


def main(megabytes: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        for flips in (1, 5):
            store = place / f"gossip-{flips}" / "gossip_store"
            store.parent.mkdir()
            script = [
                sys.executable,
                "-m",
                "benchmarks.build_store",
                str(store),
                str(megabytes * 10**6),
                "7",
                str(flips),
            ]
            subprocess.run(script, check=True)
            measure(f"gossip-{flips}", store)
            shutil.rmtree(store.parent)
        store = place / "rocksdb" / "db"
        table = build(store, megabytes << 20, "lz4", "xxh3")
        data = bytearray(table.read_bytes())
        for part in (1, 2, 3):
            data[len(data) * part // 4] ^= 4
        data[len(data) // 3 : len(data) // 3 + 700] = bytes(700)
        table.write_bytes(data)
        measure("rocksdb", store)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 105)
