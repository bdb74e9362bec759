"""`make fuzz`, or `python -m tests.fuzz.run [--seconds N] [--format NAME]`: each format in a process of its own.

Guided by coverage where atheris is installed (it has wheels for some Pythons on Linux), else by the samples and a seed.
"""

from __future__ import annotations

import argparse
import hashlib
import resource
import subprocess
import sys
import time
import traceback
from importlib.util import find_spec
from pathlib import Path
from random import Random

from tests import damage

CRASHERS = Path(__file__).parents[2] / "samples" / "crashers"
MAX_BYTES = 1 << 18  # of a sample that is worth mutating
MIB = 1 << 20


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def keep(target_name: str, data: bytes, why: str) -> Path:
    """A crash becomes a file whose name says what it was made for."""
    CRASHERS.mkdir(exist_ok=True)
    path = CRASHERS / f"{target_name}-{hashlib.sha256(data).hexdigest()[:12]}.bin"
    path.write_bytes(data)
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
    """Random damage of every sample of one format; returns the number of crashes."""
    from tests.contract.corpus import cases
    from tests.fuzz.target import targets

    able = [t for case in cases() if case.format.name == name for t in targets(case)]
    small = [t for t in able if 0 < len(t.members[t.member]) <= MAX_BYTES]
    able = small or sorted(able, key=lambda t: len(t.members[t.member]))[-1:]  # one unit may be larger than that
    rng, runs, crashes, slowest = Random(f"{name}/{seed}"), 0, 0, 0.0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        target = rng.choice(able)
        data = mutate(target.members[target.member], rng)
        begun = time.process_time()
        try:
            target(data)
        except Exception:  # noqa: BLE001  the very thing that is looked for
            crashes += 1
            keep(name, data, traceback.format_exc())
        slowest = max(slowest, time.process_time() - begun)
        runs += 1
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 // MIB
    say(f"| {name} | {runs:,} | {seconds / 60:.1f} | {crashes} | {slowest:.2f} s | {peak} MiB |")
    return crashes


def by_coverage(name: str, seconds: float, seed: int) -> int:
    """libFuzzer with Python's coverage as its guide, over the first member of the samples' single files."""
    import tempfile

    from tests.contract.corpus import cases

    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(folder)
        for case in cases():
            if case.format.name == name and case.path.is_file() and case.path.stat().st_size <= MAX_BYTES:
                (corpus / case.path.name).write_bytes(case.path.read_bytes())
        if not any(corpus.iterdir()):  # its stores are folders, whose files the lower format is fuzzed with
            return 0
        command = [sys.executable, "-m", "tests.fuzz.guided", name, str(corpus), f"-max_total_time={int(seconds)}"]
        limits = ["-rss_limit_mb=1024", "-timeout=20", f"-seed={seed + 1}", f"-artifact_prefix={folder}/found-"]
        done = subprocess.run([*command, *limits], capture_output=True, text=True, check=False)
        crashes = [p for kind in ("crash", "timeout", "oom") for p in corpus.glob(f"found-{kind}-*")]
        for path in crashes:
            keep(name, path.read_bytes(), done.stderr[-2000:])
        told = [line for line in done.stderr.splitlines() if "cov:" in line]
        say(f"  {name}, guided: {told[-1].strip() if told else done.stderr[-300:]}")
    return len(crashes)


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
