"""`inspector carve`: find what verifies among any bytes and make a store of it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated

from inspector.cli import declare as typer
from inspector.cli.options import Accept, Json, MapFile, VerifySignatures, changed, number
from inspector.errors import Exit, UsageError

if TYPE_CHECKING:
    from inspector.carve import Carved, Carver, CarveWishes, Found
    from inspector.source import Source

EXAMPLES = """Examples:

inspector carve /dev/sdx1 --format gossip-store -o gossip_store.carved

inspector carve disk.img --mapfile disk.map --format rocksdb-sst -o found

inspector carve debug.log --format gossip-store --dry-run --map found.jsonl

zstd -dc disk.zst | inspector carve - --format gossip-store -o carved

Exit codes: 0 all that is alive was written | 3 what was copied is damaged | 4 not all was written | 5 nothing found"""

WISHES = {
    "to_version": "--to-version",
    "accept": "--accept",
    "verify_signatures": "--verify-signatures",
    "chain": "--chain",
    "offset": "--offset",
}
KEPT = 100  # finds that the document lists

AnyPath = Annotated[str, typer.Argument(metavar="PATH", help="Any file or block device, or - for stdin.")]
What = Annotated[
    str,
    typer.Option(
        "--format",
        metavar="NAME",
        help="What to look for: gossip-store, rocksdb-sst, rocksdb-log or spdk-blobstore.",
        values="carved",
    ),
]
Out = Annotated[str | None, typer.Option("--output", "-o", metavar="OUT", help="The new file or folder.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print what would be written; write nothing.")]
Force = Annotated[bool, typer.Option("--force", help="Replace files that exist.")]
ToVersion = Annotated[int | None, typer.Option("--to-version", metavar="N", help="Gossip: store version, 14 to 16.")]
Chain = Annotated[
    str | None,
    typer.Option(
        "--chain",
        metavar="NAME",
        help="Gossip: this network (bitcoin, testnet, ... or its chain hash).",
        values="networks",
    ),
]
Offset = Annotated[str | None, typer.Option("--offset", metavar="BYTE", help="Blobstore: where its super block lies.")]
Map = Annotated[str | None, typer.Option("--map", metavar="FILE", help="Write every find to FILE, as JSON lines.")]
MapOut = Annotated[
    str | None,
    typer.Option("--map-out", metavar="FILE", help="Write a ddrescue mapfile: + found, ? nothing found, - unreadable."),
]


def carve(
    path: AnyPath,
    format: What,  # noqa: A002  typer shows the parameter's name nowhere; the option is --format
    output: Out = None,
    dry_run: DryRun = False,
    json: Json = False,
    force: Force = False,
    mapfile: MapFile = None,
    map: Map = None,  # noqa: A002  as above
    map_out: MapOut = None,
    to_version: ToVersion = None,
    accept: Accept = None,
    verify_signatures: VerifySignatures = False,
    chain: Chain = None,
    offset: Offset = None,
) -> int:
    """Find what verifies among any bytes (a raw disk, a core file, a tar, a log) and make a store of it.

    Bytes are taken as they are: a gzip or zstd stream is not looked into; unpack it into a pipe first.
    """
    from inspector.carve import CarveWishes
    from inspector.carve import carve as run
    from inspector.catalogue import is_packed
    from inspector.cli.inputs import open_path
    from inspector.cli.progress import Progress
    from inspector.cli.stdout import Output
    from inspector.mapfile import rescued
    from inspector.output import preflight

    if output is None and not dry_run:
        raise UsageError("where to? -o OUT names the new file or folder", "--dry-run prints what would be written")
    wishes = CarveWishes(
        to_version=to_version,
        accept=frozenset(accept or ()),
        verify_signatures=verify_signatures,
        chain=chain,
        offset=None if offset is None else number(offset, "--offset"),
    )
    carver = _named(format, wishes)
    files = [file for file in (map, map_out, None if dry_run else output) if file is not None]
    if len({os.path.abspath(file) for file in files}) < len(files):  # noqa: PTH100  they need not exist
        raise UsageError("-o, --map and --map-out must be different files")
    listed: list[dict[str, object]] = []

    def report(carved: Carved) -> None:
        listed.extend(_listed(carved, map, map_out, force))

    with open_path(path) as opened:
        for file in (map, map_out):
            if file is not None:
                preflight(file, opened, 0, force)  # before hours are spent on the search
        source = rescued(opened, mapfile) if mapfile is not None else opened
        with Progress(path) as progress:
            target = None if dry_run else output
            carved = run(source, carver, target, wishes, force=force, progress=progress, report=report)
        out = Output()
        if json:
            from inspector.render.carve_documents import carve as document
            from inspector.render.encoding import encode

            out.data(encode(document(carved, listed)) + b"\n")
        else:
            from inspector.render.carve_words import carve_blocks

            out.blocks(carve_blocks(carved, listed))
        out.flush()
        if carved.code == Exit.UNKNOWN_FORMAT and is_packed(opened):
            from inspector.cli.app import say
            from inspector.wrapped import unknown

            told = unknown(opened, ())
            say(told.message, told.hint)
    return int(carved.code)


def _named(name: str, wishes: CarveWishes) -> Carver:
    """The carver of this name, if it understands every wish."""
    from inspector.carvers import MODULES, carver
    from inspector.cli.inputs import nearest

    if name not in MODULES:
        raise UsageError(f"{name} cannot be carved", nearest(name, list(MODULES)))
    found = carver(name)
    for one in changed(wishes, WISHES):
        if one not in found.wishes:
            raise UsageError(f"{name} does not understand {WISHES[one]}")
    return found


def _listed(carved: Carved, map_path: str | None, map_out: str | None, force: bool) -> Iterator[dict[str, object]]:
    """The first and last finds as objects; all of them go to the maps."""
    from collections import deque
    from itertools import islice

    from inspector.carve_maps import found_lines, map_lines, write_lines
    from inspector.render.carve_documents import found

    source: Source = carved.source
    if map_path is not None:
        write_lines(map_path, source, found_lines(carved), force)
    if map_out is not None:
        write_lines(map_out, source, map_lines(carved), force)
    spans = iter(carved.haul.spans())
    first = list(islice(spans, KEPT // 2))
    rest: Iterable[Found] = spans
    if carved.haul.last is not None and len(first) == KEPT // 2:
        rest = (one for one in carved.haul.last(KEPT // 2) if one.start > first[-1].start)
    yield from map(found, (*first, *deque(rest, KEPT // 2)))
