"""`inspector explain`: a rule's meaning, or that of a log line: what it says about which byte, and what to do."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

from inspector.cli import declare as typer
from inspector.cli.options import Json
from inspector.errors import Exit, UsageError

if TYPE_CHECKING:
    from inspector.finding import Rule

EXAMPLES = """Examples:

inspector explain GSP003

inspector explain "gossip_store: get delete entry offset 41434415/5949"

inspector explain - --store gossip_store < lightningd.log"""

Code = Annotated[
    str,
    typer.Argument(
        metavar="CODE|LINE",
        help="A rule's code or name, a line of a program's log, or - for a log on stdin.",
        values="rules",
    ),
]
Store = Annotated[
    str | None, typer.Option("--store", metavar="PATH", help="Look into this store at the byte that the line names.")
]


def explain(code: Code, store: Store = None, json: Json = False) -> int:
    """Explain a rule, or a log line: what it means in bytes, known causes, and what to run next."""
    from inspector.cli.stdout import Output

    found = None if code == "-" else _find(code)
    if found is not None and store is not None:
        raise UsageError("--store goes with a log line, not with a rule")
    out, whole = Output(), True
    if found is not None:
        _print_rule(out, *found, json)
    else:
        document, whole = _lines(code, store)
        _print_lines(out, document, json)
    out.flush()
    return int(Exit.CLEAN if whole else Exit.PARTIAL)


def _print_rule(out: Any, rule: Rule, owner: str, json: bool) -> None:
    if json:
        from inspector.render.documents import TOOL
        from inspector.render.encoding import encode
        from inspector.render.format_documents import rule as document_of

        document = {"schema": "inspector/explain/1", "tool": TOOL, "format": owner} | document_of(rule)
        out.data(encode(document) + b"\n")
    else:
        from inspector.render.format_words import rule_blocks

        out.blocks(rule_blocks(rule, owner))


def _print_lines(out: Any, document: dict[str, Any], json: bool) -> None:
    if json:
        from inspector.render.encoding import encode

        out.data(encode(document) + b"\n")
    else:
        from inspector.render.log_words import explained

        out.blocks(explained(document))


def _find(code: str) -> tuple[Rule, str] | None:
    """The rule of this code or name, and its format; None for anything longer than a name."""
    from inspector.cli.inputs import known_formats
    from inspector.inspect import CORE_RULES

    if " " in code.strip() or len(code) > 80:
        return None
    rules = [(rule, "inspector") for rule in CORE_RULES]
    rules += [(rule, f.name) for f in known_formats() for rule in f.rules]
    return next(((r, owner) for r, owner in rules if code.upper() == r.code or code.lower() == r.slug), None)


def _unknown(code: str) -> UsageError:
    from inspector.cli.inputs import known_formats, nearest
    from inspector.inspect import CORE_RULES

    if " " in code.strip():
        return UsageError("no known message in this line", "inspector explain - < LOG looks through a whole log")
    names = [n for f in known_formats() for r in f.rules for n in (r.code, r.slug)]
    names += [n for r in CORE_RULES for n in (r.code, r.slug)]
    # a code is near to another by its letters, which name the format; the digits of all codes are near to each other
    wanted = code.upper() if code[:3].isupper() else code
    near = names if wanted[:3].lower() in {n[:3].lower() for n in names} or not wanted[3:].isdigit() else []
    return UsageError(
        f"no rule is named {code}",
        nearest(wanted, near, "inspector formats NAME")
        if near
        else "inspector formats NAME lists the rules of a format",
    )


def _lines(text: str, store: str | None) -> tuple[dict[str, Any], bool]:
    """The document of one line, or of the log on standard input; False where the store could not be read as it is."""
    from inspector.cli import privacy
    from inspector.reporting.hide import hiding
    from inspector.reporting.logs import Listener

    listener = Listener()
    listener.listen(_stdin() if text == "-" else [text.encode("utf-8", "surrogateescape")], "" if text != "-" else "-")
    if text != "-" and not listener.heard.lines:
        raise _unknown(text)
    if store is None:
        return listener.document(hiding(privacy.active(), ()), None), True
    from inspector.cli.inputs import known_formats, open_path
    from inspector.inspect import inspect

    with open_path(store) as source:
        report = inspect(source, known_formats()).whole()
        listener.heard.tie(report)
        document = listener.document(hiding(privacy.active(), report.layers), source.label)
        return document, not source.unreadable and source.still_same()


def _stdin() -> Iterator[bytes]:
    while data := sys.stdin.buffer.read(1 << 20):
        yield data
