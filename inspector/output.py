"""Outputs that appear whole and verified, or not at all.

A file is written without a name where the system can (O_TMPFILE), else as `.NAME.inspector-partial`; a folder
as `.NAME.inspector-partial`. It gets its name only after it was checked and flushed. Nothing here can touch a source.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct, field

from inspector.errors import InspectorError, OutputError, RefusedError
from inspector.locks import holder
from inspector.source import Source

RESERVE = 16 << 20  # bytes that must stay free on the target's file system
PARTIAL = "inspector-partial"


class Place(Struct):
    """Where an output is being written; `fd` for a file, `folder` for a folder."""

    target: Path
    fd: int = -1
    folder: Path | None = None
    partial: Path | None = None  # the temporary name, where one was needed
    notes: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """By which the file can be opened once more before it has its own name."""
        return f"/proc/self/fd/{self.fd}" if self.partial is None else str(self.partial)


def preflight(target: str, source: Source | None, estimate: int, force: bool, folder: bool = False) -> Path:
    """The target path if it is safe to write there; raises RefusedError saying what to do otherwise."""
    path = Path(target)
    parent = path.parent
    if not parent.is_dir():
        raise RefusedError(f"{parent}: no such folder", f"mkdir -p {parent}")
    if source is not None:
        _not_the_source(path, source)
    if path.is_symlink():
        raise RefusedError(f"{target} is a link", "name the real file; links are not followed for writing")
    if path.exists():
        info = path.stat()
        if stat.S_ISBLK(info.st_mode) or stat.S_ISCHR(info.st_mode):
            raise RefusedError(f"{target} is a device", "write to a file; inspector never writes to devices")
        if folder and (not path.is_dir() or any(path.iterdir())):
            raise RefusedError(f"{target} exists and is not an empty folder", "name a new folder")
        if not folder and path.is_dir():
            raise RefusedError(f"{target} is a folder", "name a file in it")
        if not folder and not force:
            raise RefusedError(f"{target} exists", "name another file, or --force to replace it")
    try:
        space = os.statvfs(parent)
    except OSError as error:
        raise OutputError(f"{parent}: {error.strerror}") from error
    free = space.f_bavail * space.f_frsize
    if estimate + RESERVE > free:
        raise RefusedError(
            f"{parent}: not enough space: {estimate + RESERVE:,} bytes needed (with a reserve), {free:,} free",
            "name a target on another file system",
        )
    return path


def _not_the_source(path: Path, source: Source) -> None:
    if source.path is None or not path.exists():
        if source.path is not None and source.kind == "folder" and source.path.resolve() in path.resolve().parents:
            raise RefusedError(f"{path} lies inside the input", "name a place outside of it")
        return
    ours, theirs = path.stat(), source.path.stat()
    if (ours.st_dev, ours.st_ino) == (theirs.st_dev, theirs.st_ino):
        raise RefusedError(f"{path} is the input itself", "the input is never written to: name another file")
    if source.kind == "folder" and source.path.resolve() in path.resolve().parents:
        raise RefusedError(f"{path} lies inside the input", "name a place outside of it")


def writers_of(source: Source) -> list[str]:
    """Processes that have the source open for writing, as far as this user may see ("lightningd (4711)")."""
    if source.path is None:
        return []
    files = [source.path] if source.kind != "folder" else [source.path / m.name for m in source.members]
    wanted = set()
    for file in files[:10_000]:
        with contextlib.suppress(OSError):  # gone meanwhile: nobody can be writing what is not there
            info = file.stat()
            wanted.add((info.st_dev, info.st_ino))
    return _others_that_write(wanted)


def _others_that_write(wanted: set[tuple[int, int]]) -> list[str]:
    """Other processes that have one of these (device, inode) open for writing; nothing else here looks at processes."""
    if not Path("/proc/self/fd").is_dir():
        return []
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and int(process.name) != os.getpid() and _writes(process, wanted):
            found.append(f"{_name(process)} ({process.name})")
    return sorted(found)


def lock_holder(file: Path) -> int | None:
    """The process that holds a POSIX lock on a file; it is only looked at, never taken."""
    try:
        fd = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return None  # nobody can be told of a file that may not be opened
    try:
        return holder(fd)
    except OSError:
        return None
    finally:
        os.close(fd)


def _writes(process: Path, wanted: set[tuple[int, int]]) -> bool:
    try:
        links = list((process / "fd").iterdir())
    except OSError:  # another user's process, or it ended: it cannot be told
        return False
    for link in links:
        with contextlib.suppress(OSError):  # closed meanwhile; the next one may be what is looked for
            info = link.stat()
            if (info.st_dev, info.st_ino) in wanted and _open_for_writing(process, link.name):
                return True
    return False


def _open_for_writing(process: Path, number: str) -> bool:
    for line in (process / "fdinfo" / number).read_text().splitlines():
        if line.startswith("flags:"):
            return int(line.split()[1], 8) & (os.O_WRONLY | os.O_RDWR) != 0
    return False


def _name(process: Path) -> str:
    with contextlib.suppress(OSError):
        return (process / "comm").read_text().strip()
    return "a process"


@contextlib.contextmanager
def place_file(
    target: str, source: Source | None, estimate: int, force: bool, mode: int | None = None
) -> Iterator[Place]:
    """Write to the `fd` of what this yields; on a clean exit the file is flushed and gets its name.

    Owner, group and mode follow the source where allowed; `mode` overrides. On any error nothing stays.
    """
    path = preflight(target, source, estimate, force)
    place = Place(path)
    try:
        _create(place)
        yield place
        _like_the_source(place, source, mode)
        os.fsync(place.fd)
        _give_name(place, force)
        _flush_named(path)
    except InspectorError:
        raise
    except OSError as error:
        raise _output_error(path, error) from error
    finally:
        if place.partial is not None:
            with contextlib.suppress(FileNotFoundError):
                place.partial.unlink()
        if place.fd >= 0:
            with contextlib.suppress(OSError):  # flushed before it got its name: a close that fails can lose nothing
                os.close(place.fd)


@contextlib.contextmanager
def place_folder(target: str, source: Source | None, estimate: int) -> Iterator[Place]:
    """Write members below `folder` of what this yields; on a clean exit the folder gets its name."""
    path = preflight(target, source, estimate, force=False, folder=True)
    partial = path.parent / f".{path.name}.{PARTIAL}"
    place = Place(path, folder=partial)
    ours = False
    try:
        for left in (partial, witness_of(partial)):
            _take_over(left, place)
        ours = True  # before it exists: whatever fails from here on, it is taken away again
        try:
            partial.mkdir(mode=0o700)
        except FileExistsError as error:
            ours = False  # another run's, which began after this one
            raise _another_run(partial) from error
        place.fd = os.open(partial, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        _hold(place.fd, partial)
        yield place
        if source is not None and source.path is not None:
            partial.chmod(stat.S_IMODE(source.path.stat().st_mode) | stat.S_IRWXU)
        _flush_folder(partial)
        if not os.path.samestat(os.fstat(place.fd), partial.stat()):
            ours = False  # taken over, where the file system has no locks
            raise _another_run(partial)
        partial.rename(path)
        _flush_named(path)
    except InspectorError:
        raise
    except OSError as error:
        raise _output_error(path, error) from error
    finally:
        if place.fd >= 0:
            with contextlib.suppress(OSError):
                os.close(place.fd)
        if ours and partial.exists():
            take_away(partial)


def _take_over(left: Path, place: Place) -> None:
    """Remove what an interrupted run left; raises RefusedError where that run goes on."""
    try:
        fd = os.open(left, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return
    except OSError as error:
        if error.errno != errno.ELOOP:  # a link with that name is nobody's output
            raise
    else:
        try:
            _hold(fd, left)
        finally:
            os.close(fd)
    place.notes.append(f"{left} was left by an interrupted run and has been removed")
    take_away(left, strict=True) if left.is_dir() and not left.is_symlink() else left.unlink()


def _hold(fd: int, path: Path) -> None:
    """Let other runs see that this one goes on; the lock ends with the process, however it ends."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise _another_run(path) from error
    except OSError:  # no locks here: a left-over and a run that goes on look alike
        pass


