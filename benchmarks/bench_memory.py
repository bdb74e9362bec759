"""Is memory flat and time linear in the size of a store, for every command and every format that grows?

    python -m benchmarks.bench_memory FOLDER [--sizes 105e6 1e9 4e9] [--only WORD ...] [--keep]

Peak memory is the resident set of the one process, as wait4 tells it: anonymous pages, and pages of libraries that are
mapped. No command maps a store, so nothing of it counts. Seconds are those of the processor, for each GB of the store.
The stores are built in FOLDER, which needs three times the largest size.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MIB = 1 << 20
LIMIT, SHARE, MORE = 256, 1.15, 16  # MiB; and what a larger store may cost beside the smallest
WAIT = 1800  # seconds of the clock for one command

GOSSIP = """
scan A | scan --json A | scan --jsonl --redact A | records --jsonl A | records --jsonl --redact A | show A 100000000
items --jsonl A | items A | extract A CHANNEL -o OUT | repair A -o OUT | repair --compact A -o OUT | repair --dry-run A
repair A --patch OUT | diff A B | merge A B -o OUT | merge A B --map OUT.map -o OUT | capture A -o OUT
capture --no-redact A -o OUT | excerpt A -o OUT | excerpt --no-redact A -o OUT | carve --format gossip-store A -o OUT
carve --format gossip-store --dry-run --map OUT A
report A -o OUT.md | report A -o OUT.html | report A -o OUT.json | report A -o OUT.zip
watch --until-damage --for 1s A | dev inject A --damage flip -o OUT | scan --state OUT A | scan --baseline OUT A
explain --store A LINE
"""
TRACE = """
scan A | scan --json A | records --jsonl A | items --jsonl A | repair A -o OUT | diff A B | capture A -o OUT
excerpt A -o OUT | report A -o OUT.html | watch --until-damage --for 1s A | scan --state OUT A
dev inject A --damage flip -o OUT
"""
ROCKSDB = """
scan A | scan --json A | scan --checksums A | items --jsonl A | records --jsonl A | repair A -o OUT
repair --dry-run A | diff A B | capture A -o OUT | excerpt A -o OUT | report A -o OUT.html | scan --state OUT A
"""
IMAGE = """
scan A | scan --json A | items --jsonl A | records --jsonl A | repair --dry-run A | repair A --patch OUT | diff A B
capture A -o OUT | report A -o OUT.html
"""
ONE_FILE = "scan A | records --jsonl A | repair A -o OUT | repair --dry-run A | capture A -o OUT | report A -o OUT.md"
LINE = "gossip_store: get delete entry offset 41434415/5949"


@dataclass(frozen=True, slots=True)
class Subject:
    """Stores of one shape; `module` writes one, `words` after its path and size."""

    name: str
    module: str
    words: tuple[str, ...]
    commands: str
    other: tuple[str, ...] | None = None  # words of B; without them B is A
    file: str = ""  # the name that its program gives it


SUBJECTS = (
    Subject("gossip, new", "build_large", ("new", "1", "100"), GOSSIP, ("new", "1", "0"), "gossip_store"),
    Subject("gossip, mix", "build_large", ("mix", "1", "100"), GOSSIP, ("mix", "1", "0"), "gossip_store"),
    Subject("trace", "build_grown", ("trace",), TRACE),
    Subject(
        "wal", "build_grown", ("wal",), "scan A | records --jsonl A | repair A -o OUT | capture A -o OUT | diff A B"
    ),
    Subject(
        "manifest", "build_grown", ("manifest",), "scan A | records --jsonl A | repair --dry-run A | capture A -o OUT"
    ),
    Subject("blob file", "build_grown", ("blobs",), "scan A | records --jsonl A | repair A -o OUT | capture A -o OUT"),
    Subject("rocksdb", "build_grown", ("tables",), ROCKSDB),
    Subject("rocksdb, tables of 5 kB", "build_grown", ("members",), ROCKSDB),
    Subject("blobstore", "build_grown", ("volumes",), IMAGE),
    Subject(
        "gossip, findings", "build_large", ("lost",), "scan A | scan --json A | report A -o OUT.zip | repair A -o OUT"
    ),
)


@dataclass(frozen=True, slots=True)
class Cost:
    code: int
    cpu: float
    peak: int  # MiB


def measured(command: list[str]) -> Cost:
    """One process, started by a small one: a child's peak begins with that of whoever starts it."""
    script = "from benchmarks.bench_memory import _one; _one()"
    told = subprocess.run([sys.executable, "-c", script, *command], capture_output=True, text=True, check=True)
    code, cpu, peak = told.stdout.split()
    return Cost(int(code), float(cpu), int(peak))


