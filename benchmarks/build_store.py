"""Writes a healthy store, in a process of its own: PATH BYTES SEED [FLIPPED_BITS].

A process inherits the peak memory of the one that started it, so the one that measures must stay small.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.builders.gossip import healthy


def main(path: str, size: int, seed: int, flips: int) -> None:
    data = bytearray(healthy(16, size, seed))
    for k in range(1, flips + 1):
        data[len(data) // (flips + 1) * k] ^= 1 << k % 8
    Path(path).write_bytes(data)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]) if len(sys.argv) > 4 else 0)
