"""Calls of the C library that fail: what Python, its io module and the kernels ask of the system.

A process that was started with tests/faults_libc.c preloaded and has the command imported runs it again and again; only
what is to be killed is a child.
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import FrameType, SimpleNamespace
from typing import Any
from unittest import mock

from tests.faults_calls import forget_the_last_run, without_the_world

SOURCE = Path(__file__).with_suffix(".c")
MARK = "INSPECTOR_FAULTS_LIBC"
WAYS = ("error", "short", "interrupt", "kill", "medium", "truncate", "replace", "grow", "eintr")  # as in the C file
PATIENCE = 120.0  # seconds of one command on a sample of a few KiB; on a loaded machine, too


def again_with_it() -> None:
    """Start this process anew with the library preloaded; returns where that was done, or where no compiler is."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if MARK in os.environ or compiler is None or not sys.platform.startswith("linux"):
        return
    folder = tempfile.mkdtemp(prefix="inspector-faults-")
    library = f"{folder}/faults_libc.so"
    built = [compiler, "-O1", "-shared", "-fPIC", "-o", library, str(SOURCE), "-ldl"]
    subprocess.run(built, check=True)
    environment = os.environ | {"LD_PRELOAD": library, MARK: library, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, "-m", "tests.faults", *sys.argv[1:]], env=environment, check=False)
    shutil.rmtree(folder)
    sys.exit(done.returncode)


def available() -> bool:
    return MARK in os.environ


