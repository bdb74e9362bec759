"""Read-only bytes: a file, a folder of files, a block device or standard input.

Only `pread` is used: a file cut short under a memory map kills the process. Nothing here can write.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Literal, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from inspector.descriptors import ASIDE, MEDIUM, plain, pread_all
from inspector.devices import pci_hint
from inspector.errors import RefusedError, SourceError
from inspector.folder import NotOpenedError, joined, open_inside
from inspector.holes import HOLES, KEPT, WINDOW, hole_to, zeroes
from inspector.span import Span
from inspector.unread import Unread
from inspector.vouching import Vouching

if TYPE_CHECKING:
    from inspector import opening, spool
    from inspector.pace import Pace
else:
    from inspector.postponed import Postponed

    opening = Postponed("inspector.opening")  # it makes sources, so it comes after them
    spool = Postponed("inspector.spool")  # few read from a pipe

T = TypeVar("T")
Kind = Literal["file", "folder", "device", "stdin", "memory"]
Drift = Literal["grew", "written", "shrank", "replaced", "removed"]
RETRY_UNIT = 4096  # a failed read is tried again in pieces of this size, to lose no more than the medium lost
FIFO_PATIENCE = 5.0  # seconds without a writer
HOLD = 256  # members open at a time, or a quarter of what this process may open: enough for every hot one
pace: Pace | None = None  # how this process reads: one disk, one rate; None is as fast as it goes

# files that hold keys are never opened
SECRET_NAMES = frozenset({"hsm_secret", "identity.bin", "secret_ed25519", "emergency.recover", "hsm_encrypted"})


class Member(Struct, frozen=True):
    """One file of a source; `name` is relative to the source ("" when the source is a single file)."""

    name: str
    size: int
    mtime_ns: int = 0
    secret: bool = False


class Source(Vouching):
    """Bytes that can only be read. Unreadable ranges read as zeroes and are listed in `unreadable`."""

    unread_because = "the operating system reported an input/output error"

    def __init__(self, label: str, kind: Kind, path: Path | None, members: list[Member]) -> None:
        self.label = label
        self.kind: Kind = kind
        self.path = path
        # of a store in a folder: the folder that was named, and the way from it, on which no link is followed
        self.under: tuple[Path, str] | None = None
        self.members = tuple(members)
        self.reads = 0  # how often `read` was asked: a measure of work that is the same each time
        self.unreadable = Unread()
        self.closed: dict[str, str] = {}  # members, and folders in this one, that cannot be opened, and why
        self.shrunk = False  # some bytes were gone when they were read, and stand as zeroes in what `read` gave
        self.changed = ""  # set when the bytes moved under us: the result is a lower bound
        self.drift: set[Drift] = set()  # in which ways
        self.settled: tuple[str, int, str] | None = None  # a detection done before: format, strength, because
        self.skipped: list[tuple[str, str]] = []  # entries of a folder that were not opened, and why
        self.later: list[Source] = []  # the same file opened again; closed with this one
        self.named: dict[bytes, str] = {}  # names of findings, made when their bytes were read (see fingerprint)
        self.nameless: set[str] = set()  # of them those whose bytes were gone when they were named
        self._by_name = {m.name: m for m in members}
        self._files: dict[str, int] = {}
        self._met: set[str] = set()  # members that were opened at any time
        most = os.sysconf("SC_OPEN_MAX")  # -1 where there is no limit
        self.hold = max(1, min(HOLD, most // 4)) if most > 0 else HOLD
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
        inner = Source(f"{self.label}/{folder}", self.kind, self.path / folder if self.path else None, found)
        inner.closed = {name[len(head) :]: why for name, why in self.closed.items() if name.startswith(head)}
        if self.path:
            place, way = self.under or (self.path, "")
            inner.under = (place, joined(way, folder))
        return inner

    def again(self) -> Source:
        """The same place opened once more, as it is now; raises SourceError where that cannot be."""
        return opening.open_below(*self.under, self.label) if self.under else open_source(str(self.path or self.label))

    @property
    def name(self) -> str:
        """What the file or folder is called, without its place; formats may know their files by it."""
        return self.path.name if self.path else self.label.rsplit("/", 1)[-1]

    def told_by_name(self, ask: Callable[[str], T]) -> T:
        """What `ask` makes of the name, where that is all that is taken from it: another name may tell the same."""
        return ask(self.name)

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
        self.reads += 1
        if n <= 0 or at < 0:
            return b""
        if member in self.closed:
            return bytes(n)
        try:
            data = self._pread(member, n, at)
        except NotOpenedError as error:
            self._note_closed(member, error)
            return bytes(n)
        except OSError as error:
            if error.errno not in MEDIUM:
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

    def glance_into(self, held: bytearray, at: int, n: int, member: str = "") -> bytes | memoryview:
        """As `glance`, into a buffer that the caller uses again and again, where these are plain files.

        What comes back is good until the next call with that buffer; its pages stay in the cache of the processor.
        """
        if type(self) is Source and pace is None and 0 < n <= min(len(held), self.length(member) - at) and at >= 0:
            view = memoryview(held)[:n]
            with contextlib.suppress(OSError):  # read once more below, where it is told what failed
                if HOLES <= n <= KEPT and hole_to(self._fd(member), at, at + n) == at + n:
                    return zeroes(n)
                if os.preadv(self._fd(member), [view], at) == n:
                    return view
        return self.glance(at, n, member)

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
            except (OSError, NotOpenedError) as error:
                if isinstance(error, OSError) and error.errno == errno.ENXIO:
                    return
                yield Span(at, size, member)
                return
            end = min(end, size)
            if begin >= size:
                return
            yield Span(begin, end, member)
            at = max(end, at + 1)

    def hole_end(self, at: int, member: str = "") -> int:
        """Up to where the zeroes from `at` on need not be read; `at` where there are none, or nobody can tell."""
        if self.kind == "memory" or member in self.closed or not 0 <= at < self.length(member):
            return at
        with contextlib.suppress(NotOpenedError):
            return hole_to(self._fd(member), at, self.length(member))
        return at

    def still_same(self) -> bool:
        """False when a file that was read is no longer what it was when it was opened; says so in `changed`."""
        held: dict[str, os.stat_result] = {}
        for name, fd in self._files.items():
            try:
                held[name] = os.fstat(fd)
                self._compare(name, held[name])
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
            elif name in held and not os.path.samestat(now, held[name]):
                self._note_change(name, "replaced", "was replaced while it was read")
        return not self.changed

    def holds_still(self, member: str = "") -> bool:
        """Whether its path leads to the file that was read, and nobody wrote to it since; raises OSError."""
        assert self.path is not None
        fd, then = self._fd(member), self._by_name[member]
        now = os.fstat(fd)
        same = os.path.samestat(now, os.stat(self.path / member if member else self.path))  # noqa: PTH116  as above
        return same and (not stat.S_ISREG(now.st_mode) or (now.st_size, now.st_mtime_ns) == (then.size, then.mtime_ns))

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
        from inspector.locks import holder

        try:
            return holder(self._fd(member))
        except (OSError, SourceError):  # a file system without locks, or a file that went away: nobody to name
            return None

    def _show(self, member: str) -> str:
        return f"{self.label}/{member}" if member else self.label

    def _pread(self, member: str, n: int, at: int) -> bytes:
        fd = self._fd(member)
        if n >= HOLES and hole_to(fd, at, at + n) == at + n:
            return zeroes(n)
        return pread_all(fd, n, at, os.pread if pace is None else pace.pread)

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
        if len(self._files) >= self.hold:
            oldest = next(iter(self._files))
            os.close(self._files.pop(oldest))
        if member or self.under:
            place, way = self.under or (self.path, "")
            return open_inside(place, joined(way, member), self._show(member))
        try:
            return plain(os.open(self.path, ASIDE))
        except OSError as error:
            raise SourceError(f"{self._show(member)}: {error.strerror}") from error

    def _read_in_pieces(self, member: str, at: int, n: int) -> bytes:
        parts = []
        while n > 0:
            step = min(n, RETRY_UNIT - at % RETRY_UNIT)
            try:
                piece = self._pread(member, step, at)
            except OSError:  # recorded: the caller sees zeroes and a span in `unreadable`
                self.unreadable.note(Span(at, at + step, member))
                piece = bytes(step)
            parts.append(piece)
            if len(piece) < step:
                break
            at, n = at + step, n - step
        return b"".join(parts)

    def _note_closed(self, member: str, error: NotOpenedError) -> None:
        self.closed[member] = error.why
        self.unreadable.note(Span(0, self.length(member), member))
        if error.gone:
            self._note_change(member, "removed", f"was removed or replaced while it was read ({error.why})")


def without_holes(source: Source, member: str = "", start: int = 0) -> Iterator[Span]:
    """`data_ranges` of a source whose bytes are no file's: all of the member."""
    if start < source.length(member):
        yield Span(start, source.length(member), member)


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

    data_ranges = without_holes


