"""Processes measured in pairs, in turn, so that whatever else the machine does hits both."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

FLOOR = "import sys, crc32c\nwith open(sys.argv[1], 'rb') as f: crc32c.crc32c(f.read())"


@dataclass(frozen=True, slots=True)
class Run:
    seconds: float
    peak: int  # bytes of resident memory
    output: int  # bytes on stdout
    cpu: float = 0.0  # seconds of processor time


def run(command: list[str], kernel: str = "", apart: bool = False) -> Run:
    """One process from start to end; its output is counted and thrown away. See `race` for `apart`.

    It is started by a small process: the peak of a child begins with that of whoever starts it, and a benchmark that
    has built its files is large.
    """
    surroundings = {**os.environ, "INSPECTOR_KERNEL": kernel} if kernel else dict(os.environ)
    small = "import sys; from benchmarks.measure import tell; tell(sys.argv[1] == 'apart', sys.argv[2:])"
    words = [sys.executable, "-c", small, "apart" if apart else "whole", *command]
    told = subprocess.run(words, check=False, capture_output=True, text=True, env=surroundings)
    if told.returncode:
        raise RuntimeError(told.stderr.strip().splitlines()[-1])
    seconds, peak, output, cpu = told.stdout.split()
    return Run(float(seconds), int(peak), int(output), float(cpu))


def tell(apart: bool, command: list[str]) -> None:
    """In the small process: what `run` reads."""
    found = _measured(command, apart)
    sys.stdout.write(f"{found.seconds} {found.peak} {found.output} {found.cpu}\n")


def _measured(command: list[str], apart: bool) -> Run:
    begun = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        output, tail = 0, b""
        while data := process.stdout.read(1 << 20):
            output, tail = output + len(data), (tail + data[-200:])[-200:]
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - begun
    if process.returncode not in (0, 3, 4, 5):
        raise RuntimeError(f"{command} ended with {process.returncode}")
    waited, used = (float(word) for word in tail.rsplit(b"FSYNC ", 1)[1].split()) if apart else (0.0, 0.0)
    cpu = usage.ru_utime + usage.ru_stime
    return Run(seconds - waited, usage.ru_maxrss * 1024, output, cpu - used)


def floor(path: str) -> Run:
    return run([sys.executable, "-c", FLOOR, path])


def pairs(path: str, command: Callable[[int], list[str]], rounds: int, kernel: str = "") -> tuple[float, Run, Run]:
    """(median ratio to the floor, the median run, the median floor) over pairs run in turn."""
    found: list[tuple[float, Run, Run]] = []
    for i in range(rounds):
        base = floor(path)
        mine = run(command(i), kernel)
        found.append((mine.seconds / base.seconds, mine, base))
    ratio = statistics.median(r for r, _, _ in found)
    middle = sorted((mine for _, mine, _ in found), key=lambda r: r.seconds)[rounds // 2]
    ground = sorted((base for _, _, base in found), key=lambda r: r.seconds)[rounds // 2]
    return ratio, middle, ground


@dataclass(frozen=True, slots=True)
class Race:
    """Medians over pairs run in turn; the ratio of processor times says more where the machine has other work."""

    ratio: float
    cpu_ratio: float
    mine: Run
    base: Run


def race(base: list[str], mine: list[str], rounds: int, *, apart: bool = False) -> Race:
    """Two command lines against each other. With `apart` the second tells its fsync, which is taken off."""
    found = []
    for _ in range(rounds):
        ground = run(base)
        found.append((run(mine, apart=apart), ground))
    walls, cpus = zip(*((m.seconds / b.seconds, m.cpu / max(b.cpu, 0.001)) for m, b in found), strict=True)
    middle = sorted((m for m, _ in found), key=lambda r: r.cpu)[rounds // 2]
    ground = sorted((b for _, b in found), key=lambda r: r.cpu)[rounds // 2]
    return Race(statistics.median(walls), statistics.median(cpus), middle, ground)
