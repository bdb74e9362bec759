"""Every system call of every command fails once: a table of commands, the ways to fail, and what must hold after.

    python -m tests.faults                   every call of every command, in every way (make faults)
    python -m tests.faults --step 7 merge    each seventh call of the commands whose names begin so

The input is what it was, each output is whole or absent, nothing else is left behind, and the exit code is one that
is documented. `tests/test_faults.py` takes a sample of it.
"""

from __future__ import annotations

import argparse
import errno
import io
import json
import os
import re
import shutil
import signal
import sys
import tempfile
import zipfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.faults_calls import Faults, here
from tests.faults_cases import CASES, MORE, Case
from tests.faults_libc import LibcFaults, again_with_it, available
from tests.faults_told import Told, line, table

FALSE_CLEAN = ("truncate", "replace", "medium")  # after these nothing may be called clean as a whole
REPORTS = ("out.md", "out.zip", "out.html", "out.json", "out.sarif")
LOOSE = ("prom", "state", "names")  # they hold times, and names of this folder
SAMPLES = Path(__file__).parents[1] / "samples"
INTERRUPTIBLE = frozenset(
    {"read", "pread", "preadv", "write", "pwrite", "open", "make", "fsync", "copy_file_range", "sendfile"}
)
ALL = (*CASES, *MORE)
Ways = dict[str, tuple[int, ...]]  # how a call fails -> with which numbers


# calls of taking away what is temporary: where one of them fails, it may stay
TAKES_AWAY = ("unlink", "rmdir", "scandir", "readdir", "open", "close", "lstat", "fstat", "dup", "fcntl")
DOCUMENTED = frozenset({0, 3, 4, 5, 6, 7, 8, 9, 130})


