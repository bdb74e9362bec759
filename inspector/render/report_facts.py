"""The few facts that come first in a report, whatever its form: what a maintainer asks before anything else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from inspector.counted import plural
from inspector.render.text import NOT_ALL, fraction_words, place, size_words

Document = dict[str, Any]


def facts(report: Document) -> Iterator[tuple[str, str]]:
    """At most eight titles with their words; words may hold text of the file."""
    yield "Bug or disk", bug_or_disk(report)
    form, source = report["format"], report["source"]
    told = f"{' on '.join(form['layers'])}, version {form['version'] or 'unknown'}"
    because = f" ({form['because']})" if form["because"] else ""
    records = report["records"]
    damaged = f", {records['damaged']:,} damaged" if records["damaged"] else ""
    size = f"{size_words(source['size'])}, {plural(records['total'], 'record')}{damaged}"
    yield "Store", f"{told}{because}; {size}"
    first = first_damage(report)
    if first is not None:
        cause = first["cause"]
        because = f", {cause['because']}" if cause["because"] else ""
        yield "Cause", f"{cause['name']} ({cause['confidence']}){because}"
        yield "First damage", f"{first['code']} {first['rule']} {place_words(first)}: {first['message']}"
        beside = neighbours(report, first)
        if beside:
            yield "Records around it", beside
    yield "Known issue", "; ".join(issue_words(i) for i in report["known_issues"][:3]) or "none matches"
    env = report["environment"]
    if env:
        disk = env["file_system"]
        mounted = f"{disk['type']} ({disk['options']})" if disk else "not told"
        release = f" {disk['release']}" if disk and disk.get("release") else ""
        yield "File system", f"{mounted}{release}, {env['system']}"
        yield (
            "Files",
            "; ".join(f"{f['name']} {size_and_age(f, env)}" for f in env["files"][:6])
            + (f"; {env['files_total'] - 6:,} more" if env["files_total"] > 6 else ""),
        )


def verdict_words(report: Document) -> str:
    """What stands behind the store's name."""
    return NOT_ALL if report["verdict"] == "partial" else str(report["verdict"])


def bug_or_disk(report: Document) -> str:
    """The diagnosis in one sentence, with its confidence."""
    found = report.get("diagnosis")
    if found:
        because = f": {found['because']}" if found["because"] else ""
        plain = PLAIN.get(found["verdict"], "")
        return f"{found['verdict']} ({found['confidence']}){plain}{because}"
    if report["verdict"] == "clean":
        return "neither: no damage found"
    if report["verdict"] == "partial":
        return "not known: no damage in what was checked, and that was not all"
    first = first_damage(report)
    name = first["cause"]["name"] if first else "unknown"
    side = SIDES.get(name)
    return f"{side} ({first['cause']['confidence']}), from the first damage" if first and side else "not known"


def evidence_words(found: Document) -> Iterator[tuple[str, str]]:
    """Names and values of the evidence, without what the cause says already; a chance with two digits."""
    for name, value in found["evidence"].items():
        if value is not None and name != "undone":
            yield name, fraction_words(value) if isinstance(value, float) else str(value)


def event_words(event: Document) -> str:
    """One thing that happened, and how many findings it explains."""
    cause = event["cause"]
    where = f"in {event['file']} " if event["file"] else ""
    because = f", {cause['because']}" if cause["because"] else ""
    hit = plural(event["findings"], "finding")
    return f"{where}bytes {event['start']} to {event['end']}: {cause['name']} ({cause['confidence']}){because}; {hit}"


# where nothing better is known than the cause of the first damage
# what a verdict means to somebody who has not read ours before
PLAIN = {
    "medium": ", the disk or the memory and not the program",
    "software": ", a program wrote it so and not the disk",
    "interrupted write": ", a crash or a power loss",
    "transfer": ", a copy that went wrong",
}
SIDES = {
    "bit-flip": "medium or memory",
    "multi-bit": "medium or memory",
    "unreadable-medium": "medium",
    "stale-page": "lost write",
    "zeroed-range": "lost write or medium",
    "torn-write": "interrupted write",
    "truncated": "interrupted write or copy",
    "software-rule-violation": "software",
    "appended-store": "software",
}


def issue_words(issue: Document) -> str:
    """One known issue; its identifier and words are ours, not the file's."""
    fixed = f"; fixed: {issue['fixed']}" if issue["fixed"] else "; no fix is known"
    return f"{issue['id']} ({issue['confidence']}): {issue['title']}{fixed}"


def first_damage(report: Document) -> Document | None:
    """The worst finding that comes first."""
    found: Document | None = next((f for f in report["findings"] if f["severity"] != "note"), None)
    return found


def neighbours(report: Document, found: Document) -> str:
    """The record before and the record after a finding."""
    exhibit = next((e for e in report["exhibits"] if found["id"] in e["of"]), None)
    if exhibit is None:
        return ""
    sides = (
        f"{'before' if n['start'] < exhibit['start'] else 'after'} it {n['kind']} at {n['start']} ({n['state']})"
        for n in exhibit["neighbours"]
    )
    return ", ".join(sides)


def place_words(found: Document) -> str:
    """Where a finding lies."""
    where = f"in {found['file']} " if found["file"] else ""
    if found["start"] is None:
        return where.strip() or "(it has no bytes)"
    return f"{where}at {place(found['start'])}, {plural(found['end'] - found['start'], 'byte')}"


def size_and_age(file: Document, env: Document) -> str:
    """How large a file is, and how much older than the newest or the asked time, where that tells files apart."""
    size, age = plural(file["size"], "byte"), file["age_seconds"]
    for unit, length in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        if age >= 2 * length:
            return f"{size}, {plural(age // length, unit)} older"
    if age:
        return f"{size}, {plural(age, 'second')} older"
    newest = [f for f in env["files"] if not f["age_seconds"]]
    return f"{size}, the newest" if len(newest) == 1 < env["files_total"] else size
