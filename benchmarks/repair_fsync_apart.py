"""`inspector repair` with the time spent waiting for the disk told at the end: SOURCE OUTPUT."""

from __future__ import annotations

import os
import sys
import time
from typing import Any

real = os.fsync
waited = [0.0]


def timed(fd: Any) -> None:
    begun = time.perf_counter()
    real(fd)
    waited[0] += time.perf_counter() - begun


os.fsync = timed

from inspector.__main__ import main  # noqa: E402  after the clock is in place

sys.argv = ["inspector", "repair", sys.argv[1], "-o", sys.argv[2], "--force"]
code = main()
sys.stdout.write(f"\nFSYNC {waited[0]}\n")
sys.exit(code)