def open_source(path: str, stdin: IO[bytes] | None = None) -> Source:
    """The source at `path` ("-" is standard input), or one clear `SourceError`."""
    if path == "-":
        if stdin is not None:
            return spool.source_of(stdin.fileno(), "-", None)
        raise SourceError("standard input is closed")
    place = Path(path)
    try:
        info = place.stat()
        if stat.S_ISDIR(info.st_mode):
            return opening.open_folder(place, path)
        if stat.S_ISFIFO(info.st_mode):
            fd = os.open(place, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                return spool.source_of(fd, path, FIFO_PATIENCE)
            finally:
                os.close(fd)
    except OSError as error:
        if isinstance(error, FileNotFoundError) and place.is_symlink():
            raise SourceError(f"{path}: a link to a name that is not there", "ls -l shows where it leads") from error
        inside = isinstance(error.filename, str) and Path(error.filename) != place  # of a folder: what in it
        raise SourceError(f"{error.filename if inside else path}: {error.strerror}", pci_hint(path)) from error
    if place.name in SECRET_NAMES:
        raise RefusedError(f"{path} holds keys and is never opened", "point inspector at the store beside it")
    if stat.S_ISBLK(info.st_mode):
        return opening.open_one(place, path, "device", None)
    if not stat.S_ISREG(info.st_mode):
        raise SourceError(f"{path}: not a file, folder, block device or pipe", pci_hint(path))
    return opening.open_one(place, path, "file", info)
