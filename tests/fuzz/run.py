"""`make fuzz`, or `python -m tests.fuzz.run [--seconds N] [--format NAME]`: each format in a process of its own.

Guided by coverage where atheris is installed (it has wheels for some Pythons on Linux), else by the samples and a seed.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
import traceback
from contextlib import nullcontext
from importlib.util import find_spec
from pathlib import Path
from random import Random

from tests import damage
from tests.fuzz.seals import WORDS, sealed
from tests.fuzz.target import COMMANDS, HEAD, Target, able, corpus_of
from tests.proof_stores import tiny_elements

CRASHERS = Path(os.environ.get("CRASHERS", Path(__file__).parents[2] / "samples" / "crashers"))
MIB = 1 << 20
KEPT = 20  # crashes of one run: one bug may give thousands
SEALED = 0.66  # the chance of right checksums after a change


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def keep(target: Target, data: bytes, number: int, why: str) -> Path:
    """A crash becomes a file, or a folder of a store's files; its name says the format and what was done (see HEAD)."""
    CRASHERS.mkdir(exist_ok=True)
    path = CRASHERS / f"{target.form.name}-{number:02}{hashlib.sha256(data).hexdigest()[:10]}"
    if set(target.members) == {""}:
        path = path.with_suffix(".bin")
        path.write_bytes(data)
    else:
        for name, held in {**target.members, target.member: data}.items():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_bytes(held)
    say(f"{path}: {why.strip().splitlines()[-1]}")
    return path


def foreign(rng: Random, size: int) -> bytes:
    """Bytes of a store of any format."""
    data = rng.choice(able(rng.choice(sorted(WORDS)))).sound
    at = rng.randrange(len(data))
    return data[at : at + size] or b"\0"


def mutate(data: bytes, rng: Random) -> bytes:
    """A few damages of any kind, one after the other: they may hit the same bytes."""
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
                    lambda d=data, a=at, n=length: damage.splice(d, a, foreign(rng, n)),
                    lambda d=data, a=at, n=length: damage.overwrite(d, a, foreign(rng, min(n, len(d) - a))),
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
        data, number = mutate(target.sound, rng), rng.randrange(COMMANDS + 1)
        if rng.random() < SEALED:
            data = sealed(name, target.member, data, target.sound)
        begun = time.process_time()
        try:
            if number:
                target.command(data, number - 1)
            else:
                target(data)
        except Exception:  # noqa: BLE001  the very thing that is looked for
            crashes += 1
            if crashes <= KEPT:
                keep(target, data, number, traceback.format_exc())
        slowest = max(slowest, time.process_time() - begun)
        runs += 1
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 // MIB
    say(f"| {name} | {runs:,} | {seconds / 60:.1f} | {crashes} | {slowest:.2f} s | {peak} MiB |")
    return crashes


def by_coverage(name: str, seconds: float, seed: int, kept: Path | None = None) -> int:
    """libFuzzer with Python's coverage as its guide; with `kept` it goes on from the inputs of the last time."""
    with tempfile.TemporaryDirectory() as folder:
        corpus, found, words = Path(folder) / "corpus", Path(folder) / "found", Path(folder) / "words"
        corpus = kept / name if kept else corpus
        for place in (corpus, found):
            place.mkdir(parents=True, exist_ok=True)
        every = able(name)
        for number, data in enumerate(corpus_of(every)):
            (corpus / f"seed-{number:03}").write_bytes(data)
        listed = (word for word in WORDS[name] if word)
        words.write_text("".join('"' + "".join(f"\\x{b:02x}" for b in word) + '"\n' for word in listed))
        command = [sys.executable, "-m", "tests.fuzz.guided", name, str(corpus), f"-max_total_time={int(seconds)}"]
        limits = ["-rss_limit_mb=1024", "-timeout=60", f"-seed={seed + 1}", f"-artifact_prefix={found}/"]
        told = ["-print_final_stats=1", f"-dict={words}", f"-max_len={2 * max(len(t.sound) for t in every) + HEAD}"]
        used = _seconds_of_children()
        done = subprocess.run([*command, *limits, *told], capture_output=True, text=True, errors="replace", check=False)
        used = _seconds_of_children() - used
        crashes = sorted(
            p for p in found.iterdir() if not p.name.startswith("slow-unit")
        )  # by the clock of a busy machine
        for path in crashes:
            data = path.read_bytes()
            why = "\n".join(re.findall(r"^.*(?:Error|Exception|ALARM).*$", done.stderr, re.M)) or done.stderr[-300:]
            keep(every[data[0] % len(every)], data[HEAD:], data[1] % (COMMANDS + 1), why)
        say(f"  {name}, guided, {used:.0f} s: {_figures(done.stderr)}")
    return len(crashes)


def _figures(told: str) -> str:
    """Runs, and edges at the start and in the end."""
    runs = re.findall(r"number_of_executed_units: (\d+)", told)
    edges = re.findall(r"cov: (\d+)", told)
    if not edges:
        return told[-1000:]
    begun = re.findall(r"INITED cov: (\d+)", told)
    return f"{runs[0] if runs else '?'} runs, edges {begun[0] if begun else '?'} -> {edges[-1]}"


def _seconds_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> int:
    from inspector.formats import all_formats

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="for each format and way")
    parser.add_argument("--format", action="append", help="only this format")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--guided", action="store_true", help="leave out the runs by the seed alone where atheris is")
    parser.add_argument("--corpus", type=Path, help="keep what the guided runs found in this folder, and go on from it")
    asked = parser.parse_args()
    crashes = 0
    say("| format | runs | minutes | crashes | slowest | peak memory |\n|---|---|---|---|---|---|")
    for name in asked.format or [form.name for form in all_formats()]:
        with tiny_elements() if name == "piece-cache" else nullcontext():
            guided = find_spec("atheris") is not None
            crashes += 0 if guided and asked.guided else by_seed(name, asked.seconds, asked.seed)
            crashes += by_coverage(name, asked.seconds, asked.seed, asked.corpus) if guided else 0
    return 3 if crashes else 0


if __name__ == "__main__":
    sys.exit(main())
