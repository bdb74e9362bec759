"""`inspector report`: a bug report that tells a maintainer what happened, without the store itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from inspector.cli import declare as typer
from inspector.cli.options import (
    Against,
    At,
    ClusterSize,
    FormatName,
    Logs,
    PathArgument,
    Release,
    moment,
    refuse_unknown,
    wished,
)
from inspector.errors import ChangedError, Exit, UsageError

if TYPE_CHECKING:
    from inspector.catalogue import Formats
    from inspector.format import Wishes
    from inspector.source import Source

EXAMPLES = """Examples:

inspector report gossip_store.corrupt -o report.md

inspector report gossip_store.corrupt --log lightningd.log -o report.html

inspector report disk.img -o report.zip --no-environment"""

Out = Annotated[
    str,
    typer.Option(
        "--output", "-o", metavar="FILE", help="By suffix: .md .html .json .sarif .zip (all); - prints Markdown."
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Replace FILE if it exists.")]
NoEnvironment = Annotated[
    bool, typer.Option("--no-environment", help="Leave out the host: kernel, file system, sizes and ages of files.")
]


def report(
    path: PathArgument,
    output: Out,
    log: Logs = None,
    force: Force = False,
    no_environment: NoEnvironment = False,
    release: Release = None,
    at: At = None,
    against: Against = None,
    cluster_size: ClusterSize = None,
    format: FormatName = None,  # noqa: A002  typer shows the parameter's name nowhere; the option is --format
) -> int:
    """Write a bug report: cause, first damage, bytes around it, timeline, known issues, what a repair keeps."""
    from inspector.cli import privacy
    from inspector.cli.given import documents_of
    from inspector.cli.inputs import known_formats, named_format, open_path
    from inspector.cli.progress import Progress
    from inspector.format import Wishes
    from inspector.inspect import inspect
    from inspector.render.report_forms import form_of
    from inspector.reporting.chart import Chart
    from inspector.reporting.document import Asked, report_document
    from inspector.reporting.hide import hiding
    from inspector.reporting.logs import hear, readable

    render = form_of(output)
    formats = known_formats()
    named_format(formats, format)
    readable(log or ())
    wishes = Wishes(release=release, at=moment(at), cluster_size=cluster_size, against=documents_of(against))
    with open_path(path) as source:
        _one_store(path, source, formats, format, wishes)
        chart = Chart(source)
        with Progress(path) as progress:
            found = inspect(source, formats, wishes, format, progress=progress, tap=chart.tap).whole()
        if source.shrunk:  # zeroes stand in it for what went away
            raise ChangedError(source.changed, "no report was written: make it when nothing writes to the store")
        logs = [(privacy.place_of(one), one) for one in log or ()]
        heard = hear(logs, found) if logs or source.kind == "folder" else None
        hide = hiding(privacy.active(), found.layers)
        document = report_document(found, chart, Asked(wishes, not no_environment), hide, heard)
        _write(output, render(document, _gate), source, force)
        code = found.exit_code()
        if code is Exit.CLEAN and (source.unreadable or not source.still_same()):  # after the inspection
            code = Exit.PARTIAL
    return int(code)


def _gate(data: bytes) -> bytes:
    """A finished form as it may leave; raises RefusedError where something private is left in it."""
    from inspector.cli import privacy

    redactor = privacy.active()
    return data if redactor is None else b"".join(privacy.checked(redactor, iter([data])))


def _one_store(path: str, source: Source, formats: Formats, forced: str | None, wishes: Wishes) -> None:
    """Refuse a folder of several stores, and wishes that the format does not know."""
    from inspector.cli.inputs import targets
    from inspector.inspect import detect

    inside = targets(path, source, formats, forced)
    if inside[0].member is not None:
        names = ", ".join(t.path for t in inside[:5])
        raise UsageError(f"{path} holds {len(inside)} stores: a report is about one of them", names)
    asked = wished(wishes)
    if asked:
        chain, _ = detect(source, formats, forced)
        layers = [*chain, *(f for f in formats if f.on == chain[-1].name)]
        refuse_unknown(asked, frozenset(w for f in layers for w in f.wishes), formats, chain[0].name, "wishes")


def _write(output: str, data: bytes, source: Source, force: bool) -> None:
    from inspector.cli.stdout import Output

    if output == "-":
        out = Output()
        out.data(data)
        out.flush()
        return
    import os

    from inspector.output import place_file

    with place_file(output, source, len(data), force, mode=0o600) as place:
        view = memoryview(data)
        while view:
            view = view[os.write(place.fd, view) :]