@dataclass
class Stand:
    """One command on a fresh copy of its sample, again and again."""

    case: Case
    folder: Path
    faults: Faults | LibcFaults
    right: dict[str, bytes] = field(default_factory=dict)
    calls: int = 0
    names: list[str] = field(default_factory=list)
    code: int = 0
    out: str = ""
    chosen: set[int] = field(default_factory=set)  # of calls that are made again and again, with --sites

    def fresh(self, name: str) -> Path:
        place = self.folder / "runs" / name  # alone there: a scan looks at what lies around the store
        (place / "tmp").mkdir(parents=True)
        sample = SAMPLES / self.case.sample
        target = place / ("gossip_store" if sample.suffix == ".gossip_store" else sample.name)
        shutil.copytree(sample, target) if sample.is_dir() else shutil.copy2(sample, target)
        if "{kept}" in self.case.line:
            (place / "kept").mkdir()
            shutil.copyfile(target, place / f"{target.name}.corrupt")
        if self.case.name.endswith("force"):
            (place / "out").write_bytes(b"an older file at the target")
        if self.case.beside:
            shutil.copyfile(SAMPLES / self.case.beside, place / "other")
        if self.case.before:
            for line in self.case.before.split(" && "):
                here(self._words(place, line))
        return place

    def input(self, place: Path) -> Path:
        sample = SAMPLES / self.case.sample
        return place / ("gossip_store" if sample.suffix == ".gossip_store" else sample.name)

    def _words(self, place: Path, line: str) -> list[str]:
        files = ("out", "patch", "undo", "kept", "state", "known", "prom", "map", "names", "other")
        names = {n: str(place / n) for n in files}
        # "~" stands for a space within a word
        names["in"] = str(self.input(place))
        return [word.replace("~", " ").format(**names) for word in line.split()]

    def learn(self) -> None:
        """What it does when nothing fails."""
        warm = self.fresh("warm")
        here(self._words(warm, self.case.line))  # what is loaded and looked up once
        shutil.rmtree(warm)
        place = self.fresh("right")
        with self.faults.listening() as places:
            self.code, out, _ = self.faults.run(self._words(place, self.case.line), place, 0)
        self.out = words(out, place)
        self.calls, self.names = self.faults.learned()
        self.chosen = some_of_each(list(zip(places, self.names, strict=True)))
        assert self.code in self.case.codes, (self.case.name, self.code, self.out)
        self.right = contents(place)
        shutil.rmtree(place)

    def makes_sense(self, n: int, way: str, code: int) -> bool:
        """Only writing meets a full disk, only what is read can move meanwhile, only what has a length can be short.

        A process that is killed before a call that changes nothing leaves what one leaves that is killed at the next.
        """
        name = self.names[n - 1]
        if way == "error":
            return name in self.faults.writes or code in (errno.EIO, errno.EACCES)
        if way == "kill":
            return name in self.faults.seen or n == self.calls
        if way == "short":
            return name in self.faults.reads or name in ("pwrite", "write")
        if way == "eintr":
            return name in INTERRUPTIBLE
        return name in self.faults.reads if way in ("truncate", "replace", "grow", "medium") else True

    def once(self, n: int, way: str, code: int = errno.EIO) -> tuple[str, str]:
        """Let call number n fail: what came of it, and what is wrong with that ("" where nothing is)."""
        place = self.fresh(f"{way}-{n}-{code}")
        before = contents(place)
        victim = self.input(place)
        if self.case.victim:
            victim = next(victim.rglob(self.case.victim))
        ended, out, err = self.faults.run(self._words(place, self.case.line), place, n, way, code, victim)
        wrong = self._judge(place, before, ended, way)
        if wrong.startswith("exit code") and way != "kill":
            wrong += f": {err[-1000:]}"
        if way in ("short", "eintr") and not wrong and (ended, words(out, place)) != (self.code, self.out):
            wrong = "short or interrupted reads and writes changed the result"
        if way == "interrupt" and not wrong and ended not in (130, *self.case.codes):
            wrong = f"an interrupt ended as {ended}"
        # what a followed file becomes is an event of its own; a block that fell sick at the last look is waited for
        follows = self.case.line.startswith("watch") and (way != "medium" or '"waiting":0' not in out)
        if way in FALSE_CLEAN and not follows and not wrong and ended == 0 and self._differs(place, out):
            wrong = "it ended with 0 and something else came out"
        spoke = err.strip() or self.faults.failed.startswith("write(2,")
        if way == "error" and not wrong and ended in (6, 7, 8) and not spoke:
            wrong = "it failed without a word"
        shutil.rmtree(place)
        return f"exit {ended}", f"{self.case.name}: {way} {n} {self.faults.failed}: {wrong}" if wrong else ""

    def _differs(self, place: Path, out: str) -> bool:
        after = contents(place)
        outputs = any(_part(after, n) != _part(self.right, n) for n in self.case.outputs if n not in LOOSE)
        if self.case.line.startswith(("merge", "repair")):  # another copy, or another slot, may have it all
            sizes = [
                {k: len(v) for n in self.case.outputs for k, v in _part(f, n).items()} for f in (after, self.right)
            ]
            return self.code != 0 or sizes[0] != sizes[1]
        return self.code != 0 or outputs or words(out, place) != self.out

    def _judge(self, place: Path, before: dict[str, bytes], ended: int, way: str) -> str:
        after = contents(place)
        source = self.input(place).name
        moved = way in ("truncate", "replace", "grow")
        other = moved or way == "medium"  # less could be read: what is written may be less, too
        if way != "kill" and ended not in DOCUMENTED:
            return f"exit code {ended}"
        if not moved and not self.case.changes_input and _part(after, source) != _part(before, source):
            return "the input changed"
        if self.case.changes_input and not moved:
            wrong = self._applied(place, before, after, ended)
            if wrong:
                return wrong
        for name in self.case.outputs:
            now, right = _part(after, name), _part(self.right, name)
            if name in REPORTS and now:  # a report tells of the fault, too: it ends where it should
                if not _ended(now[name], right[name]):
                    return f"{name} is not whole"
                continue
            old = _part(before, name)
            told = name == "known" and ended != self.code  # a baseline of what was found then, which the code says
            if ended == 9 and name == "out.map.json" and now and _without_notes(now) == _without_notes(right):
                continue
            if now and now not in (right, old) and not other and not told and name not in LOOSE:
                return f"{name} is neither whole nor what it was"
            if way == "error" and ended in self.case.codes and right and not now:
                return f"it ended with {ended} and {name} is not there"
        left = standing(place) - {n.split("/")[0] for n in (*self.right, *self.case.outputs)} - {"kept", "tmp"}
        kept = way != "interrupt" and self.faults.failed.startswith(TAKES_AWAY)
        if left and way != "kill" and not kept:
            return f"left behind: {sorted(left)}"
        if way == "kill" and left:
            return self._again(place, left)
        return ""

    def _applied(self, place: Path, before: dict[str, bytes], after: dict[str, bytes], ended: int) -> str:
        """A target that was changed in part can be put back with the undo file."""
        name = self.input(place).name
        if after[name] in (before[name], self.right[name]):
            return ""
        if "undo" not in after or after["undo"] != self.right["undo"]:
            return "the target changed and there is no way back"
        from inspector import patch

        for change in patch.read(str(place / "undo")).changes:
            data = after[name][change.start : change.end]
            if data not in (change.data, self.right[name][change.start : change.end]) and ended != -signal.SIGKILL:
                return "the target holds bytes that are neither old nor new"
        return ""

    def _again(self, place: Path, left: set[str]) -> str:
        """What a killed run left is taken away by the next one, which goes through."""
        left = {name for name in left if not name.startswith("tmp/")}  # the system's own folder, swept at boot
        if not all("inspector-partial" in name for name in left):
            return f"left behind: {sorted(left)}"
        for name in self.case.outputs:
            (place / name).unlink(missing_ok=True) if not (place / name).is_dir() else shutil.rmtree(place / name)
        if "{kept}" in self.case.line:
            (place / "kept").mkdir()
        ended, out, err = here(self._words(place, self.case.line))
        if ended not in self.case.codes:
            return f"the next run ended with {ended}: {err}"
        after = contents(place)
        still = [n for n in after if "inspector-partial" in n and not n.startswith("tmp/")]
        if still:
            return f"the next run left {still}"
        for name in self.case.outputs:
            if name not in LOOSE + REPORTS and _part(after, name) != _part(self.right, name):
                return f"the next run made another {name}"
        # files of its own that are written anew each time need no word
        unsaid = {name for name in left if name not in out + err and not any(own in name for own in (*LOOSE, "known"))}
        return f"the next run did not name {sorted(unsaid)}" if unsaid else ""


