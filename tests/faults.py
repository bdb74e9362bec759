"""Every system call of every command fails once: a table of commands, the ways to fail, and what must hold after.

    python -m tests.faults            every call of every command, in every way (make faults)
    python -m tests.faults 7 merge    each seventh call of the commands whose names begin so

The input is what it was, each output is whole or absent, nothing else is left behind, and the exit code is one that
is documented. `tests/test_faults.py` takes a sample of it.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import re
import shutil
import signal
import sys
import tempfile
import zipfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults_calls import Faults
from tests.faults_cases import CASES, Case

FALSE_CLEAN = ("truncate", "replace", "medium")  # after these nothing may be called clean as a whole
LOOSE = ("prom", "state", "names")  # they hold times, and names of this folder
SAMPLES = Path(__file__).parents[1] / "samples"
WRITES = frozenset(
    {"pwrite", "write", "fsync", "ftruncate", "link", "rename", "replace", "open", "mkdir", "copy_file_range"}
)


Ways = dict[str, tuple[int, ...]]  # how a call fails -> with which numbers


# calls of taking away what is temporary: where one of them fails, it may stay
TAKES_AWAY = ("unlink", "rmdir", "scandir", "open", "close", "lstat", "fstat")
DOCUMENTED = frozenset({0, 3, 4, 5, 6, 7, 8, 9, 130})


@dataclass
class Stand:
    """One command on a fresh copy of its sample, again and again."""

    case: Case
    folder: Path
    faults: Faults
    right: dict[str, bytes] = field(default_factory=dict)
    calls: int = 0
    names: list[str] = field(default_factory=list)
    code: int = 0
    out: str = ""

    def fresh(self, name: str) -> Path:
        place = self.folder / name
        place.mkdir()
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
            run(self._words(place, self.case.before))
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
        run(self._words(self.fresh("warm"), self.case.line))  # what is loaded and looked up once
        place = self.fresh("right")
        with self.faults.armed(0):
            self.code, out, _ = run(self._words(place, self.case.line))
            self.out = words(out, place)
            self.calls, self.names = self.faults.count, list(self.faults.names)
        assert self.code in self.case.codes, (self.case.name, self.code, self.out)
        self.right = contents(place)

    def makes_sense(self, n: int, way: str, code: int) -> bool:
        """Only writing meets a full disk, only what is read can move meanwhile, only what has a length can be short."""
        name = self.names[n - 1]
        if way == "error":
            return name in WRITES or code in (errno.EIO, errno.EACCES)
        if way == "short":
            return name in ("pread", "pwrite")
        return name == "pread" if way in ("truncate", "replace", "grow", "medium") else True

    def once(self, n: int, way: str, code: int = errno.EIO) -> tuple[str, str]:
        """Let call number n fail: what came of it, and what is wrong with that ("" where nothing is)."""
        place = self.fresh(f"{way}-{n}-{code}")
        before = contents(place)
        with self.faults.armed(n, way, code, self.input(place)):
            if way == "kill":
                ended = in_a_child(self._words(place, self.case.line))
            else:
                ended, out, err = run(self._words(place, self.case.line))
        wrong = self._judge(place, before, ended, way)
        if wrong.startswith("exit code") and way != "kill":
            wrong += f": {err[-1000:]}"
        if way == "short" and not wrong and (ended, words(out, place)) != (self.code, self.out):
            wrong = "short reads and writes changed the result"
        if way == "interrupt" and not wrong and ended not in (130, *self.case.codes):
            wrong = f"an interrupt ended as {ended}"
        # what a followed file becomes is an event of its own; a block that fell sick at the last look is waited for
        follows = self.case.line.startswith("watch") and (way != "medium" or '"waiting":0' not in out)
        if way in FALSE_CLEAN and not follows and not wrong and ended == 0 and self._differs(place, out):
            wrong = "it ended with 0 and something else came out"
        if way == "error" and not wrong and ended in (6, 7, 8) and not err.strip():
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
            if name in ("out.md", "out.zip") and now:  # a report tells of the fault, too: it ends where it should
                if not _ended(now[name], right[name]):
                    return f"{name} is not whole"
                continue
            old = _part(before, name)
            if now and now not in (right, old) and not other and name not in LOOSE:
                return f"{name} is neither whole nor what it was"
            if way == "error" and ended in self.case.codes and right and not now:
                return f"it ended with {ended} and {name} is not there"
        left = (
            {n.split("/")[0] for n in after} - {n.split("/")[0] for n in (*self.right, *self.case.outputs)} - {"kept"}
        )
        if left and way != "kill" and not self.faults.failed.startswith(TAKES_AWAY):
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
        if not all("inspector-partial" in name for name in left):
            return f"left behind: {sorted(left)}"
        for name in self.case.outputs:
            (place / name).unlink(missing_ok=True) if not (place / name).is_dir() else shutil.rmtree(place / name)
        ended, _, err = run(self._words(place, self.case.line))
        if ended not in self.case.codes:
            return f"the next run ended with {ended}: {err}"
        still = [n for n in contents(place) if "inspector-partial" in n]
        return f"the next run left {still}" if still else ""


def _ended(data: bytes, right: bytes) -> bool:
    if right[:2] == b"PK":
        return zipfile.ZipFile(io.BytesIO(data)).testzip() is None
    return data.splitlines()[-1:] == right.splitlines()[-1:]


def contents(place: Path) -> dict[str, bytes]:
    files = [p for p in sorted(place.rglob("*")) if p.is_file()]
    return {str(p.relative_to(place)): p.read_bytes().replace(bytes(place), b"HERE") for p in files}


def words(out: str, place: Path) -> str:
    """What was printed, whatever the folder is called, what time it is and wherever the lines break."""
    clocks = r'"(whole_read_at|first_seen|longest_gap_seconds|time)": ?("[^"]*"|[0-9.]+)'
    return re.sub(clocks, "", " ".join(out.replace(str(place), "HERE").split()))


def _part(found: dict[str, bytes], name: str) -> dict[str, bytes]:
    return {n: data for n, data in found.items() if n == name or n.startswith(f"{name}/")}


def run(words: list[str]) -> tuple[int, str, str]:
    """The command line in this process: exit code, standard output, standard error."""
    from inspector import source
    from inspector.__main__ import main
    from inspector.cli import privacy

    out, err = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.StringIO()
    source.pace = privacy._active = privacy._book = privacy._map = None  # each run as a process of its own
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(words)
        out.flush()
    return code, out.buffer.getvalue().decode(), err.getvalue()


def in_a_child(words: list[str]) -> int:
    child = os.fork()
    if child == 0:
        try:
            code = run(words)[0]
        finally:
            os._exit(code if "code" in locals() else 99)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def every(
    case: Case, ways: dict[str, tuple[int, ...]], step: int = 1, first: int = 1
) -> tuple[Counter[str], list[str]]:
    """Outcomes of all faults of one command; `step` takes every so-many-th call."""
    faults, outcomes, wrong = Faults(), Counter[str](), []
    with tempfile.TemporaryDirectory() as name, faults.installed():
        stand = Stand(case, Path(name), faults)
        stand.learn()
        for way, codes in ways.items():
            for code in codes:
                for n in range(first, stand.calls + 1, step):
                    if not stand.makes_sense(n, way, code):
                        continue
                    came, bad = stand.once(n, way, code)
                    outcomes[f"{way if way != 'error' else errno.errorcode[code]}: {came}"] += 1
                    wrong += [bad] if bad else []
    return outcomes, wrong


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
    wanted, total, failures = sys.argv[1:], Counter[str](), list[str]()
    step = int(wanted.pop(0)) if wanted and wanted[0].isdigit() else 1
    for case in CASES:
        if wanted and not any(case.name.startswith(word) for word in wanted):
            continue
        outcomes, wrong = every(case, WAYS, step)
        total += outcomes
        failures += wrong
        print(f"{case.name:<24} {sum(outcomes.values()):>6} faults  {len(wrong)} wrong", flush=True)  # noqa: T201
        for line in wrong[:5]:
            print(f"    {line}", flush=True)  # noqa: T201
    for name, count in sorted(total.items()):
        print(f"  {name:<24} {count:>7,}")  # noqa: T201
    print(f"{total.total():,} system calls failed, {len(failures)} times something was wrong")  # noqa: T201
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
