"""The words of JSON Schema that inspector's documents share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Schema = dict[str, Any]
DRAFT = "https://json-schema.org/draft/2020-12/schema"

TEXT: Schema = {"type": "string"}
COUNT: Schema = {"type": "integer", "minimum": 0}
COUNT_OR_NULL: Schema = {"type": ["integer", "null"], "minimum": 0}
TEXT_OR_NULL: Schema = {"type": ["string", "null"]}
TEXTS: Schema = {"type": "array", "items": TEXT}
CODE: Schema = {"type": "integer", "enum": [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 130]}
VERDICT: Schema = {
    "enum": ["clean", "damaged", "partial"],
    "description": "partial: nothing wrong was seen, and not all was checked; clean only where all was",
}
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
        "fingerprint": {**TEXT, "description": "the finding's name: its rule, place and bytes; the same in every scan"},
        "new": {"type": "boolean", "description": "with --baseline: the baseline does not have it"},
    },
    optional=("new",),
)
PLACE = {"file": TEXT_OR_NULL, "start": COUNT, "end": COUNT}
SURE: Schema = {"enum": ["certain", "likely", "possible"]}
EVENT = record(
    {**PLACE, "cause": CAUSE, "codes": TEXTS, "findings": COUNT, "facts": {"type": "object"}},
)
ISSUE = record(
    {
        "id": TEXT,
        "url": TEXT,
        "program": TEXT,
        "title": TEXT,
        "role": {"enum": ["writes", "reads"], "description": "the bug makes such a store, or chokes on one"},
        "affected": TEXT,
        "fixed": {**TEXT_OR_NULL, "description": "null where no fix is known"},
        "advice": TEXT,
        "confidence": SURE,
        "because": TEXT,
    }
)
REREAD = record(
    {
        "way": {"enum": ["direct", "dropped from the cache", "not possible"]},
        "places": COUNT,
        "lasting": {"type": ["boolean", "null"], "description": "the medium gives the same bytes again"},
        "differing": listed(record(PLACE)),
        "why": TEXT,
    }
)
DIAGNOSIS = record(
    {
        "verdict": {"enum": ["medium", "software", "interrupted write", "transfer", "unknown"]},
        "confidence": SURE,
        "because": TEXT,
        "sentence": {**TEXT, "description": "the answer in one sentence; it is also the first of the words"},
        "events": listed(EVENT),
        "events_total": COUNT,
        "issues": listed(ISSUE),
        "reread": {"oneOf": [{"type": "null"}, REREAD]},
        "given_up": {
            **COUNT,
            "description": "places of unknown cause that were not looked at to the end: what that may cost has a limit",
        },
    },
    optional=("given_up",),
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
LABELS: Schema = {"type": "object", "additionalProperties": TEXT, "description": "what --label gave"}
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
