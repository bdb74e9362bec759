"""From the paths on the command line to sources: a store, or a folder with several stores in it."""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from msgspec import Struct

from inspector import source as reading
from inspector.catalogue import named, standing_on
from inspector.cli.privacy import active, place_of, seen
from inspector.descriptors import ASIDE, plain
from inspector.errors import ChangedError, Exit, SourceError, UnknownFormatError, UsageError
from inspector.opening import open_below
from inspector.source import Member, Source, open_source

if TYPE_CHECKING:
    from inspector.catalogue import Formats
    from inspector.format import Format, State, Wishes

MAX_FOLDERS = 1000  # sub-folders that are asked whether they are a store
MAX_NAMES = 1000  # names of a folder that a missing one is compared with
SUGGESTED = 12  # names that a hint lists at most
MAX_HEADS = 1000  # files of a folder, the largest ones, whose first bytes are asked where their names say nothing
MAX_CLAIMS = 64  # of them that are searched, some MiB each
HEAD = 4096
MAX_COMPARED = 256  # stores of one folder that stay open to be compared with each other


class Target(Struct, frozen=True):
    """One input: a path to open; `member` where it was found inside a folder."""

    path: str
    member: Member | None = None


def is_capsule(path: str) -> bool:
    """A file that begins as `inspector.capsule` writes them; asked without importing it.

    Nothing else is opened for the question: a pipe would lose its writer by that, and some devices act on an open.
    """
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # noqa: PTH116  the fault tests replace os.stat
            return False
        fd = plain(os.open(path, ASIDE))
    except OSError:
        return False
    try:
        return _begins_as_capsule(fd)
    finally:
        os.close(fd)


def _begins_as_capsule(fd: int) -> bool:
    try:
        # by the pace of all reading: one read that lets the kernel read ahead leaves pages behind
        pread = os.pread if reading.pace is None else reading.pace.pread
        return pread(fd, 42, 0)[30:] == b"capsule.json"
    except OSError:
        return False


def known_formats() -> Formats:
    """The list of formats; imported here and not before, because layouts load construct."""
    from inspector import formats

    return seen(formats.all_formats())


def open_path(path: str) -> Source:
    if not path:
        raise UsageError("a PATH is empty", "a variable that is not set leaves nothing where a name should stand")
    if path != "-":
        try:
            os.lstat(path)
        except OSError as error:
            hint = _beside(path) if error.errno == errno.ENOENT and not active() else ""
            raise SourceError(f"{place_of(path)}: {error.strerror}", hint) from error
    label = place_of(path)  # first: the message that it cannot be opened is shown, too
    source: Source
    if path != "-" and is_capsule(path):
        from inspector.capsule import open_capsule

        source = open_capsule(path)
    else:
        source = open_source(path, getattr(sys.stdin, "buffer", None))
    source.label = label
    return source


def open_inner(path: str, member: str) -> Source:
    """A store inside the folder at `path`: by now a link may stand there, and it is not followed out of the folder."""
    name = f"{path.rstrip('/')}/{member}"
    label = place_of(name)
    source = open_below(Path(path), member, label)
    if source.kind != "file" or not _begins_as_capsule(source._fd("")):
        return source
    from inspector.capsule import open_capsule

    with source, os.fdopen(os.dup(source._fd("")), "rb") as file:
        capsule = open_capsule(name, file)
    capsule.label = label
    return capsule


def _beside(path: str) -> str:
    """What a misspelt path may have meant, of the names in its folder."""
    import difflib

    place = PurePosixPath(path)
    try:
        names = [entry.name for entry in islice(os.scandir(str(place.parent)), MAX_NAMES)]
    except OSError:
        return f"{place.parent} is not there either"
    close = difflib.get_close_matches(place.name, names, 3, 0.6)
    return f"did you mean {' or '.join(str(place.with_name(name)) for name in close)}?" if close else ""


def targets(path: str, source: Source, formats: Formats, forced: str | None) -> list[Target]:
    """What to inspect at `path`: the source as a whole, or the stores inside a folder.

    Those are sub-folders that a format claims as a whole, other files that a format knows by name, and files that
    begin as a store that may have any name, and are claimed as one. Raises UnknownFormatError, naming what was tried,
    for a folder in which no store is.
    """
    if source.kind != "folder":
        return [Target(path)]
    bottoms = list(standing_on(formats, None))
    if forced:
        bottoms = [f for f in bottoms if f.name in _chain(formats, forced)]
    claims = [(f, f.claim(source, None)) for f in bottoms]
    if any(claim.strength > 0 for _, claim in claims):
        return [Target(path)]
    root = path.rstrip("/")
    folders = _claimed_folders(path, source, bottoms)
    inside = tuple(f"{m.name}/" for m in folders)
    loose = [m for m in source.members if not m.secret and not m.name.startswith(inside)]
    taken = {m.name for m in loose if _known(m, bottoms)} | set(_begun(path, loose, bottoms))
    files = [m for m in loose if m.name in taken]
    if folders or files:
        return [Target(f"{root}/{m.name}", m) for m in (*folders, *files)]
    if forced:
        return [Target(path)]
    tried = tuple((f.name, f"{c.because}; files looked for: {_sought(f)}") for f, c in claims)
    raise UnknownFormatError(
        f"{path}: no known store in this folder ({len(source.members):,} files)",
        "name the file itself; inspector formats lists what is known",
        tried,
    )


def _sought(form: Format) -> str:
    return ", ".join(form.names) or ("any that begins as one" if form.begins else "none")


