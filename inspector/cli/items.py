"""`inspector items`: what the owner calls it: channels, volumes, blocks, bootstraps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from inspector.cli import declare as typer
from inspector.cli.options import Accept, Checksums, ClusterSize, FormatName, Json, Lost, PathArgument, Release
from inspector.errors import UsageError

if TYPE_CHECKING:
    from inspector.catalogue import Formats
    from inspector.cli.inputs import Opened
    from inspector.format import Item

EXAMPLES = """Examples:

inspector items disk.img

inspector items LEDGER --jsonl | jq -r .id"""

JsonLines = Annotated[bool, typer.Option("--jsonl", help="Print one JSON object per line, as they are read.")]


def items(
    path: PathArgument,
    json: Json = False,
    jsonl: JsonLines = False,
    checksums: Checksums = False,
    lost: Lost = False,
    accept: Accept = None,
    cluster_size: ClusterSize = None,
    format: FormatName = None,  # noqa: A002  typer shows the parameter's name nowhere; the option is --format
    release: Release = None,
) -> int:
    """List what the owner calls it (channels, volumes, blocks), as a tree where items have parents."""
    from inspector.cli.inputs import known_formats, opened_path
    from inspector.cli.stdout import Output
    from inspector.format import Wishes

    if json and jsonl:
        raise UsageError("--json and --jsonl exclude each other")
    formats = known_formats()
    wishes = Wishes(
        release=release,
        checksums=checksums,
        lost=lost,
        accept=frozenset(accept or ()),
        cluster_size=cluster_size,
    )
    with opened_path(path, formats, wishes, format) as store:
        found = items_of(store, formats)
        out = Output()
        if json:
            from inspector.render import documents
            from inspector.render.encoding import encode

            out.data(encode(documents.items(store.source, store.name, found)) + b"\n")
        elif jsonl:
            from inspector.render import documents
            from inspector.render.encoding import encode

            for item in found:
                out.data_line(encode(documents.item(item), pretty=False))
                if out.closed:
                    break
        else:
            from inspector.render.item_words import item_lines

            out.blocks(item_lines(found, out.utf8, out.width if out.tty else None))
        out.flush()
        return store.ending()


def items_of(store: Opened, formats: Formats) -> Iterator[Item]:
    """The items of the most specific layer that has any."""
    from inspector.cli.inputs import serving

    served = store.serving("items")
    if served is None or served[0].items is None:
        raise UsageError(f"{store.name} has no items", f"formats that have: {serving(formats, 'items')}")
    return served[0].items(served[1])
