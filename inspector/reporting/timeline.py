"""Findings, log lines, record times and file times in one order.

What has a time comes in the order of time; damage without one stands beside the records that bound it: what was
appended before and after it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from inspector.finding import Finding
from inspector.counted import plural
from inspector.source import Source

MAX_EVENTS = 500
MAX_FILES = 12  # whose last write is an event; all of them stand in the environment
EARLIEST, LATEST = 1_200_000_000, 4_102_444_800  # 2008 and 2100: a number outside is no time of these programs
_NAMES = ("timestamp", "time", "last_time", "creation_time", "written")
_STAMP = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?\Z")

Document = dict[str, Any]


def timeline(report: Document) -> list[Document]:
    """Events with a time, oldest first: {time, kind, file, offset, what}. Equal times keep the order of kinds."""
    events = [*_records(report), *_findings(report), *_lines(report), *_files(report)]
    known = {(e["time"], e["kind"], e["file"], e["offset"], e["what"]): e for e in events if e["time"] is not None}
    return sorted(known.values(), key=_order)[:MAX_EVENTS]


def of_scan(findings: Iterable[Finding], source: Source, log: Document) -> list[Document]:
    """The same of a scan with logs, which looks at no neighbours and no files."""
    from inspector.render.documents import finding

    return timeline({"exhibits": [], "findings": [finding(f, source) for f in findings], "log": log})


def _order(event: Document) -> tuple[str, int, str, int, str]:
    kinds = ("record", "finding", "log", "file")
    return (event["time"], kinds.index(event["kind"]), event["file"] or "", event["offset"] or 0, event["what"])


def _event(time: str | None, kind: str, what: str, file: str | None = None, offset: int | None = None) -> Document:
    return {"time": time, "kind": kind, "file": file, "offset": offset, "what": what}


def _records(report: Document) -> Iterator[Document]:
    """The records before and after each damage: it was written between them, or they were there before it."""
    for exhibit in report["exhibits"]:
        for entry in exhibit["neighbours"]:
            side = "before" if entry["start"] < exhibit["start"] else "after"
            what = f"{entry['kind']} ({entry['state']}), the record {side} the damage at {exhibit['start']}"
            yield _event(_time_in(entry["fields"]), "record", what, entry.get("file"), entry["start"])
        own = next((f["value"] for f in exhibit["fields"] if f["name"] in _NAMES and _stamp(f["value"])), None)
        if own is not None and exhibit["of"]:
            what = f"{exhibit['title']}: {exhibit['state']}; the time that the record itself tells"
            yield _event(_stamp(own), "record", what, exhibit["file"], exhibit["start"])


def _findings(report: Document) -> Iterator[Document]:
    for found in report["findings"]:
        time = _time_in(found["evidence"])
        yield _event(time, "finding", f"{found['code']} {found['message']}", found["file"], found["start"])


def _lines(report: Document) -> Iterator[Document]:
    for line in (report.get("log") or {}).get("lines", ()):
        place = line.get("store") or {}
        what = f"{line['log']} line {line['line']}: {line['meaning']}"
        yield _event(line["time"], "log", what, place.get("file"), place.get("start"))


def _files(report: Document) -> Iterator[Document]:
    for file in (report.get("environment") or {}).get("files", ())[:MAX_FILES]:
        yield _event(file["modified"], "file", f"{file['name']} was last written ({plural(file['size'], 'byte')})")


def _time_in(fields: Document) -> str | None:
    return next((t for name in _NAMES if (t := _stamp(fields.get(name))) is not None), None)


def _stamp(value: object) -> str | None:
    """A number of seconds or a written time as 2024-05-30T12:36:01Z; None for what is neither."""
    if isinstance(value, int) and not isinstance(value, bool) and EARLIEST < value < LATEST:
        return datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, str) and _STAMP.match(value):
        try:
            found = datetime.fromisoformat(value)
        except ValueError:
            return None
        found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
        return found.isoformat(timespec="microseconds" if found.microsecond else "seconds").replace("+00:00", "Z")
    return None
