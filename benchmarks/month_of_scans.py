"""A month of hourly scans of healthy stores that change: 720 of each kind, and not one false alarm.

    python -m benchmarks.month_of_scans [HOURS] [SEED] [KIND...]

Each hour the store changes as its program would change it, and is scanned three ways: plain, with --baseline, and with
--state. A gossip store grows, flags and is compacted now and then; every fifth hour one scan runs while a record is in
flight and its writer has the store open. The other kinds: `benchmarks.living_stores`. Prints what was read; exit code
1 on any code that is not 0.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from random import Random
from unittest import mock

from benchmarks.living_stores import LIVES
from inspector.__main__ import main as inspector
from tests.builders.live_store import LiveStore


def scan(path: Path, *options: str) -> tuple[int, dict[str, object]]:
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    with contextlib.redirect_stdout(out):
        code = inspector(["scan", str(path), "--json", *options])
        out.flush()
        raw = out.buffer.getvalue()
    return code, json.loads(raw)


def month(hours: int, seed: int) -> Counter[str]:
    rng, seen = Random(seed), Counter[str]()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path, state, known = folder / "gossip_store", str(folder / "state.json"), str(folder / "known.json")
        store = LiveStore(path, seed)
        store.grow(500)
        now = time.time() + 100
        with mock.patch("time.time", side_effect=lambda: now):
            scan(path, "--write-baseline", known)
            for hour in range(hours):
                now += 3600
                if rng.random() < 0.9:
                    store.grow(rng.randrange(1, 40))
                if rng.random() < 0.02:
                    store.rotate()
                    seen["compactions"] += 1
                for options in ((), ("--baseline", known), ("--state", state)):
                    code, document = scan(path, *options)
                    seen[f"{' '.join(options[:1]) or 'plain'}: exit {code}"] += 1
                    if options[:1] == ("--state",):
                        seen[f"--state read {document['state']['read']}"] += 1  # type: ignore[index]
                if hour % 5 == 0:
                    finish = store.tear()
                    with subprocess.Popen(["sleep", "60"], pass_fds=[store.store.fd]) as writer:  # has it open, too
                        code, document = scan(path)
                        writer.kill()
                    live = document.get("live")
                    assert isinstance(live, dict)
                    assert live["in_flight"]
                    seen[f"a record in flight: exit {code}"] += 1
                    finish()
        seen["bytes at the end"] = os.path.getsize(path)  # noqa: PTH202
    return seen


def life(kind: str, hours: int, seed: int) -> Counter[str]:
    """The same of another kind of store."""
    rng, seen = Random(seed), Counter[str]()
    name, live = LIVES[kind]
    with tempfile.TemporaryDirectory() as folder:
        path, state, known = Path(folder) / name, str(Path(folder) / "state.json"), str(Path(folder) / "known.json")
        steps, now = live(path, rng), time.time() + 100
        next(steps)
        with mock.patch("time.time", side_effect=lambda: now):
            scan(path, "--write-baseline", known)
            for _ in range(hours):
                now += 3600
                if rng.random() < 0.9:
                    next(steps)
                for options in ((), ("--baseline", known), ("--state", state)):
                    code, document = scan(path, *options)
                    seen[f"{' '.join(options[:1]) or 'plain'}: exit {code}"] += 1
                    if code:
                        seen[
                            f"  {document.get('partial') or document.get('error')} {document.get('findings')}"[:400]
                        ] += 1
                    if options[:1] == ("--state",):
                        seen[f"--state read {document['state']['read']}"] += 1  # type: ignore[index]
        steps.close()  # type: ignore[attr-defined]
    return seen


def main() -> int:
    hours = int(sys.argv[1]) if len(sys.argv) > 1 else 720
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    alarms = 0
    for kind in sys.argv[3:] or ("gossip", *LIVES):
        began = time.process_time()
        seen = month(hours, seed) if kind == "gossip" else life(kind, hours, seed)
        print(f"{kind}: {hours} hours, seed {seed}, {time.process_time() - began:.0f} s of processor")
        for name, count in sorted(seen.items()):
            print(f"  {name:<36} {count:>9,}", flush=True)
        alarms += sum(n for name, n in seen.items() if "exit" in name and not name.endswith("exit 0"))
    print(f"{alarms} false alarms" if alarms else "no false alarm")
    return 1 if alarms else 0


if __name__ == "__main__":
    sys.exit(main())
