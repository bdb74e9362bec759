"""Command lines in bad surroundings: no standard output, no room, no memory, no descriptors, no folder to stand in.

    python -m tests.surroundings            every command of tests/faults_cases.py in each of them
    python -m tests.surroundings repair     the commands whose names begin so

The input is what it was, each output is whole or absent, the exit code is documented, and nothing is called a bug.
"""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from tests.faults import Stand, contents, words
from tests.faults_calls import here, without_the_world
from tests.faults_cases import CASES, Case

MI = 1 << 20
PATIENCE = 60.0  # seconds of a command on a small sample; on a loaded machine, too


def _put(number: int, path: str, flags: int) -> None:
    fd = os.open(path, flags)
    os.dup2(fd, number)
    os.close(fd)


def _no_reader(_: Path) -> None:
    """A pipe whose reader is gone."""
    reading, writing = os.pipe()
    os.close(reading)
    os.dup2(writing, 1)
    os.close(writing)


def _no_folder(place: Path) -> None:
    gone = place / "gone"
    gone.mkdir()
    os.chdir(gone)
    gone.rmdir()


def _no_temporary(_: Path) -> None:
    tempfile.tempdir = "/nonexistent"


def _mapped() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


def _no_more_memory(_: Path) -> None:
    """Hardly more than is in use at this moment."""
    resource.setrlimit(resource.RLIMIT_AS, (_mapped() + 2 * MI,) * 2)


def _limit(what: int, at: int) -> Callable[[Path], None]:
    return lambda _: resource.setrlimit(what, (at, at))


SURROUNDINGS: dict[str, Callable[[Path], None]] = {
    "stdout closed": lambda _: os.close(1),
    "stdout full": lambda _: _put(1, "/dev/full", os.O_WRONLY),
    "stdout without a reader": _no_reader,
    "stderr closed": lambda _: os.close(2),
    "stderr full": lambda _: _put(2, "/dev/full", os.O_WRONLY),
    "stdin closed": lambda _: os.close(0),
    "all closed": lambda _: os.closerange(0, 3),
    "no environment": lambda _: os.environ.clear(),
    "no folder": _no_folder,
    "no temporary files": _no_temporary,
    "16 descriptors": _limit(resource.RLIMIT_NOFILE, 16),
    "files of 0 bytes": _limit(resource.RLIMIT_FSIZE, 0),
    "files of 1000 bytes": _limit(resource.RLIMIT_FSIZE, 1000),
    "400 MiB of memory": _limit(resource.RLIMIT_AS, 400 * MI),
    "no more memory": _no_more_memory,
}
UNHEARD = (  # of these standard output has less, or nothing
    *("stdout closed", "stdout full", "stdout without a reader", "all closed"),
    *("files of 0 bytes", "files of 1000 bytes"),
)


class Place(Stand):
    """A command line that is run once in each of the surroundings."""

    def ready(self) -> None:
        self.faults = cast("Any", SimpleNamespace(failed=""))
        place = self.fresh("right")
        with self._in(place):
            self.code, out, _ = here(self._words(place, self.case.line))
        self.out, self.right = words(out, place), contents(place)
        shutil.rmtree(place)

    def around(self, name: str) -> str:
        """What is wrong with how it ended; "" where nothing is."""
        place = self.fresh(name.replace(" ", "-"))
        before = contents(place)
        ended = self._child(place, SURROUNDINGS[name])
        out, err = ((self.folder / n).read_text(errors="replace") for n in ("stdout", "stderr"))
        wrong = self._judge(place, before, ended, "around")
        if not wrong and ("Traceback" in err or "bug of inspector" in err or "INS001" in out):
            wrong = "it speaks of a bug"
        # whoever reads no more wants no answer; an engine that dies for want of memory proves nothing
        more = {"stdout without a reader": (0,), "no more memory": (8,), "400 MiB of memory": (8,)}.get(name, ())
        if not wrong and ended not in (*self.case.codes, 6, 7, 9, *more):
            wrong = f"it ended with {ended}"
        # what could not be done for want of something is said: an engine that cannot run, a scan that is not whole,
        # bytes that were not read again past the page cache
        said = re.search(r'the engine cannot run here|"partial": "[^"]|Cannot allocate memory', words(out, place))
        if (
            not wrong
            and not said
            and ended in self.case.codes
            and name not in UNHEARD
            and words(out, place) != self.out
        ):
            wrong = f"something else came out: {_difference(self.out, words(out, place))}"
        if not wrong and out.startswith("{") and "--json" in self.case.line and name not in UNHEARD:
            wrong = "" if _is_json(out) else "half a document"
        shutil.rmtree(place)
        return f"{self.case.name}, {name}: exit {ended}: {wrong}: {err[-300:]}" if wrong else ""

    def _child(self, place: Path, surround: Callable[[Path], None]) -> int:
        child = os.fork()
        if child == 0:
            code = 99
            try:
                from inspector.__main__ import main

                for number, name in ((1, "stdout"), (2, "stderr")):
                    _put(number, str(self.folder / name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
                sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
                sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
                tempfile.tempdir = str(place / "tmp")
                surround(place)
                code = main(self._words(place, self.case.line))
            finally:
                os._exit(code)
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.002)
        os.kill(child, 9)
        os.waitpid(child, 0)
        return 124

    @staticmethod
    def _in(place: Path) -> Any:
        tempfile.tempdir = str(place / "tmp")
        return without_the_world()


def _difference(right: str, other: str) -> str:
    at = next((i for i, (a, b) in enumerate(zip(right, other, strict=False)) if a != b), min(len(right), len(other)))
    return f"{right[max(0, at - 60) : at + 60]!r} became {other[max(0, at - 60) : at + 60]!r}"


def _is_json(text: str) -> bool:
    try:
        return bool([json.loads(line) for line in text.splitlines()] if "}\n{" in text else json.loads(text))
    except ValueError:
        return False


def every(case: Case, names: tuple[str, ...] = tuple(SURROUNDINGS)) -> list[str]:
    """What is wrong with one command in these surroundings."""
    with tempfile.TemporaryDirectory() as folder, without_the_world():
        kept = tempfile.tempdir
        place = Place(case, Path(folder), cast("Any", None))
        try:
            place.ready()
            return [wrong for name in names if (wrong := place.around(name))]
        finally:
            tempfile.tempdir = kept


def main() -> int:
    count = 0
    for case in CASES:
        if sys.argv[1:] and not case.name.startswith(tuple(sys.argv[1:])):
            continue
        found = every(case)
        count += len(found)
        print(f"{case.name:<28} {len(SURROUNDINGS)} surroundings, {len(found)} wrong", *found, sep="\n    ", flush=True)  # noqa: T201
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
