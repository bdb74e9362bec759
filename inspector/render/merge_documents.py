"""A merge and a comparison as JSON documents, and their schemas."""

from __future__ import annotations

from typing import Any

from inspector.catalogue import Formats
from inspector.merge import Merged
from inspector.render.documents import TOOL, Document, source_part
from inspector.render.schema_terms import (
    CODE,
    COUNT,
    SHA256,
    SOURCE,
    TEXT,
    TEXT_OR_NULL,
    TEXTS,
    VERDICT,
    ledger,
    listed,
    named,
    record,
)
from inspector.render.schema_terms import TOOL as TOOL_SCHEMA


def merged(result: Merged) -> Document:
    """The document of one merge; `output` is null after a dry run."""
    plan = result.plan
    age = {number: rank for rank, number in enumerate(plan.order)}
    sources = [
        {
            **source_part(report.source),
            "version": report.answer.version,
            "rank": age[number],
            "because": plan.because[number],
            "verdict": report.verdict,
            "records_taken": result.taken[number][0],
            "bytes_taken": result.taken[number][1],
        }
        for number, report in enumerate(result.reports)
    ]
    output = None
    if result.output is not None:
        output = {"path": result.output, "size": result.size, "sha256": result.sha256}
    return {
        "schema": "inspector/merge/1",
        "tool": TOOL,
        "sources": sources,
        "format": result.reports[0].format.name,
        "output": output,
        "map": result.map,
        "made": {"records": result.made[0], "bytes": result.made[1]},
        "proof": dict(result.proof),
        "counts": dict(sorted(plan.counts.items())),
        "losses": [
            {
                "source": result.reports[loss.copy].source.label if loss.copy >= 0 else None,
                "file": loss.span.member or None,
                "start": loss.span.start,
                "end": loss.span.end,
                "why": loss.why,
            }
            for loss in plan.losses
        ],
        "losses_total": plan.losses_total,
        "disagreements": [
            {
                "at": one.at,
                "length": one.length,
                "copies": [{"source": result.reports[n].source.label, "sha256": digest} for n, digest in one.digests],
                "chosen": result.reports[one.chosen].source.label if one.chosen >= 0 else None,
                "why": one.why,
            }
            for one in plan.disagreements
        ],
        "disagreements_total": plan.disagreements_total,
        "verified": dict(result.verified),
        "notes": list(result.notes),
        "after": list(result.after),
        "exit_code": int(result.code),
    }


def merge_schema(_: Formats) -> dict[str, Any]:
    engine = {"type": "object", "properties": {"ran": {"type": "boolean"}, "why": TEXT}, "required": ["ran"]}
    copy = {
        **SOURCE["properties"],
        "version": TEXT,
        "rank": {**COUNT, "description": "0 is the newest"},
        "because": {**TEXT, "description": "what tells its age"},
        "verdict": VERDICT,
        "records_taken": COUNT,
        "bytes_taken": COUNT,
    }
    loss = {
        "source": {**TEXT_OR_NULL, "description": "null: offsets in the output"},
        "file": TEXT_OR_NULL,
        "start": COUNT,
        "end": COUNT,
        "why": TEXT,
    }
    other = {
        "at": {**COUNT, "description": "offset in the output"},
        "length": COUNT,
        "copies": listed(record({"source": TEXT, "sha256": SHA256})),
        "chosen": TEXT_OR_NULL,
        "why": TEXT,
    }
    return record(
        {
            "schema": named("merge"),
            "tool": TOOL_SCHEMA,
            "sources": listed(record(copy, optional=("sha256",))),
            "format": TEXT,
            "output": {
                "oneOf": [{"type": "null"}, record({"path": TEXT, "size": COUNT, "sha256": SHA256})],
                "description": "null after a dry run",
            },
            "map": TEXT_OR_NULL,
            "made": record({"records": COUNT, "bytes": COUNT}),
            "proof": ledger("sealed", "derived", "placed", "none"),
            "counts": {"type": "object", "additionalProperties": COUNT, "description": "the format's own words"},
            "losses": listed(record(loss)),
            "losses_total": COUNT,
            "disagreements": listed(record(other)),
            "disagreements_total": COUNT,
            "verified": record({"ok": {"type": "boolean"}, "by": TEXTS, "engine": engine}),
            "notes": TEXTS,
            "after": TEXTS,
            "exit_code": CODE,
        }
    )
