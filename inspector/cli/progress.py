"""A progress line on standard error: share, rate and time left; only on a terminal and only for long work."""

from __future__ import annotations

import os
import sys
import time

PATIENCE = 1.0  # seconds of work before the line appears
STEP = 0.1  # seconds between two lines
UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


class Progress:
    """Call it with (done, total) as often as you like; leave it to wipe the line."""

    def __init__(self, label: str, unit: str = "") -> None:
        self._label, self._unit = label, unit
        self._active = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._start = time.monotonic()
        self._next = self._start + PATIENCE
        self._shown = False

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()

    def __call__(self, done: int, total: int) -> None:
        if not self._active:
            return
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + STEP
        self._shown = True
        width = os.get_terminal_size(sys.stderr.fileno()).columns or 80  # a serial line says 0
        sys.stderr.write("\r" + line(self._label, done, total, now - self._start, self._unit)[: width - 1] + "\x1b[K")
        sys.stderr.flush()


def line(label: str, done: int, total: int, seconds: float, unit: str = "") -> str:
    """One progress line, in bytes or in `unit`; a total of 0 is work without a known end."""
    rate = done / seconds if seconds else 0.0
    text = f"{label}  {done:,}" if unit else f"{label}  {_amount(done)}"
    if total:
        text += f" of {f'{total:,} {unit}' if unit else _amount(total)}  {min(100 * done // total, 100)} %"
    text += f"  {rate:.1f}/s" if unit else f"  {_amount(rate)}/s"
    if total > done and rate:
        left = round((total - done) / rate)
        text += f"  {left // 3600}:{left // 60 % 60:02}:{left % 60:02} left"
    return text


def _amount(count: float) -> str:
    unit = 0
    while count >= 1000 and unit + 1 < len(UNITS):
        count /= 1000
        unit += 1
    return f"{count:.0f} {UNITS[unit]}" if unit == 0 or count >= 100 else f"{count:.1f} {UNITS[unit]}"