def _another_run(path: Path) -> RefusedError:
    return RefusedError(f"{path}: another run of inspector is writing it", "wait for its end, or name another output")


def witness_of(folder: Path) -> Path:
    """Where the copy of a finished folder is that the original engine opens."""
    return folder.with_name(f"{folder.name}-witness")


def take_away(folder: Path, strict: bool = False) -> None:
    """Remove a folder of ours as far as that goes; an interrupt stays one, and comes when it is gone."""
    try:
        shutil.rmtree(folder, ignore_errors=not strict)
    except KeyboardInterrupt:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    except OSError as error:
        # interrupted after a close, rmtree closes once more, and the error of that hides the interrupt
        if isinstance(error.__context__, KeyboardInterrupt):
            shutil.rmtree(folder, ignore_errors=True)
            raise error.__context__ from None
        raise


@contextlib.contextmanager
def passing_folder(prefix: str) -> Iterator[Path]:
    """A folder of this process alone, gone at the end; `tempfile`'s stays where an interrupt meets its making."""
    from tempfile import gettempdir

    folder, ours = Path(gettempdir()) / f"{prefix}{os.urandom(8).hex()}", True
    try:
        try:
            folder.mkdir(mode=0o700)
        except OSError:
            ours = False
            raise
        yield folder
    finally:
        if ours:
            take_away(folder)


