"""Weeks of a watch in minutes: its clock runs as fast as the writer can, and its memory has to stay where it is.

    python -m benchmarks.watch_days [POLLS] [SEED]

The watch is a process of its own that looks once each time it is told to, one second later by its own clock. Between
two looks the writer appends, flags, tears, makes holes that heal and damage that lasts, and rotates. Prints the
resident memory on the way and every kind of event as it happened and as it was told; exit code 1 where they differ, or
where the second half of the run took more than 4 MiB.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.watch_writer import LONG, QUIET, SHORT
from tests.builders.live_store import LiveStore

GROWN = 3 << 20  # bytes of a store that is rotated
PATIENCE = 4.0
SLACK_KIB = 4 << 10


def follow(path: str) -> None:
    """The watched side: one look for each line of standard input; answers with what it told."""
    from inspector import formats
    from inspector.watch import Event, Watch

    clock, told = 1.7e9, Counter[str]()

    def tell(event: Event) -> None:
        told[event.event] += 1

    watch = Watch(path, formats.all_formats(), tell, None, PATIENCE, True, None, now=lambda: clock, tick=lambda: clock,
                  sleep=lambda _: None)  # fmt: skip
    for _ in sys.stdin:
        clock += 1
        watch.poll()
        memory = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() >> 10
        used = time.process_time()
        print(
            json.dumps({"told": told, "units": sum(watch.units.values()), "kib": memory, "seconds": used}), flush=True
        )


class Days:
    """The writer, and the watch that it makes look."""

    def __init__(self, path: Path, seed: int, child: subprocess.Popen[str]) -> None:
        self.rng, self.child, self.path = Random(seed), child, path
        self.store = LiveStore(path, seed)
        self.happened, self.done = Counter({"opened": 1}), Counter[str]()
        self.polls = 0
        self.seen: dict[str, Any] = {}
        self.look()

    def look(self, times: float = 1) -> None:
        assert self.child.stdin
        assert self.child.stdout
        for _ in range(round(times)):
            print(file=self.child.stdin, flush=True)
            self.seen = json.loads(self.child.stdout.readline())
            self.polls += 1

    def words(self) -> str:
        events, seen = sum(self.seen["told"].values()), self.seen
        cost = f"{seen['kib'] / 1024:.1f} MiB, {seen['seconds']:.0f} s of processor"
        return f"{cost}; {self.polls:,} looks, {events:,} events, {seen['units']:,} records"

    def step(self) -> None:
        what = self.rng.choices(["grow", "tear", "torn", "hole", "zeroes", "flip", "rot"], [60, 4, 2, 3, 2, 3, 2])[0]
        self.done[what] += 1
        if what == "grow":
            self.store.grow(self.rng.randrange(1, 300))
            self.look()
        elif what in ("tear", "torn"):
            finish = self.store.tear()
            self.look(SHORT if what == "tear" else LONG)
            finish()
            self.happened += Counter() if what == "tear" else Counter(torn=1, healed=1)
            self.look(SHORT)
        else:
            _, heal = self.store.flip() if what in ("flip", "rot") else self.store.hole()
            short = what in ("hole", "flip")
            self.look(SHORT if short else LONG)
            heal()
            self.look(SHORT)
            self.happened += Counter(transient=1) if short else Counter(damage=1, healed=1)
        if len(self.store.store.data) > GROWN or self.rng.random() < 0.002:
            self.rotate()

    def rotate(self) -> None:
        self.look(3)
        way = self.rng.choice((self.store.rotate, self.store.refused))
        way()
        self.happened += Counter(rotated=1, opened=1)
        self.happened["corrupt-file"] += way == self.store.refused
        self.look()


def main() -> int:
    if sys.argv[1:2] == ["--follow"]:
        follow(sys.argv[2])
        return 0
    polls = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as name:
        path = Path(name) / "gossip_store"
        command = [sys.executable, "-m", "benchmarks.watch_days", "--follow", str(path)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
            days, points = Days(path, seed, child), []
            for percent in (10, 25, 50, 75, 100):
                while days.polls * 100 < polls * percent:
                    days.step()
                points.append((percent, days.seen["kib"]))
                print(f"{percent:>3} %: {days.words()}", flush=True)
            days.look(6)
            child.stdin.close()  # type: ignore[union-attr]
    told = Counter(days.seen["told"])
    print(f"done: {dict(sorted(days.done.items()))}")
    wrong = False
    for event in sorted((set(told) - QUIET) | set(days.happened)):
        same = told[event] == days.happened[event]
        wrong |= not same
        print(f"  {event:<14} happened {days.happened[event]:>6,}  told {told[event]:>6,}{'' if same else '  DIFFER'}")
    half = next(kib for percent, kib in points if percent == 50)
    grew = points[-1][1] - half
    print(f"memory: {grew / 1024:+.1f} MiB in the second half")
    return 1 if wrong or grew > SLACK_KIB else 0


if __name__ == "__main__":
    sys.exit(main())
