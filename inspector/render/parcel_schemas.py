"""JSON Schemas of what is made to be sent away: capsules and excerpts."""

from __future__ import annotations

from inspector.catalogue import Formats
from inspector.render.schema_terms import (
    COUNT,
    COUNT_OR_NULL,
    SOURCE,
    TEXT,
    TEXT_OR_NULL,
    TEXTS,
    TOOL,
    Schema,
    listed,
    named,
    record,
)

_MADE = record({"path": TEXT_OR_NULL, "size": COUNT})


def capture(_: Formats) -> Schema:
    return record(
        {
            "schema": named("capture"),
            "tool": TOOL,
            "source": record({"path": TEXT, "size": COUNT}),
            "format": TEXT,
            "output": _MADE,
            "bytes": record({"captured": COUNT, "not_zero": COUNT, "verified_not_captured": COUNT}),
            "ranges": COUNT,
            "findings_total": COUNT,
            "patch": record({"possible": {"type": "boolean"}, "why_not": TEXT}),
            "notes": TEXTS,
        }
    )


def excerpt(_: Formats) -> Schema:
    made = {**COUNT_OR_NULL, "description": "null: bytes that are made anew"}
    file = {**TEXT_OR_NULL, "description": "in a folder, of both"}
    run = record({"file": file, "start": COUNT, "end": COUNT, "source_start": made, "source_end": made})
    return record(
        {
            "schema": named("excerpt"),
            "tool": TOOL,
            "source": SOURCE,
            "format": TEXT,
            "output": _MADE,
            "map": {**TEXT_OR_NULL, "description": "a file with this document"},
            "runs": {**listed(run), "description": "where bytes of the excerpt lie in the source"},
            "findings": {"type": "object", "additionalProperties": COUNT, "description": "by code"},
            "tries": {**COUNT, "description": "candidates that were inspected"},
            "whole": {**TEXT, "description": "why nothing was left out"},
            "notes": TEXTS,
        }
    )
