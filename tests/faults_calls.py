"""System calls of this process that fail when asked to, in any of several ways."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

BLOCK = 4096
CALLS = (
    *("open", "close", "pread", "preadv", "pwrite", "fsync", "link", "unlink", "replace", "rename", "stat", "lstat"),
    *("fstat", "fchown", "fchmod", "chmod", "statvfs", "ftruncate", "lseek", "mkdir", "scandir", "dup"),
    *("copy_file_range", "posix_fadvise", "write", "read"),
)


class Faults:
    """Counts the system calls of this process and makes the n-th one fail in one way."""

    reads = frozenset({"pread"})
    writes = frozenset(
        {"pwrite", "write", "fsync", "ftruncate", "link", "rename", "replace", "open", "mkdir", "copy_file_range"}
    )
    seen = frozenset(CALLS)

    def __init__(self) -> None:
        self.on, self.count, self.at, self.code, self.way = False, 0, 0, errno.EIO, "error"
        self.failed = ""
        self.names: list[str] = []  # of the calls, in order
        self.sick: tuple[int, int] | None = None  # a file and a block of it that cannot be read any more
        self.victim: Path | None = None

    def wrap(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **words: Any) -> Any:
            if not self.on:
                return real(*args, **words)
            self.count += 1
            # the look whether it is a capsule comes before the source is opened: what stands there then is what is read
            self.names.append("look" if name == "pread" and args[1:] == (42, 0) else name)
            if self.sick and name in ("pread", "preadv"):
                self._meets_the_sick_block(name, args)
            if self.count != self.at:
                return real(*args, **words)
            self.failed = f"{name}{args!r}"[:200]
            return self._fail(name, real, args, words)

        return call

    def _meets_the_sick_block(self, name: str, args: Any) -> None:
        fd, what, at = args[:3]
        length = what if name == "pread" else sum(map(len, what))
        assert self.sick is not None
        inode, block = self.sick
        if at < block + BLOCK and block < at + length and _inode(fd) == inode:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    def _fail(self, name: str, real: Callable[..., Any], args: Any, words: Any) -> Any:
        if self.way == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.way == "interrupt":
            if name == "close":
                real(*args, **words)
            if threading.current_thread() is not threading.main_thread():
                signal.raise_signal(signal.SIGINT)  # Python hands a signal to the main thread, whoever it came to
                return None if name == "close" else real(*args, **words)
            raise KeyboardInterrupt
        if self.way == "short" and name in ("pread", "pwrite"):
            fd, what, at = args
            return real(fd, min(what, 1) if name == "pread" else bytes(what)[:1], at)
        if self.way in ("truncate", "replace", "grow"):
            self._disturb()
        if self.way == "medium" and name == "pread":
            self.sick = (_inode(args[0]), args[2] - args[2] % BLOCK)
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        if self.way != "error":
            return real(*args, **words)
        if name == "close":
            real(*args, **words)  # a failing close closes all the same
        raise OSError(self.code, os.strerror(self.code))

    def _disturb(self) -> None:
        victim = self.victim
        assert victim is not None
        self.on = False
        file = victim if victim.is_file() else max(victim.iterdir(), key=lambda p: (p.stat().st_size, p.name))
        if self.way == "truncate":
            os.truncate(file, file.stat().st_size // 2)
        elif self.way == "grow":
            with file.open("ab") as more:
                more.write(bytes(100))
        else:
            other = file.with_name("other")
            other.write_bytes(file.read_bytes()[::-1])
            other.rename(file)
        self.on = True

    @contextlib.contextmanager
    def installed(self) -> Iterator[None]:
        with contextlib.ExitStack() as stack:
            stack.enter_context(without_the_world())
            stack.enter_context(mock.patch.object(os, "fdopen", _fdopen))
            stack.enter_context(mock.patch.object(tempfile, "TemporaryFile", _temporary))
            for name in CALLS:
                stack.enter_context(mock.patch.object(os, name, self.wrap(name, getattr(os, name))))
            yield

    def run(
        self, words: list[str], place: Path, n: int, way: str = "error", code: int = 0, victim: Path | None = None
    ) -> tuple[int, str, str]:
        """The command line with call `n` failing: exit code, standard output, standard error."""
        del place
        with self.armed(n, way, code, victim):
            return in_a_child(words) if way == "kill" else here(words)

    @contextlib.contextmanager
    def listening(self) -> Iterator[list[int]]:
        """As in `LibcFaults`; here each call stands for itself."""
        places: list[int] = []
        yield places
        places += range(self.count)

    def learned(self) -> tuple[int, list[str]]:
        """How many calls the last run made, and which."""
        return self.count, list(self.names)

    @contextlib.contextmanager
    def armed(self, at: int, way: str = "error", code: int = errno.EIO, victim: Path | None = None) -> Iterator[None]:
        self.count, self.at, self.way, self.code, self.failed, self.victim = 0, at, way, code, "", victim
        self.on, self.names, self.sick = True, [], None
        try:
            yield
        finally:
            self.on = False


FSTAT, FDOPEN = os.fstat, os.fdopen


def _inode(fd: int) -> int:
    return FSTAT(fd).st_ino


class _Raw(io.RawIOBase):
    """A file whose reads and writes are calls of `os`, so that they can fail; io makes its own below Python."""

    def __init__(self, fd: int) -> None:
        self._descriptor = fd

    def fileno(self) -> int:
        return self._descriptor

    def readable(self) -> bool:
        return True

    writable = seekable = readable

    def readinto(self, room: Any) -> int:
        data = os.read(self._descriptor, len(room))
        room[: len(data)] = data
        return len(data)

    def write(self, data: Any) -> int:
        return os.write(self._descriptor, data)

    def seek(self, at: int, whence: int = 0) -> int:
        return os.lseek(self._descriptor, at, whence)

    def truncate(self, size: int | None = None) -> int:
        os.ftruncate(self._descriptor, self.tell() if size is None else size)
        return size or 0

    def close(self) -> None:
        if not self.closed:
            super().close()
            os.close(self._descriptor)


def _fdopen(fd: int, mode: str = "r", *args: Any, **words: Any) -> Any:
    return io.BufferedWriter(_Raw(fd)) if mode == "wb" else FDOPEN(fd, mode, *args, **words)


def _temporary(mode: str = "w+b", *_: Any, **__: Any) -> Any:
    fd, name = tempfile.mkstemp()
    os.unlink(name)  # noqa: PTH108  a call that is counted
    file = io.BufferedRandom(_Raw(fd))
    return file if "b" in mode else io.TextIOWrapper(file, "utf-8")


@contextlib.contextmanager
def without_the_world() -> Iterator[None]:
    """What is never the same twice: other processes, a clock, /proc. Second looks come at once."""
    from inspector import live, output, rescan, steady

    with contextlib.ExitStack() as stack:
        stack.enter_context(mock.patch.object(live, "WAITS", (0.0,) * len(live.WAITS)))
        stack.enter_context(mock.patch.object(live, "MOMENT", 0.0))
        stack.enter_context(mock.patch.object(steady, "LOOKS", (0.0,) * len(steady.LOOKS)))
        stack.enter_context(mock.patch.object(steady, "WAIT", 0.0))
        stack.enter_context(mock.patch.object(rescan, "REST", 0.0))
        # what `writers_of` looks up when it is called: the name of that is bound by modules that earlier tests import
        stack.enter_context(mock.patch.object(output, "_others_that_write", return_value=[]))
        yield


def forget_the_last_run() -> None:
    """Each run as a process of its own."""
    from inspector import source
    from inspector.cli import privacy
    from inspector.cli.stdout import Output

    source.pace = privacy._active = privacy._book = privacy._map = Output.gate = None


def here(words: list[str]) -> tuple[int, str, str]:
    """The command line in this process: exit code, standard output, standard error."""
    from inspector.__main__ import main

    out, err = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.StringIO()
    forget_the_last_run()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(words)
        out.flush()
    return code, out.buffer.getvalue().decode(), err.getvalue()


def in_a_child(words: list[str]) -> tuple[int, str, str]:
    child = os.fork()
    if child == 0:
        try:
            code = here(words)[0]
        finally:
            os._exit(code if "code" in locals() else 99)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status), "", ""