def _begun(path: str, members: list[Member], bottoms: list[Format]) -> Iterator[str]:
    """Names of files that no name tells, and that a format claims whose stores have any name."""
    asked = [f for f in bottoms if f.begins is not None]
    unknown = [m for m in members if m.size >= HEAD and not _known(m, bottoms)] if asked else []
    claims = 0
    for member in sorted(unknown, key=lambda m: (-m.size, m.name))[:MAX_HEADS]:
        try:
            with open_inner(path, member.name) as inner:
                head = inner.read(0, HEAD)
                likely = [f for f in asked if f.begins and f.begins(head)]
                claims += bool(likely)
                if any(f.claim(inner, None).strength > 0 for f in likely):
                    yield member.name
        except SourceError:  # what may not be opened is no store that anybody named
            continue
        if claims == MAX_CLAIMS:
            return


def _claimed_folders(path: str, source: Source, bottoms: list[Format]) -> list[Member]:
    """Sub-folders that are one store each, the outermost first; nothing inside one is looked at again."""
    found: list[Member] = []
    names = sorted(
        {"/".join(parts[:i]) for m in source.members for parts in [m.name.split("/")] for i in range(1, len(parts))}
    )
    if len(names) > MAX_FOLDERS:
        raise SourceError(f"{path}: more than {MAX_FOLDERS} folders", "name the store's own folder or file")
    for name in names:
        if any(name.startswith(f"{m.name}/") for m in found):
            continue
        with open_inner(path, name) as inner:
            if any(f.claim(inner, None).strength > 0 for f in bottoms):
                found.append(Member(name, inner.size, max((m.mtime_ns for m in inner.members), default=0)))
    return found


def serving(formats: Formats, what: str) -> str:
    """The names of the formats that have such a thing, for a message."""
    return ", ".join(f.name for f in formats if getattr(f, what)) or "none"


def named_format(formats: Formats, name: str | None) -> None:
    """Refuse a --format that does not exist, with the nearest one."""
    if name is not None and named(formats, name) is None:
        raise UsageError(f"no format is named {name}", nearest(name, [f.name for f in formats]))


def nearest(word: str, known: list[str], listing: str = "") -> str:
    """A hint: what may have been meant, or what there is; `listing` is the command that lists it whole."""
    import difflib

    close = difflib.get_close_matches(word, known, 3, 0.5)
    if close:
        return f"did you mean {' or '.join(close)}?"
    if not known:
        return "none is known"
    shown = sorted(known)[:SUGGESTED]
    more = len(known) - len(shown)
    rest = f" and {more:,} more{f'; {listing} lists them' if listing else ''}" if more else ""
    return f"known: {', '.join(shown)}{rest}"


class Opened(Struct, frozen=True):
    """A source with its formats and their states, most specific first."""

    source: Source
    layers: tuple[tuple[Format, State], ...]

    def serving(self, what: str) -> tuple[Format, State] | None:
        """The most specific layer that has `what` (a function of the contract)."""
        return next(((f, s) for f, s in self.layers if getattr(f, what) is not None), None)

    def understood(self, what: str) -> frozenset[str]:
        """All that the layers name in `filters` or `wishes`."""
        return frozenset(name for f, _ in self.layers for name in getattr(f, what))

    @property
    def name(self) -> str:
        return self.layers[0][0].name

    def ending(self, code: Exit = Exit.CLEAN) -> int:
        """The exit code of a command that printed a part of the store; 0 would hide what could not be read."""
        if code is Exit.CLEAN and (lost := self.source.unreadable):
            count = sum(span.length for span in lost)
            what = f"{self.source.label}: {count:,} bytes from {lost[0].start:,} on could not be read"
            raise ChangedError(what, "what was printed is a lower bound: inspector scan tells what is unreadable")
        return int(code)


def opened(source: Source, formats: Formats, wishes: Wishes, forced: str | None) -> Opened:
    """Detect and open the formats of a source without walking it."""
    from inspector.inspect import detect

    chain, _ = detect(source, formats, forced)
    bottom = chain[-1]
    layers = [(bottom, bottom.open(source, None, wishes))]
    for upper in reversed(chain[:-1]) if forced else _upper(source, formats, *layers[0]):
        layers.insert(0, (upper, upper.open(source, layers[0][1], wishes)))
    return Opened(source, tuple(layers))


@contextmanager
def opened_path(path: str, formats: Formats, wishes: Wishes, forced: str | None) -> Iterator[Opened]:
    """The store at `path`, its formats open, every wish understood; closed at the end."""
    from inspector.cli.options import refuse_unknown, wished

    named_format(formats, forced)
    with open_path(path) as source:
        store = opened(source, formats, wishes, forced)
        refuse_unknown(wished(wishes), store.understood("wishes"), formats, store.name, "wishes")
        yield store
        unmoved(source, store.layers[-1][0])


def unmoved(source: Source, bottom: Format) -> None:
    """Raise ChangedError where the source is no longer what was read; what a store that only grows had, it has."""
    source.still_same()
    grown = {"grew", "written"} if bottom.appends else set()
    if source.shrunk or source.drift - grown:
        raise ChangedError(source.changed, "what was printed is a lower bound: run it again when nothing writes to it")


def _upper(source: Source, formats: Formats, bottom: Format, state: State) -> Iterator[Format]:
    for upper in standing_on(formats, bottom.name):
        if upper.claim(source, state).strength > 0:
            yield upper
            return


def _chain(formats: Formats, name: str) -> set[str]:
    by_name = {f.name: f for f in formats}
    chain: set[str] = set()
    at: str | None = name
    while at is not None and at not in chain:
        chain.add(at)
        at = by_name[at].on if at in by_name else None
    return chain


def _known(member: Member, formats: list[Format]) -> bool:
    base = PurePosixPath(member.name).name
    return any(fnmatchcase(base, pattern) for f in formats for pattern in f.names)
