"""A pipe copied to an unnamed temporary file, so that it can be read at any offset."""

from __future__ import annotations

import os
import select
import tempfile
import time
from typing import IO

from inspector.errors import SourceError
from inspector.source import Member, Source


def spooled(fd: int, label: str, patience: float | None) -> tuple[IO[bytes], int]:
    """The copy and its size; `patience` are seconds in which a named pipe must find a writer."""
    spool = tempfile.TemporaryFile()  # noqa: SIM115  closed with the source
    size = 0
    deadline = time.monotonic() + patience if patience is not None else None
    try:
        while True:
            if deadline is not None and not size and not _ready(fd, 0):
                if time.monotonic() > deadline:
                    raise SourceError(
                        f"{label}: a named pipe that nobody writes to", "pipe the bytes in and give - as the path"
                    )
                time.sleep(0.05)
                continue
            try:
                data = os.read(fd, 1 << 20)
            except BlockingIOError:
                _ready(fd, 1000)
                continue
            if not data and deadline is not None and not size and time.monotonic() < deadline:
                time.sleep(0.05)  # opened without blocking: no writer has come yet
                continue
            if not data:
                break
            spool.write(data)
            size += len(data)
        spool.flush()
    except OSError as error:
        spool.close()
        raise SourceError(f"{label}: {error.strerror}") from error
    return spool, size


def _ready(fd: int, patience: int) -> bool:
    """Whether there is something to read, or an end, within so many milliseconds, of any descriptor."""
    asked = select.poll()
    asked.register(fd, select.POLLIN | select.POLLHUP)
    return bool(asked.poll(patience))


def source_of(fd: int, label: str, patience: float | None) -> Source:
    """What a pipe gives, as a source; `patience` in seconds without a writer, None waits for ever."""
    spool, size = spooled(fd, label, patience)
    source = Source(label, "stdin", None, [Member("", size, os.fstat(spool.fileno()).st_mtime_ns)])
    source._spool = spool
    source._files[""] = os.dup(spool.fileno())
    return source
