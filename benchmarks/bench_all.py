"""One table of how many times the floor each kind of work takes: `make bench`, or `python -m benchmarks.bench_all`.

The floor starts Python, reads the same file and checksums it whole. Medians of pairs run in turn; by the clock, and of
processor time, which is the one to look at where the machine has other work. Other tools run on the same files where
they are installed: sst_dump and ldb on the PATH, pyln-client and lnhistoryclient in the Python that BENCH_PYTHON names.

`--save FILE` keeps the ratios; `--against FILE` ends with 1 where one is worse by more than 15 %. `--quick` takes
small files and one round: it only shows that everything runs. `--part NAME` measures one part, `--only WORD` the rows
with that word; what is saved is added to what the file holds.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks import build_blobstore, build_trace
from benchmarks.bench_gossip import MIB, build, inspector, say
from benchmarks.measure import FLOOR, Race, race
from inspector import kernels

WORSE = 1.15  # a ratio this many times that of the last release is told
FIRST = "import sys, crc32c\nleft = int(sys.argv[2])\nwith open(sys.argv[1], 'rb') as f:\n"
FIRST += "    while left > 0:\n        data = f.read(min(left, 4 << 20)); crc32c.crc32c(data); left -= len(data)"
GOSSMAP = "import sys; from pyln.client.gossmap import Gossmap; Gossmap(sys.argv[1])"
HISTORY = "import sys; from lnhistoryclient.parser.gossip_file import read_gossip_file as read\n"
HISTORY += "for _ in read(sys.argv[1]): pass"
OTHERS = (("pyln-client Gossmap", GOSSMAP), ("lnhistoryclient, bounds of records only,", HISTORY))


@dataclass(frozen=True, slots=True)
class Work:
    """A row: what is measured against what; `apart` takes fsync off."""

    name: str
    base: list[str]
    mine: list[str]
    apart: bool = False


def python(code: str, *words: str) -> list[str]:
    return [sys.executable, "-c", code, *words]


def starts() -> Iterator[Work]:
    yield Work("--version / an empty Python", python("pass"), inspector("--version"))
    yield Work("--help / import typer, rich", python("import typer, rich"), inspector("--help"))


def gossip(folder: Path, size: int) -> Iterator[Work]:
    path, hurt = folder / "gossip_store", folder / "gossip_store.corrupt"
    build(path, size, 1)
    build(hurt, size, 1, 100)
    for where, what in ((path, "healthy"), (hurt, "100 places damaged")):
        yield Work(f"scan of a gossip store, {what}", python(FLOOR, str(where)), inspector("scan", str(where)))
    repair = [sys.executable, "-m", "benchmarks.repair_fsync_apart", str(hurt), str(folder / "repaired")]
    yield Work("repair of it, fsync apart", python(FLOOR, str(hurt)), repair, apart=True)
    yield Work("records --jsonl of it", python(FLOOR, str(path)), inspector("records", str(path), "--jsonl"))
    other = os.environ.get("BENCH_PYTHON")
    for name, code in OTHERS if other else ():
        yield Work(f"{name} / inspector scan", inspector("scan", str(path)), [str(other), "-c", code, str(path)])


def trace(folder: Path, size: int) -> Iterator[Work]:
    path = folder / "node.log"
    build_trace.build(path, size)
    yield Work("scan of a trace", python(FLOOR, str(path)), inspector("scan", str(path)))


def blobstore(folder: Path, size: int) -> Iterator[Work]:
    path = folder / "disk.img"
    metadata = build_blobstore.build(path, size)
    what = f"scan of a dirty blobstore of {size >> 30} GiB, sparse, {metadata / MIB / 1024:.1f} GiB of metadata"
    yield Work(what, python(FIRST, str(path), str(metadata)), inspector("scan", str(path)))


def tables(folder: Path, size: int) -> Iterator[Work]:
    from benchmarks.bench_rocksdb import SETS
    from benchmarks.bench_rocksdb import build as build_table

    for codec, checksum in SETS:
        path = build_table(folder / f"{codec}-{checksum}", size, codec, checksum)
        words = ["scan", str(path), "--jobs", "1"]
        yield Work(f"scan of a table, {codec}, {checksum}", python(FLOOR, str(path)), inspector(*words))
        if shutil.which("sst_dump"):
            verify = ["sst_dump", f"--file={path}", "--command=verify", "--verify_checksum"]
            yield Work(f"the same / sst_dump --verify_checksum, {codec}, {checksum}", verify, inspector(*words))
        check = ["ldb", f"--db={path.parent}", "checkconsistency"]
        if shutil.which("ldb") and not subprocess.run(check, capture_output=True, check=False).returncode:
            yield Work(f"the same / ldb checkconsistency, {codec}, {checksum}", check, inspector(*words))
    one = inspector("scan", str(path.parent), "--jobs", "1")
    two = inspector("scan", str(path.parent), "--jobs", "2")
    yield Work("scan of its whole database, --jobs 2 / --jobs 1", one, two)
    many = folder / "many"
    many.mkdir()
    for number in range(4):
        os.link(path, many / f"{number + 10:06d}.sst")
    one = inspector("scan", str(many), "--jobs", "1")
    yield Work("four such tables, every core / one", one, inspector("scan", str(many), "--jobs", str(os.cpu_count())))


def row(work: Work, found: Race) -> str:
    mine = found.mine
    rate = f"; {mine.output / mine.cpu / 1e6:.0f} MB/s of output" if mine.output > 10_000_000 else ""
    cost = f"{mine.seconds:.2f} s, {mine.cpu:.2f} s of processor, {mine.peak // MIB} MiB{rate}"
    base = f"{found.base.seconds:.2f} s, {found.base.cpu:.2f} s"
    return f"| {work.name} | {found.ratio:.2f} | {found.cpu_ratio:.2f} | {cost} | {base} |"


def measured(parts: list[Callable[[Path], Iterator[Work]]], rounds: int, only: str) -> dict[str, float]:
    """Prints the table; ratios of processor time by row."""
    ratios = {}
    say("| work | ratio | of processor | inspector | floor, or what is named |\n|---|---|---|---|---|")
    for part in parts:
        with tempfile.TemporaryDirectory() as name:
            for work in part(Path(name)):
                if only in work.name:
                    found = race(work.base, work.mine, rounds, apart=work.apart)
                    ratios[work.name] = round(found.cpu_ratio, 3)
                    say(row(work, found))
    return ratios


def worse(now: dict[str, float], before: dict[str, float]) -> list[str]:
    """What to say of rows that became slower than `WORSE` allows."""
    found = []
    for name, ratio in now.items():
        if name in before and ratio > WORSE * before[name]:
            found.append(f"{name}: {ratio:.2f}, was {before[name]:.2f} ({ratio / before[name] - 1:+.0%})")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--save", type=Path)
    parser.add_argument("--against", type=Path)
    parser.add_argument("--only", default="")
    parser.add_argument("--part", choices=("starts", "gossip", "trace", "tables", "blobstore"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    small = 50 if options.quick else 1
    cpus = f"{platform.machine()}, {os.cpu_count()} CPUs, Python {platform.python_version()}, kernel {kernels.WHICH}"
    say(f"{cpus}, load {os.getloadavg()[0]:.1f}\n")
    parts: dict[str, Callable[[Path], Iterator[Work]]] = {
        "starts": lambda _: starts(),
        "gossip": lambda folder: gossip(folder, 105_000_000 // small),
        "trace": lambda folder: trace(folder, 105_000_000 // small),
        "tables": lambda folder: tables(folder, 500_000_000 // small),
        "blobstore": lambda folder: blobstore(folder, (1 << 40) // small),
    }
    chosen = [part for name, part in parts.items() if options.part in (None, name)]
    ratios = measured(chosen, 1 if options.quick else options.rounds, options.only)
    if options.save:
        known = json.loads(options.save.read_text()) if options.save.exists() else {}
        options.save.write_text(json.dumps(known | ratios, indent=2) + "\n")
    slower = worse(ratios, json.loads(options.against.read_text())) if options.against else []
    for line in slower:
        say(f"slower: {line}")
    return 1 if slower else 0


if __name__ == "__main__":
    sys.exit(main())
