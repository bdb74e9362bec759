"""Gossip stores at the size of a real node's: `make bench`, or `python -m benchmarks.bench_gossip [MEGABYTES]`."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.measure import floor, pairs, run
from inspector import kernels

MIB = 1 << 20


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def build(path: Path, *words: int) -> None:
    subprocess.run([sys.executable, "-m", "benchmarks.build_store", str(path), *map(str, words)], check=True)


def inspector(*words: str) -> list[str]:
    return [sys.executable, "-m", "inspector", *words]


def whole_processes(path: str, rounds: int) -> None:
    for kernel in ("compiled", "plain") if kernels.WHICH == "compiled" else ("plain",):
        ratio, mine, base = pairs(path, lambda _: inspector("scan", path), rounds, kernel)
        told = f"{mine.seconds:.2f} s, floor {base.seconds:.2f} s"
        say(f"| scan, {kernel} kernel | {ratio:.2f} x floor | {told} |")
    ratio, mine, _ = pairs(path, lambda _: inspector("scan", path, "--json"), rounds)
    say(f"| scan --json | {ratio:.2f} x floor | {mine.seconds:.2f} s |")
    ratio, mine, _ = pairs(path, lambda _: inspector("records", path, "--jsonl"), max(1, rounds // 3))
    speed = mine.output / mine.seconds / 1e6
    told = f"{mine.output / 1e6:.0f} MB in {mine.seconds:.1f} s = {speed:.0f} MB/s"
    say(f"| records --jsonl | {ratio:.1f} x floor | {told} |")


def repairs(path: str, folder: Path, rounds: int) -> None:
    ratios, waits, times = [], [], []
    for _ in range(rounds):
        base = floor(path)
        begun = time.perf_counter()
        command = [sys.executable, "-m", "benchmarks.repair_fsync_apart", path, str(folder / "repaired")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        taken = time.perf_counter() - begun
        waited = float(done.stdout.rsplit("FSYNC ", 1)[1].split()[0])
        ratios.append((taken - waited) / base.seconds)
        waits.append(waited)
        times.append(taken)
    say(
        f"| repair, fsync apart | {statistics.median(ratios):.2f} x floor | {statistics.median(times):.2f} s, "
        f"of it fsync {statistics.median(waits):.2f} s |"
    )


def inner_loops(path: str) -> None:
    for kernel in ("compiled", "plain") if kernels.WHICH == "compiled" else ("plain",):
        say(f"\n| {kernel} kernel | |\n|---|---|")
        surroundings = {**os.environ, "INSPECTOR_KERNEL": kernel}
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.inner", path],
            capture_output=True,
            text=True,
            env=surroundings,
            check=True,
        )
        say(done.stdout.rstrip())


def memory(path: str, larger: str, folder: Path) -> None:
    say("\n| peak memory | store | four times the store |\n|---|---|---|")
    for name, words in (("scan", ["scan"]), ("records --jsonl", ["records", "--jsonl", "--limit", "1000000000"])):
        peaks = [run(inspector(words[0], where, *words[1:])).peak // MIB for where in (path, larger)]
        say(f"| {name} | {peaks[0]} MiB | {peaks[1]} MiB |")
    peaks = [
        run(inspector("repair", where, "-o", str(folder / "repaired"), "--force")).peak // MIB
        for where in (path, larger)
    ]
    say(f"| repair | {peaks[0]} MiB | {peaks[1]} MiB |")


def main(size: int, rounds: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path, hurt, larger = folder / "gossip_store", folder / "gossip_store.corrupt", folder / "larger_gossip_store"
        build(path, size, 1)
        build(hurt, size, 1, 100)
        say(f"{platform.machine()}, {os.cpu_count()} CPUs, Python {platform.python_version()}, kernel: {kernels.WHICH}")
        say(f"store: {path.stat().st_size:,} bytes, load {os.getloadavg()[0]:.1f}\n")
        say("| whole process | ratio | |\n|---|---|---|")
        whole_processes(str(path), rounds)
        repairs(str(hurt), folder, rounds)
        inner_loops(str(path))
        build(larger, 4 * size, 2, 100)
        memory(str(hurt), str(larger), folder)


if __name__ == "__main__":
    megabytes = float(sys.argv[1]) if len(sys.argv) > 1 else 105
    main(int(megabytes * 1e6), int(sys.argv[2]) if len(sys.argv) > 2 else 7)