class LibcFaults:
    """The same questions that `Faults` answers, asked of the C library."""

    reads = frozenset({"read", "pread", "preadv", "copy_file_range", "sendfile"})
    writes = frozenset(
        {"pwrite", "write", "fsync", "ftruncate", "link", "rename", "make", "mkdir", "copy_file_range", "sendfile"}
    )
    # what an onlooker may see of a run: two kills with none of these between them find the same files
    seen = writes | {"unlink", "rmdir", "fchown", "fchmod", "chmod", "ioctl", "flock"}

    def __init__(self) -> None:
        self._answers: dict[str, tuple[str, frozenset[str]]] = {}
        self._lib = ctypes.CDLL(os.environ[MARK])
        self._lib.faults_failed.restype = self._lib.faults_word.restype = ctypes.c_char_p
        self._lib.faults_calls.restype = ctypes.POINTER(ctypes.c_ubyte)
        self._lib.faults_count.restype = ctypes.c_long
        self._lib.faults_arm.argtypes = (ctypes.c_long, ctypes.c_int, ctypes.c_int, ctypes.c_char_p, ctypes.c_char_p)
        own = {str(Path(__file__).parents[1]), sys.prefix, sys.base_prefix}
        elsewhere = sorted(own | {"/lib", "/etc", "/sys", "/dev/null", "/dev/urandom"})
        for number, place in enumerate(elsewhere[:8]):
            self._lib.faults_skip(number, os.fsencode(place))
        self.places: list[
            int
        ] = []  # of the calls of the last run that was listened to, where in the code each was made
        self._told = ctypes.CFUNCTYPE(None, ctypes.c_long)(self._hear)

    def _hear(self, number: int) -> None:
        frame: FrameType | None = sys._getframe(1)
        places = []
        while frame is not None and frame.f_code is not LibcFaults._here.__code__:
            places.append((frame.f_code.co_filename, frame.f_lasti))
            frame = frame.f_back
        self.places += [0] * (number - len(self.places))
        self.places[number - 1] = hash(tuple(places))

    @contextlib.contextmanager
    def listening(self) -> Iterator[list[int]]:
        """What this yields holds, for each call of a run, a number for the place in the code that made it."""
        self.places = []
        self._lib.faults_listen(self._told)
        try:
            yield self.places
        finally:
            self._lib.faults_listen(None)

    @property
    def failed(self) -> str:
        return str(self._lib.faults_failed().decode(errors="replace"))

    @contextlib.contextmanager
    def installed(self) -> Iterator[None]:
        from inspector.formats.rocksdb import witness

        quick = SimpleNamespace(run=self._engine, TimeoutExpired=subprocess.TimeoutExpired)
        with without_the_world(), mock.patch.object(witness, "subprocess", quick):
            yield

    def _engine(self, command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        """`subprocess.run` of the engine's script: a fork, which has no Python to start and no engine to load.

        The same folder is opened once: what the engine answered, and which files it left there, is known then.
        """
        assert command[1:3] == ["-I", "-c"]
        folder = Path(command[4])
        with self._uncounted():
            name = digest_of(folder)
            reading, writing = os.pipe()
        if name in self._answers:
            with self._uncounted():
                answer, left = self._answers[name]
                there = {path.name for path in folder.iterdir()}
                for file in there - left:
                    (folder / file).unlink()
                for file in left - there:  # the others may be links to files of the store
                    (folder / file).touch()
                os.write(writing, answer.encode())
            child = 0
        else:
            child = self._asked(command, writing)
        out = b""
        try:
            os.close(writing)
            while piece := os.read(reading, 65536):
                out += piece
        except BaseException:
            if child:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
            raise
        finally:
            with contextlib.suppress(OSError):
                os.close(reading)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) if child else 0
        if child and code == 0:
            with self._uncounted():
                self._answers[name] = out.decode(), frozenset(path.name for path in folder.iterdir())
        return subprocess.CompletedProcess(command, code, out.decode(), "")

    def _asked(self, command: list[str], writing: int) -> int:
        import rocksdict

        assert rocksdict.__name__
        child = os.fork()
        if child == 0:
            self._lib.faults_leave()
            os.dup2(writing, 1)
            code = 1
            try:
                sys.stdout, sys.argv = open(1, "w", closefd=False), ["-c", *command[4:]]  # noqa: SIM115
                exec(command[3], {"__name__": "__main__"})  # what the engine's process would run
                sys.stdout.flush()
                code = 0
            finally:
                os._exit(code)
        return child

    @contextlib.contextmanager
    def _uncounted(self) -> Iterator[None]:
        self._lib.faults_leave()
        try:
            yield
        finally:
            self._lib.faults_stay()

    def run(
        self, words: list[str], place: Path, n: int, way: str = "error", code: int = 0, victim: Path | None = None
    ) -> tuple[int, str, str]:
        """The command line with call `n` failing: exit code, standard output, standard error."""
        beside = place.parents[1]
        out, err = beside / "stdout", beside / "stderr"
        other = self._other(place, victim) if way == "replace" and victim else place
        if victim is not None and not victim.is_file():
            victim = largest(victim)
        arm = (n, 1 + WAYS.index(way), code, os.fsencode(victim or place), os.fsencode(other))
        with _stand_in(out, err, place):
            ended = self._in_a_child(words, arm) if way == "kill" else self._here(words, arm)
        return ended, out.read_text(errors="replace"), err.read_text(errors="replace")

    def _here(self, words: list[str], arm: tuple[int, int, int, bytes, bytes]) -> int:
        from inspector.__main__ import main

        faulthandler.dump_traceback_later(PATIENCE, exit=True)
        try:
            self._lib.faults_arm(*arm)
            return main(words)
        except KeyboardInterrupt:  # one that came when all was said
            return 130
        finally:
            self._lib.faults_disarm()
            faulthandler.cancel_dump_traceback_later()

    def _in_a_child(self, words: list[str], arm: tuple[int, int, int, bytes, bytes]) -> int:
        child = os.fork()
        if child == 0:
            os._exit(self._here(words, arm))
        ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        self._lib.faults_disarm()  # killed, it did not do that itself
        return ended

    def learned(self) -> tuple[int, list[str]]:
        """How many calls the last run made, and which."""
        count = self._lib.faults_count()
        calls = self._lib.faults_calls()
        return count, [self._lib.faults_word(calls[i]).decode() for i in range(count)]

    @staticmethod
    def _other(place: Path, victim: Path) -> Path:
        file = victim if victim.is_file() else largest(victim)
        other = place.parents[1] / "reversed"
        other.write_bytes(file.read_bytes()[::-1])
        return other


def digest_of(folder: Path) -> str:
    """A name for the files of a folder, theirs and what is in them."""
    found = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        data = path.read_bytes()
        found.update(f"{path.name}/{len(data)}/".encode() + data)
    return found.hexdigest()


def largest(folder: Path) -> Path:
    return max((p for p in folder.rglob("*") if p.is_file()), key=lambda p: (p.stat().st_size, p.name))


@contextlib.contextmanager
def _stand_in(out: Path, err: Path, place: Path) -> Iterator[None]:
    """Be the process of one command line: files instead of a terminal, its own temporary folder."""
    forget_the_last_run()
    kept, streams, folder = [os.dup(1), os.dup(2)], (sys.stdout, sys.stderr), tempfile.tempdir
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
    for number, path in ((1, out), (2, err)):
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(fd, number)
        os.close(fd)
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115  restored below
    sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False, buffering=1)  # noqa: SIM115
    tempfile.tempdir = str(place / "tmp")
    try:
        yield
    finally:
        sys.stdout, sys.stderr = streams
        tempfile.tempdir = folder
        signal.signal(signal.SIGINT, handler)
        for number, fd in zip((1, 2), kept, strict=True):
            os.dup2(fd, number)
            os.close(fd)
