"""`inspector schema`: what the JSON documents contain."""

from __future__ import annotations

from typing import Annotated

from inspector.cli import declare as typer
from inspector.errors import UsageError

EXAMPLES = """Examples:

inspector schema

inspector schema scan > scan.schema.json"""

Name = Annotated[
    str | None,
    typer.Argument(metavar="NAME", help="Which document; without it the names are listed.", values="documents"),
]


def schema(name: Name = None) -> int:
    """Print the JSON Schema (draft 2020-12) of a document that inspector prints."""
    from inspector.cli.inputs import known_formats, nearest
    from inspector.cli.stdout import Output
    from inspector.render.encoding import encode
    from inspector.render.schemas import SCHEMAS
    from inspector.render.schemas import schema as make

    if name is not None and name not in SCHEMAS:
        raise UsageError(f"no document is named {name}", nearest(name, list(SCHEMAS)))
    out = Output()
    if name is None:
        for known in SCHEMAS:
            out.line(known)
    else:
        out.data(encode(make(name, known_formats())) + b"\n")
    out.flush()
    return 0
