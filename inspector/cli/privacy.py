"""`--redact` on every command: its options, the one redactor of a run, and the gate that all output passes.

What is printed is held back until the command is done, because what is private may become known after it was
printed. Then originals are replaced once more, the result is searched for all that may have been forgotten, and
only then is it let out.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator
from pathlib import Path, PurePath
from typing import IO, TYPE_CHECKING, Annotated, Any

from inspector.cli import declare
from inspector.errors import RefusedError, UsageError

if TYPE_CHECKING:
    from inspector.catalogue import Formats
    from inspector.redact import Redactor

Redact = Annotated[
    bool, declare.Option("--redact", help="Print pseudonyms for what is private, lengths for bytes that may be.")
]
RedactOrNot = Annotated[
    bool, declare.Option("--redact/--no-redact", help="Write pseudonyms for what is private, lengths for unsure bytes.")
]
RedactMap = Annotated[
    str | None,
    declare.Option(
        "--redact-map", metavar="FILE", help="Keep the pseudonyms in FILE, and take them for what they name."
    ),
]
ShowBytes = Annotated[
    bool, declare.Option("--show-bytes", help="With --redact: show damaged and unclaimed bytes all the same.")
]
BLOCK = 4 << 20  # bytes of output that are searched at once, cut at the end of a line
# commands whose whole output is content: there is nothing left of it when what is private is taken out
CONTENT = frozenset({"extract"})
# commands that redact what they write unless told not to
BY_DEFAULT = frozenset({"capture", "excerpt", "report"})

WRITTEN = frozenset({"output", "patch", "target", "undo", "map_file", "against", "truth"})  # parameters that are files

_active: Redactor | None = None
_book: Redactor | None = None  # of --redact-map, also where nothing is redacted
_map: str | None = None  # the file that keeps it
_unasked = False


def active() -> Redactor | None:
    """The redactor of this run, or None where nothing is to be hidden."""
    return _active


def by_default() -> bool:
    """Whether it is the command that redacts, and nobody asked for it."""
    return _unasked


def keep() -> None:
    """Write the pseudonyms to the file of --redact-map, once the output is out and no more are given."""
    if _book is not None and _map is not None:
        _book.save(_map)


def resolve(text: str) -> str:
    """A pseudonym on the command line as what it stands for."""
    return _book.resolve(text) if _book else text


def seen(formats: Formats) -> Formats:
    """The formats as this run may show them."""
    if _active is None:
        return formats
    from inspector.veil import veiled

    return veiled(formats, _active)


def start(redactor: Redactor) -> None:
    """Redact from now on; what names this host and its user is known beforehand."""
    global _active, _book  # noqa: PLW0603  one command line is one run; everything it prints passes here
    from inspector.redact import speaks_for_itself

    _active = _book = redactor
    home = Path.home()
    for noun, word in (("path", str(home)), ("user", home.name), ("host", os.uname().nodename)):
        if len(word) > 2 and not speaks_for_itself(word):
            redactor.know(noun, word)


def place_of(path: str) -> str:
    """A path of the command line as it may be shown: files that a program always calls so keep their name."""
    if _active is None or path == "-":
        return path
    from fnmatch import fnmatchcase

    from inspector.formats import FILES
    from inspector.redact import speaks_for_itself

    base = PurePath(path).name
    known = any(fnmatchcase(base, pattern) for pattern in FILES)
    for whole in {str(PurePath(path).parent if known else path), str(Path(path).absolute().parent)}:
        if whole not in (".", "/") and not speaks_for_itself(whole):
            _active.know("path", whole)
    if not known:
        return _active.name("path", path)
    parent = str(PurePath(path).parent)
    return base if parent in (".", "/") else f"{_active.name('path', parent)}/{base}"


def file_of(name: str) -> str:
    """A file of a store as it may be shown: one that no program calls so has a pseudonym, in each part of its path."""
    if _active is None or not name:
        return name
    from fnmatch import fnmatchcase

    from inspector.formats import FILES

    redactor = _active
    return "/".join(
        part if any(fnmatchcase(part, pattern) for pattern in FILES) else redactor.name("file", part)
        for part in name.split("/")
    )


def options_of_privacy(name: str) -> dict[str, Any]:
    """The three options of redaction that a command of this name has besides its own, and their annotations."""
    return {
        "redact": RedactOrNot if name in BY_DEFAULT else Redact,
        "redact_map": RedactMap,
        "show_bytes": ShowBytes,
    }


def guarded(name: str, command: Callable[..., int]) -> Callable[..., int]:
    """The command with the three options of redaction, which it need not know of."""

    @functools.wraps(command)
    def run(
        *args: Any,
        redact: bool = name in BY_DEFAULT,
        redact_map: str | None = None,
        show_bytes: bool = False,
        **kw: Any,
    ) -> int:
        global _active, _book, _map, _unasked  # noqa: PLW0603  see start
        _active = _book = _map = None
        _unasked = redact and name in BY_DEFAULT
        if show_bytes and not redact:
            raise UsageError("--show-bytes goes with --redact", "without --redact everything is shown")
        if redact and name in CONTENT:
            raise RefusedError(
                f"{name} writes content, of which nothing is left when what is private is taken out",
                "inspector items PATH --redact lists it; extract takes such a name with --redact-map FILE",
            )
        if redact or redact_map:
            from inspector.redact import Redactor

            book = Redactor(show_bytes)
            if redact_map:
                book.load(redact_map)
            if redact:
                start(book)
                for option, value in kw.items():
                    _know_paths(value, option in WRITTEN)
            _book = book
            _map = redact_map if redact else None
        return command(*args, **kw)

    del run.__wrapped__  # typer would look through it, past the options that it has more
    return run


def with_privacy(name: str, command: Callable[..., int]) -> Callable[..., int]:
    """The same with a signature that typer reads."""
    import inspect
    from typing import get_type_hints

    run = guarded(name, command)
    hints = get_type_hints(command, include_extras=True)
    found = inspect.signature(command)
    parameters = [p.replace(annotation=declare.for_typer(hints[p.name])) for p in found.parameters.values()]
    for option, kind in options_of_privacy(name).items():
        default = name in BY_DEFAULT if option == "redact" else None if option == "redact_map" else False
        parameters.append(
            inspect.Parameter(
                option, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=declare.for_typer(kind)
            )
        )
    run.__signature__ = found.replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in parameters} | {"return": int}
    return run


def finished(data: bytes) -> bytes:
    """What is about to be written to a file, as it may be shown; raises RefusedError where that cannot be done."""
    return b"".join(checked(_active, iter([data]))) if _active else data


def _know_paths(value: Any, written: bool) -> None:
    """Paths of the command line; a bare name is one where the option is known to take a file."""
    if isinstance(value, list):
        for one in value:
            _know_paths(one, written)
    elif isinstance(value, str) and _active:
        parent = str(PurePath(value).parent)
        for path in (value, parent):
            if (written or "/" in path.rstrip("/")) and path not in (".", "/"):
                _active.know("path", path)


class Gate:
    """Output held back in a temporary file until it was searched."""

    def __init__(self, redactor: Redactor) -> None:
        import tempfile  # only here: a command without --redact starts faster without it

        self._redactor = redactor
        self._held: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  closed by `released`, or with the process

    def write(self, data: bytes) -> None:
        self._held.write(data)

    def released(self) -> Iterator[bytes]:
        """All that was held, in pieces; raises RefusedError, and gives nothing, where something private is left."""
        import tempfile

        with tempfile.TemporaryFile() as done:
            self._held.seek(0)
            for piece in checked(self._redactor, _pieces(self._held)):
                done.write(piece)
            self._held.close()
            done.seek(0)
            while piece := done.read(1 << 20):
                yield piece


def checked(redactor: Redactor, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Finished output with what became known late replaced; raises RefusedError where an original is left in it."""
    for piece in pieces:
        if redactor.holds_none(piece):
            yield piece
            continue
        late, names = redactor.search(plain=True)
        leaks, originals = redactor.search()
        out, at = [], 0
        for hit in late.hits(piece):
            if hit.start >= at:
                noun, _, text = names[hit.number].partition("\0")
                out += [piece[at : hit.start], redactor.name(noun, text).encode()]
                at = hit.end
        whole = b"".join([*out, piece[at:]])
        for hit in leaks.hits(whole):
            noun = originals[hit.number].partition("\0")[0]
            raise RefusedError(
                f"the redacted output still holds a private {noun} ({hit.end - hit.start} bytes); nothing is printed",
                "a mistake of inspector: please report the command; without --redact everything is shown",
            )
        yield whole


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    while piece := file.read(BLOCK):
        yield piece + (file.readline() if not piece.endswith(b"\n") else b"")
