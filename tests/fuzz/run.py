"""`make fuzz`, or `python -m tests.fuzz.run [--seconds N] [--format NAME]`: each format in a process of its own.

Guided by coverage where atheris is installed (it has wheels for some Pythons on Linux), else by the samples and a seed.
"""

from __future__ import annotations

import argparse
import hashlib
import resource
import subprocess
import sys
import tempfile
import time
import traceback
from importlib.util import find_spec
from pathlib import Path
from random import Random

from tests import damage
from tests.fuzz.target import Target, able

CRASHERS = Path(__file__).parents[2] / "samples" / "crashers"
MIB = 1 << 20


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def keep(target: Target, data: bytes, why: str) -> Path:
    """A crash becomes a file, or a folder of a store's files, whose name says what it was made for."""
    CRASHERS.mkdir(exist_ok=True)
    path = CRASHERS / f"{target.form.name}-{hashlib.sha256(data).hexdigest()[:12]}"
    if set(target.members) == {""}:
        path = path.with_suffix(".bin")
        path.write_bytes(data)
    else:
        for name, held in {**target.members, target.member: data}.items():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_bytes(held)
    say(f"{path}: {why.strip().splitlines()[-1]}")
    return path


def mutate(data: bytes, rng: Random) -> bytes:
    """A few damages of any kind, one after the other."""
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        size = len(data)
        if size < 8:
            return data + rng.randbytes(8)
        at, length = rng.randrange(size), rng.choice((1, 2, 4, 8, 64, 512, 4096))
        word = rng.choice((b"\xff" * 4, b"\0" * 8, b"\x7f\xff\xff\xff", b"\xff" * 10, rng.randbytes(4), b"\x80" * 9))
        try:
            data = rng.choice(
                (
                    lambda d=data, a=at: damage.flip_bit(d, a, rng.randrange(8)),
                    lambda d=data, a=at, n=length: damage.zero(d, a, min(a + n, len(d))),
                    lambda d=data, a=at, n=length: damage.noise(d, a, min(a + n, len(d)), rng.randrange(1 << 30)),
                    lambda d=data, a=at: damage.truncate(d, a),
                    lambda d=data, a=at, w=word: damage.overwrite(d, a, w[: len(d) - a]),
                    lambda d=data, a=at, n=length: damage.splice(d, a, d[a : a + n] or b"\0"),
                    lambda d=data, a=at, n=length: damage.cut(d, a, min(a + n, len(d))),
                )
            )().data
        except ValueError:  # this one would have changed nothing
            continue
    return data


def by_seed(name: str, seconds: float, seed: int) -> int:
    """Random damage of every sample of one format, for seconds of processor; returns the number of crashes."""
    every = able(name)
    rng, runs, crashes, slowest = Random(f"{name}/{seed}"), 0, 0, 0.0
    end = time.process_time() + seconds
    while time.process_time() < end:
        target = rng.choice(every)
        data = mutate(target.members[target.member], rng)
        begun = time.process_time()
        try:
            target(data)
        except Exception:  # noqa: BLE001  the very thing that is looked for
            crashes += 1
            keep(target, data, traceback.format_exc())
        slowest = max(slowest, time.process_time() - begun)
        runs += 1
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 // MIB
    say(f"| {name} | {runs:,} | {seconds / 60:.1f} | {crashes} | {slowest:.2f} s | {peak} MiB |")
    return crashes


def by_coverage(name: str, seconds: float, seed: int) -> int:
    """libFuzzer with Python's coverage as its guide, over every member of every small sample."""
    with tempfile.TemporaryDirectory() as folder:
        corpus, found, every = Path(folder) / "corpus", Path(folder) / "found", able(name)[:256]
        for place in (corpus, found):
            place.mkdir()
        for number, target in enumerate(every):
            (corpus / f"{number:03}").write_bytes(bytes([number]) + target.members[target.member])
        command = [sys.executable, "-m", "tests.fuzz.guided", name, str(corpus), f"-max_total_time={int(seconds)}"]
        limits = ["-rss_limit_mb=1024", "-timeout=60", f"-seed={seed + 1}", f"-artifact_prefix={found}/"]
        used = _seconds_of_children()
        done = subprocess.run([*command, *limits], capture_output=True, text=True, check=False)
        used = _seconds_of_children() - used
        crashes = sorted(found.iterdir())
        for path in crashes:
            data = path.read_bytes()
            keep(every[data[0] % len(every)], data[1:], done.stderr[-2000:])
        told = [line for line in done.stderr.splitlines() if "cov:" in line]
        say(f"  {name}, guided, {used:.0f} s: {told[-1].strip() if told else done.stderr[-300:]}")
    return len(crashes)


def _seconds_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> int:
    from inspector.formats import all_formats

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="for each format and way")
    parser.add_argument("--format", action="append", help="only this format")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    crashes = 0
    say("| format | runs | minutes | crashes | slowest | peak memory |\n|---|---|---|---|---|---|")
    for name in asked.format or [form.name for form in all_formats()]:
        crashes += by_seed(name, asked.seconds, asked.seed)
        if find_spec("atheris") is not None:
            crashes += by_coverage(name, asked.seconds, asked.seed)
    return 3 if crashes else 0


if __name__ == "__main__":
    sys.exit(main())
