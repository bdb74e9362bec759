"""JSON Schema (draft 2020-12) of every document that inspector prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from inspector.catalogue import Formats

Schema = dict[str, Any]
DRAFT = "https://json-schema.org/draft/2020-12/schema"

TEXT: Schema = {"type": "string"}
COUNT: Schema = {"type": "integer", "minimum": 0}
COUNT_OR_NULL: Schema = {"type": ["integer", "null"], "minimum": 0}
TEXT_OR_NULL: Schema = {"type": ["string", "null"]}
TEXTS: Schema = {"type": "array", "items": TEXT}
CODE: Schema = {"type": "integer", "enum": [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 130]}
SHA256: Schema = {"type": ["string", "null"], "pattern": "^[0-9a-f]{64}$"}


def record(properties: Schema, optional: Sequence[str] = ()) -> Schema:
    """An object with exactly these properties."""
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def ledger(*names: str, value: Schema = COUNT) -> Schema:
    return record(dict.fromkeys(names, value))


def listed(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def named(name: str) -> Schema:
    return {"const": f"inspector/{name}/1"}


PROOF: Schema = {"enum": ["sealed", "derived", "placed", "none"]}
TOOL = record({"name": {"const": "inspector"}, "version": TEXT})
SOURCE = record(
    {
        "path": TEXT,
        "kind": {"enum": ["file", "folder", "device", "stdin", "memory"]},
        "size": COUNT,
        "sha256": {**SHA256, "description": "only with --hash"},
    },
    optional=("sha256",),
)
CAUSE = record(
    {
        "name": TEXT,
        "confidence": {"enum": ["certain", "likely", "possible"]},
        "because": TEXT,
    }
)
FINDING = record(
    {
        "code": TEXT,
        "rule": TEXT,
        "severity": {"enum": ["error", "warning", "note"]},
        "file": {**TEXT_OR_NULL, "description": "member of a folder; start and end are within it"},
        "start": COUNT_OR_NULL,
        "end": {**COUNT_OR_NULL, "description": "not included; null where the finding has no bytes"},
        "message": TEXT,
        "evidence": {"type": "object"},
        "cause": CAUSE,
        "salvage": {"enum": ["kept", "corrected", "lost", None]},
    }
)
OUTCOME = record({"program": TEXT, "release": TEXT, "outcome": TEXT, "message": TEXT})
ENTRY = record(
    {"file": TEXT, "start": COUNT, "end": COUNT, "kind": TEXT, "state": TEXT, "fields": {"type": "object"}},
    optional=("file",),
)
FAILURE = record(
    {
        "message": TEXT,
        "hint": TEXT,
        "tried": listed(record({"format": TEXT, "because": TEXT})),
    }
)
ITEM = record(
    {
        "id": TEXT,
        "kind": TEXT,
        "parent": TEXT_OR_NULL,
        "fields": {"type": "object"},
        "spans": listed(record({"file": TEXT_OR_NULL, "start": COUNT, "end": COUNT})),
    }
)
RULE = {
    "code": TEXT,
    "rule": TEXT,
    "severity": {"enum": ["error", "warning", "note"]},
    "summary": TEXT,
    "explanation": TEXT,
    "loader": TEXT,
    "advice": TEXT,
    "source": TEXT,
}


def _scan(formats: Formats) -> Schema:
    done = record(
        {
            "schema": named("scan"),
            "tool": TOOL,
            "source": SOURCE,
            "format": record({"name": TEXT, "layers": TEXTS, "version": TEXT, "because": TEXT}),
            "verdict": {"enum": ["clean", "damaged"]},
            "bytes": ledger("total", "frame", "records", "opaque", "free", "gaps"),
            "records": record(
                {
                    "total": COUNT,
                    "damaged": COUNT,
                    "by_kind": {"type": "object", "additionalProperties": COUNT},
                }
            ),
            "findings": listed(FINDING),
            "findings_total": COUNT,
            "counts": {"type": "object", "additionalProperties": COUNT, "description": "all findings by code"},
            "words": TEXTS,
            "loaders": listed(OUTCOME),
            "next": TEXTS,
            "summary": _summary(formats),
            "partial": {**TEXT, "description": "why the result is a lower bound; empty when it is whole"},
            "exit_code": CODE,
        }
    )
    # the summary of each format, where it says what is in it
    done["allOf"] = [
        {
            "if": {"properties": {"format": {"properties": {"name": {"const": f.name}}}}},
            "then": {"properties": {"summary": {"$ref": f"#/$defs/summary-{f.name}"}}},
        }
        for f in formats
        if f.schema
    ]
    if not done["allOf"]:
        del done["allOf"]
    failed = record(
        {
            "schema": named("scan"),
            "tool": TOOL,
            "source": record({"path": TEXT}),
            "error": FAILURE,
            "exit_code": CODE,
        }
    )
    return {"oneOf": [done, failed]}


def _summary(formats: Formats) -> Schema:
    names = [f.name for f in formats if f.schema]
    told = f"the format's own answer; see $defs for {', '.join(names)}" if names else "the format's own answer"
    return {"type": "object", "description": told}


def _scans(formats: Formats) -> Schema:
    return record(
        {
            "schema": named("scans"),
            "tool": TOOL,
            "results": listed({"$ref": "#/$defs/scan"}),
            "comparisons": listed(record({"path": TEXT, "format": TEXT, "words": TEXTS})),
            "exit_code": {**CODE, "description": "the worst of the results"},
        }
    )


def _repair(_: Formats) -> Schema:
    change = {
        "file": TEXT_OR_NULL,
        "start": COUNT_OR_NULL,
        "end": COUNT_OR_NULL,
        "action": {"enum": ["kept", "corrected", "dropped", "lost", "added"]},
        "proof": PROOF,
        "why": TEXT,
    }
    engine = {"type": "object", "properties": {"ran": {"type": "boolean"}, "why": TEXT}, "required": ["ran"]}
    return record(
        {
            "schema": named("repair"),
            "tool": TOOL,
            "source": SOURCE,
            "format": record({"name": TEXT, "version": TEXT}),
            "output": {
                "oneOf": [{"type": "null"}, record({"path": TEXT, "size": COUNT, "sha256": SHA256})],
                "description": "null after a dry run",
            },
            "records": ledger("kept", "corrected", "dropped", "lost", value=COUNT_OR_NULL),
            "bytes": ledger("kept", "corrected", "dropped", "lost", "added"),
            "proof": ledger("sealed", "derived", "placed", "none"),
            "changes": listed(record(change)),
            "changes_total": COUNT,
            "verified": record({"ok": {"type": "boolean"}, "by": TEXTS, "engine": engine}),
            "notes": TEXTS,
            "after": TEXTS,
            "exit_code": CODE,
        }
    )


def _records(_: Formats) -> Schema:
    return {**ENTRY, "description": "one line of inspector records --jsonl"}


def _show(_: Formats) -> Schema:
    field = {
        "name": TEXT,
        "start": COUNT,
        "end": COUNT,
        "value": {},
        "text": TEXT,
        "meaning": TEXT,
        "privacy": {"enum": ["public", "private", "secret"]},
    }
    head: Schema = {"schema": named("show"), "tool": TOOL, "source": SOURCE, "format": TEXT}
    exhibit = record(
        {
            **head,
            "title": TEXT,
            "file": TEXT_OR_NULL,
            "start": COUNT,
            "end": COUNT,
            "state": TEXT,
            "matched": TEXT,
            "fields": listed(record(field)),
            "data": {**TEXT, "pattern": "^([0-9a-f]{2})*$"},
            "notes": TEXTS,
            "neighbours": listed(ENTRY),
            "findings": listed(FINDING),
        }
    )
    return {"oneOf": [exhibit, record({**head, "item": ITEM})]}


def _items(_: Formats) -> Schema:
    return record(
        {
            "schema": named("items"),
            "tool": TOOL,
            "source": SOURCE,
            "format": TEXT,
            "items": listed(ITEM),
            "items_total": COUNT,
        }
    )


def _item(_: Formats) -> Schema:
    return {**ITEM, "description": "one line of inspector items --jsonl"}


def _apply(_: Formats) -> Schema:
    return record(
        {
            "schema": named("apply"),
            "tool": TOOL,
            "target": TEXT,
            "undo": TEXT,
            "changes": COUNT,
            "bytes": COUNT,
            "already": {**COUNT, "description": "changes whose bytes were there before"},
        }
    )


def _extract(_: Formats) -> Schema:
    return record(
        {
            "schema": named("extract"),
            "tool": TOOL,
            "source": SOURCE,
            "format": TEXT,
            "item": TEXT,
            "output": record({"path": TEXT, "size": COUNT}),
            "map": TEXT_OR_NULL,
            "proof": ledger("sealed", "derived", "placed", "none"),
            "unknown": listed(record({"start": COUNT, "end": COUNT, "why": TEXT})),
            "unknown_total": COUNT,
            "exit_code": CODE,
        }
    )


def _explain(_: Formats) -> Schema:
    return record({"schema": named("explain"), "tool": TOOL, "format": TEXT, **RULE})


def _formats(_: Formats) -> Schema:
    form = {
        "name": TEXT,
        "title": TEXT,
        "on": TEXT_OR_NULL,
        "commands": TEXTS,
        "names": TEXTS,
        "filters": TEXTS,
        "wishes": TEXTS,
        "kinds": {"oneOf": [COUNT, {"type": "object", "additionalProperties": TEXT}]},
        "layouts": listed({"type": "object"}),
        "rules": {"oneOf": [COUNT, listed(record(RULE))]},
    }
    optional = ("filters", "wishes", "layouts")
    return record({"schema": named("formats"), "tool": TOOL, "formats": listed(record(form, optional))})


SCHEMAS: Mapping[str, Any] = {
    "scan": _scan,
    "scans": _scans,
    "records": _records,
    "show": _show,
    "items": _items,
    "item": _item,
    "repair": _repair,
    "extract": _extract,
    "apply": _apply,
    "explain": _explain,
    "formats": _formats,
}


def schema(name: str, formats: Formats) -> Schema:
    """The schema of one document; `name` is a key of SCHEMAS."""
    document: Schema = {
        "$schema": DRAFT,
        "$id": f"https://pypi.org/project/store-inspector/{name}/1",
        "title": f"inspector/{name}/1",
        **SCHEMAS[name](formats),
    }
    definitions: Schema = {}
    if name in ("scan", "scans"):
        definitions |= {f"summary-{f.name}": dict(f.schema) for f in formats if f.schema}
    if name == "scans":
        definitions["scan"] = _scan(formats)
    return document | ({"$defs": definitions} if definitions else {})