def _ended(data: bytes, right: bytes) -> bool:
    if right[:1] == b"{":
        return bool(json.loads(data))
    if right[:2] == b"PK":
        return zipfile.ZipFile(io.BytesIO(data)).testzip() is None
    return data.splitlines()[-1:] == right.splitlines()[-1:]


def _without_notes(files: dict[str, bytes]) -> list[Any]:
    """Excerpts' maps but for what they say of this reading."""
    told = [{k: v for k, v in json.loads(data).items() if k != "notes"} for data in files.values()]
    for one in told:
        one["findings"].pop("INS003", None)
    return told


def contents(place: Path) -> dict[str, bytes]:
    files = [p for p in sorted(place.rglob("*")) if p.is_file()]
    return {str(p.relative_to(place)): p.read_bytes().replace(bytes(place), b"HERE") for p in files}


def words(out: str, place: Path) -> str:
    """What was printed, whatever the folder is called, what time it is and wherever the lines break."""
    clocks = r'"(whole_read_at|first_seen|seconds|longest_gap_seconds|time)": ?("[^"]*"|[0-9.]+)'
    return re.sub(clocks, "", " ".join(out.replace(str(place), "HERE").split()))


def standing(place: Path) -> set[str]:
    """Names that are there, also of empty folders; a temporary one is its own."""
    return set(os.listdir(place)) | {f"tmp/{name}" for name in os.listdir(place / "tmp")}  # noqa: PTH208


