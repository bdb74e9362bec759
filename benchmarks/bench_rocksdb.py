"""Tables of 500 MB of user data: `python -m benchmarks.bench_rocksdb [MEGABYTES] [ROUNDS]`.

Whole processes against the floor "read and checksum the same bytes", and against sst_dump where it is installed.
The carve is of the same table with its tail cut off: no index, metaindex, properties or footer is left.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
from pathlib import Path
from random import Random
from typing import Any

import rocksdict

from benchmarks.bench_gossip import MIB, inspector, say
from benchmarks.measure import pairs, run

VALUE = 400  # bytes; with its key an entry is 420, as in the measurements that this repeats
SETS = (("none", "crc32c"), ("lz4", "crc32c"), ("lz4", "xxh3"))
TAIL = 4096  # cuts into the index of any table of this size


def build(folder: Path, size: int, codec: str, checksum: str) -> Path:
    """One table of `size` bytes of user data, written by RocksDB."""
    r: Any = rocksdict
    options = r.Options(raw_mode=True)
    options.create_if_missing(True)
    options.set_write_buffer_size(4 * size)
    options.set_disable_auto_compactions(True)
    options.set_compression_type(getattr(r.DBCompressionType, codec)())
    table = r.BlockBasedOptions()
    table.set_format_version(5)
    table.set_checksum_type(getattr(r.ChecksumType, checksum)())
    options.set_block_based_table_factory(table)
    db = r.Rdict(str(folder), options)
    rng = Random(1)
    for i in range(size // (VALUE + 20)):
        half = rng.randbytes(VALUE // 2)
        db[b"key-%016d" % i] = half + half[::-1][: VALUE // 4] + bytes(VALUE // 4)
    db.flush()
    db.close()
    (found,) = folder.glob("*.sst")
    return found


def measure(path: Path, rounds: int) -> None:
    size = path.stat().st_size
    cut = path.with_name("cut.sst")
    shutil.copyfile(path, cut)
    os.truncate(cut, size - TAIL)
    for name, where in (("scan", path), ("scan, carved without its index", cut)):
        ratio, mine, base = pairs(str(where), lambda _, w=where: inspector("scan", str(w)), rounds)  # type: ignore[misc]
        speed = f"{size / mine.seconds / 1e6:.0f} MB/s, floor {base.seconds:.2f} s, peak {mine.peak // MIB} MiB"
        say(f"| {name} | {ratio:.1f} x floor | {mine.seconds:.2f} s, {speed} |")
    if not shutil.which("sst_dump"):
        return
    command = ["sst_dump", f"--file={path}", "--command=verify", "--verify_checksum"]
    seconds = min(run(command).seconds for _ in range(rounds))
    say(f"| sst_dump --command=verify --verify_checksum | | {seconds:.2f} s |")
    seconds = min(run(["sst_dump", f"--file={path}", "--command=check"]).seconds for _ in range(rounds))
    say(f"| sst_dump --command=check, decodes all | | {seconds:.2f} s |")


def main(size: int, rounds: int) -> None:
    load = f"load {os.getloadavg()[0]:.1f}"
    say(f"{platform.machine()}, {os.cpu_count()} CPUs, Python {platform.python_version()}, {load}")
    for codec, checksum in SETS:
        with tempfile.TemporaryDirectory() as name:
            path = build(Path(name) / "db", size, codec, checksum)
            say(f"\n| {codec}, {checksum}, {path.stat().st_size:,} bytes on disk | ratio | |\n|---|---|---|")
            measure(path, rounds)


if __name__ == "__main__":
    megabytes = float(sys.argv[1]) if len(sys.argv) > 1 else 500
    main(int(megabytes * 1e6), int(sys.argv[2]) if len(sys.argv) > 2 else 3)
