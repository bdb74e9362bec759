"""What a scan does after its time is up: processor time behind `--timeout`, for large stores of every kind.

    .venv/bin/python -m benchmarks.late FOLDER [BYTES] [SECONDS]

The limit is made to count processor time (as the clock on a machine that does nothing else), so that a busy machine
does not show. "start" is what went by before the limit was set, "late" what came after it, "in all" what a user waits.
"""

from __future__ import annotations

import re
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random

PIECE = 1 << 22
CHILD = """
import signal, sys, time
real, wanted = signal.setitimer, float(sys.argv.pop(1))
signal.SIGALRM, signal.ITIMER_REAL = signal.SIGPROF, signal.ITIMER_PROF
def setitimer(which, seconds):
    if seconds:
        seconds = max(wanted - time.process_time(), 0.001)
        sys.stderr.write(f"SET {time.process_time()} {seconds}\\n")
    return real(which, seconds)
signal.setitimer = setitimer
from inspector.__main__ import entry
entry()
"""


def damaged(path: Path, to: Path, every: int) -> Path:
    """A copy with a byte changed in every so many."""
    rng = Random(1)
    data = bytearray(path.read_bytes())
    for at in range(every, len(data) - every, every):
        data[at + rng.randrange(every)] ^= 1 << rng.randrange(8)
    to.write_bytes(data)
    return to


def noise(path: Path, size: int) -> Path:
    rng = Random(2)
    with path.open("wb") as file:
        for _ in range(0, size, PIECE):
            file.write(rng.randbytes(PIECE))
    return path


def built(folder: Path, size: int) -> Iterator[tuple[str, list[str]]]:
    """Stores, made where they are not there yet, with the options of their scan."""

    def make(module: str, name: str, *words: str, of: int = size) -> Path:
        path = folder / name
        if not path.exists():
            subprocess.run([sys.executable, "-m", f"benchmarks.{module}", str(path), str(of), *words], check=True)
        return path

    gossip = make("build_large", "gossip_store", "new")
    yield "gossip store", [str(gossip)]
    yield "gossip store, redacted", [str(gossip), "--redact"]
    yield "gossip store, all signatures", [str(gossip), "--verify-signatures"]
    bad = folder / "damaged.gossip_store"
    yield "gossip store, a bit in each 20 kB", [str(bad if bad.exists() else damaged(gossip, bad, 20_000))]
    for shape in ("trace", "wal", "manifest", "blobs"):
        name = {"trace": "node.log", "wal": "000004.log", "manifest": "MANIFEST-000005", "blobs": "000009.blob"}[shape]
        path = make("build_grown", name, shape)
        yield shape, [str(path)]
        bad = folder / f"damaged-{shape}" / name
        bad.parent.mkdir(exist_ok=True)
        yield f"{shape}, a bit in each 20 kB", [str(bad if bad.exists() else damaged(path, bad, 20_000))]
    yield "tables", [str(make("build_grown", "tables", "tables", of=size // 2))]
    yield "folder of many tables", [str(make("build_grown", "members", "members", of=size // 8))]
    yield "blobstore of many volumes", [str(make("build_grown", "volumes.img", "volumes", of=size * 4))]
    junk = folder / "junk"
    for form in (
        "gossip-store",
        "rocksdb",
        "kad-trace",
        "snarkos-blocks",
        "known-peers",
        "piece-cache",
        "spdk-blobstore",
    ):
        yield f"noise as {form}", [str(junk if junk.exists() else noise(junk, size)), "--format", form]
    yield "gossip store with a log", [str(gossip), "--log", str(folder / "node.log")]
    yield "several", [str(gossip), str(folder / "node.log"), str(folder / "000004.log"), str(folder / "tables")]


def late(words: list[str], seconds: float) -> tuple[float, float, float, int, int]:
    """Processor time until the limit was set, after it ended, and in all; the exit code, and bytes of output."""
    command = [sys.executable, "-c", CHILD, str(seconds), "scan", *words, "--json", "--timeout", str(seconds)]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    found = re.search(r"SET ([0-9.]+) ([0-9.]+)", done.stderr)
    if found is None:
        raise RuntimeError(done.stderr)
    start, limit = map(float, found.groups())
    return start, used - start - limit, used, done.returncode, len(done.stdout)


def main() -> int:
    folder, size = Path(sys.argv[1]), int(float(sys.argv[2])) if sys.argv[2:] else 400_000_000
    seconds = float(sys.argv[3]) if sys.argv[3:] else 1.0
    folder.mkdir(exist_ok=True)
    for name, words in built(folder, size):
        start, behind, whole, code, output = late(words, seconds)
        sums = f"start {start:5.2f}  late {behind:6.2f}  in all {whole:6.2f}"
        print(f"{name:<36} {sums}  exit {code}  {output:,} bytes", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
