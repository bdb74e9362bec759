"""`inspector extract`: one item's content as a sparse file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from inspector.cli import declare as typer
from inspector.cli.options import Accept, ClusterSize, FormatName, Json, Lost, PathArgument
from inspector.cli.privacy import resolve
from inspector.errors import UsageError
from inspector.sanitize import for_shell

if TYPE_CHECKING:
    from inspector.cli.inputs import Opened
    from inspector.format import Item

EXAMPLES = """Examples:

inspector items disk.img

inspector extract disk.img lvs/volume-1-head -o volume.raw"""

MAX_SUGGESTED = 10_000  # ids that are compared with a wrong one

ItemId = Annotated[str, typer.Argument(metavar="ITEM", help="The item's id, as inspector items prints it.")]
Out = Annotated[str, typer.Option("--output", "-o", metavar="OUT", help="The new file (made with mode 0600).")]
Force = Annotated[bool, typer.Option("--force", help="Replace OUT if it is a file that exists.")]


def extract(
    path: PathArgument,
    item: ItemId,
    output: Out,
    lost: Lost = False,
    accept: Accept = None,
    cluster_size: ClusterSize = None,
    json: Json = False,
    force: Force = False,
    format: FormatName = None,  # noqa: A002  typer shows the parameter's name nowhere; the option is --format
) -> int:
    """Write one item's content to a sparse file; what no proof stands behind is listed and mapped, never made up."""
    from inspector.cli.inputs import known_formats, opened_path, serving
    from inspector.cli.progress import Progress
    from inspector.cli.stdout import Output
    from inspector.extract import extract as run
    from inspector.format import Wishes

    item = resolve(item)
    formats = known_formats()
    wishes = Wishes(lost=lost, accept=frozenset(accept or ()), cluster_size=cluster_size)
    with opened_path(path, formats, wishes, format) as store:
        served = store.serving("extents")
        if served is None or served[0].extents is None:
            raise UsageError(
                f"{store.name} has no content to extract", f"formats that have: {serving(formats, 'extents')}"
            )
        listing = served[0].items if not served[0].addresses else None
        found = _find(listing(served[1]), item, store, path) if listing is not None else None
        with Progress(path) as progress:
            name = found.id if found else item
            extents = served[0].extents(served[1], name)
            result = run(store.source, extents, name, output, force=force, progress=progress)
        if found and served[0].after:
            result.after = served[0].after(served[1], found, for_shell(output))
        out = Output()
        if json:
            from inspector.render.encoding import encode
            from inspector.render.ledger_documents import extract as document

            out.data(encode(document(store.source, store.name, result)) + b"\n")
        else:
            from inspector.render.repair_words import extract_blocks

            out.blocks(extract_blocks(result))
        out.flush()
    return int(result.code)


def _find(items: Iterator[Item], wanted: str, store: Opened, path: str) -> Item:
    """The item of that id; else the first that has it as its name, uuid or blob, with or without `STORE/` before."""
    from inspector.cli.inputs import nearest
    from inspector.render.text import quoted

    known: list[str] = []
    other: Item | None = None
    names = {wanted, wanted.rpartition("/")[2]}
    for found in items:
        if found.id == wanted:
            return found
        if other is None and names & {found.id, *(str(found.fields.get(key)) for key in ("name", "uuid", "blob"))}:
            other = found
        if len(known) < MAX_SUGGESTED:
            known.append(found.id)
    if other is None:
        store.ending()  # what could not be read may hold it: then that is the answer
        listing = f"inspector items {quoted(path)}"
        raise UsageError(f"{store.name} has no item {wanted}", nearest(wanted, known, listing))
    return other
