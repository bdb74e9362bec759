"""`inspector records`: every record with its place, state and the owner's words, one line each, as it is read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Annotated

from inspector.cli import declare as typer
from inspector.cli.options import (
    FILTER_OPTIONS,
    FormatName,
    PathArgument,
    Release,
    changed,
    number,
    refuse_unknown,
)
from inspector.errors import Exit, UsageError

if TYPE_CHECKING:
    from inspector.catalogue import Formats
    from inspector.cli.inputs import Opened
    from inspector.cli.stdout import Output
    from inspector.format import Entry, Query

EXAMPLES = """Examples:

inspector records gossip_store --kind channel_update --scid 800000x1x0

inspector records gossip_store --damaged --csv > damaged.csv

inspector records gossip_store --jsonl | head -1"""

Kinds = Annotated[list[str] | None, typer.Option("--kind", metavar="KIND", help="Only this kind (repeatable).")]
Flags = Annotated[list[str] | None, typer.Option("--flag", metavar="FLAG", help="Only with this flag (repeatable).")]
Damaged = Annotated[bool, typer.Option("--damaged", help="Only records whose bytes are wrong.")]
Deleted = Annotated[bool | None, typer.Option("--deleted/--live", help="Only deleted, or only live records.")]
From = Annotated[str | None, typer.Option("--from", metavar="OFFSET", help="From this byte on (decimal or 0x hex).")]
To = Annotated[str | None, typer.Option("--to", metavar="OFFSET", help="Up to this byte, not including it.")]
Scid = Annotated[str | None, typer.Option("--scid", metavar="SCID", help="Of this channel (800000x1x0).")]
Node = Annotated[str | None, typer.Option("--node", metavar="ID", help="Of this node (public key, or its beginning).")]
Limit = Annotated[int | None, typer.Option("--limit", min=1, metavar="N", help="Stop after N records.")]
TextValues = Annotated[bool, typer.Option("--text", help="Show values as text where they are text.")]
ValueLimit = Annotated[int | None, typer.Option("--value-limit", min=0, metavar="N", help="Bytes of a value to show.")]
MemberName = Annotated[str | None, typer.Option("--member", metavar="FILE", help="Only of this file of a folder.")]
JsonLines = Annotated[bool, typer.Option("--jsonl", help="Print one JSON object per line.")]
Csv = Annotated[bool, typer.Option("--csv", help="Print comma-separated values with a heading.")]
Dump = Annotated[bool, typer.Option("--dump", help="Print the original tool's own line format.")]


def records(
    path: PathArgument,
    kind: Kinds = None,
    flag: Flags = None,
    damaged: Damaged = False,
    deleted: Deleted = None,
    from_: From = None,
    to: To = None,
    scid: Scid = None,
    node: Node = None,
    member: MemberName = None,
    limit: Limit = None,
    text: TextValues = False,
    value_limit: ValueLimit = None,
    jsonl: JsonLines = False,
    csv: Csv = False,
    dump: Dump = False,
    format: FormatName = None,  # noqa: A002  typer shows the parameter's name nowhere; the option is --format
    release: Release = None,
) -> int:
    """List every record: offset, length, kind, state of its checksum, and its owner's words."""
    from inspector.cli.inputs import known_formats, opened_path
    from inspector.cli.stdout import Output
    from inspector.format import Query, Wishes

    if jsonl + csv + dump > 1:
        raise UsageError("--jsonl, --csv and --dump exclude each other")
    query = Query(
        kinds=frozenset(kind or ()),
        flags=frozenset(flag or ()),
        damaged=damaged,
        deleted=deleted,
        start=number(from_, "--from") if from_ else 0,
        end=number(to, "--to") if to else None,
        member=member,
        scid=scid,
        node=node,
        text=text,
        value_limit=value_limit,
        dump=dump,
    )
    formats, wishes = known_formats(), Wishes(release=release)
    with opened_path(path, formats, wishes, format) as store:
        style = "jsonl" if jsonl else "csv" if csv else "dump" if dump else "table"
        brief = [name for f, _ in store.layers for name in f.brief]
        listed = _entries(store, query, formats)
        fast = _lines(store, query) if jsonl and limit is None else None
        if fast is not None:
            return store.ending(_write_lines(Output(), fast))
        entries = islice(listed, limit)
        return store.ending(_write(Output(), entries, style, store.source.kind == "folder", brief))


def _entries(store: Opened, query: Query, formats: Formats) -> Iterator[Entry]:
    from inspector.cli.inputs import nearest, serving

    served = store.serving("records")
    if served is None or served[0].records is None:
        raise UsageError(f"{store.name} has no records to list", f"formats that have: {serving(formats, 'records')}")
    fmt, state = served
    listing = served[0].records
    asked = changed(query, FILTER_OPTIONS)
    refuse_unknown(asked, fmt.filters, formats, fmt.name, "filters")
    for kind in sorted(query.kinds - set(fmt.kinds.values())):
        raise UsageError(f"{fmt.name} has no kind {kind}", nearest(kind, list(fmt.kinds.values())))
    if query.member is not None and store.source.member(query.member) is None:
        known = [m.name for m in store.source.members if m.name]
        raise UsageError(f"{store.source.label} has no file {query.member}", nearest(query.member, known))
    return listing(state, query)


def _lines(store: Opened, query: Query) -> Iterator[bytes | Entry] | None:
    """Blocks of JSON lines, where the format makes them faster than one by one and they need nothing else."""
    served = store.serving("lines")
    if served is None or served[0].lines is None or store.source.kind == "folder":
        return None
    from inspector.render.encoding import encode

    return served[0].lines(served[1], query, lambda value: encode(value, pretty=False))


def _write_lines(out: Output, found: Iterator[bytes | Entry]) -> Exit:
    from inspector.render import record_lines

    bad = False
    for one in found:
        if isinstance(one, bytes):
            out.data(one)
        else:
            out.data_line(record_lines.as_json(one))
            bad = bad or one.damaged
        if out.closed:
            break
    out.flush()
    return Exit.DAMAGED if bad and not out.closed else Exit.CLEAN


def _write(out: Output, entries: Iterator[Entry], style: str, folder: bool, brief: Sequence[str]) -> Exit:
    """Stream the lines; 3 when one of them is damaged, 0 when the reader goes away before the end."""
    from inspector.render import record_lines

    writers: dict[str, Callable[[Entry], None]] = {
        "jsonl": lambda entry: out.data_line(record_lines.as_json(entry)),
        "csv": lambda entry: out.line(record_lines.as_csv(entry)),
        "dump": lambda entry: out.line(record_lines.as_dump(entry)),
        "table": lambda entry: out.line(row(entry)),
    }
    width = out.width if out.tty else None
    row = record_lines.as_row(width, folder, brief)
    heading = {"csv": record_lines.CSV_HEADING, "table": record_lines.heading(width, folder)}.get(style)
    if heading:
        out.line(heading)
    write, bad = writers[style], False
    for count, entry in enumerate(entries):
        write(entry)
        bad = bad or entry.damaged
        if count == 0:
            out.flush()
        if out.closed:
            break
    out.flush()
    return Exit.DAMAGED if bad and not out.closed else Exit.CLEAN
