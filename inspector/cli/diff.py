"""`inspector diff`: two stores record by record."""

from __future__ import annotations

from contextlib import ExitStack
from itertools import islice
from typing import TYPE_CHECKING, Annotated

from inspector.cli import declare as typer
from inspector.cli import privacy
from inspector.cli.options import FormatName, Json
from inspector.errors import Exit, RefusedError, UsageError

if TYPE_CHECKING:
    from inspector.comparing import Identities

EXAMPLES = """Examples:

inspector diff gossip_store.corrupt gossip_store

inspector diff before.img after.img --jsonl

inspector diff known_addresses.bin backup/known_addresses.bin --json"""

A = Annotated[str, typer.Argument(metavar="A", help="One store: file, folder, block device, or - for stdin.")]
B = Annotated[str, typer.Argument(metavar="B", help="The other store, of the same format.")]
JsonLines = Annotated[bool, typer.Option("--jsonl", help="Print every difference, one JSON object per line.")]
Limit = Annotated[int, typer.Option("--limit", min=0, metavar="N", help="List at most this many differences.")]


def diff(
    a: A,
    b: B,
    json: Json = False,
    jsonl: JsonLines = False,
    limit: Limit = 20,
    format: FormatName = None,  # noqa: A002  typer shows the parameter's name nowhere; the option is --format
) -> int:
    """Compare two stores record by record: only in A, only in B, and which fields changed, with offsets on both sides.

    Exit code 0: the same things with the same content; 3: they differ. Damage by itself is what inspector scan tells.
    """
    from inspector.cli.inputs import known_formats, named_format, open_path, opened, serving, unmoved
    from inspector.cli.stdout import Output
    from inspector.comparing import compare
    from inspector.format import Wishes

    if json and jsonl:
        raise UsageError("--json and --jsonl exclude each other")
    if a == b == "-":
        raise UsageError("standard input can be one of the stores, not both")
    formats, wishes = known_formats(), Wishes()
    named_format(formats, format)
    with ExitStack() as stack:
        sources = [stack.enter_context(open_path(path)) for path in (a, b)]
        stores = [opened(source, formats, wishes, format) for source in sources]
        served = [store.serving("identities") for store in stores]
        if served[0] is None or served[1] is None:
            name = next(s.name for s, found in zip(stores, served, strict=True) if found is None)
            raise UsageError(f"{name} has nothing to compare", f"formats that have: {serving(formats, 'identities')}")
        (first, state), (second, other) = served[0], served[1]
        if first.name != second.name:
            told = f"{a}: {first.name}, {b}: {second.name}"
            raise RefusedError(f"two stores of different formats ({told})", "--format NAME reads both alike")
        assert first.identities is not None
        pair: list[Identities] = [first.identities(state), first.identities(other)]
        if (redactor := privacy.active()) is not None:
            from inspector.veil import unnamed

            pair = [unnamed(one, redactor, first.private) for one in pair]
        found = compare(*pair)
        stack.callback(found.close)
        out = Output()
        if jsonl:
            from inspector.render.diff_documents import difference
            from inspector.render.encoding import encode

            for one in found.differences():
                out.data_line(encode(difference(one), pretty=False))
                if out.closed:
                    break
        elif json:
            from inspector.render.diff_documents import differences as document
            from inspector.render.encoding import encode

            listed = list(islice(found.differences(), limit))
            out.data(encode(document(sources, first.name, found, listed)) + b"\n")
        else:
            from inspector.render.diff_words import diff_blocks

            out.blocks(diff_blocks(sources, first.name, found, islice(found.differences(), limit), first.brief))
        out.flush()
        for store in stores:  # what could not be read, or went away, is no difference
            store.ending()
            unmoved(store.source, store.layers[-1][0])
    return int(Exit.DAMAGED if found.total else Exit.CLEAN)
