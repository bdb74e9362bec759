"""`inspector extract`: one item's content as a sparse file."""

from __future__ import annotations

from typing import Annotated

import typer

from inspector.cli.options import FormatName, Json, PathArgument
from inspector.errors import UsageError

EXAMPLES = """Examples:

inspector items disk.img

inspector extract disk.img lvs/volume-1-head -o volume.raw"""

MAX_SUGGESTED = 10_000  # ids that are compared with a wrong one

ItemId = Annotated[str, typer.Argument(metavar="ITEM", help="The item's id, as inspector items prints it.")]
Out = Annotated[str, typer.Option("--output", "-o", metavar="OUT", help="The new file (made with mode 0600).")]
Lost = Annotated[bool, typer.Option("--lost", help="Also items that are deleted or lost but still recoverable.")]
Force = Annotated[bool, typer.Option("--force", help="Replace OUT if it is a file that exists.")]


def extract(
    path: PathArgument,
    item: ItemId,
    output: Out,
    lost: Lost = False,
    json: Json = False,
    force: Force = False,
    format: FormatName = None,  # noqa: A002  typer shows the parameter's name nowhere; the option is --format
) -> int:
    """Write one item's content to a sparse file; what no proof stands behind is listed and mapped, never made up."""
    from inspector.cli.inputs import known_formats, nearest, opened_path, serving
    from inspector.cli.progress import Progress
    from inspector.cli.stdout import Output
    from inspector.extract import extract as run
    from inspector.format import Wishes

    formats, wishes = known_formats(), Wishes(lost=lost)
    with opened_path(path, formats, wishes, format) as store:
        served = store.serving("extents")
        if served is None or served[0].extents is None:
            raise UsageError(
                f"{store.name} has no content to extract", f"formats that have: {serving(formats, 'extents')}"
            )
        if served[0].items is not None:
            known: list[str] = []
            for found in served[0].items(served[1]):
                if found.id == item:
                    break
                if len(known) < MAX_SUGGESTED:
                    known.append(found.id)
            else:
                raise UsageError(f"{store.name} has no item {item}", nearest(item, known))
        with Progress(path) as progress:
            extents = served[0].extents(served[1], item)
            result = run(store.source, extents, item, output, force=force, progress=progress)
        out = Output()
        if json:
            from inspector.render import documents
            from inspector.render.encoding import encode

            out.data(encode(documents.extract(store.source, store.name, result)) + b"\n")
        else:
            from inspector.render.repair_words import extract_blocks

            out.blocks(extract_blocks(result))
        out.flush()
    return int(result.code)
