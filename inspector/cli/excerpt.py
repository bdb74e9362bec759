"""`inspector excerpt`: the smallest file that still shows the same findings."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

from inspector.cli import declare as typer
from inspector.cli.options import FormatName, Json, PathArgument, Release
from inspector.descriptors import pwrite_all
from inspector.errors import Exit, SourceError, UnknownFormatError, UsageError
from inspector.span import Span
from inspector.uniform import only_zeroes, past_holes

if TYPE_CHECKING:
    from inspector.catalogue import Formats
    from inspector.excerpt import Excerpt
    from inspector.render.text import Block
    from inspector.source import Source

EXAMPLES = """Examples:

inspector excerpt gossip_store.corrupt -o small.gossip_store

inspector excerpt gossip_store.corrupt --python > test_case.py"""

MAX_PRINTED = 1 << 20  # bytes of a test case
PER_LINE = 16
PIECE = 1 << 16  # bytes written at once; all zero, they stay a hole
READ = 4 << 20

Out = Annotated[str | None, typer.Option("--output", "-o", metavar="SMALL", help="The new file.")]
Map = Annotated[
    str | None, typer.Option("--map", metavar="FILE", help="New offsets to old ones (else SMALL.map.json).")
]
CArray = Annotated[bool, typer.Option("--c-array", help="Print the excerpt as an array of C.")]
Python = Annotated[bool, typer.Option("--python", help="Print the excerpt as bytes of Python.")]
Context = Annotated[int, typer.Option("--context", min=0, metavar="N", help="Healthy units to keep around damage.")]
Force = Annotated[bool, typer.Option("--force", help="Replace SMALL and its map if they are files that exist.")]


def excerpt(
    path: PathArgument,
    output: Out = None,
    map_file: Map = None,
    c_array: CArray = False,
    python: Python = False,
    context: Context = 2,
    force: Force = False,
    json: Json = False,
    release: Release = None,
    format: FormatName = None,  # noqa: A002  typer shows the parameter's name nowhere; the option is --format
) -> int:
    """Leave healthy records out while what is found stays the same; damage is kept byte for byte, in a map its place.

    With redaction (the default) private records get other names and a checksum that fails, or holds, as before.
    """
    from inspector import formats as listed
    from inspector.cli.inputs import named_format, open_path
    from inspector.cli.privacy import active
    from inspector.cli.progress import Progress
    from inspector.cli.stdout import Output
    from inspector.excerpt import excerpt as run
    from inspector.format import Wishes
    from inspector.masked import masked
    from inspector.output import preflight

    if c_array + python + json > 1:
        raise UsageError("--c-array, --python and --json exclude each other")
    if "" in (output, map_file):
        raise UsageError("the name of the output is empty", "a variable that is not set?")
    if output is None and not (c_array or python):
        raise UsageError("where to? -o SMALL names the new file", "or --c-array, --python to print it")
    known, wishes = listed.all_formats(), Wishes(release=release)  # without a veil: what is found is not printed
    named_format(known, format)
    with open_path(path) as source:
        chart = map_file or (f"{output}.map.json" if output else None)
        folder = source.kind == "folder"
        if folder and (c_array or python):
            raise UsageError("a folder cannot be printed", "-o SMALL makes a folder")
        for target in filter(None, (output, chart)):
            preflight(
                target, source, 0, force and not (folder and target == output), folder=folder and target == output
            )
        with Progress(path) as progress:
            found = run(source, known, wishes, forced=format, context=context, progress=progress)
        data = masked(found, found.view(source), known, wishes, active(), format)
        out = Output()
        if output and source.kind == "folder":
            _write_folder(output, data, source)
        elif output:
            _write(output, data, source, force)
        changed = bool(found.report.partial) or not source.still_same()
        if changed:
            found.notes.append(f"{found.report.partial or source.changed}: it is of what was read")
        if output and format is None and not _known(output, known, [one.name for one in found.report.layers]):
            found.notes.append(
                f"what is left does not tell the format: inspect it with --format {found.report.format.name}"
            )
        if chart:
            _write_map(chart, found, source, force)
        if c_array or python:
            _print(out, data, source, c_array)
        elif json:
            from inspector.render.encoding import encode

            out.data(encode(_document(found, source, output, chart)) + b"\n")
        else:
            out.blocks(_blocks(found, source, output or ""))
        out.flush()
    return int(Exit.PARTIAL if changed else Exit.CLEAN)


def _known(output: str, known: Formats, layers: list[str]) -> bool:
    """Whether the new file is taken for what it is: its old name, or what was left out, may have told that."""
    from inspector.cli.inputs import opened
    from inspector.format import Wishes
    from inspector.inspect import detect
    from inspector.source import open_source

    with open_source(output) as made:
        try:
            if len(layers) == 1:
                return detect(made, known)[0][0].name == layers[0]
            return opened(made, known, Wishes(), None).name == layers[0]
        except UnknownFormatError:
            return False


def _write(output: str, data: Source, source: Source, force: bool) -> None:
    from inspector.output import place_file

    with place_file(output, source, 0, force, mode=0o600) as place:
        _fill(place.fd, data, "")
        _all_read(source)


def _write_folder(output: str, data: Source, source: Source) -> None:
    from inspector.cli.app import say
    from inspector.output import place_folder

    with place_folder(output, source, data.size) as place:
        for note in place.notes:  # not in the map, which is the same each time
            say(note)
        assert place.folder is not None
        for member in data.members:
            path = place.folder / member.name
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                _fill(fd, data, member.name)
                os.fsync(fd)
            finally:
                os.close(fd)
        _all_read(source)


def _fill(fd: int, data: Source, member: str) -> None:
    os.ftruncate(fd, data.length(member))
    for span in data.data_ranges(member):
        for start, read in past_holes(data, Span(span.start, span.end, member), READ):
            for low in range(0, 0 if only_zeroes(read) else len(read), PIECE):
                piece = read[low : low + PIECE]
                if not only_zeroes(piece):
                    pwrite_all(fd, piece, start + low)


def _all_read(source: Source) -> None:
    if source.shrunk or source.unreadable:  # zeroes stand for what could not be read
        why = source.changed or "a part of it cannot be read"
        raise SourceError(f"{source.label}: {why}", "nothing was written: copy it first, and make it from the copy")


def _document(found: Excerpt, source: Source, output: str | None, chart: str | None) -> dict[str, Any]:
    from inspector.cli.privacy import file_of
    from inspector.render.documents import TOOL, source_part

    runs = found.chart()
    names = {name: file_of(name) for name in dict.fromkeys(str(run["file"]) for run in runs if run["file"])}
    return {
        "schema": "inspector/excerpt/1",
        "tool": TOOL,
        "source": source_part(source),
        "format": found.report.format.name,
        "output": {"path": output, "size": found.size},
        "map": chart,
        "runs": [{**run, "file": names[str(run["file"])] if run["file"] else None} for run in runs],
        "findings": found.findings,
        "tries": found.tries,
        "whole": found.whole,
        "notes": list(found.notes),
    }


def _write_map(chart: str, found: Excerpt, source: Source, force: bool) -> None:
    from inspector.output import place_file
    from inspector.render.encoding import encode

    told = encode(_document(found, source, None, None)) + b"\n"
    with place_file(chart, source, len(told), force, mode=0o600) as place:
        view = memoryview(told)
        while view:
            view = view[os.write(place.fd, view) :]


def _print(out: Any, data: Source, source: Source, c_array: bool) -> None:
    if data.size > MAX_PRINTED:
        raise UsageError(f"the excerpt has {data.size} bytes, too many to print", "write it to a file: -o SMALL")
    raw = data.read(0, data.size)
    out.line(f"/* {source.label}, {len(raw)} bytes */" if c_array else f"# {source.label}, {len(raw)} bytes")
    out.line("static const unsigned char excerpt[] = {" if c_array else "EXCERPT = bytes.fromhex(")
    for at in range(0, len(raw), PER_LINE):
        line = raw[at : at + PER_LINE]
        out.line("\t" + " ".join(f"0x{byte:02x}," for byte in line) if c_array else f'    "{line.hex(" ")} "')
    out.line("};" if c_array else ")")


def _blocks(found: Excerpt, source: Source, output: str) -> Iterator[Block]:
    from inspector.counted import plural
    from inspector.render.text import para, size_words

    yield para((output, "strong"), f": {size_words(found.size)} of {size_words(source.size)}", hang=2)
    if found.whole:
        yield para(("nothing was left out: ", "warn"), found.whole, indent=2, hang=2)
    elif found.sparse is not None:
        yield para(
            f"sparse, {size_words(found.sparse)} long: what is left lies at its place, the rest is zero", indent=2
        )
    elif found.composition is not None:
        files = f"{plural(len(found.composition), 'file')}; " if source.kind == "folder" else ""
        yield para(f"{files}{plural(found.tries, 'candidate')} inspected", indent=2)
    else:
        runs = plural(len(found.runs), "run")
        yield para(f"{runs} of the source; {plural(found.tries, 'candidate')} inspected", indent=2)
    shown = ", ".join(f"{code} ({n:,})" if n > 1 else code for code, n in found.findings.items())
    yield para(("the same findings", "good"), f": {shown or 'none'}", indent=2, hang=2)
    for note in found.notes:
        yield para(note, indent=2, hang=2)
