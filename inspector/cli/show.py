"""`inspector show`: the record at one byte, field by field."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

from inspector.cli import declare as typer
from inspector.cli.options import FormatName, Json, PathArgument, Release, number
from inspector.errors import Exit, UsageError
from inspector.finding import Severity

if TYPE_CHECKING:
    from inspector.cli.inputs import Opened
    from inspector.format import Exhibit, Item

EXAMPLES = """Examples:

inspector show gossip_store.corrupt 1794534

inspector show gossip_store.corrupt 0x1b61e6 --json

inspector show DB 000012.sst@4096"""

Offset = Annotated[
    str, typer.Argument(metavar="OFFSET", help="A byte (decimal, 0x hex), FILE@BYTE in a folder, or an item's id.")
]
Bytes = Annotated[int, typer.Option("--bytes", min=0, metavar="N", help="Bytes to dump at most.")]


def show(
    path: PathArgument,
    offset: Offset,
    json: Json = False,
    limit: Bytes = 512,
    format: FormatName = None,  # noqa: A002  typer shows the parameter's name nowhere; the option is --format
    release: Release = None,
) -> int:
    """Show the record that holds a byte: its fields beside its bytes, what is wrong, and its neighbours."""
    from inspector.cli.inputs import known_formats, opened_path
    from inspector.cli.stdout import Output
    from inspector.format import Wishes

    formats, wishes = known_formats(), Wishes(release=release)
    with opened_path(path, formats, wishes, format) as store:
        out = Output()
        parsed = _parse(offset)
        if parsed is None:
            found, wrong = _item(store, offset), False
            _print_item(out, store, found, json)
        else:
            exhibit = _exhibit(store, *parsed)
            wrong = any(f.level is not Severity.NOTE for f in exhibit.findings)
            _print_exhibit(out, store, exhibit, json, limit)
        out.flush()
        return store.ending(Exit.DAMAGED if wrong else Exit.CLEAN)


def _parse(offset: str) -> tuple[str, int] | None:
    """Member and byte, or None where the text is an item's id."""
    member, at, text = offset.rpartition("@")
    if re.fullmatch(r"\d+/\d+", text):  # as gossipd prints it: the offset, and how long it believes the store to be
        text = text.partition("/")[0]
    if re.fullmatch(r"\d[\d_,]*|0[xX][0-9a-fA-F_]+", text):
        return (member if at else ""), number(text, "OFFSET")
    return None


def _exhibit(store: Opened, member: str, at: int) -> Exhibit:
    from inspector.cli.inputs import nearest

    source = store.source
    known = source.member(member)
    if known is None:
        names = [m.name for m in source.members]
        hint = f"FILE@BYTE; {nearest(member, names)}" if member or source.kind == "folder" else ""
        raise UsageError(f"{source.label} has no file {member!r}" if member else f"{source.label} is a folder", hint)
    if at >= known.size:
        raise UsageError(f"byte {at} is past the end", f"{source.label} has {known.size} bytes ({known.size:#x})")
    for fmt, state in store.layers:
        exhibit = fmt.show(state, member, at) if fmt.show else None
        if exhibit is not None:
            return exhibit
    store.ending()  # what could not be read may have said what stands there
    raise UsageError(f"{store.name} knows nothing of byte {at}", "inspector records lists what it read")


def _item(store: Opened, wanted: str) -> Item:
    for fmt, state in store.layers:
        if fmt.item and (found := fmt.item(state, wanted)):
            return found
        for item in fmt.items(state) if fmt.items else ():
            if item.id == wanted:
                return item
    from inspector.sanitize import quoted

    store.ending()  # what could not be read may hold it: then that is the answer
    line = f"; a line of a log: inspector explain LINE --store {quoted(store.source.label)}" if " " in wanted else ""
    raise UsageError(f"{store.name} has no item {wanted}", f"inspector items lists them; a byte is a number{line}")


def _print_exhibit(out: Output, store: Opened, exhibit: Exhibit, json: bool, limit: int) -> None:
    if json:
        from inspector.render import documents
        from inspector.render.encoding import encode

        out.data(encode(documents.show(store.source, store.name, exhibit)) + b"\n")
    else:
        from inspector.render.show_words import exhibit_blocks

        out.blocks(exhibit_blocks(exhibit, limit, out.colour, [name for f, _ in store.layers for name in f.brief]))


def _print_item(out: Output, store: Opened, item: Item, json: bool) -> None:
    if json:
        from inspector.render import documents
        from inspector.render.encoding import encode

        out.data(encode(documents.show_item(store.source, store.name, item)) + b"\n")
    else:
        from inspector.render.show_words import item_blocks

        out.blocks(item_blocks(item))


if TYPE_CHECKING:
    from inspector.cli.stdout import Output
