"""A comparison as a JSON document, and its differences one by one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from inspector.catalogue import Formats
from inspector.comparing import Comparison, Described, Difference
from inspector.errors import Exit
from inspector.render.documents import TOOL, Document, source_part
from inspector.render.encoding import jsonable
from inspector.render.schema_terms import CODE, COUNT, SOURCE, TEXT, TEXT_OR_NULL, listed, named, record
from inspector.render.schema_terms import TOOL as TOOL_SCHEMA
from inspector.source import Source


def differences(sources: Sequence[Source], name: str, found: Comparison, listed_: Sequence[Difference]) -> Document:
    """The document of one comparison; `differences` are the first ones, `differences_total` counts all."""
    return {
        "schema": "inspector/diff/1",
        "tool": TOOL,
        "a": source_part(sources[0]),
        "b": source_part(sources[1]),
        "format": name,
        "same": found.same,
        "only_a": found.only_a,
        "only_b": found.only_b,
        "changed": found.altered,
        "not_compared": {"a": found.a.counts, "b": found.b.counts},
        "differences": [difference(one) for one in listed_],
        "differences_total": found.total,
        "exit_code": int(Exit.DAMAGED if found.total else Exit.CLEAN),
    }


def difference(one: Difference) -> Document:
    """One difference: where it lies on each side; fields of what only one side has, changed fields otherwise."""
    return {
        "what": one.what,
        "kind": one.kind,
        "name": one.name,
        "a": _side(one.a, one.b is None),
        "b": _side(one.b, one.a is None),
        "changed": {name: [jsonable(a), jsonable(b)] for name, (a, b) in one.changed.items()},
    }


def _side(side: Described | None, alone: bool) -> Document | None:
    if side is None:
        return None
    place: Document = {"file": side.span.member or None, "start": side.span.start, "end": side.span.end}
    return {**place, "fields": jsonable(dict(side.fields))} if alone else place


def _difference_schema() -> dict[str, Any]:
    side = record(
        {
            "file": TEXT_OR_NULL,
            "start": COUNT,
            "end": COUNT,
            "fields": {"type": "object", "description": "only where the other side has none"},
        },
        optional=("fields",),
    )
    place = {"oneOf": [{"type": "null"}, side]}
    pair = {"type": "array", "minItems": 2, "maxItems": 2}
    return record(
        {
            "what": {"enum": ["only_a", "only_b", "changed"]},
            "kind": TEXT,
            "name": TEXT,
            "a": place,
            "b": place,
            "changed": {"type": "object", "additionalProperties": pair, "description": "field: value in A, in B"},
        }
    )


def diff_schema(_: Formats) -> dict[str, Any]:
    counts = {"type": "object", "additionalProperties": COUNT}
    return record(
        {
            "schema": named("diff"),
            "tool": TOOL_SCHEMA,
            "a": SOURCE,
            "b": SOURCE,
            "format": TEXT,
            "same": {**counts, "description": "things by kind that are equal"},
            "only_a": counts,
            "only_b": counts,
            "changed": counts,
            "not_compared": record({"a": counts, "b": counts}),
            "differences": listed(_difference_schema()),
            "differences_total": COUNT,
            "exit_code": CODE,
        }
    )
