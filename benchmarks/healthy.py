"""No false alarm: `python -m benchmarks.healthy [--stores N] [--kind NAME] [--seed N]` (make healthy).

Stores of random size and shape, each kind as many; those of RocksDB and LevelDB are written by the engines. Each is
scanned (exit code 0, no error, no warning) and repaired (the same bytes), and each `--selftest`-th is damaged and held
to the truth. Exit code 3 after any false alarm.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from benchmarks import healthy_engines as engines
from benchmarks import healthy_stores as stores
from inspector.__main__ import main as inspector

Make = Callable[[Random, Path], Path]
KINDS: dict[str, tuple[str, Make]] = {  # what is made -> the format that must claim it, and who makes it
    "gossip-store": ("gossip-store", stores.gossip_store),
    "gossip of every kind": ("gossip-store", stores.every_kind),
    "spdk-blobstore": ("spdk-blobstore", stores.blobstore),
    "wide blobstore": ("spdk-blobstore", stores.wide_blobstore),
    "longhorn": ("longhorn", stores.longhorn),
    "rocksdb": ("rocksdb", engines.rocksdb),
    "rocksdb table": ("rocksdb", engines.alone(engines.rocksdb, "*.sst")),
    "rocksdb wal": ("rocksdb", engines.alone(engines.rocksdb, "*.log")),
    "rocksdb manifest": ("rocksdb", engines.alone(engines.rocksdb, "MANIFEST-*")),
    "rocksdb blob file": ("rocksdb", engines.alone(engines.rocksdb, "*.blob")),
    "leveldb": ("rocksdb", engines.leveldb),
    "leveldb table": ("rocksdb", engines.alone(engines.leveldb, "*.ldb")),
    "snarkos": ("snarkos", engines.ledger),
    "snarkos-blocks": ("snarkos-blocks", stores.cdn_blocks),
    "known-peers": ("known-peers", stores.peers),
    "piece-cache": ("piece-cache", stores.pieces),
    "kad-trace": ("kad-trace", stores.trace),
}


@dataclass(slots=True)
class Told:
    """What came of all stores of one kind."""

    stores: int = 0
    bytes: int = 0
    records: int = 0
    alarms: int = 0
    changed: int = 0  # by a repair
    wrong: int = 0  # corrections of the self-tests
    notes: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    @property
    def wrong_in_all(self) -> int:
        return self.alarms + self.changed + self.wrong


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def run(*words: str) -> tuple[int, dict[str, Any]]:
    """The command line in this process: exit code, and the document that it printed."""
    out, err = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = inspector([*words, "--json"])
        out.flush()
    raw = out.buffer.getvalue()
    return code, json.loads(raw) if raw else {"stderr": err.getvalue()}


def contents(path: Path) -> dict[str, bytes]:
    if path.is_file():
        return {"": path.read_bytes()}
    return {str(p.relative_to(path)): p.read_bytes() for p in sorted(path.rglob("*")) if p.is_file()}


def examine(kind: str, seed: int, path: Path, told: Told, rounds: int) -> None:
    form = KINDS[kind][0]
    before = contents(path)
    told.stores += 1
    told.bytes += sum(map(len, before.values()))
    code, document = run("scan", str(path))
    found = document.get("findings", [])
    told.notes.update(f["code"] for f in found if f["severity"] == "note")
    if code or document["format"]["name"] != form or any(f["severity"] != "note" for f in found):
        told.alarms += 1
        say(f"  {kind} seed {seed}: exit {code}, {document.get('format')} {document.get('stderr', '')}")
        for one in [f for f in found if f["severity"] != "note"][:4]:
            say(f"    {one['code']} {one['file']} {one['start']}: {one['message']} {one['evidence']}")
        return
    told.records += document["records"]["total"]
    out = path.with_name("repaired")
    code, document = run("repair", str(path), "-o", str(out), "--copy")
    after = contents(out) if out.exists() else None
    if code != 7 and (code or after != before):
        told.changed += 1
        say(f"  {kind} seed {seed}: repair ended with {code}, {_difference(before, after)} {str(document)[:600]}")
    elif code == 7:
        told.notes["repair declined"] += 1
    if rounds:
        code, document = run("dev", "selftest", str(path), "--rounds", str(rounds), "--seed", str(seed))
        told.wrong += sum(r["corrections_wrong"] for r in document.get("rounds", []))
        if code not in (0, 3):  # 3: what no checksum covers was not noticed
            told.alarms += 1
            say(f"  {kind} seed {seed}: the self-test ended with {code}: {str(document)[:600]}")


def _difference(before: dict[str, bytes], after: dict[str, bytes] | None) -> str:
    if after is None:
        return "nothing was written"
    names = sorted(n for n in before.keys() | after.keys() if before.get(n) != after.get(n))
    return f"{names[:6]} of {len(before)} differ"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stores", type=int, default=200, help="of each kind")
    parser.add_argument("--kind", action="append", choices=list(KINDS), help="only this kind")
    parser.add_argument("--seed", type=int, default=0, help="of the first store")
    parser.add_argument("--selftest", type=int, default=20, help="every so-many-th store is also damaged; 0: none")
    parser.add_argument(
        "--keep", type=Path, help="a folder for the stores that came out wrong: engines are not repeatable"
    )
    asked = parser.parse_args()
    say("| healthy stores | stores | MB | records | false alarms | changed by repair | wrong corrections | seconds |")
    say("|---|---|---|---|---|---|---|---|")
    bad = 0
    for kind in asked.kind or KINDS:
        told, begun = Told(), time.process_time()
        for seed in range(asked.seed, asked.seed + asked.stores):
            with tempfile.TemporaryDirectory(prefix="inspector-healthy-") as name:
                path = KINDS[kind][1](Random(f"{kind}/{seed}"), Path(name))
                rounds = 12 if asked.selftest and seed % asked.selftest == 0 else 0
                wrong = told.wrong_in_all
                examine(kind, seed, path, told, rounds)
                if asked.keep and told.wrong_in_all > wrong:
                    shutil.copytree(name, asked.keep / f"{kind}-{seed}", dirs_exist_ok=True)
        told.seconds = time.process_time() - begun
        bad += told.wrong_in_all
        say(
            f"| {kind} | {told.stores} | {told.bytes / 1e6:.1f} | {told.records:,} | {told.alarms} | {told.changed} "
            f"| {told.wrong} | {told.seconds:.0f} |"
        )
        if told.notes:
            say("  notes: " + ", ".join(f"{code} {count}" for code, count in sorted(told.notes.items())))
    return 3 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
