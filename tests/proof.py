"""`python -m tests.proof [--format NAME] [--jobs N]`: every byte of small samples changed three ways, every truncation.

What breaks a promise (an exception, a byte that no tile accounts for, a second of processor, 256 MiB) is a fault.
"""

from __future__ import annotations

import argparse
import os
import resource
import signal
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from time import process_time
from types import FrameType

from inspector import formats
from inspector.errors import InspectorError
from inspector.format import UNIT, Format, Stretch
from inspector.inspect import OUR_BUG, inspect
from tests.contract.corpus import SAMPLES, memory

CHANGES = (0x01, 0x80, 0xFF)  # xor-ed to each byte
SLOW = 1.0  # seconds of processor for one case
HANG = 20  # seconds after which a case is ended
PEAK = 256 << 20
SHOWN = 20  # faults that are printed
EACH = (
    1 << 16
)  # a member up to this size is tried at each byte, a larger one where its tiles begin and end, and between
AROUND = 512  # bytes on each side of the edge of a tile
BETWEEN = 331  # the step inside of large tiles; no power of two, so that it meets every place of a page

# one small sound sample of each kind of store, and what only a damaged one holds
TRIED = (
    "gossip_store/clean-v16.gossip_store",
    "gossip_store/clean-v9.gossip_store",
    "rocksdb/clean-v7.sst",
    "rocksdb/000014-batch.log",
    "rocksdb/manifest-cut",
    "rocksdb/value-bit.blob",
    "rocksdb/clean-db",
    "rocksdb/leveldb-bit",
    "snarkos_blocks/0.5.blocks",
    "snarkos_blocks/latest.json",
    "kad_trace/stalled.log",
    "kad_trace/stalled.log.gz",
    "kad_trace/stalled-journald.log",
    "known_peers/known_addresses-v2.bin",
    "piece_cache/piece_cache-cut.bin",
    "spdk_blobstore/clean.img",
    "longhorn/healthy.img",
    "snarkos/finalised-ahead",
)


@dataclass(slots=True)
class Result:
    """Of one sample or a part of it."""

    changed: int = 0
    cut: int = 0
    seconds: float = 0.0
    slowest: float = 0.0
    slowest_case: str = ""
    peak: int = 0
    faults: list[str] = field(default_factory=list)

    def add(self, other: Result) -> None:
        self.changed, self.cut = self.changed + other.changed, self.cut + other.cut
        self.seconds += other.seconds
        if other.slowest > self.slowest:
            self.slowest, self.slowest_case = other.slowest, other.slowest_case
        self.peak = max(self.peak, other.peak)
        self.faults += other.faults


class HungError(BaseException):
    """No Exception, so that no border of inspector takes it for a bug."""


def _hung(_signal: int, _frame: FrameType | None) -> None:
    raise HungError


def form_of(sample: Path) -> Format:
    return next(f for f in formats.all_formats() if f.name.replace("-", "_") == sample.parent.name)


def members_of(sample: Path) -> dict[str, bytes]:
    if sample.is_file():
        return {"": sample.read_bytes()}
    return {str(p.relative_to(sample)): p.read_bytes() for p in sorted(sample.rglob("*")) if p.is_file()}


def places(form: Format, members: dict[str, bytes], name: str) -> list[int]:
    """The bytes to change: all of a small member; of a large one those near edges of tiles and some between."""
    size = len(members[name])
    if size <= EACH:
        return list(range(size))
    edges = set[int]()
    whole = set[int]()

    def look(_state: object, stretches: Iterator[Stretch]) -> Iterator[Stretch]:
        for stretch in stretches:
            if stretch.member == name:
                for i in range(len(stretch)):
                    span = stretch.span(i)
                    edges.update((span.start, span.end))
                    if stretch.roles[i] <= UNIT and span.length <= EACH:
                        whole.update(range(span.start, span.end))
            yield stretch

    inspect(memory(members), formats.all_formats(), forced=form.name, tap=look)
    near = {at for edge in edges for at in range(max(0, edge - AROUND), min(size, edge + AROUND))}
    return sorted(whole | near | set(range(0, size, BETWEEN)))


