"""`python -m tests.proof [--store WORD] [--jobs N]`: every byte of small stores changed three ways, every truncation.

A fault is what breaks a promise (an exception, a byte that no tile accounts for, a second of processor, 256 MiB, a
character that a terminal obeys) or is not true: damage that a checksum covers and nobody tells, or tells of another
place; a unit that the change did not touch and that is not sound any more, or that a repair loses (each `MENDED`-th
case is repaired). What is covered by nothing is listed in `tests.proof_limits`, with the reason.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from time import process_time
from types import FrameType

from msgspec import Struct, field

from inspector.format import FREE, OPAQUE, ROLE_NAMES, UNIT
from tests.proof_limits import why_silent
from tests.proof_stores import Store, stores
from tests.proof_truth import Case, Truth

CHANGES = (0x01, 0x80, 0xFF)  # xor-ed to each byte
SLOW = 1.0  # seconds of processor for one case
HANG = 20  # seconds after which a case is ended
PEAK = 256 << 20
SHOWN = 20  # faults that are printed
MENDED = 50
WHOLE = 1 << 14  # a member up to this size is tried at each byte, whatever it holds
ALIKE = 128  # so many times the same byte, one behind the other, are a class
HUGE = 1 << 16  # a unit of this size is tried at its edges and between
NEAR, STEP = 16, 61  # the bytes of a class that was tried in full before: so many at each end, and each so many between
HUGE_STEP = 65_521
_RUN = re.compile(rb"(.)\1{%d,}" % (ALIKE - 1), re.DOTALL)

Class = tuple[str, str, str]  # bottom format, role and kind of the tile, what its bytes have in common


class Result(Struct):
    """Of one store or a part of it."""

    changed: int = 0
    cut: int = 0
    seconds: float = 0.0
    slowest: float = 0.0
    slowest_case: str = ""
    peak: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    quiet: Counter[str] = field(default_factory=Counter)  # cases that no error or warning tells, by tile
    foreign: Counter[str] = field(default_factory=Counter)
    repairs: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def add(self, other: Result) -> None:
        self.changed, self.cut = self.changed + other.changed, self.cut + other.cut
        self.seconds += other.seconds
        if other.slowest > self.slowest:
            self.slowest, self.slowest_case = other.slowest, other.slowest_case
        self.peak = max(self.peak, other.peak)
        self.outcomes += other.outcomes
        self.quiet += other.quiet
        self.foreign += other.foreign
        self.repairs += other.repairs
        self.faults += other.faults


class HungError(BaseException):
    """No Exception, so that no border of inspector takes it for a bug."""


def _hung(_signal: int, _frame: FrameType | None) -> None:
    raise HungError


class Places:
    """Which bytes are changed: all, but of bytes that are alike in a large member only those of the first such run."""

    def __init__(self) -> None:
        self.tried = set[Class]()
        self.skipped = Counter[Class]()

    def of(self, truth: Truth) -> dict[str, list[int]]:
        """The offsets in each member."""
        found = {}
        for name, data in truth.members.items():
            if len(data) <= WHOLE:
                found[name] = list(range(len(data)))
            else:
                found[name] = sorted(self._of_member(truth, name, data))
        return found

    def _of_member(self, truth: Truth, name: str, data: bytes) -> set[int]:
        form = truth.store.form.on or truth.store.form.name
        at_all = set(range(len(data)))
        for tile in truth.by_member.get(name, ()):
            start, end = tile.span.start, tile.span.end
            what = f"{ROLE_NAMES[tile.role]} {tile.kind}"
            if tile.role in (OPAQUE, FREE):
                page = min(end, start + 4096)
                self._skip(at_all, (form, what, "content"), start, page)
                self._skip(at_all, (form, what, "content"), page, end)
            elif tile.role == UNIT and end - start > HUGE:
                self._thin(at_all, (form, what, "a unit of more than 64 KiB"), start, end, HUGE_STEP)
            else:
                for run in _RUN.finditer(data, start, end):
                    self._skip(at_all, (form, what, f"runs of {run[1].hex()}"), *run.span())
        return at_all

    def _skip(self, at_all: set[int], same: Class, start: int, end: int) -> None:
        if same in self.tried:
            self._thin(at_all, same, start, end, STEP)
        self.tried.add(same)

    def _thin(self, at_all: set[int], same: Class, start: int, end: int, step: int) -> None:
        near = {*range(start, min(end, start + NEAR)), *range(max(start, end - NEAR), end), *range(start, end, step)}
        self.skipped[same] += end - start - len(near)
        at_all -= set(range(start, end)) - near


def cases(at_all: dict[str, list[int]], turns: bool = False) -> Iterator[Case]:
    """First the changes and then the cuts of each member; `turns` takes one way for each byte, and each third cut."""
    for name, places in at_all.items():
        for at in places:
            for change in (CHANGES[at % 3],) if turns else CHANGES:
                yield Case(name, at, change)
        for at in places[:: 3 if turns else 1]:
            yield Case(name, at)


def tried(truth: Truth, these: Iterable[Case]) -> Result:
    """Inspect each case, and repair some; a fault is what breaks a promise or is not true."""
    result = Result()
    before = _peak()
    signal.signal(signal.SIGPROF, _hung)
    for number, case in enumerate(these):
        result.cut += not case.change
        result.changed += bool(case.change)
        begun = process_time()
        signal.setitimer(signal.ITIMER_PROF, HANG)
        try:
            _one(truth, case, result)
        except HungError:
            result.faults.append(f"{case.words}: did not end in {HANG} s")
        except Exception as error:  # noqa: BLE001  the very thing that is looked for
            result.faults.append(f"{case.words}: {type(error).__name__}: {error}")
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
        taken = process_time() - begun
        if taken > result.slowest:
            result.slowest, result.slowest_case = taken, case.words
        if taken > SLOW:
            result.faults.append(f"{case.words}: {taken:.1f} s of processor")
        if number % MENDED == 0:
            _mended(truth, case, result)
        result.seconds += process_time() - begun
    result.peak = _peak()
    if result.peak > PEAK >= before:  # a process that had more already shows nothing
        result.faults.append(f"peak memory {result.peak >> 20} MiB")
    return result


def _peak() -> int:
    """Bytes of memory that this process has had at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _one(truth: Truth, case: Case, result: Result) -> None:
    verdict = truth.judge(case)
    result.outcomes[verdict.outcome] += 1
    result.faults += [f"{case.words}: {fault}" for fault in verdict.faults]
    result.foreign.update(verdict.foreign)
    if verdict.outcome != "told":
        why = why_silent(truth, case, verdict)
        result.quiet[f"{verdict.outcome}: {verdict.where}, {'changed' if case.change else 'cut'}: {why}"] += 1
        if not why:
            result.faults.append(f"{case.words}: {verdict.outcome}, in {verdict.where}")


