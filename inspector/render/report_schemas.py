"""JSON Schema of what reports, logs and timelines are made of."""

from __future__ import annotations

from inspector.render.schema_terms import (
    COUNT,
    COUNT_OR_NULL,
    FINDING,
    RULE,
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

LINE = record(
    {
        "log": TEXT,
        "line": COUNT,
        "at": {**COUNT, "description": "offset of the line in the text of the log"},
        "time": TEXT_OR_NULL,
        "program": TEXT,
        "message": {**TEXT, "description": "the known message, see inspector explain"},
        "text": {**TEXT, "description": "empty in redacted output"},
        "values": {"type": "object", "additionalProperties": TEXT},
        "convention": {"enum": ["header", "body", "inside", "unread", "block", "page", None]},
        "offset": COUNT_OR_NULL,
        "meaning": TEXT,
        "effect": TEXT,
        "releases": TEXT,
        "issues": TEXTS,
        "verdict": {**TEXT, "description": "what the store shows there now; empty where no byte is named"},
        "compared": TEXT,
        "store": {
            "oneOf": [
                {"type": "null"},
                record(
                    {
                        "verdict": TEXT,
                        "file": TEXT_OR_NULL,
                        "start": COUNT_OR_NULL,
                        "end": COUNT_OR_NULL,
                        "state": TEXT,
                        "findings": TEXTS,
                    }
                ),
            ]
        },
        "next": TEXTS,
    }
)
LOG_PARTS: Schema = {
    "known": {**COUNT, "description": "lines with a known message"},
    "counts": {"type": "object", "additionalProperties": COUNT},
    "lines": listed(LINE),
    "notes": TEXTS,
}
LOG = record(LOG_PARTS)
MOMENT = record(
    {
        "time": TEXT,
        "kind": {"enum": ["record", "finding", "log", "file"]},
        "file": TEXT_OR_NULL,
        "offset": COUNT_OR_NULL,
        "what": TEXT,
    }
)


def explain_log() -> Schema:
    issue = record({"title": TEXT, "affected": TEXT, "fixed": TEXT, "advice": TEXT})
    return record(
        {
            "schema": named("explain-log"),
            "tool": TOOL,
            "store": TEXT_OR_NULL,
            "read": {**COUNT, "description": "lines in all"},
            **LOG_PARTS,
            "issues": {"type": "object", "additionalProperties": issue},
        }
    )


def report(scan: Schema, show: Schema) -> Schema:
    """The scan's document with what lies around it; open to further parts. Takes the schemas of scan and exhibit."""
    exhibit = show["properties"]
    around = ("title", "file", "start", "end", "state", "fields", "data", "notes", "neighbours")
    properties = {
        **scan["properties"],
        "schema": named("report"),
        "source": {**SOURCE, "properties": {**SOURCE["properties"], "name": TEXT}},
        "severities": TEXT,
        "findings": listed(record({"id": TEXT, **FINDING["properties"]}, optional=("new",))),
        "rules": listed(record({**RULE, "count": COUNT, "worst": RULE["severity"]})),
        "exhibits": listed(record({"of": TEXTS, **{name: exhibit[name] for name in around}})),
        "map": listed(
            record(
                {
                    "file": TEXT_OR_NULL,
                    "size": COUNT,
                    "slices": {
                        **listed(listed(COUNT)),
                        "description": "start, then bytes sound, without checksum, free, damaged, gap",
                    },
                    "damaged": listed(listed(COUNT)),
                }
            )
        ),
        "known_issues": listed({"type": "object"}),
        "repair": {"type": "object", "properties": {"offered": {"type": "boolean"}}, "required": ["offered"]},
        "log": {"oneOf": [{"type": "null"}, LOG]},
        "environment": {"type": ["object", "null"], "description": "null with --no-environment"},
        "redacted": {"type": "boolean"},
        "timeline": listed(MOMENT),
    }
    own = (
        "severities",
        "exhibits",
        "map",
        "repair",
        "redacted",
        "environment",
        "known_issues",
        "rules",
        "log",
        "timeline",
    )
    required = list(dict.fromkeys([*scan["required"], *own]))
    told = {**scan, "properties": properties, "required": required, "additionalProperties": True}
    return {k: v for k, v in told.items() if k != "allOf"}
