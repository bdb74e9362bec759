"""Read-only bytes: a file, a folder of files, a block device or standard input.

Only `pread` is used: a file cut short under a memory map kills the process. Nothing here can write.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import select
import stat
import struct
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Literal

from inspector.descriptors import ASIDE, plain, pread_all
from inspector.devices import pci_hint
from inspector.errors import RefusedError, SourceError
from inspector.span import Span
from inspector.vouching import Vouching

if TYPE_CHECKING:
    from inspector.pace import Pace

Kind = Literal["file", "folder", "device", "stdin", "memory"]
Drift = Literal["grew", "written", "shrank", "replaced", "removed"]
WINDOW = 4 << 20
RETRY_UNIT = 4096  # a failed read is tried again in pieces of this size, to lose no more than the medium lost
FIFO_PATIENCE = 5.0  # seconds without a writer
MAX_MEMBERS = 1_000_000
pace: Pace | None = None  # how this process reads: one disk, one rate; None is as fast as it goes
_FLOCK = struct.Struct("hhqqi4x")  # struct flock of 64-bit Linux: type, whence, start, length, pid

# files that hold keys are recognised by name and never opened
SECRET_NAMES = frozenset({"hsm_secret", "identity.bin", "secret_ed25519", "emergency.recover", "hsm_encrypted"})


@dataclass(frozen=True, slots=True)
class Member:
    """One file of a source; `name` is relative to the source ("" when the source is a single file)."""

    name: str
    size: int
    mtime_ns: int = 0
    secret: bool = False


class Source(Vouching):
    """Bytes that can only be read. Unreadable ranges read as zeroes and are listed in `unreadable`."""

    def __init__(self, label: str, kind: Kind, path: Path | None, members: list[Member]) -> None:
        self.label = label
        self.kind: Kind = kind
        self.path = path
        self.members = tuple(members)
        self.unreadable: list[Span] = []
        self.shrunk = False  # some bytes were gone when they were read, and stand as zeroes in what `read` gave
        self.changed: str = ""  # set when the bytes moved under us: the result is a lower bound
        self.drift: set[Drift] = set()  # in which ways
        self.settled: tuple[str, int, str] | None = None  # a detection done before: format, strength, because
        self.skipped: list[tuple[str, str]] = []  # entries of a folder that were not opened, and why
        self.later: list[Source] = []  # the same file opened again; closed with this one
        self._by_name = {m.name: m for m in members}
        self._files: dict[str, int] = {}
        self._met: set[str] = set()  # members that were opened at any time
        self._spool: IO[bytes] | None = None

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        for fd in self._files.values():
            with contextlib.suppress(OSError):  # opened for reading: a close that fails can lose nothing
                os.close(fd)
        self._files.clear()
        while self.later:
            self.later.pop().close()
        if self._spool is not None:
            self._spool.close()

    def inside(self, folder: str) -> Source:
        """The members below a folder as a source of their own, named relative to it; closed on its own."""
        head = f"{folder}/"
        found = [replace(m, name=m.name[len(head) :]) for m in self.members if m.name.startswith(head)]
        return Source(f"{self.label}/{folder}", self.kind, self.path / folder if self.path else None, found)

    @property
    def name(self) -> str:
        """What the file or folder is called, without its place; formats may know their files by it."""
        return self.path.name if self.path else self.label.rsplit("/", 1)[-1]

    @property
    def size(self) -> int:
        """Bytes of all members together."""
        return sum(m.size for m in self.members)

    def member(self, name: str = "") -> Member | None:
        return self._by_name.get(name)

    def length(self, member: str = "") -> int:
        found = self._by_name.get(member)
        return found.size if found else 0

    def read(self, at: int, n: int, member: str = "") -> bytes:
        """Up to `n` bytes from `at`; shorter only at the member's end. Never raises on the medium's errors.

        The end is where it was when the source was opened: what a file lost since reads as zeroes and sets `shrunk`.
        """
        size = self.length(member)
        n = min(n, size - at)
        if n <= 0 or at < 0:
            return b""
        try:
            data = self._pread(member, n, at)
        except OSError as error:
            if error.errno not in (errno.EIO, errno.ENXIO, errno.EBADMSG, errno.EREMOTEIO):
                raise SourceError(f"{self._show(member)}: {error.strerror}") from error
            data = self._read_in_pieces(member, at, n)
        if len(data) < n:
            self.shrunk = True
            self.drift.add("shrank")
            self.changed = (
                self.changed or f"{self._show(member)} became shorter while it was read (now {at + len(data)})"
            )
            data += bytes(n - len(data))
        return data

    def windows(self, member: str = "", start: int = 0, size: int = WINDOW) -> Iterator[tuple[int, bytes]]:
        """The member from `start` to its end in windows, each with its offset."""
        at = start
        while data := self.read(at, size, member):
            yield at, data
            at += len(data)

    def data_ranges(self, member: str = "", start: int = 0) -> Iterator[Span]:
        """Stretches that are not holes, as the file system tells; the whole member where it cannot."""
        size = self.length(member)
        at = start
        while at < size:
            try:
                fd = self._fd(member)
                begin = os.lseek(fd, at, os.SEEK_DATA)
                end = os.lseek(fd, begin, os.SEEK_HOLE)
            except (OSError, AttributeError) as error:
                if isinstance(error, OSError) and error.errno == errno.ENXIO:
                    return
                yield Span(at, size, member)
                return
            end = min(end, size)
            if begin >= size:
                return
            yield Span(begin, end, member)
            at = max(end, at + 1)

    def still_same(self) -> bool:
        """False when a file that was read is no longer what it was when it was opened; says so in `changed`."""
        for name, fd in self._files.items():
            try:
                self._compare(name, os.fstat(fd))
            except OSError as error:
                self._note_change(name, "removed", f"could not be looked at again ({error.strerror})")
        if self.path is None or self.kind not in ("file", "folder"):
            return not self.changed
        for name in sorted(self._met):  # by name, too: another file may stand there now
            try:
                now = os.stat(self.path / name if name else self.path)  # noqa: PTH116  the fault tests replace os.stat
            except OSError as error:
                self._note_change(name, "removed", f"was removed while it was read ({error.strerror})")
                continue
            if name not in self._files:
                self._compare(name, now)
            elif not os.path.samestat(now, os.fstat(self._files[name])):
                self._note_change(name, "replaced", "was replaced while it was read")
        return not self.changed

    def _compare(self, name: str, now: os.stat_result) -> None:
        then = self._by_name[name]
        if not stat.S_ISREG(now.st_mode) or (now.st_size, now.st_mtime_ns) == (then.size, then.mtime_ns):
            return
        if now.st_size < then.size:
            self._note_change(name, "shrank", "became shorter while it was read")
        elif now.st_size > then.size:
            self._note_change(name, "grew", "grew while it was read")
        else:
            self._note_change(name, "written", "was written to while it was read")

    def _note_change(self, name: str, how: Drift, what: str) -> None:
        self.drift.add(how)
        self.changed = self.changed or f"{self._show(name)} {what}"

    def locked_by(self, member: str) -> int | None:
        """The process that holds a POSIX lock on a member, as F_GETLK tells without taking one; None if nobody does."""
        entry = self._by_name.get(member)
        if entry is None or entry.secret or self.kind == "memory":
            return None
        request = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        try:
            answer = fcntl.fcntl(self._fd(member), fcntl.F_GETLK, request)
        except (OSError, SourceError):  # a file system without locks, or a file that went away: nobody to name
            return None
        kind, _, _, _, pid = _FLOCK.unpack(answer)
        return int(pid) if kind != fcntl.F_UNLCK else None

    def _show(self, member: str) -> str:
        return f"{self.label}/{member}" if member else self.label

    def _pread(self, member: str, n: int, at: int) -> bytes:
        return pread_all(self._fd(member), n, at, os.pread if pace is None else pace.pread)

    def _fd(self, member: str) -> int:
        fd = self._files.get(member)
        if fd is None:
            fd = self._open(member)
            self._files[member] = fd
        self._met.add(member)
        return fd

    def _open(self, member: str) -> int:
        entry = self._by_name[member]
        if entry.secret:
            raise RefusedError(f"{self._show(member)} holds keys and is never opened")
        assert self.path is not None
        path = self.path / member if member else self.path
        if len(self._files) >= 256:  # far below any limit on open files, enough for every hot member
            oldest = next(iter(self._files))
            os.close(self._files.pop(oldest))
        try:
            return plain(os.open(path, ASIDE | (os.O_NOFOLLOW if member else 0)))
        except OSError as error:
            raise SourceError(f"{self._show(member)}: {error.strerror}") from error

    def _read_in_pieces(self, member: str, at: int, n: int) -> bytes:
        parts = []
        while n > 0:
            step = min(n, RETRY_UNIT - at % RETRY_UNIT)
            try:
                piece = self._pread(member, step, at)
            except OSError:  # recorded: the caller sees zeroes and a span in `unreadable`
                self._note_unreadable(Span(at, at + step, member))
                piece = bytes(step)
            parts.append(piece)
            if len(piece) < step:
                break
            at, n = at + step, n - step
        return b"".join(parts)

    def _note_unreadable(self, span: Span) -> None:
        last = self.unreadable[-1] if self.unreadable else None
        if any(known.overlaps(span) for known in self.unreadable[-64:]):
            return
        if last and last.member == span.member and last.end == span.start:
            self.unreadable[-1] = Span(last.start, span.end, span.member)
        else:
            self.unreadable.append(span)


class MemorySource(Source):
    """Bytes in memory, for tests and for inspecting what another format holds."""

    def __init__(self, members: dict[str, bytes] | bytes, label: str = "memory") -> None:
        self._bytes = {"": members} if isinstance(members, bytes) else members
        super().__init__(label, "memory", None, [Member(name, len(data)) for name, data in self._bytes.items()])

    def inside(self, folder: str) -> Source:
        head = f"{folder}/"
        found = {name[len(head) :]: data for name, data in self._bytes.items() if name.startswith(head)}
        return MemorySource(found, f"{self.label}/{folder}")

    def _pread(self, member: str, n: int, at: int) -> bytes:
        return self._bytes[member][at : at + n]

    def data_ranges(self, member: str = "", start: int = 0) -> Iterator[Span]:
        if start < self.length(member):
            yield Span(start, self.length(member), member)


def open_source(path: str, stdin: IO[bytes] | None = None) -> Source:
    """The source at `path` ("-" is standard input), or one clear `SourceError`."""
    if path == "-":
        if stdin is None:
            raise SourceError("standard input is closed")
        return _spool(stdin.fileno(), "-", patience=None)
    place = Path(path)
    try:
        info = place.stat()
        if stat.S_ISDIR(info.st_mode):
            return _open_folder(place, path)
        if stat.S_ISFIFO(info.st_mode):
            fd = os.open(place, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                return _spool(fd, path, patience=FIFO_PATIENCE)
            finally:
                os.close(fd)
    except OSError as error:
        inside = isinstance(error.filename, str) and Path(error.filename) != place  # of a folder: what in it
        raise SourceError(f"{error.filename if inside else path}: {error.strerror}", pci_hint(path)) from error
    if place.name in SECRET_NAMES:
        raise RefusedError(f"{path} holds keys and is never opened", "point inspector at the store beside it")
    if stat.S_ISBLK(info.st_mode):
        return _open_one(place, path, "device", None)
    if not stat.S_ISREG(info.st_mode):
        raise SourceError(f"{path}: not a file, folder, block device or pipe", pci_hint(path))
    return _open_one(place, path, "file", info)


def _open_one(place: Path, label: str, kind: Kind, info: os.stat_result | None) -> Source:
    try:
        fd = plain(os.open(place, ASIDE))
    except OSError as error:
        raise SourceError(f"{label}: {error.strerror}") from error
    try:
        now = os.fstat(fd)  # of what was opened, not of what the name meant a moment ago
        size = now.st_size if info is not None else os.lseek(fd, 0, os.SEEK_END)
    except OSError as error:
        os.close(fd)
        raise SourceError(f"{label}: {error.strerror}") from error
    source = Source(label, kind, place, [Member("", size, now.st_mtime_ns)])
    source._files[""] = fd
    return source


def _open_folder(place: Path, label: str) -> Source:
    members: list[Member] = []
    skipped: list[tuple[str, str]] = []
    stack = [""]
    while stack:
        inner = stack.pop()
        with os.scandir(place / inner if inner else place) as entries:
            for entry in sorted(entries, key=lambda e: e.name):
                name = f"{inner}/{entry.name}" if inner else entry.name
                info = entry.stat(follow_symlinks=False)
                if stat.S_ISDIR(info.st_mode):
                    stack.append(name)
                elif stat.S_ISREG(info.st_mode):
                    members.append(Member(name, info.st_size, info.st_mtime_ns, entry.name in SECRET_NAMES))
                else:
                    skipped.append((name, "a link" if stat.S_ISLNK(info.st_mode) else "not a regular file"))
        if len(members) > MAX_MEMBERS:
            raise SourceError(f"{label}: more than {MAX_MEMBERS} files", "name the store's own folder or file")
    source = Source(label, "folder", place, sorted(members, key=lambda m: m.name))
    source.skipped = skipped
    return source


def _spool(fd: int, label: str, patience: float | None) -> Source:
    """A pipe copied to an unnamed temporary file, so that it can be read at any offset."""
    spool = tempfile.TemporaryFile()  # noqa: SIM115  closed with the source
    size = 0
    deadline = time.monotonic() + patience if patience is not None else None
    try:
        while True:
            if deadline is not None and not size and not select.select([fd], [], [], 0)[0]:
                if time.monotonic() > deadline:
                    raise SourceError(
                        f"{label}: a named pipe that nobody writes to", "pipe the bytes in and give - as the path"
                    )
                time.sleep(0.05)
                continue
            try:
                data = os.read(fd, 1 << 20)
            except BlockingIOError:
                select.select([fd], [], [], 1.0)
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
    source = Source(label, "stdin", None, [Member("", size, os.fstat(spool.fileno()).st_mtime_ns)])
    source._spool = spool
    source._files[""] = os.dup(spool.fileno())
    return source
