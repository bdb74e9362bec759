"""What was carved, as a JSON document, and its schema."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inspector.carve import DUPLICATE, WRITTEN, Carved, Found
from inspector.render.documents import TOOL, Document, source_part

if TYPE_CHECKING:
    from inspector.render.schema_terms import Schema


def found(one: Found) -> Document:
    """One find: its bytes in the source, what it is, what became of it."""
    told: Document = {"start": one.start, "end": one.end, "kind": one.kind, "fate": one.fate, "encoding": one.encoding}
    return told | {"rest": one.rest, "file": one.out or None}


def carve(carved: Carved, listed: list[Document]) -> Document:
    """What was found and what became of it; `output` is null after a dry run or without a find."""
    haul, sums = carved.haul, carved.haul.sums
    output = None
    if carved.output is not None:
        output = {"path": carved.output, "size": carved.size, "sha256": carved.sha256, "version": haul.version}
    left = [fate for fate in sums.units if fate not in (WRITTEN, DUPLICATE)]
    return {
        "schema": "inspector/carve/1",
        "tool": TOOL,
        "source": source_part(carved.source),
        "format": carved.carver.name,
        "output": output,
        "searched": {
            "bytes": carved.area.bytes,
            "empty": carved.empty,
            "skipped": carved.area.skipped,
            "unknown": carved.unknown,
            "unreadable": carved.unreadable,
        },
        "found": {"units": sum(sums.units.values()), "bytes": sum(sums.bytes.values()), "by_kind": dict(sums.found)},
        "written": _sum(sums.units[WRITTEN], sums.bytes[WRITTEN]),
        "duplicates": _sum(sums.units[DUPLICATE], sums.bytes[DUPLICATE]),
        "left_out": [
            {"why": why, **_sum(sums.units[why], sums.bytes[why]), "lost": why in haul.lost} for why in sorted(left)
        ],
        "added": sums.added,
        "proof": {name: sums.proof[name] for name in ("sealed", "derived", "placed", "none")},
        "false_finds": {"expected": haul.chance, "because": haul.because},
        "finds": listed,
        "finds_total": sum(sums.units.values()) + sums.pieces,
        "partial": haul.partial,
        "verified": dict(carved.verified),
        "notes": list(carved.notes),
        "after": list(carved.after),
        "exit_code": int(carved.code),
    }


def _sum(units: int, size: int) -> Document:
    return {"units": units, "bytes": size}


def carve_schema() -> Schema:
    """The schema of `inspector/carve/1`."""
    from inspector.render.schema_terms import (
        CODE,
        COUNT,
        SHA256,
        SOURCE,
        TEXT,
        TEXT_OR_NULL,
        TEXTS,
        TOOL,
        ledger,
        listed,
        named,
        record,
    )

    sums = {"units": COUNT, "bytes": COUNT}
    find = {"start": COUNT, "end": COUNT, "kind": TEXT, "fate": TEXT, "encoding": TEXT, "file": TEXT_OR_NULL}
    find["rest"] = {
        "type": ["integer", "null"],
        "description": "encoding piece: where the next one begins of what lies in several; after the last the first",
    }
    engine = {"type": "object", "properties": {"ran": {"type": "boolean"}, "why": TEXT}, "required": ["ran"]}
    return record(
        {
            "schema": named("carve"),
            "tool": TOOL,
            "source": SOURCE,
            "format": {**TEXT, "description": "what was looked for"},
            "output": {
                "oneOf": [
                    {"type": "null"},
                    record({"path": TEXT, "size": COUNT, "sha256": SHA256, "version": TEXT}),
                ],
                "description": "null after a dry run, and where nothing was found",
            },
            "searched": {
                **ledger("bytes", "empty", "skipped", "unknown", "unreadable"),
                "description": "searched; holes; left out with --offset; never read by the mapfile; failed now",
            },
            "found": record({**sums, "by_kind": {"type": "object", "additionalProperties": COUNT}}),
            "written": record(sums),
            "duplicates": record(sums),
            "left_out": listed(
                record(
                    {
                        "why": TEXT,
                        **sums,
                        "lost": {"type": "boolean", "description": "the owner would have wanted it: exit code 4"},
                    }
                )
            ),
            "added": {**COUNT, "description": "bytes of the output that have no source"},
            "proof": ledger("sealed", "derived", "placed", "none"),
            "false_finds": record({"expected": {"type": "number"}, "because": TEXT}),
            "finds": {**listed(record(find)), "description": "the first and last; --map writes all"},
            "finds_total": COUNT,
            "partial": {**TEXT, "description": "why the search is not complete; empty when it is"},
            "verified": record({"ok": {"type": "boolean"}, "by": TEXTS, "engine": engine}),
            "notes": TEXTS,
            "after": TEXTS,
            "exit_code": CODE,
        }
    )
