"""What was written, as JSON documents: the ledger of a repair, the map of an extraction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inspector.render.documents import TOOL, Document, source_part

if TYPE_CHECKING:
    from inspector.capture import Captured
    from inspector.extract import Extraction
    from inspector.format import Edit
    from inspector.patch import Applied
    from inspector.repair import Result
    from inspector.source import Source


def repair(result: Result) -> Document:
    """What was written, and the ledger; `output` is null after a dry run."""
    source = source_part(result.report.source)
    if result.source_sha256 is not None:
        source["sha256"] = result.source_sha256
    output = None
    if result.output is not None:
        output = {"path": result.output, "size": result.size, "sha256": result.sha256}
    return {
        "schema": "inspector/repair/1",
        "tool": TOOL,
        "source": source,
        "format": {"name": result.report.format.name, "version": result.report.answer.version},
        "output": output,
        "records": dict(result.records),
        "bytes": dict(result.bytes),
        "proof": dict(result.proof),
        "changes": [change(e) for e in result.changes],
        "changes_total": result.changes_total,
        "verified": dict(result.verified),
        "notes": list(result.notes),
        "after": list(result.after),
        "exit_code": int(result.code),
    }


def change(edit: Edit) -> Document:
    """One edit that is not "kept"; what is added has no place in the source."""
    origin = edit.origin
    return {
        "file": (origin.member if origin else edit.out) or None,
        "start": origin.start if origin else None,
        "end": origin.end if origin else None,
        "action": edit.action,
        "proof": edit.proof,
        "why": edit.why,
    }


def extract(source: Source, name: str, result: Extraction) -> Document:
    return {
        "schema": "inspector/extract/1",
        "tool": TOOL,
        "source": source_part(source),
        "format": name,
        "item": result.item,
        "output": {"path": result.output, "size": result.size},
        "map": result.map or None,
        "proof": dict(result.proof),
        "unknown": [{"start": a, "end": b, "why": why} for a, b, why in result.unknown],
        "unknown_total": result.unknown_total,
        "exit_code": int(result.code),
    }


def applied(done: Applied) -> Document:
    return {
        "schema": "inspector/apply/1",
        "tool": TOOL,
        "target": done.target,
        "undo": done.undo,
        "changes": done.changes,
        "bytes": done.bytes,
        "already": done.already,
    }


def captured(done: Captured, path: str) -> Document:
    return {
        "schema": "inspector/capture/1",
        "tool": TOOL,
        "source": {"path": path, "size": done.source_size},
        "format": done.format,
        "output": {"path": done.output, "size": done.size},
        "bytes": {"captured": done.read, "not_zero": done.stored, "verified_not_captured": done.vouched},
        "ranges": done.ranges,
        "findings_total": done.findings,
        "patch": {"possible": not done.patch, "why_not": done.patch},
        "notes": list(done.notes),
    }
