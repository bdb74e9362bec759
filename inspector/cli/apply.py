"""`inspector apply`: the one command that writes into something that exists."""

from __future__ import annotations

from typing import Annotated

from inspector.cli import declare as typer
from inspector.cli.options import Json

EXAMPLES = """Examples:

inspector repair disk.img --patch disk.patch

inspector apply disk.patch disk.img --undo disk.undo

inspector apply disk.undo disk.img --undo disk.redo"""

PatchFile = Annotated[str, typer.Argument(metavar="PATCH", help="A file that inspector repair --patch wrote.")]
Target = Annotated[str, typer.Argument(metavar="TARGET", help="The file or block device to change.")]
Undo = Annotated[str, typer.Option("--undo", metavar="FILE", help="Written first: a patch that takes it back.")]


def apply(patch: PatchFile, target: Target, undo: Undo, json: Json = False) -> int:
    """Change TARGET in place, after every byte to be replaced was compared and the way back was written."""
    from inspector import patch as patches
    from inspector.cli.stdout import Output

    done = patches.apply(patches.read(patch), target, undo)
    out = Output()
    if json:
        from inspector.render.encoding import encode
        from inspector.render.ledger_documents import applied

        out.data(encode(applied(done)) + b"\n")
    else:
        from inspector.render.repair_words import applied_blocks

        out.blocks(applied_blocks(done))
    out.flush()
    return 0