def _mended(truth: Truth, case: Case, result: Result) -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as folder:  # noqa: PTH112
        outcome, faults = truth.mend(case, Path(folder))
    result.repairs[outcome] += 1
    result.faults += [f"{case.words}: {fault}" for fault in faults]


def in_workers(store: Store, places: Places, jobs: int, every: int, turns: bool) -> Result:
    """The same in forked processes, each with every `jobs`-th case of those that are tried."""
    import pickle

    with store.within():
        truth = Truth(store)
        at_all = places.of(truth)
        whole, readers = Result(), []
        for k in range(jobs):
            r, w = os.pipe()
            if not os.fork():
                os.close(r)
                code = 1
                try:
                    with os.fdopen(w, "wb") as out:
                        pickle.dump(tried(truth, islice(cases(at_all, turns), k * every, None, jobs * every)), out)
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
    parser.add_argument("--store", action="append", help="only stores with this word in their name")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--every", type=int, default=1, help="only each so manyth case")
    parser.add_argument("--turns", action="store_true", help="one way for each byte, in turns, and each third cut")
    parser.add_argument("--quiet", action="store_true", help="leave out what is covered by nothing")
    asked = parser.parse_args()
    out = sys.stdout.write
    out("| store | bytes | changes | cuts | told | noted | silent | repaired | faults | slowest | processor | peak |\n")
    out("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n")
    total, places, size = Result(), Places(), 0
    for store in stores():
        if asked.store and not any(word in store.name for word in asked.store):
            continue
        got = in_workers(store, places, asked.jobs, asked.every, asked.turns)
        total.add(got)
        held = sum(map(len, store.members().values()))
        size += held
        out(_row(store.name, held, got))
        for fault in got.faults[:SHOWN]:
            out(f"  {fault}\n")
        for words, count in (*got.quiet.items(), *got.repairs.items()) if not asked.quiet else ():
            out(f"  {count:,} x {words}\n")
        out(f"  foreign: {dict(got.foreign)}\n" if got.foreign and not asked.quiet else "")
        sys.stdout.flush()
    out(_row("all", size, total))
    for (form, what, alike), count in places.skipped.items():
        out(f"not tried: {count:,} bytes of {form}, {what}, {alike}\n")
    return min(1, len(total.faults))


def _row(name: str, size: int, got: Result) -> str:
    mended = sum(n for words, n in got.repairs.items() if words in ("whole", "lost"))
    return (
        f"| {name} | {size:,} | {got.changed:,} | {got.cut:,} | {got.outcomes['told']:,} | {got.outcomes['note']:,} "
        f"| {got.outcomes['silent']:,} | {mended:,} | {len(got.faults)} | {got.slowest:.2f} s | {got.seconds:.0f} s "
        f"| {got.peak >> 20} MiB |\n"
    )


if __name__ == "__main__":
    sys.exit(main())
