"""`inspector formats`: what is known, and where each byte of it lies."""

from __future__ import annotations

from typing import Annotated

from inspector.cli import declare as typer
from inspector.cli.options import Json

EXAMPLES = """Examples:

inspector formats

inspector formats gossip-store"""

Name = Annotated[str | None, typer.Argument(metavar="NAME", help="Print this format in full.", values="formats")]


def formats(name: Name = None, json: Json = False) -> int:
    """List the formats; with NAME print its kinds of records, its field tables and its rules."""
    from inspector.cli.inputs import known_formats, named_format
    from inspector.cli.stdout import Output

    known = known_formats()
    named_format(known, name)
    chosen = [f for f in known if name in (None, f.name)]
    out = Output()
    if json:
        from inspector.render.encoding import encode
        from inspector.render.format_documents import formats as document

        out.data(encode(document(chosen, full=name is not None)) + b"\n")
    else:
        from inspector.render import format_words

        out.blocks(format_words.table(chosen) if name is None else format_words.whole(chosen[0]))
    out.flush()
    return 0
