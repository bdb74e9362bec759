"""Tables of 500 MB of user data: `python -m benchmarks.bench_rocksdb [MEGABYTES] [ROUNDS]`.

Whole processes against the floor "read and checksum the same bytes", and against sst_dump where it is installed.
The carve is of the same table with its tail cut off: no index, metaindex, properties or footer is left. The inner
loops run in this process, on bytes that are in memory: checksums alone, and checksums, decompression and entries.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
import time
from pathlib import Path
from random import Random
from typing import Any

import rocksdict

from benchmarks.bench_gossip import MIB, inspector, say
from benchmarks.measure import Run, pairs, run
from inspector.formats.rocksdb.database import open_database
from inspector.formats.rocksdb.runs import steps, window_of
from inspector.kernels.rocksdb import BlockRun
from inspector.source import open_source

VALUE = 400  # bytes; with its key an entry is 420, as in the measurements that this repeats
SETS = (("none", "crc32c"), ("none", "xxh3"), ("lz4", "crc32c"), ("lz4", "xxh3"))
FILES = 4  # copies of the table that are scanned as one folder, by one thread and by two
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


def measure(path: Path, rounds: int, size: int) -> None:
    """The rows of one table; `size` is that of its user data."""
    stored = path.stat().st_size
    cut = path.with_name("cut.sst")
    shutil.copyfile(path, cut)
    os.truncate(cut, stored - TAIL)
    for name, where in (("scan", path), ("scan, carved without its index", cut)):
        ratio, mine, base = pairs(str(where), lambda _, w=where: inspector("scan", str(w), "--jobs", "1"), rounds)  # type: ignore[misc]
        cost = f"{mine.cpu:.2f} s of processor, {mine.cpu / base.cpu:.1f} x floor"
        say(f"| {name} | {ratio:.1f} x floor | {mine.seconds:.2f} s; {cost}; peak {mine.peak // MIB} MiB |")
        if where is path:
            say(f"| floor | | {base.seconds:.2f} s; {base.cpu:.2f} s of processor |")
    inner(path, rounds, size)
    spread(path, rounds)
    if not shutil.which("sst_dump"):
        return
    for name, command in (("verify", ["--command=verify", "--verify_checksum"]), ("check", ["--command=check"])):
        best = min((run(["sst_dump", f"--file={path}", *command]) for _ in range(rounds)), key=lambda r: r.cpu)
        what = f"sst_dump {' '.join(command)}{', decodes all' * (name == 'check')}"
        say(f"| {what} | | {best.seconds:.2f} s; {best.cpu:.2f} s of processor |")


def inner(path: Path, rounds: int, size: int) -> None:
    """Processor time of the loops over blocks alone."""
    with open_source(str(path)) as source:
        database = open_database(source)
        table = database.table("")
        windows = [(a, window_of(database, "", table, a, b), b) for a, b, other in steps(table) if other is None]
        for name, decode in (("checksums alone", False), ("checksums, decompression, entries, order", True)):
            best = float("inf")
            for _ in range(rounds):
                run_, begun = BlockRun(table.context.checksum, table.context.base or 0, True, True), time.process_time()
                for first, data, last in windows:
                    done, *_ = run_.blocks(data, table.offsets[first], table.offsets, table.sizes, first, last, decode)
                    assert done == last
                best = min(best, time.process_time() - begun)
            rates = f"{path.stat().st_size / best / 1e9:.2f} GB/s, {size / best / 1e9:.2f} GB/s of data"
            say(f"| inner loop: {name} | | {best:.2f} s of one core, {rates} |")


def spread(path: Path, rounds: int) -> None:
    """Several files in one folder, on one thread and on every core."""
    folder = path.with_name("many")
    folder.mkdir()
    for number in range(FILES):
        os.link(path, folder / f"{number + 10:06d}.sst")
    for jobs in (1, os.cpu_count() or 1):
        best = min((run(inspector("scan", str(folder), "--jobs", str(jobs))) for _ in range(rounds)), key=_seconds)
        say(f"| scan of {FILES} such files, --jobs {jobs} | | {best.seconds:.2f} s; {best.cpu:.2f} s of processor |")


def _seconds(one: Run) -> float:
    return one.seconds


def main(size: int, rounds: int) -> None:
    load = f"load {os.getloadavg()[0]:.1f}"
    say(f"{platform.machine()}, {os.cpu_count()} CPUs, Python {platform.python_version()}, {load}")
    for codec, checksum in SETS:
        with tempfile.TemporaryDirectory() as name:
            path = build(Path(name) / "db", size, codec, checksum)
            say(f"\n| {codec}, {checksum}, {path.stat().st_size:,} bytes on disk | ratio | |\n|---|---|---|")
            measure(path, rounds, size)


if __name__ == "__main__":
    megabytes = float(sys.argv[1]) if len(sys.argv) > 1 else 500
    main(int(megabytes * 1e6), int(sys.argv[2]) if len(sys.argv) > 2 else 2)
