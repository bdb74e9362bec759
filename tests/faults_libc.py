"""Calls of the C library that fail: what Python, its io module and the kernels ask of the system.

A process that was started with tests/faults_libc.c preloaded and has the command imported runs it again and again; only
what is to be killed is a child.
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
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

    def __init__(self) -> None:
        self._lib = ctypes.CDLL(os.environ[MARK])
        self._lib.faults_failed.restype = self._lib.faults_word.restype = ctypes.c_char_p
        self._lib.faults_calls.restype = ctypes.POINTER(ctypes.c_ubyte)
        self._lib.faults_count.restype = ctypes.c_long
        self._lib.faults_arm.argtypes = (ctypes.c_long, ctypes.c_int, ctypes.c_int, ctypes.c_char_p, ctypes.c_char_p)
        own = {str(Path(__file__).parents[1]), sys.prefix, sys.base_prefix}
        elsewhere = sorted(own | {"/lib", "/etc", "/sys", "/dev/null", "/dev/urandom"})
        for number, place in enumerate(elsewhere[:8]):
            self._lib.faults_skip(number, os.fsencode(place))

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
        """`subprocess.run` of the engine's script: a fork, which has no Python to start and no engine to load."""
        import rocksdict

        assert rocksdict.__name__
        assert command[1:3] == ["-I", "-c"]
        reading, writing = os.pipe()
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
        out = b""
        try:
            os.close(writing)
            while piece := os.read(reading, 65536):
                out += piece
        except BaseException:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            raise
        finally:
            with contextlib.suppress(OSError):
                os.close(reading)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        return subprocess.CompletedProcess(command, code, out.decode(), "")

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
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

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
