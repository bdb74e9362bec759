"""`python -m tests.bombs [--bomb NAME] [--command WORD] [--jobs N]`: small files that cost much, every command.

Each command runs in a process of its own; what it took is what wait4 says. More than 256 MiB, or more than a second of
processor for a small file, is a fault; so is a traceback. A command that reads several stores has a second for each:
diff and merge are given the file twice, and a self-test inspects the file and one damaged copy for each round. A
folder is as large as what it takes on disk, a KiB for each of its files at least. A second is one of the machine on
which the limits were set: what is over is run again beside a fixed piece of work, and a machine that takes longer for
that has longer.
"""

from __future__ import annotations

import argparse
import compileall
import gc
import importlib
import math
import os
import pickle
import pkgutil
import resource
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import dropwhile, islice
from pathlib import Path

import inspector
from inspector.__main__ import main as entry
from tests.builders import bomb_claims, bomb_counts, bomb_crowds, bomb_documents, bombs
from tests.builders.bombs import SAMPLES

PEAK = 256 << 20
LEAST = 1024  # bytes of a file in a folder: its inode and its name
SECONDS = 1.0  # of processor for a file of up to a MiB, and one more for each further MiB
LIMIT = 10  # seconds of processor after which a command is ended
WORK = (
    "import zlib; x = bytes(range(256)) * 4096; [zlib.compress(x[i:]) for i in range(9)]; sum(map(hash, range(10**6)))"
)
TRIES = 7  # times that what is over is run again
QUIET = 0.15  # seconds that WORK takes where the limits were set, start of Python included
COMMANDS = (
    "scan {in} --json",
    "scan {in}",
    "scan {in} --verify-signatures --checksums --quiet",
    "records {in} --jsonl",
    "show {in} 20 --json",
    "items {in} --json",
    "extract {in} x -o {out} --lost",
    "repair {in} -o {out}",
    "repair {in} --patch {out}",
    "diff {in} {in} --json",
    "merge {in} {in} -o {out} --json",
    "capture {in} -o {out} --no-environment --json",
    "excerpt {in} -o {out} --json",
    "carve {in} --format gossip-store --dry-run --json",
    "carve {in} --format rocksdb-sst --dry-run --json",
    "carve {in} --format rocksdb-log --dry-run --json",
    "carve {in} --format spdk-blobstore --dry-run --json",
    "report {in} -o {out}.html --no-environment",
    "watch {in} --for 0.2 --interval 0.1 --jsonl",
    "dev inject {in} -o {out} --damage flip --seed 1",
    "dev selftest {in} --rounds 1 --json",
    "explain bad~checksum~offset~3044 --store {in} --json",
)
_GOSSIP, _SPDK = (
    str(SAMPLES / name) for name in ("gossip_store/checksum-at-3044.gossip_store", "longhorn/healthy.img")
)
BESIDE = (
    f"scan {_GOSSIP} --baseline {{in}} --json",
    f"scan {_GOSSIP} --state {{in}} --json",
    f"scan {_GOSSIP} --mapfile {{in}} --json",
    f"scan {_GOSSIP} --log {{in}} --json",
    f"scan {_GOSSIP} --redact --redact-map {{in}} --json",
    f"scan {_SPDK} --against {{in}} --json",
    f"carve {_GOSSIP} --format gossip-store --mapfile {{in}} --dry-run --json",
    f"report {_GOSSIP} --log {{in}} -o {{out}}.html --no-environment",
    f"watch {_GOSSIP} --state {{in}} --for 0.2 --interval 0.1 --jsonl",
    f"apply {{in}} {_GOSSIP} --undo {{out}}",
    f"explain - --store {_GOSSIP} --json < {{in}}",
    "scan - --json < {in}",
    "scan {in} --json",
    "scan {in}",
)
Judged = dict[str, tuple["Run", list[str]]]
Bomb = tuple[str, Callable[[Path], object], tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Run:
    """What one command took."""

    code: int
    seconds: float
    peak: int
    errors: str


def spawn(command: list[str], stdin: str = os.devnull, limit: float = LIMIT) -> Run:
    """Runs a program to its end, or to the limit of processor time in seconds."""
    with tempfile.TemporaryFile() as errors, Path(os.devnull).open("r+b") as null, Path(stdin).open("rb") as given:
        files = [(os.POSIX_SPAWN_DUP2, f.fileno(), n) for n, f in enumerate((given, null, errors))]
        limited = ["/bin/sh", "-c", f'ulimit -t {math.ceil(limit)}; exec "$@"', "sh", *command]
        pid = os.posix_spawn(limited[0], limited, os.environ, file_actions=files)
        _, status, used = os.wait4(pid, 0)
        errors.seek(0)
        said = errors.read(100_000).decode("utf-8", "replace")
    return Run(os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime, used.ru_maxrss * 1024, said)


def run(line: str, path: str, folder: Path, limit: float = LIMIT) -> Run:
    """One command on one bomb; what it writes is taken away again."""
    out = Path(tempfile.mkdtemp(dir=folder))
    line, _, stdin = line.partition(" < ")
    words = [w.replace("~", " ").format_map({"in": path, "out": str(out / "out")}) for w in line.split()]
    try:
        return spawn([sys.executable, "-m", "inspector", *words], stdin.format_map({"in": path}) or os.devnull, limit)
    finally:
        shutil.rmtree(out)


def slowness() -> float:
    """How much longer than on the quiet machine a fixed piece of work takes now; never less than 1."""
    return max(1.0, spawn([sys.executable, "-c", WORK]).seconds / QUIET)


def stores(line: str) -> int:
    """How many stores a command reads: what it is given, and of a self-test the copies that it makes."""
    words = line.split()
    copies = int(words[words.index("--rounds") + 1]) if "--rounds" in words else 0
    return (words.count("{in}") if words[0] in ("diff", "merge") else 1) + copies


def allowed(line: str, size: int) -> float:
    return SECONDS * max(1, size >> 20) * stores(line)


def faults_of(line: str, done: Run, size: int, slow: float = 1.0) -> list[str]:
    found = []
    if done.peak > PEAK:
        found.append(f"{done.peak >> 20} MiB")
    if done.seconds > allowed(line, size) * slow:
        found.append(f"{done.seconds:.2f} s" + (f" (machine {slow:.1f} times slower)" if slow > 1 else ""))
    if "Traceback" in done.errors or "INS001" in done.errors or done.code == 1 or done.code < 0:
        found.append(f"code {done.code}: {(done.errors.strip().splitlines() or ['?'])[-1][:120]}")
    return found


def judged(line: str, path: Path, size: int, folder: Path) -> tuple[Run, list[str]]:
    """What a command took at its best of a few, and what is wrong with that: what is over only because somebody else
    had the caches is not over every time."""
    limit = max(LIMIT, 2 * allowed(line, size))  # also on a machine that is twice as slow at that moment
    done, slow = run(line, str(path), folder, limit), 1.0
    for _ in range(TRIES):
        if done.seconds <= allowed(line, size) * slow or done.code < 0:
            break
        slow = max(slow, slowness())
        if done.seconds <= allowed(line, size) * slow:
            break
        done = min(done, run(line, str(path), folder, limit), key=lambda r: r.seconds)
    return done, faults_of(line, done, size, slow)


def preload() -> None:
    """Everything that a command may import, so that a fork has it."""
    for found in pkgutil.walk_packages(inspector.__path__, "inspector."):
        if not found.name.endswith("__main__"):
            importlib.import_module(found.name)
    gc.freeze()


def forked(line: str, path: Path, folder: Path) -> int:
    """The id of a process that runs a command without starting Python for it."""
    line, _, stdin = line.partition(" < ")
    out = folder / "out"
    out.mkdir()
    words = [w.replace("~", " ").format_map({"in": str(path), "out": str(out / "out")}) for w in line.split()]
    if pid := os.fork():
        return pid
    code = 1
    try:
        resource.setrlimit(resource.RLIMIT_CPU, (LIMIT, LIMIT + 1))
        for number, name in enumerate((stdin.format_map({"in": str(path)}) or os.devnull, os.devnull, "errors")):
            os.dup2(os.open(folder / name, os.O_RDWR | os.O_CREAT if number else os.O_RDONLY), number)
        code = entry(words)
    except BaseException:  # noqa: BLE001  also an exit: it is told, and the process ends here
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(code)


def looked_at_again(found: dict[str, Run], path: Path, size: int, start: float, folder: Path, jobs: int) -> Judged:
    """Those that came near the limit, each by Python started anew, some at a time; the others as they are."""
    near = [line for line, done in found.items() if suspicious(line, done, size, start)]
    done: Judged = {line: (replace(one, seconds=one.seconds + start), []) for line, one in found.items()}
    running: dict[int, tuple[str, Path]] = {}
    while near or running:
        while near and len(running) < jobs:
            line, place = near.pop(), Path(tempfile.mkdtemp(dir=folder))
            if not (pid := os.fork()):
                try:
                    (place / "told").write_bytes(pickle.dumps(judged(line, path, size, place)))
                finally:
                    os._exit(0)
            running[pid] = line, place
        pid, _ = os.wait()
        line, place = running.pop(pid)
        done[line] = pickle.loads((place / "told").read_bytes())
        shutil.rmtree(place)
    return done


def first_pass(lines: tuple[str, ...], path: Path, folder: Path, jobs: int) -> dict[str, Run]:
    """All commands, each in a fork, some at a time; the time to start Python is added later."""
    waiting, running, done = list(lines), dict[int, tuple[str, Path]](), dict[str, Run]()
    while waiting or running:
        while waiting and len(running) < jobs:
            place = Path(tempfile.mkdtemp(dir=folder))
            line = waiting.pop(0)
            running[forked(line, path, place)] = line, place
        pid, status, used = os.wait4(-1, 0)
        line, place = running.pop(pid)
        said = (place / "errors").read_bytes()[:100_000].decode("utf-8", "replace")
        code = os.waitstatus_to_exitcode(status)
        done[line] = Run(code, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024, said)
        shutil.rmtree(place)
    return done


def suspicious(line: str, done: Run, size: int, start: float) -> bool:
    """Whether a command must be looked at in a process of its own."""
    near = done.seconds + start > 0.7 * allowed(line, size) or done.peak > 0.7 * PEAK
    return near or bool(faults_of(line, done, size))


def all_bombs() -> Iterator[Bomb]:
    for name, build in (bombs.blobs() | bomb_claims.files() | bomb_counts.files() | bomb_crowds.files()).items():
        yield name, partial(bomb_documents.fill, make=build), COMMANDS
    found = bombs.folders() | bomb_claims.folders() | bomb_counts.folders() | bomb_crowds.folders()
    for name, fill in found.items():
        yield name, fill, COMMANDS
    for name, build in bomb_documents.documents().items():
        yield f"beside-{name}", partial(bomb_documents.fill, make=build), BESIDE


def made(make: Callable[[Path], object], path: Path) -> int:
    """The bytes of what was made, of a folder what it takes on disk.

    In a process of its own: a child's peak begins with what its parent has.
    """
    if not (pid := os.fork()):
        code = 1
        try:
            make(path)
            code = 0
        finally:
            os._exit(code)
    if os.waitpid(pid, 0)[1]:
        raise SystemExit(f"{path.name} could not be made")
    if not path.is_dir():
        return path.stat().st_size
    return sum(max(LEAST, p.stat().st_blocks * 512) for p in path.rglob("*") if p.is_file())


def table_line(name: str, size: int, runs: list[tuple[str, Run, list[str]]]) -> str:
    slow, fat = max(runs, key=lambda r: r[1].seconds), max(runs, key=lambda r: r[1].peak)
    wrong = [f"  {line}: {fault}\n" for line, _, faults in runs for fault in faults]
    row = (
        f"| {name} | {size:,} | {len(runs)} | {len(wrong)} | {slow[1].seconds:.2f} s | {short(slow[0])} "
        f"| {fat[1].peak >> 20} MiB | {short(fat[0])} |\n"
    )
    return row + "".join(wrong)


def short(line: str) -> str:
    words = [w for w in line.split() if "/" not in w and "{" not in w]
    return " ".join(words[: 2 if words[0] in ("dev", "carve", "scan", "repair") else 1])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bomb", action="append", help="only bombs with this in their name")
    parser.add_argument("--command", action="append", help="only commands that begin with this word")
    parser.add_argument("--after", help="only bombs behind this one: a run that was ended goes on")
    parser.add_argument("--jobs", type=int, default=2, help="commands at a time")
    asked = parser.parse_args()
    began, say, count, total = time.monotonic(), sys.stdout.write, 0, 0
    say("| file | bytes | commands | faults | most processor | by | most memory | by |\n")
    say("|---|--:|--:|--:|--:|---|--:|---|\n")
    compileall.compile_dir(str(Path(inspector.__path__[0])), quiet=1)  # else each start would compile anew
    start = min(spawn([sys.executable, "-m", "inspector", "--version"]).seconds for _ in range(3))
    preload()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        left = all_bombs()
        if asked.after:
            left = islice(dropwhile(lambda bomb: bomb[0] != asked.after, left), 1, None)
        for name, make, lines in left:
            if asked.bomb and not any(part in name for part in asked.bomb):
                continue
            chosen = tuple(line for line in lines if not asked.command or line.split()[0] in asked.command)
            place = Path(tempfile.mkdtemp(dir=folder)) / name  # a log is known by its name, which may be in a folder
            place.parent.mkdir(exist_ok=True)
            size = made(make, place)
            found = first_pass(chosen, place, folder, asked.jobs)
            again = looked_at_again(found, place, size, start, folder, asked.jobs)
            runs = [(line, *again[line]) for line in chosen]
            if runs:
                say(table_line(name, size, runs))
            sys.stdout.flush()
            count += sum(bool(faults) for _, _, faults in runs)
            total += len(runs)
            shutil.rmtree(next(p for p in (place, *place.parents) if p.parent == folder))
    used = sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])
    say(f"{total} commands, {count} with faults; {used:.0f} s of processor, {time.monotonic() - began:.0f} s\n")
    return min(1, count)


if __name__ == "__main__":
    sys.exit(main())