def cases(form: Format, members: dict[str, bytes]) -> Iterator[tuple[str, str, bytes]]:
    """(words, member, its bytes), first the changes and then the cuts of each member."""
    for name, data in members.items():
        at_all = places(form, members, name)
        for at in at_all:
            for change in CHANGES:
                yield f"{name} byte {at} ^ {change:#x}", name, data[:at] + bytes([data[at] ^ change]) + data[at + 1 :]
        for at in at_all:
            yield f"{name} cut to {at} bytes", name, data[:at]


def tried(form: Format, members: dict[str, bytes], these: Iterable[tuple[str, str, bytes]]) -> Result:
    """Inspect each case; a fault is what breaks a promise."""
    result = Result()
    every = formats.all_formats()
    signal.signal(signal.SIGPROF, _hung)
    for words, name, data in these:
        result.cut += " cut to " in words
        result.changed += " cut to " not in words
        source = memory({**members, name: data})
        begun = process_time()
        signal.setitimer(signal.ITIMER_PROF, HANG)
        try:
            report = inspect(source, every, forced=form.name)
            result.faults += [f"{words}: {f.message}" for f in report.tally.findings() if f.rule.code == OUR_BUG.code]
            if sum(report.account.roles) != source.size:
                result.faults.append(f"{words}: {sum(report.account.roles)} of {source.size} bytes accounted for")
        except InspectorError:  # one line and an exit code
            pass
        except HungError:
            result.faults.append(f"{words}: did not end in {HANG} s")
        except Exception as error:  # noqa: BLE001  the very thing that is looked for
            result.faults.append(f"{words}: {type(error).__name__}: {error}")
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
        taken = process_time() - begun
        result.seconds += taken
        if taken > result.slowest:
            result.slowest, result.slowest_case = taken, words
        if taken > SLOW:
            result.faults.append(f"{words}: {taken:.1f} s of processor")
    result.peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    if result.peak > PEAK:
        result.faults.append(f"peak memory {result.peak >> 20} MiB")
    return result


def in_workers(form: Format, members: dict[str, bytes], jobs: int) -> Result:
    """The same in forked processes, each with every `jobs`-th case."""
    import pickle

    whole, readers = Result(), []
    for k in range(jobs):
        r, w = os.pipe()
        if not os.fork():
            os.close(r)
            code = 1
            try:
                with os.fdopen(w, "wb") as out:
                    pickle.dump(tried(form, members, islice(cases(form, members), k, None, jobs)), out)
                code = 0
            finally:
                os._exit(code)
        os.close(w)
        readers.append(os.fdopen(r, "rb"))
    for reader in readers:
        with reader:
            whole.add(pickle.load(reader))
        os.wait()
    return whole


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--format", action="append", help="only this format")
    parser.add_argument("--jobs", type=int, default=1)
    asked = parser.parse_args()
    out = sys.stdout.write
    out(
        "| sample | bytes | changes | cuts | faults | slowest | processor | peak |\n|---|--:|--:|--:|--:|--:|--:|--:|\n"
    )
    total = Result()
    for name in TRIED:
        sample = SAMPLES / name
        form = form_of(sample)
        if asked.format and form.name not in asked.format:
            continue
        members = members_of(sample)
        got = in_workers(form, members, asked.jobs)
        total.add(got)
        out(
            f"| {name} | {sum(map(len, members.values())):,} | {got.changed:,} | {got.cut:,} | {len(got.faults)} "
            f"| {got.slowest:.2f} s | {got.seconds:.0f} s | {got.peak >> 20} MiB |\n"
        )
        for fault in got.faults[:SHOWN]:
            out(f"  {fault}\n")
        sys.stdout.flush()
    out(f"| all | | {total.changed:,} | {total.cut:,} | {len(total.faults)} | {total.slowest:.2f} s | ")
    out(f"{total.seconds:.0f} s | {total.peak >> 20} MiB |\n")
    return min(1, len(total.faults))


if __name__ == "__main__":
    sys.exit(main())
