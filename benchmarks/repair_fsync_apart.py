"""`inspector repair` with the time spent in fsync told at the end, by the clock and of the processor: SOURCE OUTPUT."""

from __future__ import annotations

import os
import sys
import time
from typing import Any

real = os.fsync
waited = [0.0, 0.0]


def timed(fd: Any) -> None:
    begun, used = time.perf_counter(), time.process_time()
    real(fd)
    waited[0] += time.perf_counter() - begun
    waited[1] += time.process_time() - used


os.fsync = timed

from inspector.__main__ import main  # noqa: E402  after the clock is in place

sys.argv = ["inspector", "repair", sys.argv[1], "-o", sys.argv[2], "--force"]
code = main()
sys.stdout.write(f"\nFSYNC {waited[0]} {waited[1]}\n")
sys.exit(code)
