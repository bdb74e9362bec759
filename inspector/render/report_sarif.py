"""A report as SARIF 2.1.0: one run, one result per finding with its bytes, the rules as the tool's own."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

Document = dict[str, Any]

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def sarif(report: Document) -> Document:
    """The whole log file; text in it is data, and viewers show it as plain text."""
    rules = report["rules"]
    index = {r["code"]: i for i, r in enumerate(rules)}
    members = sorted({f["file"] or "" for f in report["findings"]} | {""})
    places = {member: i for i, member in enumerate(members)}
    driver = {
        "name": report["tool"]["name"],
        "version": report["tool"]["version"],
        "semanticVersion": report["tool"]["version"],
        "rules": [_rule(r) for r in rules],
    }
    run = {
        "tool": {"driver": driver},
        "invocations": [
            {
                "executionSuccessful": report["exit_code"] in (0, 3, 9),
                "exitCode": report["exit_code"],
                **_unfinished(report),
            },
        ],
        "artifacts": [_artifact(report, member) for member in members],
        "results": [_result(report, f, index[f["code"]], places) for f in report["findings"]],
        "properties": {
            "format": report["format"],
            "verdict": report["verdict"],
            "partial": report["partial"],
            "findingsTotal": report["findings_total"],
            "words": report["words"],
        },
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _unfinished(report: Document) -> Document:
    """Viewers show no results as "nothing found": that not all was looked at stands where they look for it."""
    if not report["partial"]:
        return {}
    words = f"Not fully checked: {report['partial']}; what is said here is a lower bound."
    return {"toolExecutionNotifications": [{"level": "warning", "message": {"text": words}}]}


def _rule(rule: Document) -> Document:
    told = {
        "id": rule["code"],
        "name": "".join(word.capitalize() for word in rule["rule"].split("-")),
        "shortDescription": {"text": rule["summary"]},
        "fullDescription": {"text": rule["explanation"]},
        "help": {"text": f"{rule['loader']} {rule['advice']}".strip()},
        "defaultConfiguration": {"level": rule["severity"]},
    }
    return told | ({"properties": {"source": rule["source"]}} if rule["source"] else {})


def _artifact(report: Document, member: str) -> Document:
    told: Document = {"location": {"uri": _uri(report, member)}}
    if not member and report["source"]["kind"] != "folder":
        told["length"] = report["source"]["size"]
    return told


def _result(report: Document, found: Document, rule: int, places: dict[str, int]) -> Document:
    member = found["file"] or ""
    place: Document = {"artifactLocation": {"uri": _uri(report, member), "index": places[member]}}
    if found["start"] is not None:
        place["region"] = {"byteOffset": found["start"], "byteLength": found["end"] - found["start"]}
    return {
        "ruleId": found["code"],
        "ruleIndex": rule,
        "level": found["severity"],
        "message": {"text": found["message"] or found["rule"]},
        "locations": [{"physicalLocation": place}],
        "properties": {
            "id": found["id"],
            "cause": found["cause"],
            "salvage": found["salvage"] or "unknown",
            "evidence": found["evidence"],
        },
    }


def _uri(report: Document, member: str) -> str:
    """A relative reference, also for names with characters that no address may hold."""
    name = report["source"]["name"]
    return quote(f"{name}/{member}" if member else name, safe="/", errors="replace") or "store"
