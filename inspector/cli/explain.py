"""`inspector explain`: a rule's meaning, what the original program does, what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from inspector.cli.options import Json
from inspector.errors import UsageError

if TYPE_CHECKING:
    from inspector.finding import Rule

EXAMPLES = """Examples:

inspector explain GSP003

inspector explain record-checksum-mismatch"""

Code = Annotated[str, typer.Argument(metavar="CODE", help="A rule's code or its name, as findings print them.")]


def explain(code: Code, json: Json = False) -> int:
    """Explain a rule: what it means, what the original program does when it meets this, and what to do."""
    from inspector.cli.stdout import Output

    rule, owner = _find(code)
    out = Output()
    if json:
        from inspector.render.documents import TOOL
        from inspector.render.encoding import encode
        from inspector.render.format_documents import rule as document_of

        document = {"schema": "inspector/explain/1", "tool": TOOL, "format": owner} | document_of(rule)
        out.data(encode(document) + b"\n")
    else:
        from inspector.render.format_words import rule_blocks

        out.blocks(rule_blocks(rule, owner))
    out.flush()
    return 0


def _find(code: str) -> tuple[Rule, str]:
    from inspector.cli.inputs import known_formats, nearest
    from inspector.inspect import CORE_RULES

    rules = [(rule, "inspector") for rule in CORE_RULES]
    rules += [(rule, f.name) for f in known_formats() for rule in f.rules]
    for rule, owner in rules:
        if code.upper() == rule.code or code.lower() == rule.slug:
            return rule, owner
    names = [n for r, _ in rules for n in (r.code, r.slug)]
    raise UsageError(f"no rule is named {code}", nearest(code.upper() if code[:3].isupper() else code, names))