def _one() -> None:
    begun = time.monotonic()
    process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not (done := os.wait4(process.pid, os.WNOHANG))[0]:
        time.sleep(0.02)
        if time.monotonic() - begun > WAIT:
            process.kill()
    _, status, used = done
    sys.stdout.write(f"{os.waitstatus_to_exitcode(status)} {used.ru_utime + used.ru_stime} {used.ru_maxrss // 1024}\n")


def build(subject: Subject, words: tuple[str, ...], path: Path, size: int) -> None:
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        made = path.with_name(path.name + ".part")
        command = [sys.executable, "-m", f"benchmarks.{subject.module}", str(made), str(size), *words]
        subprocess.run(command, check=True)
        made.rename(path)


def remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def one_channel(path: Path) -> str:
    """The id of the first item."""
    script = f"{sys.executable} -m inspector items --jsonl {path} | head -n 1"
    line = subprocess.run(script, shell=True, capture_output=True, text=True, check=False).stdout
    return line.partition('"id":"')[2].partition('"')[0] or "none"


def commands(subject: Subject) -> Iterator[list[str]]:
    for line in subject.commands.strip().splitlines():
        for text in line.split("|"):
            yield text.split()


def costs(subject: Subject, folder: Path, size: int, only: list[str]) -> dict[str, tuple[Cost, int]]:
    """What each command costs at one size, and the bytes that it was given."""
    name = subject.name.replace(", ", "-").replace(" ", "-")
    one = folder / f"{name}-{size}" / subject.file
    build(subject, subject.words, one, size)
    two = one
    if subject.other is not None:
        two = folder / f"{name}-{size}-other" / subject.file
        build(subject, subject.other, two, size)
    out, found = folder / "out", {}
    real = sum(p.stat().st_size for p in one.rglob("*")) if one.is_dir() else one.stat().st_blocks * 512
    for words in commands(subject):
        told = " ".join(words)
        if only and not any(word in f"{subject.name}: {told}" for word in only):
            continue
        known = {"A": str(one), "B": str(two), "LINE": LINE}
        if "CHANNEL" in words:
            known["CHANNEL"] = one_channel(one)
        line = [known.get(word, word.replace("OUT", str(out)) if word.startswith("OUT") else word) for word in words]
        if words[:2] == ["scan", "--baseline"]:
            subprocess.run([sys.executable, "-m", "inspector", "scan", "--write-baseline", str(out), str(one)],
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)  # fmt: skip
        cost = measured([sys.executable, "-m", "inspector", *line])
        found[told] = (cost, real)
        sys.stderr.write(f"{subject.name:24} {size / 1e6:6,.0f} MB  {cost.peak:4} MiB {cost.cpu / real * 1e9:7.2f} s/GB"
                         f"  exit {cost.code}  {told}\n")  # fmt: skip
        for path in folder.glob("out*"):
            remove(path)
    return found


def table(subject: Subject, sizes: list[int], found: list[dict[str, tuple[Cost, int]]]) -> Iterator[str]:
    heads = [f"{size / 1e6:,.0f} MB" if size < 1e9 else f"{size / 1e9:,.1f} GB" for size in sizes]
    yield f"\n{subject.name}: peak MiB, and seconds of processor for each GB\n"
    yield "| command | " + " | ".join(heads) + " | |"
    yield "|---|" + "---|" * (len(sizes) + 1)
    for told in found[0]:
        cells, first = [], found[0][told][0].peak
        for one in found:
            cost, real = one[told]
            odd = f" (exit {cost.code})" if cost.code not in (0, 3, 4, 5) else ""
            cells.append(f"{cost.peak}, {cost.cpu / real * 1e9:.1f} s{odd}")
        last = found[-1][told][0].peak
        flat = last <= max(first * SHARE, first + MORE) and last <= LIMIT
        yield f"| {told} | " + " | ".join(cells) + f" | {'flat' if flat else 'grows'} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sizes", nargs="+", type=float, default=[105e6, 1e9, 4e9])
    parser.add_argument("--only", nargs="*", default=[], help="part of 'store: command'")
    parser.add_argument("--keep", action="store_true", help="the stores, for the next run")
    wishes = parser.parse_args()
    wishes.folder.mkdir(parents=True, exist_ok=True)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sizes = [int(size) for size in wishes.sizes]
    for subject in SUBJECTS:
        told = [" ".join(words) for words in commands(subject)]
        if wishes.only and not any(word in f"{subject.name}: {one}" for word in wishes.only for one in told):
            continue
        found = []
        for size in sizes:
            found.append(costs(subject, wishes.folder, size, wishes.only))
        sys.stdout.write("\n".join(table(subject, sizes, found)) + "\n")
        sys.stdout.flush()
        if not wishes.keep:
            for path in wishes.folder.glob(f"{subject.name.replace(', ', '-').replace(' ', '-')}-*"):
                remove(path)


if __name__ == "__main__":
    main()
