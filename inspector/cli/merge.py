"""`inspector merge`: one store from several damaged copies."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Annotated

from inspector.cli import declare as typer
from inspector.cli.options import (
    Accept,
    FormatName,
    Json,
    NoCorrect,
    Release,
    refuse_unknown,
    wished,
)
from inspector.errors import UsageError

EXAMPLES = """Examples:

inspector merge gossip_store.corrupt backup/gossip_store -o merged

inspector merge gossip_store.corrupt gossip_store.tmp --dry-run

inspector merge replica1.img replica2.img --item NAME -o volume.raw"""

Copies = Annotated[list[str], typer.Argument(metavar="COPY...", help="Two or more copies of one store; order is free.")]
Out = Annotated[str | None, typer.Option("--output", "-o", metavar="OUT", help="The new file.")]
ItemId = Annotated[
    str | None, typer.Option("--item", metavar="ITEM", help="Merge this item's content only (a volume).")
]
MapOut = Annotated[
    str | None, typer.Option("--map", metavar="FILE", help="Where each record came from, one JSON object per line.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print what would be written; write nothing.")]
Force = Annotated[bool, typer.Option("--force", help="Replace OUT if it is a file that exists.")]
ToVersion = Annotated[int | None, typer.Option("--to-version", min=0, metavar="N", help="Write this store version.")]
Touch = Annotated[bool, typer.Option("--touch", help="Make times new, so that the program takes this store first.")]


def merge(
    copies: Copies,
    output: Out = None,
    item: ItemId = None,
    map_to: MapOut = None,
    dry_run: DryRun = False,
    json: Json = False,
    force: Force = False,
    to_version: ToVersion = None,
    release: Release = None,
    accept: Accept = None,
    no_correct: NoCorrect = False,
    touch: Touch = False,
    format: FormatName = None,  # noqa: A002  typer shows the parameter's name nowhere; the option is --format
) -> int:
    """One store from several damaged copies: any sound copy of a record wins; what a newer copy says is dead stays so.

    Exit code 0: everything that is alive in any copy is in the output; 4: something is readable in none of them.
    """
    from inspector.cli.inputs import known_formats, named_format, open_path, opened
    from inspector.cli.progress import Progress
    from inspector.cli.stdout import Output
    from inspector.format import Wishes
    from inspector.merge import merge as run

    if output is None and not dry_run:
        raise UsageError("where to? -o OUT names the new file", "--dry-run prints what would be written")
    wishes = Wishes(
        release=release,
        accept=frozenset(accept or ()),
        to_version=to_version,
        no_correct=no_correct,
        touch=touch,
    )
    formats = known_formats()
    named_format(formats, format)
    if copies.count("-") > 1:
        raise UsageError("standard input can be one of the copies, not two")
    with ExitStack() as stack:
        sources = [stack.enter_context(open_path(path)) for path in copies]
        asked = wished(wishes)
        if asked:
            store = opened(sources[0], formats, wishes, format)
            refuse_unknown(asked, store.understood("wishes"), formats, store.name, "wishes")
        with Progress(" ".join(copies)) as progress:
            result = run(
                sources,
                formats,
                output,
                wishes,
                item=item,
                forced=format,
                force=force,
                dry_run=dry_run,
                map_to=map_to,
                progress=progress,
            )
        out = Output()
        if json:
            from inspector.render.encoding import encode
            from inspector.render.merge_documents import merged as document

            out.data(encode(document(result)) + b"\n")
        else:
            from inspector.render.merge_words import merge_blocks

            out.blocks(merge_blocks(result))
        out.flush()
    return int(result.code)
