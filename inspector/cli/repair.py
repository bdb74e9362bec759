"""`inspector repair`: what can be proved, written to a new file that the original program loads."""

from __future__ import annotations

from typing import Annotated

from inspector.cli import declare as typer
from inspector.cli.options import (
    Accept,
    At,
    ClusterSize,
    FormatName,
    Json,
    MapFile,
    MaxUnit,
    NoCorrect,
    PathArgument,
    Release,
    VerifySignatures,
    max_unit,
    moment,
    refuse_unknown,
    wished,
)
from inspector.errors import UsageError

EXAMPLES = """Examples:

inspector repair gossip_store.corrupt -o gossip_store.repaired

inspector repair gossip_store.corrupt --dry-run

inspector repair disk.img -o disk.repaired.img --hash --json

inspector repair /dev/sdx --patch sdx.patch"""

Out = Annotated[str | None, typer.Option("--output", "-o", metavar="OUT", help="The new file or folder.")]
PatchOut = Annotated[
    str | None, typer.Option("--patch", metavar="FILE", help="Only what changes, for inspector apply.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print what would be written; write nothing.")]
Force = Annotated[bool, typer.Option("--force", help="Replace OUT if it is a file that exists.")]
Compact = Annotated[bool, typer.Option("--compact", help="Leave out what is dead.")]
ToVersion = Annotated[int | None, typer.Option("--to-version", min=0, metavar="N", help="Write this store version.")]
Touch = Annotated[bool, typer.Option("--touch", help="Make times new, so that the program takes this store first.")]
Archive = Annotated[bool, typer.Option("--archive", help="Write a consistent prefix for reading, not for running.")]
Copy = Annotated[bool, typer.Option("--copy", help="Copy healthy files of a folder instead of linking them.")]
Hash = Annotated[bool, typer.Option("--hash", help="Also print the SHA-256 of the source.")]


def repair(
    path: PathArgument,
    output: Out = None,
    patch: PatchOut = None,
    dry_run: DryRun = False,
    json: Json = False,
    force: Force = False,
    compact: Compact = False,
    to_version: ToVersion = None,
    release: Release = None,
    at: At = None,
    accept: Accept = None,
    touch: Touch = False,
    archive: Archive = False,
    cluster_size: ClusterSize = None,
    no_correct: NoCorrect = False,
    verify_signatures: VerifySignatures = False,
    mapfile: MapFile = None,
    copy: Copy = False,
    unit: MaxUnit = None,
    hash: Hash = False,  # noqa: A002  typer shows the parameter's name nowhere; the option is --hash
    format: FormatName = None,  # noqa: A002  as above
) -> int:
    """Write what can be proved to a new file that the original program loads; the source is never changed."""
    from inspector.cli.inputs import known_formats, named_format, open_path, opened
    from inspector.cli.progress import Progress
    from inspector.cli.stdout import Output
    from inspector.format import Wishes
    from inspector.repair import repair as run

    if "" in (output, patch):
        raise UsageError("the name of the output is empty", "a variable that is not set?")
    if output is not None and patch is not None:
        raise UsageError("-o and --patch exclude each other")
    if output is None and patch is None and not dry_run:
        raise UsageError("where to? -o OUT names the new file", "--dry-run prints what would be written")
    wishes = Wishes(
        release=release,
        at=moment(at),
        accept=frozenset(accept or ()),
        compact=compact,
        to_version=to_version,
        touch=touch,
        archive=archive,
        cluster_size=cluster_size,
        max_unit=max_unit(unit),
        no_correct=no_correct,
        verify_signatures=verify_signatures,
    )
    formats = known_formats()
    named_format(formats, format)
    with open_path(path) as source:
        if mapfile is not None:
            from inspector.mapfile import rescued

            source = rescued(source, mapfile)
        asked = wished(wishes)
        if asked:
            store = opened(source, formats, wishes, format)
            refuse_unknown(asked, store.understood("wishes"), formats, store.name, "wishes")
        with Progress(path) as progress:
            result = run(
                source,
                formats,
                output or patch,
                wishes,
                forced=format,
                force=force,
                dry_run=dry_run,
                copy=copy,
                patch=patch is not None,
                hash_source=hash,
                progress=progress,
            )
        out = Output()
        if json:
            from inspector.render.encoding import encode
            from inspector.render.ledger_documents import repair as document

            out.data(encode(document(result)) + b"\n")
        else:
            from inspector.render.repair_words import repair_blocks

            out.blocks(repair_blocks(result))
        out.flush()
    return int(result.code)
