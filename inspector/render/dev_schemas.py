"""JSON Schema of what `inspector dev` prints."""

from __future__ import annotations

from inspector.damage import KINDS
from inspector.render.schema_terms import (
    COUNT,
    COUNT_OR_NULL,
    SHA256,
    TEXT,
    TEXT_OR_NULL,
    TEXTS,
    TOOL,
    listed,
    named,
    record,
)

FLAG = {"type": "boolean"}
KIND = {"enum": list(KINDS)}
PLACES = listed(record({"file": TEXT, "start": COUNT, "end": COUNT}, optional=("file",)))
_HARM = record(
    {
        "kind": KIND,
        "meaning": TEXT,
        "causes": {**TEXTS, "description": "what a finding may rightly name as its cause"},
        "seed": {"type": "integer"},
        "file": TEXT_OR_NULL,
        "changes": COUNT,
        "before": {**PLACES, "description": "in the store; an empty place is where bytes were put in"},
        "after": {**PLACES, "description": "in the copy; an empty place is where bytes are gone"},
    }
)
_TOTALS = record(
    {
        "rounds": COUNT,
        "detected": COUNT,
        "localised": COUNT,
        "cause_right": COUNT,
        # of the rounds whose damage touches bytes that a checksum of the healthy store covers
        "sealed": record({"rounds": COUNT, "detected": COUNT, "localised": COUNT, "cause_right": COUNT}),
        "all_untouched_kept": COUNT_OR_NULL,
        "corrections_right": COUNT,
        "corrections_wrong": COUNT,
        "repaired": COUNT,
        "unverified": COUNT,
        "seconds": {"type": "number"},
    }
)
_ROUND = record(
    {
        "kind": KIND,
        "seed": {"type": "integer"},
        "file": TEXT_OR_NULL,
        "spans": PLACES,
        "sealed": FLAG,
        "detected": FLAG,
        "localised": FLAG,
        "codes": TEXTS,
        "causes": TEXTS,
        "cause_right": FLAG,
        "untouched": COUNT_OR_NULL,
        "sound": COUNT,
        "corrections_right": COUNT,
        "corrections_wrong": COUNT,
        "repair": {"enum": ["ok", "lost", "refused", "unverified", "failed", "not offered"]},
        "seconds": {"type": "number"},
    }
)
INJECT = record(
    {
        "schema": named("inject"),
        "tool": TOOL,
        "source": record({"path": TEXT, "size": COUNT}),
        "output": record(
            {"path": TEXT, "size": COUNT, "sha256": {"type": "object", "additionalProperties": SHA256}},
        ),
        "damage": listed(_HARM),
    }
)
SELFTEST = record(
    {
        "schema": named("selftest"),
        "tool": TOOL,
        "source": record({"format": TEXT, "size": COUNT, "units": COUNT, "sealed": COUNT}),
        "rounds": listed(_ROUND),
        "totals": _TOTALS,
        "by_kind": {"type": "object", "additionalProperties": _TOTALS},
    }
)
