"""`inspector capture`: what diagnosis needs of a store, small enough to be attached."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from inspector.cli import declare as typer
from inspector.cli.options import ClusterSize, FormatName, Json, PathArgument, Release, refuse_unknown, wished
from inspector.errors import Exit

if TYPE_CHECKING:
    from inspector.capture import Captured
    from inspector.inspect import Report

EXAMPLES = """Examples:

inspector capture /dev/sdx -o sdx.capsule

inspector scan sdx.capsule

inspector repair sdx.capsule --patch sdx.patch"""

Out = Annotated[str, typer.Option("--output", "-o", metavar="FILE", help="The new capsule (made with mode 0600).")]
Force = Annotated[bool, typer.Option("--force", help="Replace FILE if it is a file that exists.")]
NoEnvironment = Annotated[bool, typer.Option("--no-environment", help="Leave out kernel and machine of this host.")]


def capture(
    path: PathArgument,
    output: Out,
    force: Force = False,
    no_environment: NoEnvironment = False,
    json: Json = False,
    release: Release = None,
    cluster_size: ClusterSize = None,
    format: FormatName = None,  # noqa: A002  typer shows the parameter's name nowhere; the option is --format
) -> int:
    """Copy what inspections read (metadata, damage, indexes; no content) to a zip that reads like the store itself.

    Every command that looks works on the capsule and finds the same, and a patch made from it repairs the original.
    """
    from inspector.capture import capture as run
    from inspector.cli.inputs import known_formats, named_format, open_path, opened
    from inspector.cli.privacy import active, place_of
    from inspector.cli.progress import Progress
    from inspector.cli.stdout import Output
    from inspector.format import Wishes

    redactor = active()
    wishes = Wishes(release=release, cluster_size=cluster_size)
    formats = known_formats()
    named_format(formats, format)
    with open_path(path) as source, Progress(path) as progress:
        if asked := wished(wishes):
            store = opened(source, formats, wishes, format)
            refuse_unknown(asked, store.understood("wishes"), formats, store.name, "wishes")
        done = run(
            source,
            formats,
            output,
            wishes,
            forced=format,
            force=force,
            rename=redactor.name if redactor else None,
            environment=not no_environment,
            document=_found,
            progress=progress,
        )
    out = Output()
    if json:
        from inspector.render.encoding import encode
        from inspector.render.ledger_documents import captured

        out.data(encode(captured(done, place_of(path))) + b"\n")
    else:
        out.blocks(_blocks(done))
    out.flush()
    return int(Exit.PARTIAL if done.partial else Exit.CLEAN)


def _found(report: Report) -> Any:
    """All that a scan says, except what the file is called and what its medium says when it is read again."""
    from inspector.render import documents
    from inspector.render.encoding import encode, jsonable

    told = documents.scan(report, 0)
    if told["diagnosis"]:
        told["diagnosis"] = {**told["diagnosis"], "reread": None}
    return encode(jsonable({k: v for k, v in told.items() if k not in ("source", "next", "next_why")}))


def _blocks(done: Captured) -> Any:
    from inspector.counted import plural
    from inspector.render.text import para, size_words

    part = f"{size_words(done.read)} of {size_words(done.source_size)}"
    yield para((done.output, "strong"), f": {size_words(done.size)}", hang=2)
    yield para(f"{part} captured in {plural(done.ranges, 'range')}; {size_words(done.stored)} are not zero", indent=2)
    if done.vouched:
        told = f"{size_words(done.vouched)} verified and stay out, but for what inspection takes from them"
        yield para(told, indent=2, hang=2)
    yield para(("read again: ", ""), ("the same findings", "good"), f" ({done.findings:,})", indent=2)
    if done.patch:
        yield para(f"no patch can be made from it: {done.patch}", indent=2, hang=2)
    else:
        yield para("inspector repair CAPSULE --patch FILE makes a patch for the original", indent=2)
    for note in done.notes:
        yield para(note, indent=2)
    if 10 * done.read > 9 * done.source_size:
        held = "all of the store, content included, because inspecting it reads all; inspector excerpt makes less"
    else:
        held = "the store's metadata as they are, names and damaged bytes among them"
    yield para(
        f"It holds {held}. No option takes private things out of bytes whose checksums must hold: look before you "
        "send it (inspector items CAPSULE).",
        indent=2,
        hang=2,
    )