def _create(place: Place) -> None:
    parent, name = place.target.parent, place.target.name
    partial = parent / f".{name}.{PARTIAL}"
    _take_over(partial, place)
    tmpfile = getattr(os, "O_TMPFILE", 0)
    if tmpfile and Path("/proc/self/fd").is_dir():
        try:
            place.fd = os.open(parent, tmpfile | os.O_RDWR | os.O_CLOEXEC, 0o600)
            _hold(place.fd, partial)
            return
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT, errno.EINVAL):
                raise
    place.fd = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    place.partial = partial
    _hold(place.fd, partial)


def _like_the_source(place: Place, source: Source | None, mode: int | None) -> None:
    info = source.path.stat() if source is not None and source.path is not None else None
    if info is not None and stat.S_ISREG(info.st_mode):
        try:
            os.fchown(place.fd, info.st_uid, info.st_gid)
        except PermissionError:
            place.notes.append(f"owner {info.st_uid}:{info.st_gid} could not be kept: chown it before use")
        os.fchmod(place.fd, mode if mode is not None else stat.S_IMODE(info.st_mode))
    else:
        os.fchmod(place.fd, mode if mode is not None else 0o600)


def _give_name(place: Place, force: bool) -> None:
    target = place.target
    if place.partial is None:
        name = place.name
        if not force:
            _link(name, target)
            return
        partial = target.parent / f".{target.name}.{PARTIAL}"
        place.partial = partial  # before it exists: whatever fails from here on, it is taken away again
        try:
            link_open_file(name, partial)
        except FileExistsError as error:
            place.partial = None  # another run's, which began after this one
            raise _another_run(partial) from error
    if force:
        place.partial.replace(target)
    else:
        _link(str(place.partial), target)


def _link(name: str, target: Path) -> None:
    try:
        link_open_file(name, target)
    except FileExistsError as error:
        raise RefusedError(f"{target} exists", "it appeared while the output was made; name another file") from error


def link_open_file(name: str, target: Path) -> None:
    # only with a folder descriptor does Python call linkat(AT_SYMLINK_FOLLOW), which /proc/self/fd needs
    folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.link(os.path.abspath(name), target.name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=True)  # noqa: PTH100
    finally:
        os.close(folder)


def _flush_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _flush_named(path: Path) -> None:
    """The output has its name; where the folder cannot be flushed it stays, and that is said."""
    try:
        _flush_folder(path.parent)
    except OSError as error:
        raise OutputError(
            f"{path}: it is whole and in its place, but its folder could not be flushed ({error.strerror})",
            "a power cut now may take its name away: run sync, and look again",
        ) from error


def _output_error(path: Path, error: OSError) -> OutputError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return OutputError(f"{path}: no space left while writing; no partial output stays, the input is untouched")
    return OutputError(f"{path}: {error.strerror}; no partial output stays, the input is untouched")
