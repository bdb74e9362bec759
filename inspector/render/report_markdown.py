"""A report as a GitHub issue: what a maintainer needs in ten lines, the rest folded, never longer than one may be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from inspector.render.diagnosis_documents import given_up_words
from inspector.render.markdown_text import block, code, prose, table
from inspector.render.next_steps import script
from inspector.render.report_facts import event_words, evidence_words, facts, place_words, size_and_age, verdict_words
from inspector.render.report_hex import dump_lines

LIMIT = 65_536  # of a GitHub issue, in characters; kept in bytes, so that no way of counting exceeds it
HEAD_LINE = 600  # bytes of one of the first lines

Document = dict[str, Any]
Piece = list[str]  # lines that stay together

# what each section may take; together with the head they stay below the limit whatever the document holds
SHARES = {
    "What happened": 6_000,
    "Findings": 14_000,
    "Bytes of the damage": 12_000,
    "Log lines": 6_000,
    "Timeline": 4_500,
    "What the programs do with it": 3_000,
    "What a repair would keep": 4_000,
    "Records": 2_000,
    "Environment": 4_500,
}


def markdown(report: Document) -> str:
    """The whole report as Markdown text; deterministic, at most LIMIT bytes."""
    lines = [*_head(report), ""]
    for title, opened, pieces in _sections(report):
        lines += _folded(title, opened, pieces, SHARES[title])
    tool = report["tool"]
    lines.append(f"<sub>{tool['name']} {tool['version']}; offsets are bytes from 0, ends are not included</sub>")
    text = "\n".join(lines) + "\n"
    assert len(text.encode()) <= LIMIT
    return text


def _head(report: Document) -> Iterator[str]:
    """At most ten lines."""
    verdict = verdict_words(report) + (f" ({report['severities']})" if report["severities"] else "")
    yield f"### {code(report['source']['name'], 100)}: {verdict}"
    yield ""
    for title, words in facts(report):
        yield _fact(title, words)


def _fact(title: str, words: str) -> str:
    """One bounded line. The words are cut before they are marked up: a code span cut in two would set its text free."""
    ours = title == "Known issue"  # from our own table; a reference in it shall come to life
    limit = HEAD_LINE
    while True:
        told = words[:limit] if ours else prose(words, limit)
        line = f"- **{title}:** {told}"
        if len(line.encode()) <= HEAD_LINE:
            return line
        limit = limit * 3 // 4


def _sections(report: Document) -> Iterator[tuple[str, bool, Iterator[Piece]]]:
    yield "What happened", True, _words(report)
    yield "Findings", False, _findings(report)
    if report["exhibits"]:
        yield "Bytes of the damage", False, _exhibits(report)
    if report["log"]:
        yield "Log lines", False, _log(report["log"])
    if report["timeline"]:
        yield "Timeline", False, _timeline(report["timeline"])
    if report["loaders"]:
        yield "What the programs do with it", False, _loaders(report)
    if report["repair"]:
        yield "What a repair would keep", False, _repair(report["repair"])
    yield "Records", False, _records(report)
    if report["environment"]:
        yield "Environment", False, _environment(report["environment"])


def _folded(title: str, opened: bool, pieces: Iterator[Piece], share: int) -> list[str]:
    """Pieces while they fit the share of this section; what is left out is counted."""
    head = ["<details open>" if opened else "<details>", f"<summary>{title}</summary>", ""]
    foot = ["", "</details>", ""]
    left = share - sum(len(line) + 1 for line in (*head, *foot)) - 80
    body: list[str] = []
    missing = 0
    for piece in pieces:
        need = sum(len(line.encode()) + 1 for line in piece)
        if missing or need > left:
            missing += 1
            continue
        body += piece
        left -= need
    if missing:
        body += ["", f"… and {missing:,} more of this section; the other forms of the report have them."]
    return [*head, *body, *foot] if body else []


def _words(report: Document) -> Iterator[Piece]:
    for words in report["words"]:
        yield [f"{prose(words, 1200)}", ""]
    told = report.get("diagnosis") or {"events": [], "events_total": 0}
    for event in told["events"][:5] if told["events_total"] > 1 else ():
        yield [f"- {prose(event_words(event), 500)}"]
    if told["events_total"] > 1:
        yield [f"- {told['events_total']:,} events in all", ""]
    if told.get("given_up"):
        yield [given_up_words(told["given_up"]), ""]
    for issue in report["known_issues"][:6]:
        fixed = f"fixed: {issue['fixed']}" if issue["fixed"] else "no fix is known"
        told = prose(f"{issue['title']} ({issue['program']}; affected: {issue['affected']}; {fixed})", 500)
        yield [f"Known issue {issue['id']} ({issue['confidence']}, by {prose(issue['because'])}): {told}", ""]
    if report["next"]:
        yield ["Next:", "", *block(script(report, 8))]


def _findings(report: Document) -> Iterator[Piece]:
    head = table(
        ("code", "rule", "severity", "times>"),
        ((r["code"], prose(r["rule"]), r["worst"], f"{r['count']:,}") for r in report["rules"]),
    )
    if len("\n".join(head)) < 5000 and report["rules"]:
        yield [*head, ""]
    for found in report["findings"]:
        yield list(_finding(found))
    hidden = report["findings_total"] - len(report["findings"])
    if hidden > 0:
        yield [f"- {hidden:,} more are counted and not listed"]


def _finding(found: Document) -> Iterator[str]:
    yield f"- **{found['severity']} {found['code']}** {prose(place_words(found))}: {prose(found['message'], 400)}"
    cause = found["cause"]
    if cause["name"] != "unknown":
        yield f"  - cause: {cause['name']} ({cause['confidence']}) {prose(cause['because'], 300)}".rstrip()
    if found["salvage"]:
        yield f"  - salvage: {found['salvage']}"
    if found["evidence"]:
        told = ", ".join(f"{name} {value[:80]}" for name, value in evidence_words(found))
        yield f"  - evidence: {code(told, 400)}"


def _exhibits(report: Document) -> Iterator[Piece]:
    for exhibit in report["exhibits"]:
        yield list(_exhibit(exhibit))


def _exhibit(exhibit: Document) -> Iterator[str]:
    yield f"**{', '.join(exhibit['of'])}**: {prose(exhibit['title'])}: {prose(exhibit['state'])}"
    yield ""
    lines = []
    for entry in exhibit["neighbours"]:
        side = "before" if entry["start"] < exhibit["start"] else "after"
        lines.append(f"{side:<7}{entry['start']:>12}  {entry['kind']}  {entry['state']}")
    for field in exhibit["fields"][:40]:
        lines.append(f"{field['start']:>#12x}  {field['name']:<26} {field['text'][:72]}")
    yield from block([*lines, *([""] if lines and exhibit["data"] else []), *dump_lines(exhibit, 192)])
    yield ""


def _log(log: Document) -> Iterator[Piece]:
    for line in log["lines"]:
        head = f"- {line['time'] or 'no time'} {code(line['text'], 200)}"
        place = f" **{prose(line['verdict'], 240)}**" if line["verdict"] else ""
        yield [head, f"  - {prose(line['meaning'], 300)}{place}"]
    if log["known"] > len(log["lines"]):
        yield [f"- {log['known'] - len(log['lines']):,} more known messages are counted and not listed"]


def _timeline(events: Iterable[Document]) -> Iterator[Piece]:
    yield table(("time", "", "what"), ())
    for event in events:
        where = f" at {event['offset']}" if event["offset"] is not None else ""
        what = prose(event["what"], 200).replace("|", "\\|")
        yield [f"| {event['time']} | {event['kind']}{where} | {what} |"]


def _loaders(report: Document) -> Iterator[Piece]:
    yield table(("program", "release", "outcome", "message"), ())
    for one in report["loaders"]:
        cells = [prose(one[n], 160).replace("|", "\\|") for n in ("program", "release", "outcome")]
        yield [f"| {' | '.join(cells)} | {code(one['message'], 160).replace('|', chr(92) + '|')} |"]


def _repair(repair: Document) -> Iterator[Piece]:
    if not repair["offered"]:
        yield [prose(f"No: {repair['why']}", 500)]
        return
    names = ("kept", "corrected", "dropped", "lost")
    rows = [
        ("bytes", *(f"{repair['bytes'][n]:,}" for n in names), f"{repair['bytes']['added']:,}"),
        ("records", *(_count(repair["records"][n]) for n in names), ""),
    ]
    yield [*table(("", *(f"{n}>" for n in names), "added>"), rows), ""]
    for note in repair["notes"][:10]:
        yield [f"- {prose(note, 300)}"]
    for one in repair["changes"]:
        at = f"{one['start']} to {one['end']}" if one["start"] is not None else "new bytes"
        where = f"{one['file']}: {at}" if one["file"] else at
        yield [f"- {one['action']} ({one['proof']}) {prose(where)}: {prose(one['why'], 200)}"]


def _count(count: int | None) -> str:
    return "not known" if count is None else f"{count:,}"


def _records(report: Document) -> Iterator[Piece]:
    rows = [(prose(k, 60), f"{n:,}") for k, n in report["records"]["by_kind"].items()]
    rows += [(f"*{name}* bytes", f"{n:,}") for name, n in report["bytes"].items() if n]
    for i, line in enumerate(table(("kind", "count>"), rows)):
        if i == 0:
            head = line
        elif i == 1:
            yield [head, line]
        else:
            yield [line]


def _environment(env: Document) -> Iterator[Piece]:
    yield [f"- {prose(env['system'])}, page size {env['page_size']}"]
    if env["file_system"]:
        yield [f"- file system {prose(env['file_system']['type'])}, mounted {code(env['file_system']['options'], 300)}"]
    yield [f"- ages are before {env['ages_before']}"]
    for file in env["files"]:
        yield [f"- {code(file['name'], 120)}: {prose(size_and_age(file, env))}, written {file['modified']}"]
