"""JSON Schema (draft 2020-12) of every document that inspector prints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from inspector.catalogue import Formats
from inspector.render.schema_terms import (
    CODE,
    COUNT,
    COUNT_OR_NULL,
    DIAGNOSIS,
    DRAFT,
    ENTRY,
    FAILURE,
    FINDING,
    ITEM,
    LABELS,
    OUTCOME,
    PROOF,
    RULE,
    SHA256,
    SOURCE,
    TEXT,
    TEXT_OR_NULL,
    TEXTS,
    TOOL,
    VERDICT,
    Schema,
    ledger,
    listed,
    named,
    record,
)


def _scan(formats: Formats) -> Schema:
    from inspector.render.report_schemas import LOG, MOMENT

    done = record(
        {
            "schema": named("scan"),
            "tool": TOOL,
            "source": SOURCE,
            "format": record({"name": TEXT, "layers": TEXTS, "version": TEXT, "because": TEXT}),
            "verdict": VERDICT,
            "diagnosis": {"oneOf": [{"type": "null"}, DIAGNOSIS]},
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
            "next": {**TEXTS, "description": "commands to run now, as they are"},
            "next_why": {**TEXTS, "description": "of each command, where it does not speak for itself; else empty"},
            "summary": _summary(formats),
            "partial": {**TEXT, "description": "why the result is a lower bound; empty when it is whole"},
            "live": {"type": "object", "description": "where the store was in use, or the medium was asked in vain"},
            "exit_code": CODE,
            "log": {**LOG, "description": "only with --log"},
            "timeline": {**listed(MOMENT), "description": "only with --log"},
            "state": record(
                {
                    "read": {"enum": ["whole", "nothing", "new bytes"]},
                    "from": COUNT,
                    "to": COUNT,
                    "whole_read_at": COUNT,
                }
            ),
            "baseline": record({"known": COUNT, "new": COUNT, "gone": COUNT}),
            "labels": LABELS,
        },
        optional=("live", "state", "baseline", "labels", "log", "timeline"),
    )
    # the summary of each format, where it says what is in it
    done["allOf"] = [
        {
            "if": {"properties": {"format": {"properties": {"name": {"const": f.name}}}}},
            "then": {"properties": {"summary": {"anyOf": [{"$ref": f"#/$defs/summary-{f.name}"}, NOTHING]}}},
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
            "labels": LABELS,
        },
        optional=("labels",),
    )
    return {"oneOf": [done, failed]}


# of an inspection that ended before the format could answer: the time limit, or a bug of ours
NOTHING: Schema = {"type": "object", "maxProperties": 0, "description": "it ended early: see partial and findings"}


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
            "verified": record(
                {"ok": {"type": "boolean"}, "by": TEXTS, "standing": TEXTS, "unjudged": TEXT, "engine": engine},
                ["standing", "unjudged"],
            ),
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


def _watch(_: Formats) -> Schema:
    """Events may be added; a reader passes over those that it does not know."""
    return record(
        {
            "schema": named("watch"),
            "event": {**TEXT, "description": "opened, damage, transient, healed, torn, rotated, corrupt-file, end ..."},
            "time": {**TEXT, "format": "date-time"},
            "path": TEXT,
            "start": COUNT_OR_NULL,
            "end": COUNT_OR_NULL,
            "message": TEXT,
            "evidence": {"type": "object", "description": "what is known of it; depends on the event"},
            "labels": LABELS,
        },
        optional=("labels",),
    ) | {"description": "one line of inspector watch --jsonl"}


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


def _carve(_: Formats) -> Schema:
    from inspector.render.carve_documents import carve_schema

    return carve_schema()


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


def _explain_log(_: Formats) -> Schema:
    from inspector.render.report_schemas import explain_log

    return explain_log()


def _report(formats: Formats) -> Schema:
    from inspector.render.report_schemas import report

    return report(_scan(formats)["oneOf"][0], _show(formats)["oneOf"][0])


def _merge(formats: Formats) -> Schema:
    from inspector.render.merge_documents import merge_schema  # which stands on this module

    return merge_schema(formats)


def _diff(formats: Formats) -> Schema:
    from inspector.render.diff_documents import diff_schema

    return diff_schema(formats)


def _inject(_: Formats) -> Schema:
    from inspector.render.dev_schemas import INJECT  # which stands on this module

    return INJECT


def _selftest(_: Formats) -> Schema:
    from inspector.render.dev_schemas import SELFTEST

    return SELFTEST


def _parcel(name: str) -> Any:
    def make(formats: Formats) -> Schema:
        from inspector.render import parcel_schemas

        made: Schema = getattr(parcel_schemas, name)(formats)
        return made

    return make


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
    "carve": _carve,
    "merge": _merge,
    "diff": _diff,
    "watch": _watch,
    "capture": _parcel("capture"),
    "excerpt": _parcel("excerpt"),
    "explain": _explain,
    "explain-log": _explain_log,
    "report": _report,
    "formats": _formats,
    "inject": _inject,
    "selftest": _selftest,
}


def schema(name: str, formats: Formats) -> Schema:
    """The schema of one document; `name` is a key of SCHEMAS."""
    document: Schema = {
        "$schema": DRAFT,
        "$id": f"urn:store-inspector:schema:{name}:1",
        "title": f"inspector/{name}/1",
        **SCHEMAS[name](formats),
    }
    definitions: Schema = {}
    if name in ("scan", "scans"):
        definitions |= {f"summary-{f.name}": dict(f.schema) for f in formats if f.schema}
    if name == "scans":
        definitions["scan"] = _scan(formats)
    return document | ({"$defs": definitions} if definitions else {})
