"""`inspector dev`: damage made on purpose, and proof on the user's own file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from msgspec.structs import replace

from inspector.cli.completing import completion
from inspector.cli.options import FormatName, Json, PathArgument
from inspector.cli.privacy import with_privacy

if TYPE_CHECKING:
    from inspector.span import Span

EXAMPLES = """Examples:

inspector dev inject gossip_store -o bad --damage flip --damage zero

inspector dev selftest gossip_store --rounds 48

inspector dev selftest gossip_store --json | jq .totals"""

INJECT_EXAMPLES = """Examples:

inspector dev inject gossip_store -o gossip_store.bad --damage flip

inspector dev inject gossip_store -o bad --damage zero --at 4096

inspector dev inject db -o db.bad --damage truncate --member 000012.sst"""

SELFTEST_EXAMPLES = """Examples:

inspector dev selftest gossip_store

inspector dev selftest gossip_store --damage flip --rounds 100 --seed 3"""

KindNames = "flip flips zero ones truncate tear overwrite-at-1 splice shift stale swap crlf"
Out = Annotated[str, typer.Option("--output", "-o", metavar="OUT", help="The damaged copy, a new file or folder.")]
Damage = Annotated[
    list[str],
    typer.Option(
        "--damage", metavar="KIND", help=f"What to do (repeatable): {KindNames}.", autocompletion=completion("damages")
    ),
]
Kinds = Annotated[
    list[str] | None,
    typer.Option(
        "--damage",
        metavar="KIND",
        help="Only these kinds of damage (repeatable).",
        autocompletion=completion("damages"),
    ),
]
Seed = Annotated[int, typer.Option("--seed", metavar="N", help="The same seed makes the same damage.")]
At = Annotated[str | None, typer.Option("--at", metavar="OFFSET", help="Make it at this byte instead of anywhere.")]
Size = Annotated[int | None, typer.Option("--size", min=1, metavar="BYTES", help="Of this many bytes.")]
Member = Annotated[str | None, typer.Option("--member", metavar="FILE", help="In this file of a folder.")]
TruthFile = Annotated[
    str | None, typer.Option("--truth", metavar="FILE", help="Where the truth goes instead of OUT.truth.json.")
]
Force = Annotated[bool, typer.Option("--force", help="Replace files that exist.")]
Anywhere = Annotated[bool, typer.Option("--anywhere", help="Also damage bytes that no checksum or rule covers.")]
Rounds = Annotated[int, typer.Option("--rounds", min=1, metavar="N", help="How many damaged copies are made.")]


def group() -> typer.Typer:
    """The commands below `dev`."""
    app = typer.Typer(no_args_is_help=True, help="Make damage on purpose; measure inspector on your own store.")
    app.command("inject", epilog=INJECT_EXAMPLES)(with_privacy("inject", inject))
    app.command("selftest", epilog=SELFTEST_EXAMPLES)(with_privacy("selftest", selftest))
    return app


def inject(
    path: PathArgument,
    output: Out,
    damage: Damage,
    seed: Seed = 0,
    at: At = None,
    size: Size = None,
    member: Member = None,
    truth: TruthFile = None,
    json: Json = False,
    force: Force = False,
) -> int:
    """Write a damaged copy of a store.

    The truth about what was done to which bytes is written beside it; the store itself is never changed.
    """
    from inspector.cli.app import say
    from inspector.cli.inputs import open_path
    from inspector.cli.options import number
    from inspector.cli.privacy import active, file_of, finished, place_of
    from inspector.cli.stdout import Output
    from inspector.format import Edit
    from inspector.inject import inject as run
    from inspector.output import place_file
    from inspector.render.dev_documents import truth as document
    from inspector.render.dev_documents import truth_blocks
    from inspector.render.encoding import encode
    from inspector.repair import write_edit

    where = truth or f"{output.rstrip('/')}.truth.json"
    offset = number(at, "--at") if at else None
    with open_path(path) as source:
        told = run(source, output, damage, seed, member=member, at=offset, size=size, force=force)
        if active():  # also in the file: it is made to be handed on with the copy
            harms = tuple(
                replace(harm, member=file_of(harm.member), before=_shown(harm.before), after=_shown(harm.after))
                for harm in told.harms
            )
            told = replace(told, source=place_of(told.source), output=place_of(told.output), sha256={}, harms=harms)
        data = finished(encode(document(told)) + b"\n")
        with place_file(where, source if source.kind != "folder" else None, len(data), force, mode=0o644) as place:
            write_edit(source, Edit("added", data=data), place.fd, 0)
    out = Output()
    if json:
        out.data(data)
    else:
        out.blocks(truth_blocks(told, place_of(where)))
    out.flush()
    for note in told.notes:
        say(note if active() is None else "what an interrupted run left was removed")
    return 0


def _shown(spans: tuple[Span, ...]) -> tuple[Span, ...]:
    """Places in files as they may be shown."""
    from inspector.cli.privacy import file_of

    return tuple(replace(span, member=file_of(span.member)) for span in spans)


def selftest(
    path: PathArgument,
    rounds: Rounds = 24,
    seed: Seed = 0,
    damage: Kinds = None,
    anywhere: Anywhere = False,
    json: Json = False,
    format: FormatName = None,  # noqa: A002  typer shows the parameter's name nowhere; the option is --format
) -> int:
    """Measure inspector on your own store.

    Copies of it are damaged, inspected and repaired, and held to the truth: how often was inspector right?
    """
    from inspector import formats as listed
    from inspector.cli.inputs import named_format, open_path
    from inspector.cli.privacy import file_of, place_of
    from inspector.cli.progress import Progress
    from inspector.cli.stdout import Output
    from inspector.damage import KINDS
    from inspector.errors import Exit, UsageError
    from inspector.render.dev_documents import selftest as document
    from inspector.render.dev_documents import selftest_blocks
    from inspector.render.encoding import encode
    from inspector.selftest import selftest as run

    for kind in damage or ():
        if kind not in KINDS:
            raise UsageError(f"no damage is named {kind}", f"known: {', '.join(KINDS)}")
    formats = listed.all_formats()  # without a veil: of what they say only codes and causes are printed
    named_format(formats, format)
    with open_path(path) as source, Progress(path, unit="rounds") as progress:
        kinds = tuple(damage or KINDS)
        told = run(source, formats, rounds, seed, kinds, forced=format, anywhere=anywhere, progress=progress)
    told.rounds[:] = [replace(one, member=file_of(one.member), spans=_shown(one.spans)) for one in told.rounds]
    out = Output()
    if json:
        out.data(encode(document(told)) + b"\n")
    else:
        out.blocks(selftest_blocks(place_of(path), told))
    out.flush()
    totals = document(told)["totals"]
    missed = totals["sealed"]["rounds"] - totals["sealed"]["detected"]
    failed = totals["corrections_wrong"] or totals["unverified"] or missed
    return int(Exit.DAMAGED if failed else Exit.CLEAN)
