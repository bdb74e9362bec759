"""A month of hourly scans of a healthy store that changes: 720 of them, and not one false alarm.

    python -m benchmarks.month_of_scans [HOURS] [SEED]

Each hour the store grows, flags, is compacted now and then, and is scanned three ways: plain, with --baseline, and
with --state. Every fifth hour one scan runs while a record is in flight and its writer has the store open. Prints
what was read; exit code 1 on any code that is not 0.
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


def main() -> int:
    hours = int(sys.argv[1]) if len(sys.argv) > 1 else 720
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    began = time.monotonic()
    seen = month(hours, seed)
    print(f"{hours} hours, seed {seed}, {time.monotonic() - began:.0f} s")
    for name, count in sorted(seen.items()):
        print(f"  {name:<36} {count:>9,}")
    alarms = sum(n for name, n in seen.items() if "exit" in name and not name.endswith("exit 0"))
    print(f"{alarms} false alarms" if alarms else "no false alarm")
    return 1 if alarms else 0


if __name__ == "__main__":
    sys.exit(main())
