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


def run(command: list[str], kernel: str = "") -> Run:
    """One process from start to end; its output is counted and thrown away."""
    surroundings = {**os.environ, "INSPECTOR_KERNEL": kernel} if kernel else dict(os.environ)
    begun = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=surroundings) as process:
        assert process.stdout is not None
        output = 0
        while data := process.stdout.read(1 << 20):
            output += len(data)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - begun
    if process.returncode not in (0, 3, 4):
        raise RuntimeError(f"{command} ended with {process.returncode}")
    return Run(seconds, usage.ru_maxrss * 1024, output, usage.ru_utime + usage.ru_stime)


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
