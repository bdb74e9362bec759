"""A writer that appends, flags, tears, heals and rotates a store against a running `inspector watch`.

    python -m benchmarks.watch_writer [SECONDS] [SEED]

The writer is one process, the watch another. At the end every event of the watch is held against what was done:
each one caught, none invented. Prints a table; exit code 1 where they differ.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from tests.builders.live_store import LiveStore

INTERVAL, PATIENCE = 0.1, 4.0
SHORT, LONG = 2.0, 6.0  # seconds that a place stays wrong: heals in time, and does not
QUIET = frozenset({"opened", "appended", "changed", "alive", "end"})


@dataclass
class Truth:
    """What the writer did: events that must be told, and the sizes and flags of each file in turn."""

    events: Counter[str] = field(default_factory=Counter)
    done: Counter[str] = field(default_factory=Counter)
    files: list[tuple[int, dict[int, float]]] = field(default_factory=list)  # last offset; flagged offset -> when


def write(folder: Path, seconds: float, seed: int) -> Truth:
    rng, truth = Random(seed), Truth()
    store = LiveStore(folder / "gossip_store", seed, pause=lambda: time.sleep(rng.random() * 0.002))
    truth.events["opened"] += 1
    flags: dict[int, float] = {}
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        what = rng.choices(
            ["grow", "tear", "torn", "hole", "zeroes", "flip", "rot", "rotate", "refused"], [40, 6, 2, 4, 2, 4, 2, 3, 2]
        )[0]
        truth.done[what] += 1
        match what:
            case "grow":
                for _ in range(rng.randrange(1, 30)):
                    store.grow(1)
                    note(flags, store)
            case "tear" | "torn":
                finish = store.tear()
                time.sleep(SHORT if what == "tear" else LONG)
                finish()
                truth.events += Counter() if what == "tear" else Counter(torn=1, healed=1)
            case "hole" | "zeroes" | "flip" | "rot":
                heal = store.flip()[1] if what in ("flip", "rot") else store.hole()[1]
                short = what in ("hole", "flip")
                time.sleep(SHORT if short else LONG)
                heal()
                time.sleep(SHORT)  # else the next damage of the same place may be one with this
                truth.events += Counter(transient=1) if short else Counter(damage=1, healed=1)
            case "rotate" | "refused":
                time.sleep(3 * INTERVAL)  # flags of the last moment before a rename are nobody's loss
                note(flags, store)
                truth.files.append((len(store.store.data), flags))
                flags = {}
                store.rotate() if what == "rotate" else store.refused()
                truth.events += Counter(
                    {"rotated": 1, "opened": 1} | ({"corrupt-file": 1} if what == "refused" else {})
                )
        note(flags, store)
        time.sleep(rng.random() * 0.3)
    time.sleep(1.0)
    truth.files.append((len(store.store.data), flags))
    return truth


def note(flags: dict[int, float], store: LiveStore) -> None:
    for at in store.store.flagged:
        flags.setdefault(at, time.time())


def judge(lines: list[dict[str, Any]], truth: Truth) -> list[str]:
    """What differs, in words."""
    told = Counter(e["event"] for e in lines)
    wrong = [
        f"{name}: {truth.events[name]} happened, {told[name]} told"
        for name in sorted((set(told) - QUIET) | set(truth.events))
        if told[name] != truth.events[name]
    ]
    generations: list[list[dict[str, Any]]] = []
    for event in lines:
        if event["event"] == "opened":
            generations.append([])
        if generations:
            generations[-1].append(event)
    for number, ((size, flags), events) in enumerate(zip(truth.files, generations, strict=False)):
        wrong += [f"file {number}: {words}" for words in _file(size, flags, events)]
    return wrong


def _file(size: int, flags: dict[int, float], events: list[dict[str, Any]]) -> list[str]:
    wrong, at = [], 1
    passed = [e for e in events if e["event"] in ("transient", "healed", "damage")]
    landed = [e for e in events if e["event"] == "appended"]
    for event in landed:
        if event["start"] != at and not any(e["start"] == at and e["end"] == event["start"] for e in passed):
            wrong.append(f"[{at}, {event['start']}) was never verified")
        at = event["end"]
    if at < size:
        wrong.append(f"verified up to {at} of {size}")
    seen = {e["start"] for e in events if e["event"] == "changed"}
    wrong += [f"a flag at {o} that nobody set" for o in sorted(seen - set(flags))]
    for offset in sorted(set(flags) - seen):
        first = next((e for e in landed if e["start"] <= offset < e["end"]), None)
        if first is not None and _seconds(first["time"]) < flags[offset] - 3 * INTERVAL:
            wrong.append(f"the flag at {offset} was not seen")
    return wrong


def _seconds(text: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(text).timestamp()


def run(seconds: float, seed: int) -> tuple[list[dict[str, Any]], Truth]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "kept").mkdir()
        command = [sys.executable, "-m", "inspector", "watch", str(folder / "gossip_store"), "--jsonl", "--records"]
        command += ["--interval", f"{INTERVAL}s", "--patience", f"{PATIENCE}s", "--keep-corrupt", str(folder / "kept")]
        log = folder / "events.jsonl"
        with log.open("w") as out, subprocess.Popen(command, stdout=out) as watch:
            time.sleep(1.0)
            truth = write(folder, seconds, seed)
            watch.terminate()
            watch.wait(60)
        kept = len(list((folder / "kept").iterdir()))
        lines = [json.loads(line) for line in log.read_text().splitlines()]
        truth.done["kept copies"] = kept
        if kept != truth.events["corrupt-file"]:
            lines.append({"event": f"copies kept: {kept} of {truth.events['corrupt-file']}"})
        return [e for e in lines if e["event"] != "missing"], truth


def main() -> int:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 120.0
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    lines, truth = run(seconds, seed)
    end = next(e for e in lines if e["event"] == "end")
    told = Counter(e["event"] for e in lines)
    print(f"{seconds:.0f} s, seed {seed}: {end['evidence']['records']} records verified, done: {dict(truth.done)}")
    print(f"longest time between two looks: {end['evidence']['longest_gap_seconds']} s")
    flags = sum(len(flags) for _, flags in truth.files)
    print(f"flags set {flags}, seen as a change {told['changed']}, the rest were set before the first look")
    for name in sorted((set(told) - QUIET) | set(truth.events)):
        print(f"  {name:<14} happened {truth.events[name]:>4}  told {told[name]:>4}")
    wrong = judge(lines, truth)
    print("\n".join(wrong) or "every event caught, none invented")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