def _part(found: dict[str, bytes], name: str) -> dict[str, bytes]:
    return {n: data for n, data in found.items() if n == name or n.startswith(f"{name}/")}


def some_of_each(calls: Sequence[object]) -> set[int]:
    """The first, second, middle and last (from 1 on) of the calls that one place in the code makes."""
    by_place: dict[object, list[int]] = {}
    for n, place in enumerate(calls, 1):
        by_place.setdefault(place, []).append(n)
    return {
        n for each in by_place.values() for n in (each[0], each[min(1, len(each) - 1)], each[len(each) // 2], each[-1])
    }


def every(case: Case, ways: Ways, step: int = 1, first: int = 1, real: bool = False, sites: bool = False) -> Told:
    """All faults of one command; `step` takes every so-many-th call, `sites` some of what one place in the code calls.

    `real`: the calls are those of the C library.
    """
    faults: Faults | LibcFaults = LibcFaults() if real else Faults()
    told, began = Told(case.name), sum(os.times()[:4])
    with tempfile.TemporaryDirectory() as name, faults.installed():
        stand = Stand(case, Path(name), faults)
        stand.learn()
        told.calls = stand.calls
        for way, codes in ways.items():
            for code in codes:
                for n in range(first, stand.calls + 1, step):
                    if not stand.makes_sense(n, way, code):
                        continue
                    if sites and n not in stand.chosen:
                        told.skipped += 1
                        continue
                    came, bad = stand.once(n, way, code)
                    told.outcomes[f"{way if way != 'error' else errno.errorcode[code]}: {came}"] += 1
                    told.wrong += [bad] if bad else []
    told.seconds = sum(os.times()[:4]) - began
    return told


WAYS: Ways = {
    "error": (errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EPIPE),
    "short": (0,),
    "interrupt": (0,),
    "kill": (0,),
    "medium": (0,),
    "truncate": (0,),
    "replace": (0,),
    "grow": (0,),
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults")
    parser.add_argument("--json", action="store_true", help="one document instead of a table")
    parser.add_argument("--python", action="store_true", help="fail calls of Python's os module, not of the C library")
    parser.add_argument("--step", type=int, default=1, metavar="N", help="fail each so-many-th call only")
    parser.add_argument(
        "--sites",
        action="store_true",
        help="of calls that one place makes again and again: first, second, middle, last",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="only the commands whose names begin so")
    asked = parser.parse_args()
    if not asked.python:
        again_with_it()
    real = available() and not asked.python
    ways = WAYS | ({"eintr": (0,)} if real else {})
    chosen = [case for case in ALL if not asked.names or any(_named(case, name) for name in asked.names)]
    if not chosen:
        parser.error(f"no command is named so; there are: {', '.join(case.name for case in ALL)}")
    all_told: list[Told] = []
    for case in chosen:
        all_told.append(every(case, ways, asked.step, real=real, sites=asked.sites))
        line(all_told[-1], sys.stderr if asked.json else sys.stdout)
    total = sum((told.outcomes for told in all_told), Counter[str]())
    wrong = sum(len(told.wrong) for told in all_told)
    if asked.json:
        document = {"of": "the C library" if real else "Python", "step": asked.step, "commands": len(all_told)}
        sums = {"calls": sum(t.calls for t in all_told), "faults": total.total(), "wrong": wrong, "outcomes": total}
        sums |= {"cpu_seconds": round(sum(t.seconds for t in all_told), 1)}
        json.dump(document | sums | {"cases": [told.document() for told in all_told]}, sys.stdout, indent=1)
    else:
        print("\n".join(table(all_told, total)))  # noqa: T201
    return 1 if wrong else 0


def _named(case: Case, name: str) -> bool:
    """A whole name is that command alone; the beginning of names all of theirs."""
    return case.name == name if any(one.name == name for one in ALL) else case.name.startswith(name)


if __name__ == "__main__":
    sys.exit(main())
